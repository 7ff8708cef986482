"""Bounds at 95 % confidence, against values of the literature."""

from random import Random

import pytest

from load.intervals import more_needed, percentile_between, share_between
from load.sketch import Sketch


@pytest.mark.parametrize(
    ("hits", "samples", "low", "high"),
    [(0, 2995, 0.0, 0.00099975), (0, 59, 0.0, 0.04951), (2, 20, 0.01807, 0.28262), (20, 20, 0.86089, 1.0)],
)
def test_the_bounds_of_a_share_are_clopper_and_pearsons(hits: int, samples: int, low: float, high: float) -> None:
    assert share_between(hits, samples) == pytest.approx((low, high), abs=1e-4)


def test_nothing_is_known_of_a_share_without_samples() -> None:
    assert share_between(0, 0) == (0.0, 1.0)


def test_a_percentile_lies_between_its_bounds_nearly_always() -> None:
    random = Random(3)
    inside = 0
    for _ in range(200):
        sketch = Sketch()
        sketch.add_all([random.randrange(100_000) for _ in range(400)])
        low, high = percentile_between(sketch, 95)
        assert high is not None
        inside += low <= 95.0 <= high
    assert inside >= 170  # 90 % or more, each bound holding at 95 %


def test_few_samples_have_no_upper_bound() -> None:
    sketch = Sketch()
    sketch.add_all([1000] * 58)
    assert percentile_between(sketch, 95) == (1.0, None)
    sketch.add(1000)
    assert percentile_between(sketch, 95) == (1.0, 1.0)


def test_how_many_samples_would_decide() -> None:
    assert more_needed(0, 10, 0.05) == 59
    assert (more_needed(1, 30, 0.05) or 0) > 30
    assert more_needed(50, 1000, 0.05) is None
