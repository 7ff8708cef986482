from msgspec.structs import replace

from conformance.catalogue import Level, load
from conformance.verdict import Finding, Outcome, RequirementVerdict
from reports.outline import ORDER, by_reason, families, rationale, setting, violated, warnings
from tests.reports.report_verdicts import passing, sample, whole


def test_every_family_of_the_catalogue_has_its_place() -> None:
    assert set(ORDER) == {family.id for family in load().families}
    assert tuple(family.id for family in families(sample())) == ORDER


def test_counts_add_up_to_the_summary() -> None:
    verdict = sample()
    found = families(verdict)
    assert sum(family.passed for family in found) == verdict.summary.passed
    assert sum(family.failed for family in found) == verdict.summary.failed == 4
    assert sum(family.unknown for family in found) == verdict.summary.unknown == 3
    assert sum(family.not_applicable for family in found) == verdict.summary.not_applicable
    assert sum(family.exercised for family in found) == sum(r.exercised for r in verdict.requirements)
    assert [family.id for family in found if not family.applies] == ["TST"]


def test_a_family_that_this_catalogue_does_not_know_comes_last() -> None:
    later = RequirementVerdict("XYZ-01", Level.MUST, "Of a later catalogue.", Outcome.FAIL, 1, "violated 1 time", 1)
    held = RequirementVerdict("TST-01", Level.MUST, "Held.", Outcome.PASS, 1, "held 1 time")
    found = families(whole(later, held))
    assert [(family.id, family.title) for family in found] == [("TST", load().family("TST").title), ("XYZ", "")]
    assert rationale("XYZ-01") == ""
    assert rationale("TST-01") == load()["TST-01"].rationale


def test_violations_come_in_reading_order() -> None:
    assert [requirement.id for requirement in violated(sample())] == ["EVT-05", "SCH-04", "ISO-01", "SRC-01"]


def test_requirements_with_one_reason_are_folded() -> None:
    undecided = [r for r in sample().requirements if r.verdict is Outcome.UNKNOWN]
    assert by_reason(undecided) == {
        "no check yet": ["EVT-12", "EVT-16"],
        "nothing was seen that could decide it": ["LIF-03"],
    }


def test_the_setting_leaves_out_what_is_not_known() -> None:
    finding = Finding("EVT-01", "m", "e", "a", user="alice", location="history.jsonl:3")
    assert setting(finding) == [("user", "alice"), ("at", "history.jsonl:3")]


def test_what_is_said_of_several_scenarios_is_told_once() -> None:
    verdict = replace(
        passing(),
        warnings=(
            "scenario one: cut short: the target did not let user-1f in",
            "the clock went back",
            "scenario two: cut short: the target did not let user-2e in",
            "scenario three: not played",
            "the clock went back by 7 ms",
        ),
    )
    assert warnings(verdict) == [
        "scenarios one, two: cut short: the target did not let user-1f in",
        "the clock went back",
        "scenario three: not played",
        "the clock went back by 7 ms",
    ]
