import base64
import hashlib
import re
from collections.abc import Callable
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from conformance.verdict import Met, Outcome, Verdict
from reports.html import render
from reports.visible import visible
from tests.reports.report_verdicts import HOSTILE, LONG, SCRIPT, VIOLATED, hostile, loaded, passing, sample

VOID = {"meta", "input", "br", "img", "link", "hr"}
VERDICTS = [
    pytest.param(sample(), id="sample"),
    pytest.param(passing(), id="passing"),
    pytest.param(hostile(), id="hostile"),
    pytest.param(hostile(LONG), id="long"),
    pytest.param(loaded(), id="load"),
    pytest.param(loaded(HOSTILE), id="hostile-load"),
    pytest.param(hostile("\ud800</pre></details></article><style>*{display:none}</style>"), id="closing-tags"),
]


class Page(HTMLParser):
    """The elements of a page with their attributes, and all text in each kind of element."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        drawn = "svg" in self.open
        self.elements.append((f"svg:{tag}" if drawn else tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        drawn = "svg" in self.open
        self.text.append((("svg:" if drawn else "") + self.open[-1] if self.open else "", data))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def within(self, tag: str) -> list[str]:
        return [text for name, text in self.text if name == tag]

    @property
    def ids(self) -> list[str]:
        return [id for _, attributes in self.elements if (id := attributes.get("id"))]


@pytest.mark.parametrize("verdict", VERDICTS)
def test_nothing_in_the_data_is_markup(verdict: Verdict) -> None:
    page = Page(render(verdict))
    assert len(page.of("script")) == len(page.of("style")) == len(page.of("title")) == 1
    assert page.within("script") == [files("reports").joinpath("templates/report.js").read_text(encoding="utf-8")]
    assert {tag for tag, _ in page.elements} & {"img", "link", "iframe", "object", "b", "base", "form"} == set()
    assert [name for _, attributes in page.elements for name in attributes if name.startswith("on")] == []


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_page_asks_for_nothing_from_outside(verdict: Verdict) -> None:
    page = Page(render(verdict))
    addresses = [a[key] or "" for _, a in page.elements for key in ("href", "src", "action", "srcset") if key in a]
    assert addresses
    assert [address for address in addresses if not address.startswith("#")] == []
    style = "".join(page.within("style"))
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("verdict", VERDICTS)
def test_no_control_character_gets_through(verdict: Verdict) -> None:
    text = render(verdict)
    assert {c for c in text if not c.isprintable()} == {"\n"}
    assert text.encode()


def test_the_policy_allows_the_script_of_the_page_alone() -> None:
    page = Page(render(hostile()))
    policy = next(a["content"] for a in page.of("meta") if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.within("script")[0].encode()).digest()).decode()
    assert policy is not None
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_hostile_data_is_shown_as_text() -> None:
    page = Page(render(hostile()))
    shown = visible(HOSTILE, keep="\n")
    assert any(shown in text for text in page.within("pre"))
    assert shown in page.within("bdi")
    assert any(SCRIPT in text for text in page.within("h1") + page.within("bdi"))


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_link_has_its_anchor_and_ids_are_unique(verdict: Verdict) -> None:
    page = Page(render(verdict))
    assert len(page.ids) == len(set(page.ids))
    assert {(a["href"] or "")[1:] for a in page.of("a")} <= set(page.ids)
    assert {requirement.id for requirement in verdict.requirements} <= set(page.ids)


def test_requirements_are_marked_with_their_outcome() -> None:
    verdict = sample()
    page = Page(render(verdict))
    outcomes = {a["id"]: a["data-outcome"] for a in page.of("article")}
    assert outcomes == {requirement.id: requirement.verdict.value for requirement in verdict.requirements}
    assert {id for id, outcome in outcomes.items() if outcome == Outcome.FAIL} == set(VIOLATED)


def test_the_first_findings_can_be_unfolded_and_the_first_is_and_the_rest_is_listed() -> None:
    verdict = sample()
    page = Page(render(verdict))
    shown = [min(4, len(requirement.findings)) for requirement in verdict.requirements]
    assert len(page.of("details")) == sum(shown)
    assert sum("open" in attributes for attributes in page.of("details")) == len(VIOLATED)
    rest = [text for text in page.within("bdi") if text.startswith("a tool of run")]
    assert set(rest) == {finding.message for finding in verdict.findings}


def test_frames_that_are_json_are_indented() -> None:
    shown = Page(render(sample())).within("pre")
    assert '{\n  "type": "chat.start",\n  "message": "go"\n}' in shown
    assert "tool=echo, outcome=returned" in shown


def test_each_violation_tells_how_to_repeat_it() -> None:
    commands = [text for text in Page(render(sample())).within("pre") if text.startswith("agent-conformance")]
    assert [command.rsplit(" ", 1)[1] for command in commands[:-1]] == ["EVT-05", "SCH-04", "ISO-01", "SRC-01"]
    assert commands[-1] == sample().repeat


def test_the_verdict_comes_first_and_the_figures_are_those_of_the_summary() -> None:
    verdict = sample()
    page = Page(render(verdict))
    assert page.within("title") == ["FAIL: my backend"]
    figures = [text for text in page.within("dd") if re.fullmatch(r"[0-9,]+", text)][:4]
    summary = verdict.summary
    expected = (summary.passed, summary.failed, summary.unknown, summary.not_applicable)
    assert figures == [str(count) for count in expected]


def test_filters_need_the_script_and_are_hidden_without() -> None:
    controls = [a for a in Page(render(sample())).of("div") if "data-controls" in a]
    assert len(controls) == 1
    assert "hidden" in controls[0]


def test_a_load_shows_its_objectives_course_and_latencies() -> None:
    page = Page(render(loaded()))
    assert [text for text in page.within("h2") if text in ("Objectives", "Course", "Latencies")] == [
        "Objectives",
        "Course",
        "Latencies",
    ]
    assert [text for text in page.within("span") if text in set(Met)] == ["met", "violated", "undecided", "undecided"]
    assert "p99.9" in page.within("th")
    assert [text for text in page.within("span") if text in ("chat 4", "ended 0")] == ["chat 4", "ended 0"]
    assert len(page.of("svg:polyline")) == 3


@pytest.mark.parametrize("make", [hostile, loaded])
def test_a_megabyte_in_every_place_leaves_the_page_readable(make: Callable[[str], Verdict]) -> None:
    text = render(make(LONG))
    assert len(text) < 500_000
    assert "(1,000,000 characters)" in text
