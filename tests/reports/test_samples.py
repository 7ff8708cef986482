"""The sample reports of the repository in a real browser: quiet, filtered, and plain about what went wrong."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.reports.browser import Tab, browser
from tests.reports.samples import FAULTS, LARGEST, LOADS, PICTURES, SAMPLES, THIRD_PARTY

PAGES = sorted(SAMPLES.rglob("*.html"))
FAULTY = [f"{family}-{fault}" for family, fault in FAULTS.items()]
MARKED = ".mark.blamed, .mark.absent, .bar.silence"
CHOOSE = (
    "(() => { const e = document.querySelector('[data-outcomes]'); e.value = 'fail';"
    " e.dispatchEvent(new Event('change')); })()"
)
OUTCOMES = (
    "[...new Set([...document.querySelectorAll('article')].filter(e => !e.hidden).map(e => e.dataset.outcome))].join()"
)


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with browser() as opened:
        yield opened


def test_there_is_one_of_each() -> None:
    folders = {path.name for path in SAMPLES.iterdir() if path.is_dir()}
    assert folders == {"reference-engine", "regression", f"third-party-{THIRD_PARTY}", *LOADS, *FAULTY}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(SAMPLES)))
def test_a_page_is_quiet_and_small_and_its_links_lead_somewhere(tab: Tab, page: Path) -> None:
    tab.open(page)
    assert tab.complaints() == []
    assert tab.requests() == [page.resolve().as_uri()]
    assert page.stat().st_size < 1_500_000
    text = page.read_text()
    assert "--target /" not in text, "a path of the machine that made it"
    links = re.findall(r'href="([^"#]+)', text)
    assert [link for link in links if "://" not in link and not (page.parent / unquote(link)).exists()] == []


@pytest.mark.parametrize("name", FAULTY)
def test_the_filter_leaves_what_is_violated_and_the_timeline_shows_it(tab: Tab, name: str) -> None:
    tab.open(SAMPLES / name / "report.html")
    tab.run(CHOOSE)
    assert tab.run(OUTCOMES) == "fail"
    first = f"document.querySelector('.violation[id^=violation-{name[:3]}]')"
    assert tab.run(f"{first}.querySelectorAll('svg').length") >= 1
    assert tab.run(f"{first}.querySelectorAll('{MARKED}').length") >= 1
    assert tab.run(f"{first}.querySelector('.witness.proof') !== null")
    assert "agent-conformance verify" in tab.run(f"{first}.querySelector('.command').innerText")


def test_a_newcomer_sees_which_frame_reached_whom_and_how_to_repeat_it(tab: Tab) -> None:
    """All that it takes is to be seen on the first three screens after the link in the table of violations."""
    tab.open(SAMPLES / f"ISO-{FAULTS['ISO']}" / "report.html", width=1100, height=900, fragment="violation-ISO-01")
    proof = tab.run("document.querySelector('#violation-ISO-01 .witness.proof').innerText")
    assert "this proves it" in proof
    assert re.search(r"received by B user-\w+, connection \d+", proof)
    for part in (".command", "svg", ".witness.proof figcaption"):
        top = tab.run(f"document.querySelector('#violation-ISO-01 {part}').getBoundingClientRect().top")
        assert 0 <= top < 3 * 900, part


@pytest.mark.parametrize("name", [name for name, *_ in PICTURES])
def test_pictures_are_small(name: str) -> None:
    assert (SAMPLES / name).stat().st_size <= LARGEST
