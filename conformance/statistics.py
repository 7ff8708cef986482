"""Exact statements about shares, from counts alone (Clopper and Pearson, 1934)."""

import math
from enum import Enum

CONFIDENCE = 0.95


class Decision(Enum):
    """What the samples say about a share."""

    BELOW = "below"
    ABOVE = "above"
    UNDECIDED = "undecided"


def share(hits: int, samples: int, bound: float, *, confidence: float = CONFIDENCE) -> Decision:
    """Decide whether the true share behind `hits` of `samples` lies below or above `bound` (0 < bound < 1).

    One-sided exact binomial tests: BELOW where so few hits would be rarer than 1 - confidence at a share of `bound`.
    No hits in 2,995 samples are BELOW 0.001 at 95 %; no hits in 59 are BELOW 0.05.
    """
    if samples <= 0:
        return Decision.UNDECIDED
    if at_most(hits, samples, bound) <= 1 - confidence:
        return Decision.BELOW
    if hits and 1 - at_most(hits - 1, samples, bound) <= 1 - confidence:
        return Decision.ABOVE
    return Decision.UNDECIDED


def at_most(hits: int, samples: int, probability: float) -> float:
    """Return the probability of at most `hits` hits in so many samples (binomial distribution)."""
    if hits >= samples:
        return 1.0
    log_p, log_q = math.log(probability), math.log1p(-probability)
    log_n = math.lgamma(samples + 1)
    total = 0.0
    for k in range(hits, -1, -1):
        term = log_n - math.lgamma(k + 1) - math.lgamma(samples - k + 1) + k * log_p + (samples - k) * log_q
        value = math.exp(term)
        total += value
        if value < total * 1e-12 and k < samples * probability:
            break
    return min(1.0, total)


def needed(bound: float, *, confidence: float = CONFIDENCE) -> int:
    """Return how many samples without a hit show that the share lies below `bound`."""
    return math.ceil(math.log(1 - confidence) / math.log1p(-bound))
