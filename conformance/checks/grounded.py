"""What the checks of ground truth have in common."""

from collections import deque
from typing import Any

from conformance.checks.check import Unconcerned, on
from conformance.events import Kind
from conformance.express.stretch import Stretch
from conformance.history import operations as ops
from conformance.story import Story

_LAGS = 4_096
_MARGIN_US = 1_000_000


class Grounded(Unconcerned):
    """A check that holds what was told against what the witness recorded; idle where there is no witness."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ground = self.world.ground
        self.witnessed = self.ground.witnessed
        self._lags: deque[tuple[int, float]] = deque(maxlen=_LAGS)

    def screen(self, told: Stretch) -> bool:
        """Where there is a witness, what runs say is looked at run by run."""
        return not self.witnessed

    @on(ops.Lagged)
    def lagged(self, op: ops.Lagged) -> None:
        """Remember when the kit itself was late."""
        self._lags.append((op.at, op.by_ms * 1000))

    def late_us(self, since: int, until: int) -> float:
        """Return for how long the kit was late between two times (µs), or about then: so late may be what it saw."""
        if len(self._lags) == _LAGS and self._lags[0][0] > since - _MARGIN_US:
            return until - since
        return sum(by for at, by in self._lags if since - _MARGIN_US <= at <= until + _MARGIN_US)


def wholly_told(story: Story) -> bool:
    """Tell whether every event of a run has come, from its start to its end."""
    first, terminal = story.first, story.terminal
    return first is not None and first.event.kind is Kind.STARTED and terminal is not None and not story.missing
