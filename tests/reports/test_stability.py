from datetime import date
from pathlib import Path

import msgspec
import pytest

from conformance.baseline_file import parse
from conformance.catalogue import load
from conformance.cli import run
from conformance.verdict import Outcome, Verdict, judged_by, overall, summarise
from reports.compare import Change, Comparison, Run, compare
from reports.document import markdown
from reports.html import render_document
from reports.recommendation import Advice, advice
from reports.stability import document
from reports.waivers import State, waivers
from reports.writer import write_all
from tests.reports.report_verdicts import HOSTILE, LONG, hostile, passing, sample
from tests.reports.test_report_html import Page


def sides(before: Verdict, after: Verdict) -> Comparison:
    return compare([Run(before, "../old/report.html")], [Run(after, "report.html")])


def with_outcome(verdict: Verdict, **outcomes: Outcome) -> Verdict:
    ids = {id.replace("_", "-"): outcome for id, outcome in outcomes.items()}
    requirements = tuple(
        msgspec.structs.replace(r, verdict=ids[r.id], exercised=0) if r.id in ids else r for r in verdict.requirements
    )
    return msgspec.structs.replace(
        verdict, requirements=requirements, summary=summarise(requirements), verdict=overall(requirements)
    )


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (Outcome.PASS, Outcome.FAIL, Change.BROKEN),
        (Outcome.UNKNOWN, Outcome.FAIL, Change.BROKEN),
        (Outcome.FAIL, Outcome.PASS, Change.FIXED),
        (Outcome.FAIL, Outcome.FAIL, Change.STILL),
        (Outcome.FAIL, Outcome.UNKNOWN, Change.NO_LONGER),
        (Outcome.UNKNOWN, Outcome.PASS, Change.NEWLY),
        (Outcome.NOT_APPLICABLE, Outcome.PASS, Change.NEWLY),
        (Outcome.PASS, Outcome.UNKNOWN, Change.NO_LONGER),
        (Outcome.PASS, Outcome.PASS, Change.SAME),
        (Outcome.UNKNOWN, Outcome.NOT_APPLICABLE, Change.SAME),
    ],
)
def test_what_became_of_a_requirement(before: Outcome, after: Outcome, change: Change) -> None:
    comparison = sides(with_outcome(passing(), ISO_01=before), with_outcome(passing(), ISO_01=after))
    assert [row.id for row in comparison.changed(change) if row.id == "ISO-01"] == ["ISO-01"]


def test_a_requirement_fails_on_a_side_where_it_failed_in_any_run() -> None:
    good, bad = Run(passing(), "1/report.html"), Run(with_outcome(passing(), ISO_01=Outcome.FAIL), "2/report.html")
    comparison = compare([good], [good, bad, good])
    (row,) = comparison.changed(Change.BROKEN)
    assert row.after is not None
    assert (row.after.failed_in, row.after.runs, row.after.run.report) == (1, 3, "2/report.html")
    assert "ISO-01 failed in 1 of 3 runs" in markdown(document(comparison))


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (passing(), Advice.APPROVE),
        (with_outcome(passing(), ISO_01=Outcome.UNKNOWN), Advice.WAIVERS),
        (with_outcome(passing(), SCH_04=Outcome.FAIL), Advice.WAIVERS),
        (with_outcome(passing(), ISO_01=Outcome.FAIL), Advice.BLOCK),
        (msgspec.structs.replace(passing(), harness_errors=("it crashed",)), Advice.BLOCK),
    ],
)
def test_the_recommendation_follows_the_rules(after: Verdict, expected: Advice) -> None:
    recommended, reasons = advice(sides(passing(), after))
    assert recommended is expected
    assert reasons


def test_every_link_leads_to_an_anchor_or_to_a_report() -> None:
    comparison = sides(passing(), sample())
    page = Page(render_document(document(comparison)))
    links = [a["href"] or "" for a in page.of("a")]
    assert {link[1:] for link in links if link.startswith("#")} <= set(page.ids)
    assert {link.partition("#")[0] for link in links} <= {"", "report.html", "../old/report.html"}
    assert "report.html#violation-ISO-01" in links


def test_nothing_is_claimed_of_speed_without_enough_runs() -> None:
    text = markdown(document(sides(passing(), passing())))
    assert "No waits were measured on both sides" in text
    assert "% higher (" not in text


@pytest.mark.parametrize("text", [HOSTILE, LONG, "\ud800</style><script>alert(1)</script>"])
def test_hostile_verdicts_are_data(text: str) -> None:
    written = document(sides(hostile(text), hostile(text)))
    page = Page(render_document(written))
    assert page.of("script") == []
    assert {c for c in markdown(written) + render_document(written) if not c.isprintable()} == {"\n"}
    assert len(render_document(written)) < 500_000
    assert "<script" not in markdown(written)


def test_the_command_renders_a_stored_run_again(tmp_path: Path) -> None:
    write_all(passing(), tmp_path)
    before = (tmp_path / "report.html").read_bytes()
    (tmp_path / "report.html").unlink()
    assert run(["report", str(tmp_path)]) == 0
    assert (tmp_path / "report.html").read_bytes() == before


