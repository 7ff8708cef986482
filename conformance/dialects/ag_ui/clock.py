"""Timestamps of AG-UI: milliseconds since 1970, read fast because they mostly lie within the second of the last one."""

from datetime import UTC, datetime, timedelta

_EARLIEST, _LATEST = 100_000_000_000, 100_000_000_000_000
_MILLISECONDS = tuple(timedelta(milliseconds=number) for number in range(1000))


class Clock:
    """Reads timestamps, in the order of a stream; `latest` is the highest one so far."""

    __slots__ = ("_moment", "_second", "latest")

    def __init__(self) -> None:
        self.latest: float = 0
        self._second = 0
        self._moment = datetime.fromtimestamp(0, UTC)

    def read(self, milliseconds: float) -> datetime | None:
        """Return the moment; None where the number cannot be one of milliseconds: it lies before 1973 or after 5138."""
        if not _EARLIEST <= milliseconds < _LATEST:
            return None
        if milliseconds > self.latest:
            self.latest = milliseconds
        if milliseconds.__class__ is float:
            return datetime.fromtimestamp(milliseconds / 1000, UTC)
        second = milliseconds // 1000
        if second != self._second:
            self._second = int(second)
            self._moment = datetime.fromtimestamp(second, UTC)
        return self._moment + _MILLISECONDS[int(milliseconds) - self._second * 1000]
