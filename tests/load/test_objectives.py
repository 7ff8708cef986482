"""Objectives are met, violated or undecided, at 95 % confidence."""

import pytest

from conformance.errors import UsageError
from conformance.target import Goals, LoadTable, Objectives, Target
from conformance.verdict import Met, ObjectiveVerdict
from load import objectives
from load.result import Whole
from tests.load.wholes import whole


def judged(goals: Objectives, seen: Whole) -> ObjectiveVerdict:
    (only,) = objectives.judge(goals, seen, late_ms=100.0)
    return only


P95 = Objectives(p95_ms=500)


@pytest.mark.parametrize(
    ("fast", "slow", "expected"),
    [(5_000, 0, Met.MET), (4_900, 100, Met.MET), (4_500, 500, Met.VIOLATED), (950, 50, Met.UNDECIDED)],
)
def test_a_percentile(fast: int, slow: int, expected: Met) -> None:
    assert judged(P95, whole(fast=fast, slow=slow)).verdict is expected


def test_too_few_samples_say_how_many_would_decide() -> None:
    objective = judged(P95, whole(fast=40))
    assert (objective.verdict, objective.needed) == (Met.UNDECIDED, 59)


def test_a_share_that_is_lost() -> None:
    assert judged(Objectives(delivered=0.999), whole(fast=5_000)).verdict is Met.MET
    assert judged(Objectives(delivered=0.999), whole(fast=5_000, lost=20)).verdict is Met.VIOLATED
    assert judged(Objectives(delivered=0.999), whole(fast=1_000)).needed == 2_995


def test_runs_that_fail() -> None:
    assert judged(Objectives(errors=0.01), whole(failed=0)).verdict is Met.MET
    assert judged(Objectives(errors=0.01), whole(failed=50)).verdict is Met.VIOLATED


def test_what_came_while_the_generator_was_late_neither_violates_nor_meets() -> None:
    assert judged(P95, whole(fast=4_500, doubtful=500)).verdict is Met.UNDECIDED
    assert judged(P95, whole(fast=4_500, doubtful=50)).verdict is Met.MET


def test_a_generator_that_was_late_all_the_time_can_say_that_it_was_met_only() -> None:
    assert judged(P95, whole(fast=5_000, late_us=300_000)).verdict is Met.MET
    late = judged(P95, whole(fast=4_500, slow=500, late_us=300_000))
    assert late.verdict is Met.UNDECIDED
    assert "late itself" in late.reason


def test_a_clock_that_is_not_known_well_enough_says_nothing() -> None:
    assert judged(P95, whole(clock_error_us=20_000.0)).verdict is Met.MET
    assert judged(P95, whole(clock_error_us=80_000.0)).verdict is Met.UNDECIDED
    assert judged(P95, whole(clock_error_us=None)).verdict is Met.UNDECIDED
    assert judged(Objectives(first_event_ms=500), whole(clock_error_us=None)).verdict is Met.MET


def test_events_before_their_time_say_that_the_clocks_differ() -> None:
    early = whole(fast=4_000, early=1_000)
    judged_early = judged(P95, early)
    assert judged_early.verdict is Met.UNDECIDED
    assert judged_early.reason.startswith("1,000 of 5,000 events came before their timestamps")
    assert judged(P95, whole(fast=5_000, early=20)).verdict is Met.MET


def test_a_behaviour_has_its_own() -> None:
    goals = Objectives(behaviours={"chat": Goals(p95_ms=500), "tools": Goals(p95_ms=500)})
    chat, tools = objectives.judge(goals, whole(), late_ms=100.0)
    assert (chat.behaviour, chat.verdict) == ("chat", Met.MET)
    assert (tools.behaviour, tools.verdict, tools.reason) == ("tools", Met.UNDECIDED, "nothing was measured")


def test_without_a_table_the_bounds_count() -> None:
    wanted = objectives.wanted(Target())
    assert (wanted.p95_ms, wanted.first_event_ms, wanted.delivered) == (500.0, 500.0, 0.999)


def test_what_is_lost_is_not_counted_by_behaviour() -> None:
    target = Target(objectives=Objectives(behaviours={"chat": Goals(delivered=0.999)}), load=LoadTable())
    with pytest.raises(UsageError, match=r"objectives.behaviours.chat"):
        objectives.wanted(target)
