"""The page in a real browser: Chromium, headless."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reports import html
from tests.reports.browser import Tab, browser
from tests.reports.histories import judged, leaking
from tests.reports.report_verdicts import HOSTILE, hostile, sample

SHOWN = "[...document.querySelectorAll('article')].filter(e => !e.hidden).map(e => e.id)"


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def leak(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leak")
    history = folder / "history.jsonl"
    page = folder / "report.html"
    page.write_text(html.render(judged(leaking(HOSTILE), history), history), encoding="utf-8")
    return page


def written(folder: Path, text: str) -> Path:
    page = folder / "report.html"
    page.write_text(text, encoding="utf-8")
    return page


@pytest.mark.parametrize("width", [390, 1100])
def test_it_is_quiet_asks_for_nothing_and_fits_the_screen(tab: Tab, leak: Path, width: int) -> None:
    tab.open(leak, width=width)
    assert tab.complaints() == []
    assert tab.requests() == [leak.resolve().as_uri()]
    assert tab.run("document.documentElement.scrollWidth") <= width


def test_hostile_content_runs_nothing(tab: Tab, tmp_path: Path) -> None:
    page = written(tmp_path, html.render(hostile()))
    tab.open(page)
    assert tab.complaints() == []
    assert tab.requests() == [page.resolve().as_uri()]
    assert tab.run("document.scripts.length") == 1


def test_the_timeline_shows_the_violating_event_and_the_frame_says_whose_it_is(tab: Tab, leak: Path) -> None:
    tab.open(leak)
    seen = "document.querySelector('#violation-ISO-01 .mark.blamed .badge-ring').getBoundingClientRect()"
    assert tab.run(f"{seen}.width") > 5
    colour = "getComputedStyle(document.querySelector('#violation-ISO-01 .mark.blamed .badge-ring')).fill"
    assert tab.run(colour) == "rgb(179, 33, 28)"
    proof = tab.run("document.querySelector('#violation-ISO-01 .witness.proof').innerText")
    assert "received by B user-bob, connection 2" in proof
    assert (
        tab.run("document.querySelector('#violation-ISO-01 .witness.proof mark').innerText")
        == "cnry~00112233445566778899~"
    )
    assert "--only ISO-01" in tab.run("document.querySelector('#violation-ISO-01 .command').innerText")


def test_search_and_filter(tab: Tab, tmp_path: Path) -> None:
    verdict = sample()
    tab.open(written(tmp_path, html.render(verdict)))
    assert tab.run(f"{SHOWN}.length") == len(verdict.requirements)
    choose = "(s, v) => { const e = document.querySelector(s); e.value = v; e.dispatchEvent(new Event(%s)); }"
    tab.run(f"({choose % repr('change')})('[data-outcomes]', 'fail')")
    assert tab.run(SHOWN) == ["EVT-05", "SCH-04", "ISO-01", "SRC-01"]
    tab.run(f"({choose % repr('change')})('[data-levels]', 'SHOULD')")
    assert tab.run(SHOWN) == ["SCH-04"]
    assert tab.run("document.querySelector('[data-shown]').innerText") == f"1 of {len(verdict.requirements)} shown"
    assert tab.run("document.querySelector('#violation-EVT-05').hidden")
    tab.run("location.hash = '#EVT-05'")
    tab.run(f"({choose % repr('input')})('[data-query]', '')")
    tab.run(f"({choose % repr('change')})('[data-levels]', '')")
    tab.run(f"({choose % repr('change')})('[data-outcomes]', '')")
    tab.run(f"({choose % repr('input')})('[data-query]', 'alice run-7')")
    assert tab.run(SHOWN) == ["EVT-05"]


def test_a_deep_link_shows_its_requirement(tab: Tab, tmp_path: Path) -> None:
    tab.open(written(tmp_path, html.render(sample())), fragment="LIF-03")
    top = tab.run("document.getElementById('LIF-03').getBoundingClientRect().top")
    assert 0 <= top < 900
