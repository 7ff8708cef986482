"""LIF-07, by what the target's processes hold after many connections have come and gone."""

from itertools import pairwise, starmap
from typing import Any

from conformance.checks.check import Here, Unconcerned, on
from conformance.history import operations as ops
from conformance.history.operations import FaultKind, Footprint

ROUNDS = 12
"""How often in a row there must be more than before until that is growth: caches fill, garbage is collected late."""
_FEWEST = 3
_SHARE = 0.1
_KIB = 16
_UNMANAGED = "the kit did not start the target, so it cannot look at its process: say how to ([target] command)"


def keeps_descriptors(before: Footprint, after: Footprint) -> bool:
    """Tell whether more file descriptors are open, by one for each ten connections that have gone."""
    gone = after.connections - before.connections
    return after.descriptors - before.descriptors >= max(1, gone * _SHARE)


def keeps_memory(before: Footprint, after: Footprint) -> bool:
    """Tell whether more memory is held, by 16 KiB for each connection that has gone."""
    gone = after.connections - before.connections
    if before.memory_kib is None or after.memory_kib is None:
        return False
    return after.memory_kib - before.memory_kib >= max(1, gone * _KIB)


_KEEPS = {"file descriptors": keeps_descriptors, "KiB of memory": keeps_memory}


class Leaks(Unconcerned):
    """A process does not hold more with each round of connections."""

    decides = ("LIF-07",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._seen: list[Here] = []

    @on(ops.FaultBegan)
    def began(self, op: ops.FaultBegan) -> None:
        """Another process is another beginning."""
        if op.user is None and op.kind is not FaultKind.FREEZE:
            self._judge()

    @on(Footprint)
    def footprint(self, op: Footprint) -> None:
        """Remember what was held."""
        self._seen.append(self.here(op))

    def finish(self) -> None:
        """Judge what was seen, and say what is missing to decide."""
        self._judge()
        if not self.exercised["LIF-07"] and "managed" not in self.world.capabilities:
            self.undecided["LIF-07"] = _UNMANAGED

    def _judge(self) -> None:
        """Hold each footprint against the one before."""
        seen, self._seen = self._seen, []
        held = [here.op for here in seen if isinstance(here.op, Footprint)]
        if len(held) <= _FEWEST:
            return
        growing = [name for name, keeps in _KEEPS.items() if all(starmap(keeps, pairwise(held)))]
        if growing and len(held) <= ROUNDS:
            self.undecided["LIF-07"] = (
                f"{' and '.join(growing)} grew in {len(held) - 1} rounds: {ROUNDS} would decide it"
            )
            return
        self.exercised["LIF-07"] += len(held) - 1
        for name in growing:
            first, last = (
                f.descriptors if name == "file descriptors" else f.memory_kib or 0 for f in (held[0], held[-1])
            )
            self.fail(
                "LIF-07",
                f"a process holds more {name} with each round of connections",
                expected=f"{first:,} again when they are gone, or no more with each round",
                actual=f"{last:,} after {held[-1].connections - held[0].connections:,} connections, "
                f"more in each of {len(held) - 1} rounds",
                witnesses=[seen[0], seen[-1]],
            )
