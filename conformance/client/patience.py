"""How long the kit waits: with full patience, until a target has shown that it lets the kit wait in vain.

The first wait of a kind (for a run's end, for an answer, …) that runs out had the kit's full patience. From then on
each purpose of that kind (the end of a run of this scenario's sort, …) gets what is plenty for this target, by how
soon nearly everything else came; and a purpose that ran out already, only a moment: that is no evidence any more. What
comes after all restores full patience: the target was slow.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from conformance.history.operations import Awaited

_PLENTY = 4
_SHORT = 1 / 8
_MOMENT = 1 / 50
_RECENT = 256


@dataclass(frozen=True)
class Allowance:
    """How long to wait, in ms; and whether the wait, if it is in vain, says something of the target."""

    milliseconds: float
    telling: bool


class Patience:
    """The patience of one run of the kit, `full_ms` where nothing was in vain yet."""

    def __init__(self, full_ms: float) -> None:
        self._full_ms = full_ms
        self._came_ms: deque[float] = deque(maxlen=_RECENT)
        self._vain: dict[tuple[Awaited, str], Callable[[], bool]] = {}

    def allowance(self, awaited: Awaited, purpose: str, share: float) -> Allowance:
        """Return how long to wait for something; `share` is the part of the full patience that it would get."""
        self._look_again()
        full = self._full_ms * share
        if not any(kind is awaited for kind, _ in self._vain):
            return Allowance(full, telling=True)
        if (awaited, purpose) not in self._vain:
            return Allowance(min(full, max(self._full_ms * _SHORT, self._usual_ms() * _PLENTY)), telling=True)
        return Allowance(min(full, max(self._full_ms * _MOMENT, self._usual_ms())), telling=False)

    def came(self, after_ms: float) -> None:
        """Take note of how long something took that came in time."""
        self._came_ms.append(after_ms)

    def in_vain(self, awaited: Awaited, purpose: str, came: Callable[[], bool]) -> None:
        """Take note of a wait that ran out; `came` tells whether what was awaited has come since."""
        self._vain[awaited, purpose] = came

    def afresh(self) -> None:
        """Begin again with full patience: the target was started anew, and may have to get under way first."""
        self._vain.clear()
        self._came_ms.clear()

    def _look_again(self) -> None:
        """Give a target that only was slow all patience back, for that kind of wait."""
        slow = {kind for (kind, _), came in self._vain.items() if came()}
        if slow:
            self._vain = {key: came for key, came in self._vain.items() if key[0] not in slow}

    def _usual_ms(self) -> float:
        """Return how long nearly everything takes at most: one in twenty took longer."""
        known = sorted(self._came_ms)
        return known[len(known) * 19 // 20] if known else self._full_ms
