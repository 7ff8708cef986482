"""Claims about speed: never made of the noise, made of what is slower. Waits are drawn from recorded ones."""

import itertools
from collections import Counter
from pathlib import Path
from random import Random

import msgspec
import pytest

from conformance.verdict import Block, Distribution
from reports.charts import percentile
from reports.compare import Run, compare
from reports.performance import ALPHA, compared, quantile, rarity, slower
from reports.stability import document
from tests.reports.report_verdicts import passing

RECORDED = Path(__file__).with_name("recorded_waits.json")
"""Waits of two runs of the reference engine: how many took at most so many µs. One machine was quiet, one busy."""
RUNS = 5
SAMPLES = 3_400
NOISE = 0.03
"""How much runs of one engine differ on a quiet machine (standard deviation of the logarithm)."""


@pytest.fixture(scope="module", params=["quiet", "busy"])
def recorded(request: pytest.FixtureRequest) -> dict[int, int]:
    runs = msgspec.json.decode(RECORDED.read_bytes(), type=dict[str, dict[int, int]])
    found: dict[int, int] = runs[request.param]
    return found


def drawn(recorded: dict[int, int], random: Random, factor: float) -> dict[int, int]:
    """The waits of a run, drawn from those recorded, all slower or faster by chance, and by a factor."""
    pace = factor * random.lognormvariate(0, NOISE)
    waits = Counter(random.choices(list(recorded), weights=list(recorded.values()), k=SAMPLES))
    return {round(us * pace): waits[us] for us in sorted(waits)}


def claims(recorded: dict[int, int], factor: float, seed: int) -> int:
    """How many of 20 comparisons claim that the candidate is slower."""
    random = Random(seed)
    found = 0
    for _ in range(20):
        before, after = ([percentile(drawn(recorded, random, f), 95) for _ in range(RUNS)] for f in (1.0, factor))
        p = slower(before, after)
        assert p is not None
        found += p <= ALPHA
    return found


@pytest.mark.parametrize("seed", [1])
def test_the_same_engine_is_never_claimed_to_be_slower(recorded: dict[int, int], seed: int) -> None:
    assert claims(recorded, 1.0, seed) == 0


@pytest.mark.parametrize("seed", [3])
def test_an_engine_that_is_30_percent_slower_is_found_out(recorded: dict[int, int], seed: int) -> None:
    assert claims(recorded, 1.3, seed) >= 19


def test_a_faster_engine_is_no_regression(recorded: dict[int, int]) -> None:
    assert claims(recorded, 0.7, 5) == 0


def test_runs_are_compared_by_their_percentiles(recorded: dict[int, int]) -> None:
    random = Random(6)
    sides = [
        [
            msgspec.structs.replace(passing(), distributions=(Distribution("waits", 1, (Block(0, counts),)),))
            for counts in (drawn(recorded, random, factor) for _ in range(RUNS))
        ]
        for factor in (1.0, 1.5)
    ]
    (waits,) = compared(*sides)
    assert waits.regressed
    told = [f"2026-11-21T08:{minute:02}:00Z" for minute in range(2 * RUNS)]
    for begun, by_turns in ((told, False), (told[::2] + told[1::2], True)):
        runs = [
            Run(msgspec.structs.replace(verdict, began=begun[n]), str(n))
            for n, verdict in enumerate(sides[0] + sides[1])
        ]
        text = str(document(compare(runs[:RUNS], runs[RUNS:])))
        assert ("not run by turns" in text) is not by_turns
    assert waits.samples == (RUNS * SAMPLES, RUNS * SAMPLES)
    assert all(after.value > before.value for before, after in zip(waits.before, waits.after, strict=True))
    assert compared(sides[0], [passing()]) == []


@pytest.mark.parametrize(("before", "after"), [(1, 1), (1, 5), (4, 4), (3, 5)])
def test_too_few_runs_claim_nothing(before: int, after: int) -> None:
    assert slower([1.0] * before, [100.0] * after) is None


def test_runs_of_one_engine_on_a_busy_machine_are_not_taken_for_a_regression() -> None:
    # p95 in ms of 12 runs of the reference engine on a shared machine; none of the splits is a claim beyond chance.
    p95s = [33, 41, 5, 14, 8, 62, 42, 7, 24, 44, 61, 71]
    splits = [set(chosen) for chosen in itertools.combinations(range(12), 6)]
    found = [slower([p95s[n] for n in range(12) if n not in after], [p95s[n] for n in after]) for after in splits]
    assert sum(p is not None and p <= 0.01 for p in found) <= len(splits) * 0.01


@pytest.mark.parametrize("ahead", range(4))
def test_the_chance_of_so_many_ahead_is_that_of_counting_all_orders(ahead: int) -> None:
    orders = [set(chosen) for chosen in itertools.combinations(range(7), 4)]
    likely = sum(min(order) >= ahead for order in orders)
    assert rarity(3, 4, ahead) == pytest.approx(likely / len(orders))


@pytest.mark.parametrize(("runs", "disturbed"), [(5, 0), (6, 1), (8, 2), (10, 4)])
def test_so_many_disturbed_runs_of_the_baseline_hide_nothing(runs: int, disturbed: int) -> None:
    baseline = [100.0] * (runs - disturbed) + [300.0] * disturbed
    p = slower(baseline, [130.0] * runs)
    assert p is not None
    assert p <= ALPHA
    hidden = slower([*baseline[1:], 300.0], [130.0] * runs)
    assert hidden is not None
    assert hidden > ALPHA


def test_one_run_of_the_candidate_that_is_as_fast_as_ever_is_enough_not_to_claim_anything() -> None:
    p = slower([100.0] * 8, [130.0] * 7 + [101.0])
    assert p is not None
    assert p > ALPHA


def test_a_percentile_lies_within_its_bounds_which_few_samples_do_not_have() -> None:
    many = quantile({us * 100: 1 for us in range(1, 1001)}, 95)
    assert many.low is not None
    assert many.high is not None
    assert 93 < many.low < many.value == 95 < many.high < 97
    few = quantile({1000: 5, 2000: 5}, 99)
    assert few.high is None


def test_bounds_hold_the_true_percentile_as_often_as_they_say() -> None:
    random = Random(7)
    held = 0
    for _ in range(300):
        counts: dict[int, int] = {}
        for us in sorted(int(random.lognormvariate(8, 1)) + 1 for _ in range(400)):
            counts[us] = counts.get(us, 0) + 1
        bounds = quantile(counts, 95)
        assert bounds.low is not None
        assert bounds.high is not None
        held += bounds.low <= 15.442 <= bounds.high  # exp(8 + 1.6449) µs
    assert held >= 275
    assert percentile(counts, 50) < 10
