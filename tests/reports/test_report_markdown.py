import re

import msgspec
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from conformance.verdict import Verdict
from reports.markdown import render
from reports.visible import visible
from tests.reports.report_verdicts import HOSTILE, LONG, hostile, passing, sample

CELL = re.compile(r"(?<!\\)(?:\\\\)*\|")
VERDICTS = [
    pytest.param(sample(), id="sample"),
    pytest.param(passing(), id="passing"),
    pytest.param(hostile(), id="hostile"),
    pytest.param(hostile("\\"), id="backslash"),
    pytest.param(hostile("`"), id="backtick"),
    pytest.param(hostile("\\|"), id="escaped-pipe"),
    pytest.param(hostile("- item"), id="list"),
    pytest.param(hostile("12. item"), id="numbered"),
    pytest.param(hostile("# heading #"), id="heading"),
    pytest.param(hostile("```\n~~~~\n"), id="fence"),
    pytest.param(hostile("&copy; &#60;b&#62;"), id="entities"),
    pytest.param(hostile(LONG), id="long"),
]


def tokens(text: str) -> list[Token]:
    """All tokens of a document, those within a line too."""
    found = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        found += [token, *(token.children or ())]
    return found


@pytest.mark.parametrize("verdict", VERDICTS)
def test_nothing_in_the_data_is_markup(verdict: Verdict) -> None:
    found = tokens(render(verdict))
    types = {token.type for token in found}
    assert not types & {"html_inline", "html_block", "image", "em_open", "s_open", "hr", "ordered_list_open"}
    assert not types & {"code_block", "blockquote_open", "lheading_open"}
    assert all(str(token.attrs["href"]).startswith("#") for token in found if token.type == "link_open")
    nesting = {token.level for token in found if token.type == "bullet_list_open"}
    assert nesting <= {0}


@pytest.mark.parametrize("verdict", VERDICTS)
def test_headings_are_the_same_whatever_the_data_says(verdict: Verdict) -> None:
    found = tokens(render(verdict))
    headings = [found[number + 1].content for number, token in enumerate(found) if token.type == "heading_open"]
    second = [h for h in headings if h in ("Families", "Requirements", "Environment", "Repeat", "Measurements")]
    expected = ["Families", "Requirements", "Measurements", "Environment", "Repeat"]
    assert second == (expected if verdict.repeat else ["Families", "Requirements", "Environment"])
    assert len(headings) == 1 + len(second) + sum(
        bool(part) for part in (verdict.warnings, verdict.harness_errors, verdict.findings)
    ) + verdict.summary.failed + len(verdict.findings)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_tables_have_the_same_number_of_columns_in_each_row(verdict: Verdict) -> None:
    text = render(verdict)
    widths: list[int] = []
    tables = []
    fenced = None
    for line in text.split("\n"):
        ticks = re.match(r"`{3,}", line)
        if ticks and fenced is None:
            fenced = ticks[0]
        elif line == fenced:
            fenced = None
        elif fenced is None and line.startswith("|"):
            widths.append(len(CELL.findall(line)))
        elif widths:
            tables.append(widths)
            widths = []
    tables += [widths] if widths else []
    assert len(tables) == (4 if verdict.measurements else 3)
    assert [set(table) for table in tables if len(set(table)) != 1] == []
    rows = sum(token.type == "tr_open" for token in tokens(text))
    assert rows == sum(len(table) - 1 for table in tables)


def test_every_requirement_has_its_row() -> None:
    verdict = sample()
    text = render(verdict)
    for requirement in verdict.requirements:
        assert re.search(rf"^\| \[?{requirement.id}\b.*\| {requirement.level} \| ", text, re.MULTILINE)
    assert "| [EVT-05](#evt-05) | MUST | **FAIL** | 1,234 | violated 12 times |" in text
    assert "| EVT-12 | MUST | UNKNOWN | 0 | no check yet |" in text


def test_frames_stand_in_fences_as_they_were() -> None:
    fences = [token.content for token in tokens(render(hostile())) if token.type == "fence"]
    assert sum(visible(HOSTILE) in fence for fence in fences) >= 2
    frames = [fence for fence in fences if fence.startswith("line 121")]
    assert [frame.count("\n") for frame in frames] == [4, 4]


def test_the_verdict_and_its_reasons_come_first() -> None:
    assert render(sample()).startswith("# FAIL: my backend\n\n- 3 MUST violated: EVT-05, ISO-01, SRC-01.\n")


def test_a_violation_tells_how_to_repeat_it() -> None:
    text = render(sample())
    commands = [token.content for token in tokens(text) if token.type == "fence" and token.info == "sh"]
    assert [command.rsplit("--only ")[-1].strip() for command in commands[:-1]] == [
        "EVT-05",
        "SCH-04",
        "ISO-01",
        "SRC-01",
    ]
    assert commands[-1].strip() == sample().repeat
    assert "```sh" not in render(msgspec.structs.replace(sample(), repeat=None))


@pytest.mark.parametrize("text", ["a_b_c", "3.1 ms", "x-y", "f(x)", "alice@example.org", "a: b"])
def test_plain_text_stays_plain(text: str) -> None:
    assert f"# FAIL: {text}\n" in render(msgspec.structs.replace(sample(), target=text))


@pytest.mark.parametrize(
    "text",
    [
        "&copy; &#60;b&#62; &amp;",
        "a < b > c",
        "\\| \\` \\\\",
        "**b** ~~s~~ `c` $m$ _i_",
        "<!-- x -->",
        "[x](y) ![z](w)",
    ],
)
def test_a_reader_sees_what_the_target_said(text: str) -> None:
    document = render(msgspec.structs.replace(sample(), target=text))
    heading = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(document)[1]
    assert "".join(token.content for token in heading.children or ()) == f"FAIL: {text}"
    assert "<" not in heading.content
