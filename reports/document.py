"""A report as data: sections of claims and tables, for Markdown and HTML alike. Its texts are raw."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from reports import markdown as md
from reports.markdown import prose

_SENTENCE = 1_000


@dataclass(frozen=True, slots=True)
class Link:
    """A text that leads to the evidence behind it."""

    text: str
    href: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence, and what it rests on."""

    text: str
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table; `alignment` has an l or r for each column."""

    headings: tuple[str, ...]
    alignment: str
    rows: tuple[tuple[str | Link, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, what is claimed under it, and its tables. `id` is its anchor."""

    id: str
    title: str
    claims: tuple[Claim, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """The whole report; `outcome` colours its title."""

    title: str
    outcome: str
    sections: tuple[Section, ...]


def address(path: str, fragment: str = "") -> str:
    """Return a relative address: a path that may hold anything, and a fragment."""
    return quote(path.encode(errors="backslashreplace"), safe="/") + (f"#{quote(fragment)}" if fragment else "")


def table(headings: tuple[str, ...], alignment: str, rows: Iterable[tuple[str | Link, ...]]) -> Table:
    """Make a table; `alignment` has an l or r for each column."""
    return Table(headings, alignment, tuple(rows))


def markdown(document: Document) -> str:
    """Render a document as GitHub Flavored Markdown."""
    return "\n\n".join(_parts(document)) + "\n"


def _parts(document: Document) -> Iterator[str]:
    yield f"# {prose(document.title, limit=_SENTENCE)}"
    for section in document.sections:
        yield f"## {prose(section.title, limit=_SENTENCE)}"
        if section.claims:
            yield "\n".join(f"- {_claim(claim)}" for claim in section.claims)
        for found in section.tables:
            rows = [[_cell(cell) for cell in row] for row in found.rows]
            yield md.table([prose(heading) for heading in found.headings], found.alignment, rows)


def _claim(claim: Claim) -> str:
    links = ", ".join(_cell(link) for link in claim.links)
    return f"{prose(claim.text, limit=_SENTENCE)}{f' ({links})' if links else ''}"


def _cell(cell: str | Link) -> str:
    if isinstance(cell, Link):
        return f"[{prose(cell.text, limit=_SENTENCE)}]({cell.href})"
    return prose(cell, limit=_SENTENCE)
