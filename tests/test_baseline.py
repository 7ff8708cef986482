"""Baselines: what is known is accepted, and nothing else; a file that is wrong is told so, with its line."""

from datetime import date
from pathlib import Path

import pytest

from conformance.baseline import Baseline, Comparison, compare, mistaken
from conformance.baseline_file import draft, load, parse
from conformance.catalogue import load as load_catalogue
from conformance.errors import UsageError
from conformance.verdict import Finding, Outcome, RequirementVerdict, Verdict, cause, overall, summarise

CATALOGUE = load_catalogue()
SCENARIOS = ("crowd", "tool-failure", "golden-path")
TODAY = date(2026, 11, 21)


def finding(
    requirement: str, message: str = "a tool without a result", scenario: str | None = "tool-failure"
) -> Finding:
    return Finding(requirement=requirement, message=message, expected="one", actual="none", scenario=scenario)


def verdict(*findings: Finding, passed: tuple[str, ...] = (), unknown: tuple[str, ...] = ()) -> Verdict:
    """A verdict on the requirements that are named, with these findings."""
    outcomes = dict.fromkeys(passed, Outcome.PASS) | dict.fromkeys(unknown, Outcome.UNKNOWN)
    outcomes |= {found.requirement: Outcome.FAIL for found in findings}
    requirements = tuple(
        RequirementVerdict(
            id=id,
            level=CATALOGUE[id].level,
            statement=CATALOGUE[id].statement,
            verdict=outcome,
            exercised=1,
            reason="",
            violations=sum(found.requirement == id for found in findings),
            findings=tuple(found for found in findings if found.requirement == id),
        )
        for id, outcome in sorted(outcomes.items())
    )
    return Verdict(
        schema=1,
        kit="0",
        catalogue=1,
        command="verify",
        target="t",
        dialect="ag-ui",
        seed=1,
        verdict=overall(requirements),
        summary=summarise(requirements),
        requirements=requirements,
    )


def read(text: str) -> Baseline:
    return parse(text, path="known.toml", catalogue=CATALOGUE, scenarios=SCENARIOS)


def compared(judged: Verdict, text: str, played: tuple[str, ...] | None = None) -> Comparison:
    return compare(judged, read(text), today=TODAY, played=played)


ENTRY = '[[known]]\nrequirement = "EVT-05"\nreason = "the adapter drops the result"\n'


def test_a_violation_that_is_known_is_accepted() -> None:
    result = compared(verdict(finding("EVT-05"), passed=("EVT-01",)), ENTRY)
    assert result.holds
    assert [entry.requirement for entry in result.seen] == ["EVT-05"]


def test_a_violation_that_is_not_listed_is_new() -> None:
    result = compared(verdict(finding("EVT-05"), finding("ISO-05")), ENTRY)
    assert not result.holds
    assert [(new.requirement, new.level) for new in result.new] == [("ISO-05", "MUST")]


def test_an_entry_whose_requirement_passes_is_stale() -> None:
    result = compared(verdict(passed=("EVT-05",)), ENTRY)
    assert not result.holds
    assert [entry.line for entry in result.stale] == [1]


def test_what_does_not_apply_any_more_is_stale() -> None:
    judged = verdict(passed=("EVT-05",))
    nowhere = RequirementVerdict(
        id="EVT-05",
        level=CATALOGUE["EVT-05"].level,
        statement="",
        verdict=Outcome.NOT_APPLICABLE,
        exercised=0,
        reason="",
    )
    other = Verdict(**{name: getattr(judged, name) for name in judged.__struct_fields__} | {"requirements": (nowhere,)})
    assert compared(other, ENTRY).stale


def test_an_entry_of_a_requirement_that_was_not_decided_is_neither_seen_nor_stale() -> None:
    result = compared(verdict(unknown=("EVT-05",)), ENTRY)
    assert result.holds
    assert [entry.requirement for entry in result.undecided] == ["EVT-05"]


def test_an_entry_of_a_requirement_that_was_left_out_is_left_out() -> None:
    result = compared(verdict(passed=("EVT-01",)), ENTRY)
    assert result == Comparison((), (), (), (), ())


