"""The objectives of two loads, held against each other."""

from msgspec.structs import replace

from conformance.verdict import Met, ObjectiveVerdict, Verdict
from reports.compare import Comparison, Run, compare
from reports.document import markdown
from reports.recommendation import Advice, advice
from reports.stability import document
from tests.reports.report_verdicts import passing


def load(verdict: Met, *, bound: float = 500.0) -> Verdict:
    objective = ObjectiveVerdict("p95_ms", "chat", bound, "ms", verdict, 1_000, 480.0, 470.0, 490.0, None, "")
    return replace(passing(), objectives=(objective,))


def held(before: list[Verdict], after: list[Verdict]) -> Comparison:
    return compare([Run(each, "report.html") for each in before], [Run(each, "report.html") for each in after])


def test_an_objective_that_any_run_violates_is_a_regression_and_blocks() -> None:
    comparison = held([load(Met.MET)], [load(Met.MET), load(Met.VIOLATED), load(Met.UNDECIDED)])
    assert comparison.regressions == ["The objective p95_ms of chat (at most 500.0 ms) is violated and was not."]
    assert advice(comparison) == (
        Advice.BLOCK,
        ["An objective is violated: p95_ms of chat (at most 500.0 ms)."],
    )
    text = markdown(document(comparison))
    assert "of chat (at most 500.0 ms) | met | 480.0 ms (470.0 ms to 490.0 ms) | violated |" in text


def test_one_that_was_violated_before_blocks_and_is_no_regression() -> None:
    comparison = held([load(Met.VIOLATED)], [load(Met.VIOLATED)])
    assert comparison.regressions == []
    assert advice(comparison)[0] is Advice.BLOCK


def test_one_that_is_met_or_new_is_no_regression() -> None:
    assert held([load(Met.VIOLATED)], [load(Met.MET)]).regressions == []
    assert held([passing()], [load(Met.MET)]).regressions == []


def test_another_bound_is_another_objective() -> None:
    comparison = held([load(Met.MET)], [load(Met.VIOLATED, bound=100.0)])
    assert comparison.regressions == ["The objective p95_ms of chat (at most 100.0 ms) is violated and was not."]
    assert len(comparison.goals) == 2


def test_without_loads_nothing_is_said_of_objectives() -> None:
    assert "Objectives" not in markdown(document(held([passing()], [passing()])))
