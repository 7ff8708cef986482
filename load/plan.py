"""How many workers, files and how much memory a number of connections needs, from a short calibration."""

import math
from dataclasses import replace

from conformance.target import Target
from load.command import Asked, run

_BUSY = 0.7
_CALIBRATED_S = 10.0
_FILES_BESIDES = 64
_PORTS = 28_000
_PER_CONNECTION_KB = 20.0
_PROCESS_MB = 120.0


async def plan(target: Target, asked: Asked, goal: int) -> str:
    """Calibrate with the users that were asked for; return what `goal` connections that act like them need."""
    verdict = await run(target, replace(asked, rate=None, duration_s=_CALIBRATED_S))
    measured = {each.name: each.value for each in verdict.measurements}
    rate = measured.get("throughput", 0.0) / asked.users
    cpu = max(0.1, measured.get("generator CPU", 0.0)) / 100 / asked.users
    by_cpu = max(1, int(_BUSY / cpu))
    each = min(by_cpu, _PORTS, goal)
    workers = math.ceil(goal / each)
    memory = _PROCESS_MB + each * _PER_CONNECTION_KB / 1000
    return "\n".join(
        (
            f"calibrated with {asked.users:,} users for {_CALIBRATED_S:.0f} s: {rate:.2f} events/s a user, "
            f"{cpu * 100:.3f} % of a core each",
            f"{goal:,} connections need",
            f"  {workers:,} workers, a core each, with {each:,} connections at {_BUSY:.0%} of it, and one master",
            f"  {each + _FILES_BESIDES:,} open files a worker (ulimit -n), {goal + _FILES_BESIDES:,} at the target",
            f"  {memory:,.0f} MB a worker ({_PER_CONNECTION_KB:.0f} kB a connection)",
            f"  an address of its own for each {_PORTS:,} connections: a target's port takes no more from one address",
            f"  {goal * rate:,.0f} events/s from the target",
        )
    )