def test_a_new_cause_under_a_known_requirement_is_new() -> None:
    entry = ENTRY + 'scenario = "tool-failure"\nfinding = "a tool without a result"\n'
    elsewhere = finding("EVT-05", scenario="crowd")
    otherwise = finding("EVT-05", message="a tool with two results")
    result = compared(verdict(finding("EVT-05"), elsewhere, otherwise, otherwise), entry)
    assert [new.finding for new in result.new] == [elsewhere, otherwise]
    assert result.seen
    assert not result.stale


def test_an_entry_that_matches_none_of_the_findings_is_stale() -> None:
    result = compared(verdict(finding("EVT-05")), ENTRY + 'scenario = "crowd"\n')
    assert [entry.scenario for entry in result.stale] == [("crowd",)]
    assert len(result.new) == 1


def test_an_entry_may_name_several_scenarios() -> None:
    entry = ENTRY + 'scenario = ["crowd", "tool-failure"]\n'
    assert compared(verdict(finding("EVT-05")), entry).holds
    result = compared(verdict(finding("EVT-05", scenario="golden-path")), entry)
    assert result.stale
    assert [new.finding and new.finding.scenario for new in result.new] == ["golden-path"]


def test_an_entry_of_scenarios_that_were_not_played_is_not_stale() -> None:
    entry = ENTRY + 'scenario = ["crowd", "tool-failure"]\n'
    kept = verdict(passed=("EVT-05",))
    assert compared(kept, entry, played=("golden-path",)).undecided
    assert compared(kept, entry, played=("golden-path", "crowd")).stale


def test_an_asterisk_in_a_message_stands_for_anything_and_nothing_else_does() -> None:
    named = 'a tool "x[1]" of call-7f without a result'
    judged = verdict(finding("EVT-05", message=named))
    assert compared(judged, ENTRY + "finding = 'a tool \"x[1]\" of * without a result'\n").holds
    assert compared(judged, ENTRY + f"finding = '{named}'\n").holds
    for other in ('a tool "x1" of * without a result', "a tool*", 'a tool "x[1]" of call-?f without a result'):
        assert (other == "a tool*") is compared(judged, ENTRY + f"finding = '{other}'\n").holds


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("", "it does not happen any more: remove it"),
        ('scenario = "crowd"\n', "scenario 'crowd' matches nothing; expected one of golden-path, tool-failure"),
        (
            'finding = "a tool without result"\n',
            "finding 'a tool without result' matches nothing; did you mean a tool without a result?",
        ),
        ('path = "shop/*.py"\n', "path 'shop/*.py' matches nothing; "),
        (
            'scenario = "tool-failure"\nfinding = "a tool twice"\n',
            "no finding has all of its scenario, finding and path",
        ),
    ],
)
def test_what_a_stale_entry_may_have_meant_is_guessed(entry: str, said: str) -> None:
    gone = entry == ""
    found = () if gone else (finding("EVT-05"), finding("EVT-05", "a tool twice", "golden-path"))
    judged = verdict(*found, passed=("EVT-05",) if gone else ())
    (stale,) = compared(judged, ENTRY + entry).stale
    assert said in mistaken(stale, judged)


def test_a_cause_is_a_message_without_what_differs_from_run_to_run() -> None:
    assert cause("tool call call_7f (search) never completes") == "tool call * (search) never completes"
    assert cause("an event of the unknown type 'v2'") == "an event of the unknown type 'v2'"


def test_a_draft_holds_an_entry_for_each_cause_and_is_refused_until_it_is_filled_in() -> None:
    hostile = 'a "tool"\n[[known]] \\ \x7f \x00 \ud83d é 😀'
    found = (
        finding("EVT-05", "call c1 hangs", "crowd"),
        finding("EVT-05", "call c2 hangs", "tool-failure"),
        finding("ISO-01", hostile, "a file of steps"),
    )
    text = draft(found, today=TODAY, scenarios=SCENARIOS)
    with pytest.raises(UsageError) as raised:
        read(text)
    assert "known.toml:1: [[known]] reason, owner, expires: to be filled in" in str(raised.value)
    filled = text.replace('reason = ""', 'reason = "r"').replace('owner = ""', 'owner = "o"')
    baseline = read(filled.replace('expires = ""', "expires = 2027-01-31"))
    assert [(entry.requirement, entry.scenario, entry.since) for entry in baseline.known] == [
        ("EVT-05", ("crowd", "tool-failure"), TODAY),
        ("ISO-01", (), TODAY),
    ]
    judged = verdict(*found[:2])
    assert compare(judged, Baseline("", baseline.known[:1]), today=TODAY).holds
    assert baseline.known[1].finding == cause(hostile).encode(errors="backslashreplace").decode()


