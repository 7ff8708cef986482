"""How late the kit itself is: what it comes to late it must not hold against a target."""

import asyncio

from conformance.history import operations as ops
from conformance.history.operations import Operation
from conformance.history.recorder import Clock, Recorder

_LAG_US = 50_000
_TICK_US = 20_000


class Lateness:
    """Watches the kit's own event loop. `spells` are (end, by), in µs.

    It also looks whenever something is recorded: what the kit comes to late is recorded after its being late.
    """

    def __init__(self, clock: Clock) -> None:
        self.recorder = Recorder(clock, ())
        self.spells: list[tuple[int, float]] = []
        self._due: int | None = None

    async def watch(self) -> None:
        """Look in short intervals, until cancelled."""
        while True:
            self._due = self.recorder.clock.now() + _TICK_US
            await asyncio.sleep(_TICK_US / 1e6)
            self._look(self.recorder.clock.now())

    def look(self, operation: Operation) -> None:
        """See whether what is about to be recorded has been waited for."""
        if not isinstance(operation, ops.Lagged):
            self._look(operation.at)

    def late_us(self, since: int) -> float:
        """Return for how many µs since a time the event loop was late."""
        return sum(by for end, by in self.spells if end >= since)

    def _look(self, now: int) -> None:
        late_us = now - self._due if self._due is not None else 0
        if late_us > _LAG_US:
            self._due = now
            self.spells.append((now, late_us))
            self.recorder.record(ops.Lagged(now, round(late_us / 1000, 1)))
