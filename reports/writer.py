"""Writes a verdict in every format into one directory. The only module here that touches the disk."""

from collections.abc import Callable
from pathlib import Path

from conformance.verdict import Verdict
from reports import badge, ctrf, github, html, junit, markdown, sarif, stability
from reports.compare import Comparison
from reports.document import markdown as markdown_of

FORMATS: tuple[tuple[str, Callable[[Verdict], str]], ...] = (
    ("report.md", markdown.render),
    ("junit.xml", junit.render),
    ("results.sarif", sarif.render),
)
"""Each file and what renders it from the verdict alone; `verdict.json` and `report.html` come before them all."""


PRINTED: dict[str, Callable[[Verdict], str]] = {
    "markdown": markdown.render,
    "junit": junit.render,
    "sarif": sarif.render,
    "ctrf": ctrf.render,
    "github": github.annotations,
    "github-summary": github.summary,
    "github-comment": github.comment,
    "badge": badge.render,
}
"""What `report DIR --format NAME` prints."""


def write_all(verdict: Verdict, directory: Path, *, history: Path | None = None) -> list[Path]:
    """Write `verdict.json` and the report in every format into a directory, which is made if need be.

    `history` is what was judged, where it is a history of the kit's: `report.html` draws from it. Of a load it is the
    folder that holds the samples which findings point to.

    All are UTF-8. A reader sees the file of before or the whole new one. Returns the paths, `verdict.json` first, so
    that nothing is lost if a later one fails. Raises `OSError` if a file cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = [_write(directory / "verdict.json", verdict.to_json())]
    written.append(_write(directory / "report.html", html.render(verdict, history).encode()))
    written += [_write(directory / name, render(verdict).encode()) for name, render in FORMATS]
    return written


def write_comparison(comparison: Comparison, directory: Path) -> list[Path]:
    """Write the stability report, `stability.md` and `stability.html`, into a directory; return the paths."""
    directory.mkdir(parents=True, exist_ok=True)
    document = stability.document(comparison)
    return [
        _write(directory / "stability.md", markdown_of(document).encode()),
        _write(directory / "stability.html", html.render_document(document).encode()),
    ]


def _write(path: Path, content: bytes) -> Path:
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_bytes(content)
        return draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