def test_a_draft_of_what_was_found_in_source_names_the_file() -> None:
    found = Finding(
        requirement="SRC-01", message="shop.v2 is gone", expected="", actual="", location="shop/a.py:7", witnesses=()
    )
    text = draft([found], today=TODAY, scenarios=SCENARIOS)
    assert 'finding = "shop.v2 is gone"\npath = "shop/a.py"\n' in text


def test_a_flaky_entry_may_be_seen_or_not() -> None:
    entry = ENTRY + "flaky = true\n"
    assert compared(verdict(finding("EVT-05")), entry).holds
    assert compared(verdict(passed=("EVT-05",)), entry).holds


def test_an_expired_entry_is_no_excuse() -> None:
    entry = ENTRY + "expires = 2026-11-20\n"
    result = compared(verdict(finding("EVT-05")), entry)
    assert [entry.requirement for entry in result.expired] == ["EVT-05"]
    assert [new.requirement for new in result.new] == ["EVT-05"]
    assert compared(verdict(finding("EVT-05")), ENTRY + "expires = 2026-11-21\n").holds


def test_all_of_an_entry_is_read() -> None:
    text = ENTRY + (
        'scenario = "crowd"\nfinding = "f"\nupstream = "u"\nowner = "o"\nexpires = 2027-01-31\nflaky = true\n'
    )
    (entry,) = read("# a comment\n\n" + text).known
    assert (entry.scenario, entry.finding, entry.upstream, entry.owner) == (("crowd",), "f", "u", "o")
    assert (entry.expires, entry.flaky, entry.line) == (date(2027, 1, 31), True, 3)


def test_an_empty_baseline_knows_nothing() -> None:
    assert read("").known == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[known]", "known.toml: not a baseline: "),
        ("[[knwon]]\n", "known.toml: knwon: unknown key; did you mean known?"),
        ("known = 3\n", "known.toml: known: expected [[known]] tables"),
        (ENTRY + 'secnario = "crowd"\n', "known.toml:1: [[known]] secnario: unknown key; did you mean scenario?"),
        (ENTRY + "line = 4\n", "known.toml:1: [[known]] line: unknown key; "),
        (ENTRY + 'owner = ""\n', "known.toml:1: [[known]] owner: to be filled in"),
        (ENTRY + 'since = "x"\n', "known.toml:1: [[known]] since: expected a day such as 2027-01-31, without"),
        ('\n[[known]]\nreason = "x"\n', "known.toml:2: [[known]] requirement: expected in each entry, found none"),
        ('[[known]]\nrequirement = "EVT-05"\n', "known.toml:1: [[known]] reason: expected in each entry, found none"),
        (
            ENTRY + '[[known]]\nrequirement = "EVT-5"\nreason = "x"\n',
            "known.toml:4: [[known]] requirement: there is no 'EVT-5'; did you mean EVT-05?",
        ),
        ('[[known]]\nrequirement = "EVT"\nreason = "x"\n', "[[known]] requirement: there is no 'EVT'"),
        (ENTRY + 'scenario = "crowds"\n', "[[known]] scenario: there is no 'crowds'; did you mean crowd?"),
        (ENTRY + 'scenario = ["crowd", "x"]\n', "[[known]] scenario: there is no 'x'; expected one of crowd, "),
        (ENTRY + "scenario = []\n", "[[known]] scenario: expected the names of scenarios, got []"),
        (ENTRY + 'expires = "2027-01-01"\n', "[[known]] expires: expected a day such as 2027-01-31, without quotation"),
        (ENTRY + "flaky = 1\n", "[[known]] flaky: expected true or false, got 1"),
        (ENTRY + 'upstream = " "\n', "[[known]] upstream: expected a text that is not empty"),
        (ENTRY + ENTRY, "known.toml:4: EVT-05: the same entry stands in line 1"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(text)
    assert said in str(raised.value)


def test_a_file_is_read(here: Path) -> None:
    (here / "known.toml").write_text(ENTRY)
    assert load(here / "known.toml", CATALOGUE, SCENARIOS).known[0].requirement == "EVT-05"
    with pytest.raises(UsageError, match="no such file"):
        load(here / "none.toml", CATALOGUE, SCENARIOS)