def test_the_command_gates_on_a_regression(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_all(passing(), tmp_path / "old")
    write_all(sample(), tmp_path / "new")
    arguments = ["report", str(tmp_path / "new"), "--against", str(tmp_path / "old"), "--fail-on", "regression"]
    assert run(arguments) == 1
    assert "regression: ISO-01 (MUST) is violated and was not." in capsys.readouterr().out
    assert "../old/report.html" in (tmp_path / "new/stability.md").read_text()
    assert run(["report", str(tmp_path / "new"), "--against", str(tmp_path / "new"), "--fail-on", "regression"]) == 0
    assert run(["report", str(tmp_path / "new"), "--against", str(tmp_path / "new")]) == 1


def test_several_runs_are_found_in_their_folders(tmp_path: Path) -> None:
    for number in ("1", "2"):
        write_all(passing(), tmp_path / "old" / number)
    write_all(passing(), tmp_path / "new")
    assert run(["report", str(tmp_path / "new"), "--against", str(tmp_path / "old")]) == 0
    assert "../old/2/report.html" in (tmp_path / "new/stability.md").read_text()


def test_wrong_usage_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", str(tmp_path)]) == 64
    assert run(["report", str(tmp_path), "--fail-on", "regression"]) == 64
    assert run(["report", str(tmp_path), "--against", str(tmp_path)]) == 64
    (tmp_path / "verdict.json").write_text("[]")
    assert run(["report", str(tmp_path)]) == 64
    assert "not a verdict of the kit" in capsys.readouterr().err


ENTRY = '[[known]]\nrequirement = "ISO-01"\nreason = "Shown to <b>all</b>."\nowner = "a | b"\nsince = 2026-11-01\n'


def waived(text: str, *after: Verdict) -> Comparison:
    """A comparison whose candidate violates ISO-01, unless said otherwise, with a baseline file."""
    catalogue = load()
    known = parse(text, path="known.toml", catalogue=catalogue, scenarios=["crowd"])
    verdicts = after or (only_iso(),)
    runs = [Run(verdict, f"{number}/report.html") for number, verdict in enumerate(verdicts, start=1)]
    return compare([Run(passing(), "../old/report.html")], runs, waivers(verdicts, known, today=date(2026, 11, 21)))


def only_iso() -> Verdict:
    """A verdict by which ISO-01 is violated, once, and nothing else."""
    violated = next(each for each in sample().requirements if each.id == "ISO-01")
    requirements = tuple(violated if each.id == "ISO-01" else each for each in passing().requirements)
    return judged_by(passing(), requirements)


def test_what_is_waived_is_no_reason_to_block_and_is_told_with_its_age() -> None:
    comparison = waived(ENTRY)
    assert advice(comparison) == (Advice.WAIVERS, ["A waiver stands for each violation of ISO-01."])
    assert comparison.regressions == []
    (row,) = [row for row in comparison.rows if row.id == "ISO-01"]
    assert comparison.waived(row)
    text = markdown(document(comparison))
    assert "| known.toml:1 | [ISO-01](1/report.html#violation-ISO-01) | in force | any | Shown to &lt;b&gt;all" in text
    assert "| 2026-11-01 | 20 days | for ever | 1 of 1 run |" in text
    assert "a \\| b" in text


@pytest.mark.parametrize(
    ("text", "after", "expected", "state"),
    [
        (f"{ENTRY}expires = 2026-11-20\n", only_iso(), Advice.BLOCK, State.EXPIRED),
        (f'{ENTRY}finding = "another cause"\n', only_iso(), Advice.BLOCK, State.STALE),
        (ENTRY, passing(), Advice.WAIVERS, State.STALE),
        (f"{ENTRY}flaky = true\n", passing(), Advice.APPROVE, State.NOT_SEEN),
        (ENTRY, with_outcome(passing(), ISO_01=Outcome.UNKNOWN), Advice.WAIVERS, State.UNDECIDED),
    ],
)
def test_a_waiver_counts_as_far_as_it_is_true(text: str, after: Verdict, expected: Advice, state: State) -> None:
    comparison = waived(text, after)
    assert [waiver.state for waiver in comparison.waivers] == [state]
    assert advice(comparison)[0] is expected


def test_a_waiver_that_stands_for_something_in_one_of_the_runs_is_in_force() -> None:
    (waiver,) = waived(ENTRY, only_iso(), passing(), only_iso()).waivers
    assert (waiver.state, waiver.seen_in, waiver.runs) == (State.IN_FORCE, 2, 3)


def test_for_how_long_something_is_unknown_is_told_as_far_as_runs_tell_it() -> None:
    def began(verdict: Verdict, day: int) -> Verdict:
        return msgspec.structs.replace(verdict, began=f"2026-11-{day:02}T08:00:00.000Z")

    unknown = with_outcome(passing(), ISO_01=Outcome.UNKNOWN)
    for before, said in (
        (began(passing(), 3), "(last decided on 2026-11-03, 14 days before the last run)"),
        (began(unknown, 7), "(in none of 2 runs since 2026-11-07, 10 days)"),
        (msgspec.structs.replace(unknown, began=None), "(in none of 1 run since 2026-11-17, 0 days)"),
    ):
        comparison = compare([Run(before, "a")], [Run(began(unknown, 17), "b")])
        assert said in str(document(comparison))


def test_every_sentence_that_claims_something_links_to_what_it_rests_on() -> None:
    written = document(waived(ENTRY, only_iso(), sample()))
    stated = ("Method: ", "Each run was driven", "Block: ", "Approve with waivers: ", "Approve: ")
    bare = [claim.text for section in written.sections for claim in section.claims if not claim.links]
    assert [text for text in bare if not text.startswith(stated)] == []


def test_the_command_takes_a_baseline_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_all(passing(), here / "old")
    write_all(only_iso(), here / "new")
    words = ["report", "new", "--against", "old", "--baseline", "known.toml"]
    Path("known.toml").write_text(ENTRY)
    assert run(words) == 0
    assert run([*words, "--fail-on", "regression"]) == 0
    assert "approve with waivers: A waiver stands for each violation of ISO-01." in capsys.readouterr().out
    Path("known.toml").write_text(f"{ENTRY}expires = 2026-01-01\n")
    assert run(words) == 1
    assert run([*words, "--fail-on", "regression"]) == 1
    assert run(["report", "new", "--baseline", "known.toml"]) == 64
