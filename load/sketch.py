"""Latencies of any number in little memory: HdrHistograms of three digits, which merge without loss."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from hdrh.histogram import HdrHistogram

DIGITS = 3
LONGEST_US = 3_600_000_000
_BITS = 11  # 2 ** 11 steps between a power of two and the next: three digits
_MASKS = [-1 << max(0, length - _BITS) for length in range(129)]
"""What remains of a number of so many bits."""
PERCENTILES = (0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 97.5, 99.0, 99.5, 99.9, 99.95, 99.99, 100.0)


def buckets(durations: Sequence[int]) -> list[int]:
    """Return the lowest value of the bucket that each duration falls into."""
    if durations and min(durations) < 0:
        durations = [max(us, 0) for us in durations]
    masks = _MASKS
    return [us & masks[us.bit_length()] for us in durations]


class Sketch:
    """Counts of durations in µs. `counts` maps the lowest value of each bucket to its number of samples."""

    __slots__ = ("counts",)

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts: Counter[int] = Counter(counts or {})

    def add(self, us: int) -> None:
        """Count one duration; one below zero counts as none."""
        self.add_all((us,))

    def add_all(self, durations: Sequence[int]) -> None:
        """Count many durations in µs."""
        self.counts.update(buckets(durations))

    def merge(self, other: "Sketch") -> None:
        """Add the samples of another sketch."""
        self.counts.update(other.counts)

    @property
    def samples(self) -> int:
        """How many durations were counted."""
        return self.counts.total()

    def over(self, bound_us: float) -> int:
        """Return how many samples lie above a bound."""
        return sum(count for value, count in self.counts.items() if value > bound_us)

    def at_rank(self, rank: int) -> int:
        """Return the value in µs of the sample of that rank, from 1 on, in ascending order; 0 where there is none."""
        for value in sorted(self.counts):
            rank -= self.counts[value]
            if rank <= 0:
                return value
        return 0

    def percentile_ms(self, percent: float) -> float:
        """Return the value in ms that this share of the samples does not exceed."""
        return self.percentiles_ms((percent,))[0]

    def percentiles_ms(self, percents: Iterable[float]) -> list[float]:
        """Return several percentiles in ms, the wanted ones in ascending order; 0 where there are no samples."""
        total, told, ranked = self.samples, 0, iter(sorted(self.counts))
        value, found = 0, []
        for percent in percents:
            while told < max(1, -(-total * percent // 100)) and told < total:
                value = next(ranked)
                told += self.counts[value]
            found.append(value / 1000)
        return found

    def histogram(self) -> HdrHistogram:
        """Return it as an HdrHistogram in µs."""
        histogram = HdrHistogram(1, LONGEST_US, DIGITS)
        for value in sorted(self.counts):
            histogram.record_value(min(max(value, 1), LONGEST_US), self.counts[value])
        return histogram

    def encoded(self) -> str:
        """Return the HdrHistogram in its portable form (V2, compressed, base64)."""
        encoded: bytes = self.histogram().encode()
        return encoded.decode()
