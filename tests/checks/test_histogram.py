from collections import Counter
from random import Random

import pytest

from conformance.checks.histogram import Histogram
from conformance.verdict import Distribution


def waits(count: int, seconds: int) -> tuple[list[int], list[int]]:
    random = Random(count)
    ats = [random.randrange(seconds * 1_000_000) for _ in range(count)]
    return ats, [random.choice((-50, 0, 99, 4_000, 150_000, 70_000_000)) for _ in range(count)]


@pytest.mark.parametrize("seconds", [1, 5])
def test_many_at_once_are_counted_as_one_by_one(seconds: int) -> None:
    ats, us = waits(300, seconds)
    bulk, single = Histogram(), Histogram()
    bulk.add_all(ats, us)
    for at, wait in zip(ats, us, strict=True):
        single.add(at, wait)
    assert bulk.distributions("x") == single.distributions("x")
    assert [bulk.percentile(p) for p in (5, 50, 99)] == [single.percentile(p) for p in (5, 50, 99)] == [1, 5, 60_000]
    assert bulk.samples == single.samples == 300


def test_many_within_a_second_are_counted_as_one_by_one() -> None:
    _, us = waits(300, 1)
    bulk, single = Histogram(), Histogram()
    bulk.add_within(7, Counter(wait // 100 for wait in us))
    for wait in us:
        single.add(7_500_000, wait)
    assert bulk.distributions("x") == single.distributions("x")
    assert bulk.samples == single.samples == 300


def test_a_long_history_is_published_in_few_blocks() -> None:
    histogram = Histogram()
    for second in range(1_000):
        histogram.add(second * 1_000_000, 1_250)
    (published,) = histogram.distributions("x")
    assert published.block_s == 9
    assert len(published.blocks) == 112
    assert [block.at_s for block in published.blocks[:3]] == [0, 9, 18]
    assert sum(sum(block.counts.values()) for block in published.blocks) == 1_000


def test_memory_does_not_grow_with_the_history() -> None:
    """However the waits came in, and though none was like another."""
    waits = [(second * 1_000_000, tenths * 100) for second in range(2_000) for tenths in range(60)]
    single, bulk = Histogram(), Histogram()
    for at, us in waits:
        single.add(at, us)
    for first in range(0, len(waits), 1_000):
        bulk.add_all(*zip(*reversed(waits[first : first + 1_000]), strict=True))
    (published,) = single.distributions("x")
    assert bulk.distributions("x") == [published]
    assert published.block_s == 20  # seconds are counted by fours
    assert sum(sum(block.counts.values()) for block in published.blocks) == single.samples == 120_000
    assert single.percentile(50) == 3
    assert len(single._counts) <= 50_000


@pytest.mark.parametrize(("us", "upper"), [(0, 100), (1_250, 1_300), (99_999, 100_000), (100_500, 101_000)])
def test_bins_are_known_by_their_upper_end(us: int, upper: int) -> None:
    histogram = Histogram()
    histogram.add(0, us)
    (published,) = histogram.distributions("x")
    assert isinstance(published, Distribution)
    assert published.blocks[0].counts == {upper: 1}


def test_nothing_counted_is_nothing_published() -> None:
    histogram = Histogram()
    histogram.add_all([], [])
    assert histogram.distributions("x") == []
    assert histogram.measurements("x") == []
