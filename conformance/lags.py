"""When the kit itself was late, so that it may have seen later what happened before. Times are in µs."""

from collections import deque

_REMEMBERED = 4_096
_MARGIN_US = 1_000_000


class Lags:
    """The times at which the kit was late, and by how much; the most recent ones."""

    def __init__(self) -> None:
        self._spells: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)

    def add(self, at: int, by: int) -> None:
        """Remember that the kit was late by so much at a time, which is not before the last one."""
        self._spells.append((at, by))

    def since(self, since: int, now: int) -> int:
        """Return for how long it was late from a time until now."""
        if self._forgotten(since):
            return now - since
        late = 0
        for at, by in reversed(self._spells):
            if at <= since:
                break
            late += min(by, at - since)
        return late

    def about(self, since: int, until: int) -> int:
        """Return for how long it was late between two times, or about then: so late may be what it saw."""
        if self._forgotten(since - _MARGIN_US):
            return until - since
        return sum(by for at, by in self._spells if since - _MARGIN_US <= at <= until + _MARGIN_US)

    def _forgotten(self, since: int) -> bool:
        """Tell whether spells after a time may be forgotten."""
        return len(self._spells) == _REMEMBERED and self._spells[0][0] > since
