"""The documentation: it can be built, its pages ask nobody for anything, and what it says to run can be run."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import click
import pytest

from conformance import target
from conformance.baseline_file import parse
from conformance.catalogue import load
from conformance.cli import cli
from conformance.scenarios import all_scenarios

ROOT = Path(__file__).parents[2]
WRITTEN = sorted((ROOT / "docs").rglob("*.md"))


class Requests(HTMLParser):
    """What a browser fetches when it opens a page."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        fetched = given.get("src") or (given.get("href") if tag == "link" else None)
        if fetched and given.get("rel") != "canonical":
            self.urls.append(fetched)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation, built with warnings as errors."""
    out = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    done = subprocess.run(
        words, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_every_requirement_has_a_page(site: Path) -> None:
    folder = site / "reference" / "requirements"
    assert {path.stem for path in folder.glob("*-*.html")} == {requirement.id for requirement in load()}
    for path in folder.glob("*-*.html"):
        for heading in ("Why", "How it is decided", "Good", "Bad", "Source"):
            assert f">{heading}" in path.read_text(), f"{path.stem}: {heading}"
    page = (folder / "ORD-01.html").read_text()
    assert "a run's seq has gaps" in page.replace("&#39;", "'")


def test_no_page_asks_another_host_for_anything(site: Path) -> None:
    for page in site.rglob("*.html"):
        requests = Requests()
        requests.feed(page.read_text())
        assert requests.urls
        assert [url for url in requests.urls if "//" in url] == [], page
    for style in site.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import )[\"']?https?:", style.read_text()) == []


def test_the_guide_shows_the_examples_as_they_are(site: Path) -> None:
    page = (site / "how-to" / "gate-your-backend.html").read_text()
    for shown in ("AsyncOpenAI", "RunContext", "upload-artifact"):
        assert shown in page
    assert "wiring" not in page


def commands(text: str) -> Iterator[str]:
    """Yield the kit's commands in a page's blocks of code."""
    for block in re.findall(r"^ *```(?:console|yaml)[^\n]*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        yield from re.findall(r"^ *(?:\$ |- run: )(agent-conformance .*?)(?: +# .*)?$", block, re.MULTILINE)


@pytest.mark.parametrize("path", [*WRITTEN, ROOT / "README.md"], ids=lambda path: path.stem)
def test_what_is_said_to_run_can_be_run(path: Path) -> None:
    for line in commands(path.read_text()):
        words = shlex.split(line.partition(" > ")[0])[1:]
        context = click.Context(cli, info_name="agent-conformance")
        command = cli.get_command(context, words[0])
        assert command is not None, line
        command.make_context(words[0], words[1:], parent=context, resilient_parsing=False)


def test_commands_are_found_in_pages() -> None:
    text = "```console\n$ agent-conformance verify --no-such-option   # why\n```\n"
    assert list(commands(text)) == ["agent-conformance verify --no-such-option"]


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_target_files_in_pages_are_read(path: Path, tmp_path: Path) -> None:
    for block in re.findall(r"^ *```toml\n(.*?)^ *```", path.read_text(), re.MULTILINE | re.DOTALL):
        if block.lstrip().startswith(("[target]", "[auth]", "[bounds]", "[objectives]")):
            file = tmp_path / "target.toml"
            file.write_text(block)
            target.read(file)


def test_baselines_in_pages_are_read() -> None:
    text = (ROOT / "docs" / "how-to" / "baselines.md").read_text()
    (block,) = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    names = [scenario.name for scenario in all_scenarios()]
    (entry,) = parse(block, path="baselines.md", catalogue=load(), scenarios=names).known
    assert None not in [getattr(entry, key) for key in entry.__struct_fields__ if key != "path"]


def test_the_reference_is_of_the_code(site: Path) -> None:
    reference = site / "reference"
    commands = (reference / "command-line.html").read_text()
    for name in cli.list_commands(click.Context(cli)):
        assert f'<h2 id="{name}">' in commands
    assert "<code>run_limit_s</code>" in (reference / "target-file.html").read_text()
    assert 'id="requirementverdict"' in (reference / "verdict.html").read_text()
    assert "How to repair it" in (reference / "requirements" / "SRC-01.html").read_text()
    assert 'id="mappings"' in (reference / "dialects.html").read_text()
