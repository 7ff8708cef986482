"""Bounds at 95 % confidence: Clopper and Pearson for shares, order statistics for percentiles. Exact, from counts."""

from collections.abc import Callable

from conformance.statistics import CONFIDENCE, Decision, at_most, needed, share
from load.sketch import Sketch

_STEPS = 40
_MOST = 2_000_000


def share_between(hits: int, samples: int) -> tuple[float, float]:
    """Return a lower and an upper bound of the share behind `hits` of `samples`, each one-sided (Clopper-Pearson)."""
    if not samples:
        return 0.0, 1.0
    alpha = 1 - CONFIDENCE
    low = 0.0 if not hits else _root(lambda p: 1 - at_most(hits - 1, samples, p) <= alpha)
    high = 1.0 if hits >= samples else _root(lambda p: at_most(hits, samples, p) > alpha)
    return low, high


def percentile_between(sketch: Sketch, percent: float) -> tuple[float, float | None]:
    """Return a lower and an upper bound of a percentile, in ms; None where there are too few samples for one.

    The sample of rank k lies above the percentile with the probability that fewer than k of all lie below it.
    """
    samples, above = sketch.samples, 1 - percent / 100
    low = _rank(samples, above, Decision.ABOVE)
    high = _rank(samples, above, Decision.BELOW)
    return sketch.at_rank(samples - low) / 1000, None if high < 0 else sketch.at_rank(samples - high) / 1000


def _rank(samples: int, above: float, wanted: Decision) -> int:
    """Return how many samples must lie above a value for it to be below (or not to be above) the percentile."""
    first, last = -1, samples
    while last - first > 1:
        middle = (first + last) // 2
        decision = share(middle, samples, above)
        passed = decision is Decision.BELOW if wanted is Decision.BELOW else decision is not Decision.ABOVE
        first, last = (middle, last) if passed else (first, middle)
    return first if wanted is Decision.BELOW else min(last, samples)


def more_needed(hits: int, samples: int, bound: float) -> int | None:
    """Return how many samples in all would decide whether a share lies below `bound`, if it stays as it is."""
    if not hits:
        return needed(bound)
    seen = hits / samples
    total = samples
    while total <= _MOST:
        total *= 2
        if share(round(seen * total), total, bound) is not Decision.UNDECIDED:
            return total
    return None


def _root(below: Callable[[float], bool]) -> float:
    """Return the largest probability up to which `below` holds."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return low
