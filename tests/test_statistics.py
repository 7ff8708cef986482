"""Exact statements about shares."""

import math
from fractions import Fraction

import pytest

from conformance.statistics import Decision, at_most, needed, share


def exactly(hits: int, samples: int, probability: Fraction) -> Fraction:
    """The binomial distribution, summed up in fractions."""
    return sum(
        (math.comb(samples, k) * probability**k * (1 - probability) ** (samples - k) for k in range(hits + 1)),
        Fraction(0),
    )


@pytest.mark.parametrize("probability", [Fraction(1, 1000), Fraction(1, 20), Fraction(1, 2), Fraction(19, 20)])
@pytest.mark.parametrize("samples", [1, 2, 7, 20, 59, 100])
def test_agrees_with_sums_of_fractions(samples: int, probability: Fraction) -> None:
    for hits in range(samples + 1):
        wanted = float(exactly(hits, samples, probability))
        assert at_most(hits, samples, float(probability)) == pytest.approx(wanted, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("samples", [500, 2_000])
def test_agrees_with_sums_of_fractions_far_out(samples: int) -> None:
    for hits in (0, 1, 5):
        wanted = float(exactly(hits, samples, Fraction(1, 1000)))
        assert at_most(hits, samples, 0.001) == pytest.approx(wanted, rel=1e-6, abs=1e-30)


def test_a_probability_is_never_above_one() -> None:
    assert at_most(10, 10, 0.3) == 1.0
    assert at_most(11, 10, 0.3) == 1.0
    assert all(at_most(hits, 5_000, 0.001) <= 1.0 for hits in range(60))


@pytest.mark.parametrize(("bound", "samples"), [(0.001, 2995), (0.05, 59), (0.5, 5)])
def test_how_many_without_a_hit(bound: float, samples: int) -> None:
    assert needed(bound) == samples
    assert share(0, samples, bound) is Decision.BELOW
    assert share(0, samples - 1, bound) is Decision.UNDECIDED


@pytest.mark.parametrize(
    ("hits", "samples", "bound", "decision"),
    [
        (0, 0, 0.05, Decision.UNDECIDED),
        (0, 1, 0.05, Decision.UNDECIDED),
        (1, 1, 0.05, Decision.ABOVE),  # happens once in twenty times
        (1, 2, 0.05, Decision.UNDECIDED),
        (1, 92, 0.05, Decision.UNDECIDED),
        (1, 93, 0.05, Decision.BELOW),
        (2, 2, 0.05, Decision.ABOVE),
        (1, 51, 0.001, Decision.ABOVE),
        (1, 52, 0.001, Decision.UNDECIDED),
        (1, 4741, 0.001, Decision.UNDECIDED),
        (1, 4742, 0.001, Decision.BELOW),
        (100, 100, 0.05, Decision.ABOVE),
        (50, 1_000_000, 0.001, Decision.BELOW),
        (2_000, 1_000_000, 0.001, Decision.ABOVE),
    ],
)
def test_decisions(hits: int, samples: int, bound: float, decision: Decision) -> None:
    assert share(hits, samples, bound) is decision


@pytest.mark.parametrize("bound", [Fraction(1, 20), Fraction(1, 1000)])
@pytest.mark.parametrize("samples", range(1, 120, 7))
def test_decisions_are_the_exact_tests(samples: int, bound: Fraction) -> None:
    for hits in range(min(samples, 12) + 1):
        below = exactly(hits, samples, bound) <= Fraction(5, 100)
        above = hits > 0 and 1 - exactly(hits - 1, samples, bound) < Fraction(5, 100)
        decision = share(hits, samples, float(bound))
        if (hits, samples, bound) == (1, 1, Fraction(1, 20)):
            continue  # exactly on the line
        assert (decision is Decision.BELOW, decision is Decision.ABOVE) == (below, above)


def test_more_confidence_needs_more_samples() -> None:
    assert needed(0.05, confidence=0.99) == 90
    assert share(0, 60, 0.05, confidence=0.99) is Decision.UNDECIDED
