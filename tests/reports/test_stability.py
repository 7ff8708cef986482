from pathlib import Path

import msgspec
import pytest

from conformance.cli import run
from conformance.verdict import Outcome, Verdict, overall, summarise
from reports.compare import Change, Comparison, Run, compare
from reports.document import markdown
from reports.html import render_document
from reports.stability import Advice, advice, document
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
