import re

import msgspec
import pytest
from rich.cells import cell_len

from conformance.verdict import Verdict
from reports.console import render
from tests.reports.report_verdicts import LONG, hostile, passing, sample

SGR = re.compile(r"\x1b\[[0-9;]*m")
VERDICTS = [
    pytest.param(sample(), id="sample"),
    pytest.param(passing(), id="passing"),
    pytest.param(hostile(), id="hostile"),
    pytest.param(hostile(LONG), id="long"),
    pytest.param(hostile("寬" * 500), id="wide"),
    pytest.param(hostile("\ud800 e\u0301\u0301 🎉👨‍👩‍👧"), id="odd"),
]


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("width", [80, 100, 213])
def test_output_fits_the_width_and_pipes_well(verdict: Verdict, width: int) -> None:
    lines = render(verdict, width=width, colour=False).split("\n")
    assert lines[-1] == ""
    assert lines[-2] != ""
    assert max(cell_len(line) for line in lines) <= width
    assert all(line.isprintable() for line in lines)
    assert not [line for line in lines if line != line.rstrip()]


def test_a_terminal_narrower_than_80_columns_gets_80() -> None:
    assert render(sample(), width=20, colour=False) == render(sample(), width=80, colour=False)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_colours_are_all_that_colour_adds(verdict: Verdict) -> None:
    coloured = render(verdict, width=100, colour=True)
    assert "\x1b[1;31mFAIL" in coloured or "\x1b[1;32mPASS" in coloured
    assert SGR.sub("", coloured) == render(verdict, width=100, colour=False)


def test_the_first_line_is_the_verdict() -> None:
    first, second = render(sample(), width=120, colour=False).split("\n")[:2]
    assert first == "FAIL  my backend  five-events  12.3 s  5,120 events  seed 42"
    assert second.startswith("3 MUST violated: EVT-05, ISO-01, SRC-01. 1 SHOULD violated: SCH-04.")
    assert render(passing(), width=120, colour=False).split("\n")[0] == "PASS  my backend  5,120 events"


def test_families_are_a_table_and_what_does_not_apply_one_line() -> None:
    lines = render(sample(), width=100, colour=False).split("\n")
    start = next(number for number, line in enumerate(lines) if line.startswith("Family"))
    assert lines[start].split() == ["Family", "Pass", "Fail", "Unknown", "N/A", "Exercised"]
    rows = lines[start + 1 : lines.index("", start)]
    assert [row[:3] for row in rows] == ["EVT", "SCH", "IDN", "ORD", "ISO", "ACC", "LIF", "DLV", "AGU", "SRC", "TST"]
    assert rows[0].split()[-5:] == ["13", "1", "2", "-", "1,754"]
    assert rows[-1] == "TST  not applicable (6): needs a source tree: agent-conformance audit PATH"


def test_undecided_musts_are_folded_by_reason() -> None:
    text = render(sample(), width=100, colour=False)
    assert "Unknown (3 MUST)\n  no check yet: EVT-12, EVT-16\n  nothing was seen that could decide it: LIF-03\n" in text


def test_measurements_tell_how_many_samples_they_rest_on() -> None:
    lines = render(sample(), width=100, colour=False).split("\n")
    start = lines.index("Measured")
    assert lines[start + 1].split() == ["delivery", "latency", "p95", "3.1", "ms", "over", "5,120", "samples"]
    assert lines[start + 2].split() == ["delivered", "99.9999", "%", "over", "5,120", "samples"]


def test_a_violation_reads_like_this() -> None:
    text = render(sample(), width=90, colour=False)
    assert (
        """
FAIL SCH-04 SHOULD  Unknown event types are namespaced or declared.
  violated 2 times

  a tool of run 1 is never completed  (run run-1, user alice, scenario tools, at
  history.jsonl:1)
    expected  exactly one completion for tool_call_id call_7
    actual    no completion when the run ended
    line 121  1,325.5 ms  conn 3 (alice)  sent      {"type":"chat.start","message":"go"}
    line 124  1,328.5 ms  conn 3 (alice)  received  {"type":"tool_start","tool_call_id":"…
    line 131  1,335.5 ms  tool_ended                tool=echo, outcome=returned
"""
        in text
    )
    assert (
        """
  repeat: agent-conformance verify --target 'my target.toml' --profile full --users 20 \\
          --seed 42 --out reports/out/a-directory-with-a-long-name --only SCH-04
"""
        in text
    )


def test_at_most_three_findings_of_a_requirement_are_shown() -> None:
    text = render(sample(), width=100, colour=False)
    part = text[text.index("FAIL EVT-05") : text.index("FAIL SCH-04")]
    assert part.count("is never completed") == 3
    assert "violated 12 times, 10 findings kept, 3 shown" in part


def test_without_a_command_there_is_nothing_to_repeat() -> None:
    assert "repeat:" not in render(msgspec.structs.replace(sample(), repeat=None), width=100, colour=False)


def test_warnings_and_errors_of_the_kit_are_told_in_full() -> None:
    text = render(sample(), width=100, colour=False)
    assert "Warnings\n  the tool witness is not wired: what tools did cannot be told\n" in text
    assert text.endswith(
        'Errors in the kit itself\n  check Lifecycle crashed at line 7: Traceback:\n    File "evt.py", line 3\n'
        "  KeyError: 1\n"
    )


def test_markup_in_data_is_text() -> None:
    text = render(hostile("[red]x[/red] [/] :boom: [link=https://evil.example]y[/link]"), width=120, colour=True)
    assert "[red]x[/red] [/] :boom: [link=https://evil.example]y[/link]" in SGR.sub("", text)
    assert "\x1b]8" not in text


def test_a_command_that_a_shell_could_not_read_is_still_shown() -> None:
    verdict = msgspec.structs.replace(sample(), repeat="agent-conformance verify --url 'unbalanced")
    assert "repeat: agent-conformance verify --url 'unbalanced --only EVT-05" in render(
        verdict, width=100, colour=False
    )
