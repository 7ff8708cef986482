"""Waits, counted: in tenths of a millisecond, for each second of the history in which they ended."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from conformance.verdict import Block, Distribution, Measurement

_TENTHS = 1 << 20
"""Keys are second * this + tenths of a millisecond: one dictionary, and one addition a sample."""
_LONGEST = 600_000
_SECOND_US = 1_000_000
_MOST_BLOCKS = 120
_MOST_COUNTS = 50_000


class Histogram:
    """Counts of waits; what is longer than a minute counts as a minute. Percentiles are whole ms, rounded up.

    Of a long history several seconds are counted as one, so that memory does not grow with it.
    """

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._together = 1
        self.samples = 0

    def add(self, at: int, us: int) -> None:
        """Count a wait of `us` that ended `at` (both in µs)."""
        self._enter({at // _SECOND_US * _TENTHS + min(_LONGEST, max(0, us // 100)): 1})

    def add_all(self, ats: Sequence[int], us: Sequence[int]) -> None:
        """Count many waits, each with its end (in µs)."""
        if not us:
            return
        if min(us) < 0 or max(us) // 100 > _LONGEST:
            us = [min(_LONGEST * 100, max(0, wait)) for wait in us]
        self._enter(Counter([at // _SECOND_US * _TENTHS + wait // 100 for at, wait in zip(ats, us, strict=True)]))

    def add_within(self, second: int, tenths: Mapping[int, int]) -> None:
        """Count waits that all ended in this second of the history: how many there are of so many tenths of a ms."""
        base = second * _TENTHS
        self._enter(_summed((base + min(_LONGEST, max(0, wait)), count) for wait, count in tenths.items()))

    def _enter(self, counts: Mapping[int, int]) -> None:
        if self._together > 1:
            counts = _summed((self._coarse(key), count) for key, count in counts.items())
        for key, count in counts.items():
            self._counts[key] = self._counts.get(key, 0) + count
        self.samples += sum(counts.values())
        while len(self._counts) > _MOST_COUNTS:
            self._together *= 2
            self._counts = _summed((self._coarse(key), count) for key, count in self._counts.items())

    def _coarse(self, key: int) -> int:
        second, tenths = divmod(key, _TENTHS)
        return (second - second % self._together) * _TENTHS + tenths

    def over(self, bound_ms: float) -> int:
        """Return how many samples lie above a bound."""
        return sum(count for ms, count in self._whole().items() if ms > bound_ms)

    def percentile(self, percent: float) -> float:
        """Return the value in ms that this share of the samples does not exceed."""
        rest = self.samples * percent / 100
        whole = self._whole()
        for value in sorted(whole):
            rest -= whole[value]
            if rest <= 0:
                return value
        return 0.0

    def measurements(self, name: str) -> list[Measurement]:
        """Return the figures that a report shows."""
        if not self.samples:
            return []
        return [Measurement(f"{name} p{p}", self.percentile(p), "ms", self.samples) for p in (50, 95, 99)]

    def distributions(self, name: str) -> list[Distribution]:
        """Return what another run can be compared by: the waits by time, in at most 120 blocks of whole seconds."""
        if not self.samples:
            return []
        seconds = max(self._counts) // _TENTHS + 1
        block_s = -(-seconds // _MOST_BLOCKS // self._together) * self._together
        blocks: dict[int, dict[int, int]] = {}
        for key in sorted(self._counts):
            second, tenths = divmod(key, _TENTHS)
            counts = blocks.setdefault(second // block_s, {})
            us = _upper_us(tenths)
            counts[us] = counts.get(us, 0) + self._counts[key]
        return [Distribution(name, block_s, tuple(Block(at * block_s, counts) for at, counts in blocks.items()))]

    def _whole(self) -> dict[int, int]:
        return _summed((min(60_000, key % _TENTHS // 10 + 1), count) for key, count in self._counts.items())


def _summed(counted: Iterable[tuple[int, int]]) -> dict[int, int]:
    total: dict[int, int] = {}
    for value, count in counted:
        total[value] = total.get(value, 0) + count
    return total


def _upper_us(tenths: int) -> int:
    """Return the upper end of the bin that a wait is published in: 0.1 ms wide, from 100 ms on about 1 % of it."""
    width = 1
    while tenths // width >= 1_000:
        width *= 10
    return (tenths // width + 1) * width * 100
