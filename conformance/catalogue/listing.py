"""The catalogue for readers: the list, one requirement in full, and JSON for programs."""

import textwrap
from collections.abc import Iterable, Sequence

import msgspec

from conformance.catalogue import Family, Requirement

_NARROWEST = 20
"""Columns that a statement gets at least, however narrow the terminal: below that, wrapping is no help."""

_EXPLAINED_WIDTH = 88


def as_text(requirements: Sequence[Requirement], families: Iterable[Family], *, width: int) -> str:
    """List the requirements in the order of the families: title, then id, level and statement.

    No line is longer than `width` columns where words allow it. A family without a listed requirement is
    left out. The text ends with a line break unless it is empty.
    """
    groups = []
    for family in families:
        members = [requirement for requirement in requirements if requirement.family == family.id]
        if members:
            groups.append("\n".join([f"{family.id}: {family.title}", *(_entry(member, width) for member in members)]))
    return "\n\n".join(groups) + "\n" if groups else ""


def explain(requirement: Requirement) -> str:
    """Tell everything about one requirement: what it says, why, how it is decided, where it comes from."""
    applies = f", for targets with the capability {requirement.capability}" if requirement.capability else ""
    parts = [
        f"{requirement.id} ({requirement.level}{applies})",
        _paragraph(requirement.statement),
        f"Why\n{_paragraph(requirement.rationale)}",
        f"How it is decided\n{_paragraph(requirement.decided)}",
        f"Source\n{_paragraph(f'{requirement.source} (in the catalogue since revision {requirement.since})')}",
    ]
    return "\n\n".join(parts) + "\n"


def as_json(requirements: Sequence[Requirement]) -> bytes:
    """Return the requirements as a JSON array of objects, UTF-8, with every field of each."""
    return msgspec.json.format(msgspec.json.encode(requirements), indent=2) + b"\n"


def _entry(requirement: Requirement, width: int) -> str:
    head = f"  {requirement.id}  {requirement.level:<6}  "
    return textwrap.fill(
        requirement.statement,
        max(width, len(head) + _NARROWEST),
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _paragraph(text: str) -> str:
    return textwrap.indent(
        textwrap.fill(text, _EXPLAINED_WIDTH - 2, break_long_words=False, break_on_hyphens=False), "  "
    )
