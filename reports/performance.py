"""Is one engine slower than another? Exact statements from ranks, for waits of any distribution.

Runs of one engine differ from each other, on a busy machine by more than most regressions do: the samples within one
run say nothing about that. So the sample is the run: the p95 of each. What disturbs a run makes it slower, never
faster: so the candidate's fastest run decides. How many of the baseline's are faster even than that has an exact
distribution where the sides are alike (a precedence test; Balakrishnan and Ng, Precedence-Type Tests, 2006).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from conformance.statistics import at_most
from conformance.verdict import Distribution, Verdict
from reports.charts import percentile, total

MARGIN = 1.05
"""Slower by less than this factor is no regression."""
BY = f"{(MARGIN - 1) * 100:.0f} %"
ALPHA = 0.01
CONFIDENCE = 0.95
PERCENT = 95
PERCENTS = (50, 95, 99)
FEWEST = 50
"""Samples that a run must have for its p95 to count."""


@dataclass(frozen=True, slots=True)
class Quantile:
    """A percentile of a side's runs together, and its bounds at 95 % confidence (ms; None where there are too few)."""

    percent: int
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Waits:
    """One kind of wait on both sides: the p95 of each run (ms), and the percentiles of all samples of a side.

    `p` is the chance of runs as slow as these if the candidate were slower by no more than the margin; None where there
    are too few runs to claim anything, whatever they say.
    """

    name: str
    baseline: tuple[float, ...]
    candidate: tuple[float, ...]
    before: tuple[Quantile, ...]
    after: tuple[Quantile, ...]
    samples: tuple[int, int]
    p: float | None

    @property
    def regressed(self) -> bool:
        """Whether it is claimed that the candidate is slower."""
        return self.p is not None and self.p <= ALPHA


def compared(baseline: Sequence[Verdict], candidate: Sequence[Verdict]) -> list[Waits]:
    """Compare every kind of wait that both sides measured."""
    before, after = _by_name(baseline), _by_name(candidate)
    return [_waits(name, before[name], after[name]) for name in before if name in after]


def slower(baseline: Sequence[float], candidate: Sequence[float], *, margin: float = MARGIN) -> float | None:
    """Return the p-value for "the candidate's runs are slower by more than the margin"; None with too few runs."""
    if math.comb(len(baseline) + len(candidate), len(candidate)) * ALPHA < 1:
        return None
    # A tie speaks for the candidate.
    return rarity(len(baseline), len(candidate), sum(value * margin < min(candidate) for value in baseline))


def rarity(first: int, second: int, ahead: int) -> float:
    """Return the chance that, of two like samples of these sizes, so many of the first precede all of the second."""
    return math.comb(first + second - ahead, second) / math.comb(first + second, second)


def quantile(counts: Mapping[int, int], percent: int) -> Quantile:
    """Return a percentile of binned samples, with bounds by order statistics (binomial, so for any distribution)."""
    samples, share = sum(counts.values()), percent / 100
    tail = (1 - CONFIDENCE) / 2
    low = _last(samples, lambda rank: at_most(rank - 1, samples, share) <= tail)
    high = _last(samples, lambda rank: at_most(rank - 1, samples, share) < 1 - tail) + 1
    return Quantile(
        percent,
        percentile(counts, percent),
        _ranked(counts, low) if low else None,
        _ranked(counts, high) if high <= samples else None,
    )


def _last(samples: int, fits: Callable[[int], bool]) -> int:
    """Return the last rank from 1 on that fits, 0 where none does; the ranks that fit come first."""
    low, high = 0, samples
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _ranked(counts: Mapping[int, int], rank: int) -> float:
    for us, count in counts.items():
        rank -= count
        if rank <= 0:
            return us / 1000
    return 0.0


def _waits(name: str, before: list[Distribution], after: list[Distribution]) -> Waits:
    sides = []
    for runs in (before, after):
        counts = [total(run) for run in runs]
        together: dict[int, int] = {}
        for run in counts:
            for us, count in run.items():
                together[us] = together.get(us, 0) + count
        enough = [run for run in counts if sum(run.values()) >= FEWEST]
        sides.append((tuple(percentile(run, PERCENT) for run in enough), dict(sorted(together.items()))))
    (p95s, whole), (new_p95s, new_whole) = sides
    return Waits(
        name,
        p95s,
        new_p95s,
        tuple(quantile(whole, percent) for percent in PERCENTS),
        tuple(quantile(new_whole, percent) for percent in PERCENTS),
        (sum(whole.values()), sum(new_whole.values())),
        slower(p95s, new_p95s),
    )


def _by_name(runs: Sequence[Verdict]) -> dict[str, list[Distribution]]:
    found: dict[str, list[Distribution]] = {}
    for verdict in runs:
        for waits in verdict.distributions:
            found.setdefault(waits.name, []).append(waits)
    return found
