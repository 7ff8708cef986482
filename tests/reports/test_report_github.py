import re
from pathlib import Path

import msgspec
import pytest

from conformance.cli import run
from conformance.verdict import Verdict
from reports.github import MOST_ANNOTATIONS, annotations, comment, summary
from reports.writer import PRINTED, write_all
from tests.reports.report_verdicts import HOSTILE, LONG, hostile, passing, sample

COMMAND = re.compile(r"::(error|warning|notice) ((?:\w+=[^,:]*)(?:,\w+=[^,:]*)*)::(.*)")
VERDICTS = [
    pytest.param(sample(), id="sample"),
    pytest.param(passing(), id="passing"),
    pytest.param(hostile(), id="hostile"),
    pytest.param(hostile(LONG), id="long"),
    pytest.param(hostile("x\n::error::forged%0A::stop-commands::x\r\n@everyone #1"), id="commands"),
]


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_line_is_one_command_of_ours(verdict: Verdict) -> None:
    for line in annotations(verdict).splitlines():
        found = COMMAND.fullmatch(line)
        assert found is not None, line[:200]
        assert line.isprintable()
        assert not re.search("%(?!25|0A|3A|2C)", found[2] + found[3])


def test_a_must_is_an_error_a_should_a_warning_and_source_has_its_place() -> None:
    lines = annotations(sample()).splitlines()
    titles = [(found[1], found[2]) for line in lines if (found := COMMAND.fullmatch(line))]
    assert ("error", "title=EVT-05 MUST") in titles
    assert ("warning", "title=SCH-04 SHOULD") in titles
    broken = next(r for r in sample().requirements if r.id == "SRC-01")
    moved = msgspec.structs.replace(broken.findings[0], location="src/app.py:12")
    only = msgspec.structs.replace(broken, findings=(moved,))
    text = annotations(msgspec.structs.replace(sample(), requirements=(only,)))
    assert "title=SRC-01 MUST,file=src/app.py,line=12::" in text


def test_there_are_no_more_annotations_than_are_shown() -> None:
    failing = tuple(msgspec.structs.replace(r, verdict=sample().verdict) for r in passing().requirements)
    lines = annotations(msgspec.structs.replace(passing(), requirements=failing)).splitlines()
    assert sum(line.startswith("::error") for line in lines) == MOST_ANNOTATIONS


def test_what_holds_is_a_notice() -> None:
    assert annotations(passing()).startswith("::notice title=agent-conformance::")


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_comment_is_short_and_its_data_stands_in_code(verdict: Verdict) -> None:
    text = comment(verdict)
    assert len(text) < 4_500
    assert {c for c in text if not c.isprintable()} == {"\n"}
    prose = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", re.sub(r"(?ms)^(`{3,})sh$.*?^\1$", "", text))
    for dangerous in ("<script", "<img", "@everyone", "evil.example"):
        assert dangerous not in prose


def test_a_comment_tells_what_and_how_to_repeat_it() -> None:
    text = comment(sample())
    assert text.startswith("### FAIL: agent conformance of `my backend`")
    assert "- **ISO-01** MUST: `a tool of run 1 is never completed`" in text
    assert "--only EVT-05" in text
    assert "| EVT | " in summary(sample())


@pytest.mark.parametrize("form", sorted(PRINTED))
def test_the_command_prints_each_format_and_writes_nothing(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_all(hostile(HOSTILE), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert run(["report", str(tmp_path), "--format", form]) == 1
    assert capsys.readouterr().out == PRINTED[form](hostile(HOSTILE))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
