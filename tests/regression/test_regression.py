"""Real runs of an engine and of a slower one: what was recorded of them, and that such runs can be made."""

import json
from pathlib import Path

from reports.performance import ALPHA, FEWEST, slower
from tests.regression.sides import compare

RECORDED = Path(__file__).with_name("recorded.json")
"""The p95s of real runs, in ms, as `python -m tests.regression --rounds 5 --save FILE` left them on a busy machine."""


def claimed(baseline: list[float], candidate: list[float]) -> bool:
    p = slower(baseline, candidate)
    assert p is not None
    return p <= ALPHA


def test_of_recorded_runs_only_the_slower_engine_is_claimed_to_be_slower() -> None:
    rounds = json.loads(RECORDED.read_text())
    assert len(rounds) >= 5
    assert not any(claimed(each["baseline"], each["same"]) for each in rounds)
    assert not any(claimed(each["slower"], each["baseline"]) for each in rounds)
    assert all(claimed(each["baseline"], each["slower"]) for each in rounds)


async def test_runs_are_made_and_measured_and_one_a_side_claims_nothing() -> None:
    found = await compare(seed=1, runs=1)
    for waits in (found.same, found.slower):
        assert min(waits.samples) >= FEWEST
        assert waits.p is None
        assert not waits.regressed
