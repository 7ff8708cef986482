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


def keeps_descriptors(before: Footprint, after: Footprint, gone: int) -> bool:
    """Tell whether more file descriptors are open, by one for each ten connections that have gone in between."""
    return after.descriptors - before.descriptors >= max(1, gone * _SHARE)


def keeps_memory(before: Footprint, after: Footprint, gone: int) -> bool:
    """Tell whether more memory is held, by 16 KiB for each connection that has gone in between."""
    if before.memory_kib is None or after.memory_kib is None:
        return False
    return after.memory_kib - before.memory_kib >= max(1, gone * _KIB)


class Leaks(Unconcerned):
    """A process does not hold more with each round of connections."""

    decides = ("LIF-07",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._seen: list[tuple[Here, Footprint, int]] = []
        self._gone = 0

    @on(ops.Closed)
    def closed(self, op: ops.Closed) -> None:
        """A connection is gone."""
        self._gone += 1

    @on(ops.FaultBegan)
    def began(self, op: ops.FaultBegan) -> None:
        """Another process is another beginning."""
        if op.user is None and op.kind is not FaultKind.FREEZE:
            self._judge()

    @on(Footprint)
    def footprint(self, op: Footprint) -> None:
        """Remember what was held, after how many connections."""
        self._seen.append((self.here(op), op, self._gone))

    def finish(self) -> None:
        """Judge what was seen, and say what is missing to decide."""
        self._judge()
        if not self.exercised["LIF-07"] and "managed" not in self.world.capabilities:
            self.undecided["LIF-07"] = _UNMANAGED

    def _judge(self) -> None:
        """Hold each footprint against the one before, and the last against the first."""
        seen, self._seen = self._seen, []
        rounds = [(one[1], other[1], other[2] - one[2]) for one, other in pairwise(seen) if other[2] > one[2]]
        if len(rounds) < _FEWEST:
            return
        whole = (seen[0][1], seen[-1][1], seen[-1][2] - seen[0][2])
        growing = {
            name: (str(whole[0].descriptors), str(whole[1].descriptors)) if keeps is keeps_descriptors else _mib(*whole)
            for name, keeps in _KEEPS.items()
            if all(starmap(keeps, [*rounds, whole]))
        }
        if growing and len(rounds) < ROUNDS:
            self.undecided["LIF-07"] = f"{' and '.join(growing)} grew in {len(rounds)} rounds: {ROUNDS} would decide it"
            return
        self.exercised["LIF-07"] += len(rounds)
        for name, (first, last) in growing.items():
            self.fail(
                "LIF-07",
                f"a process holds more {name} with each round of connections",
                expected=f"about {first} again when the connections are gone",
                actual=f"{last} after {whole[2]:,} connections, more after each of {len(rounds)} rounds",
                witnesses=[seen[0][0], seen[-1][0]],
            )


def _mib(first: Footprint, last: Footprint, _: int) -> tuple[str, str]:
    return f"{(first.memory_kib or 0) / 1024:,.1f} MiB", f"{(last.memory_kib or 0) / 1024:,.1f} MiB"


_KEEPS = {"file descriptors": keeps_descriptors, "memory": keeps_memory}
