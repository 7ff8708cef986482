"""Sketches hold three digits, merge without loss, and are HdrHistograms."""

from random import Random

import pytest
from hdrh.histogram import HdrHistogram

from load.sketch import PERCENTILES, Sketch

_RANDOM = Random(7)
DURATIONS = [int(_RANDOM.expovariate(1 / 40_000)) for _ in range(20_000)]


def sketch(durations: list[int]) -> Sketch:
    made = Sketch()
    made.add_all(durations)
    return made


@pytest.mark.parametrize("percent", [50.0, 95.0, 99.0, 99.9, 100.0])
def test_a_percentile_has_three_digits(percent: float) -> None:
    exact = sorted(DURATIONS)[-(-len(DURATIONS) * int(percent * 10) // 1000) - 1]
    assert sketch(DURATIONS).percentile_ms(percent) == pytest.approx(exact / 1000, rel=1e-3)


def test_percentiles_come_in_one_pass_as_they_do_one_by_one() -> None:
    made = sketch(DURATIONS)
    assert made.percentiles_ms(PERCENTILES) == [made.percentile_ms(percent) for percent in PERCENTILES]


def test_a_duration_below_zero_counts_as_none() -> None:
    made = sketch([-1, -5_000, 3])
    assert made.counts == {0: 2, 3: 1}


def test_two_halves_make_the_same_histogram_as_the_whole() -> None:
    halves = sketch(DURATIONS[::2])
    halves.merge(sketch(DURATIONS[1::2]))
    assert halves.counts == sketch(DURATIONS).counts
    assert halves.encoded() == sketch(DURATIONS).encoded()


def test_what_is_written_is_what_an_hdr_histogram_of_the_same_samples_would_be() -> None:
    plain = HdrHistogram(1, 3_600_000_000, 3)
    for duration in DURATIONS:
        plain.record_value(max(1, duration))
    assert sketch(DURATIONS).encoded() == plain.encode().decode()


def test_what_came_before_its_time_counts_as_at_once() -> None:
    assert sketch([-5, 0]).counts == {0: 2}


def test_an_empty_sketch_has_no_percentile_but_zero() -> None:
    assert Sketch().percentiles_ms((50, 99)) == [0, 0]
