"""The file of a baseline: `[[known]]` tables of TOML, read strictly, and drafted from what is found."""

import json
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from conformance.baseline import Baseline, Known, file_of
from conformance.catalogue import Catalogue, UnknownRequirement
from conformance.errors import UsageError
from conformance.nearest import guess
from conformance.verdict import Finding, cause

_HEADER = re.compile(r"^[ \t]*\[\[[ \t]*(?P<name>[^\]]*?)[ \t]*\]\]", re.MULTILINE)


def load(path: Path, catalogue: Catalogue, scenarios: Collection[str]) -> Baseline:
    """Read a baseline. Raises `UsageError` that names file, line and key, and what was expected there."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; expected a baseline of [[known]] tables") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not a baseline: {error}") from error
    return parse(text, path=str(path), catalogue=catalogue, scenarios=scenarios)


def parse(text: str, *, path: str, catalogue: Catalogue, scenarios: Collection[str]) -> Baseline:
    """Read a baseline out of the text of its file. `scenarios` are the names that there are."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not a baseline: {error}") from error
    tables = document.pop("known", [])
    for name in document:
        raise UsageError(f"{path}: {name}: unknown key; {guess(name, ['known'])}")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{path}: known: expected [[known]] tables")
    lines = [text.count("\n", 0, found.start()) + 1 for found in _HEADER.finditer(text) if found["name"] == "known"]
    places: list[int | None] = [*lines] if len(lines) == len(tables) else [None] * len(tables)
    known = tuple(
        _Reader(path, line, catalogue, scenarios).read(table) for table, line in zip(tables, places, strict=True)
    )
    first: dict[tuple[str, tuple[str, ...], str | None, str | None], Known] = {}
    for entry in known:
        named = (entry.requirement, entry.scenario, entry.finding, entry.path)
        if named in first:
            at = f"{path}:{entry.line}" if entry.line else path
            raise UsageError(f"{at}: {entry.requirement}: the same entry stands in line {first[named].line}")
        first[named] = entry
    return Baseline(path, known)


@dataclass(frozen=True)
class _Reader:
    """Reads one entry; knows where it stands."""

    path: str
    line: int | None
    catalogue: Catalogue
    scenarios: Collection[str]

    def read(self, table: Mapping[str, Any]) -> Known:
        keys = [field for field in Known.__struct_fields__ if field != "line"]
        for key in table:
            if key not in keys:
                raise self._wrong(key, f"unknown key; {guess(key, keys)}")
        for key in ("requirement", "reason"):
            if key not in table:
                raise self._wrong(key, "expected in each entry, found none")
        unfilled = [key for key, value in table.items() if value == ""]
        if unfilled:
            raise self._wrong(", ".join(unfilled), "to be filled in (or remove what is not reason)")
        for key, value in table.items():
            self._typed(key, value)
        try:
            self.catalogue[table["requirement"]]
        except UnknownRequirement as unknown:
            near = f"; did you mean {unknown.guess}?" if unknown.guess else ""
            raise self._wrong("requirement", f"there is no {table['requirement']!r}{near}") from None
        named = table.get("scenario", [])
        scenarios = (named,) if isinstance(named, str) else tuple(named)
        for scenario in scenarios:
            if scenario not in self.scenarios:
                raise self._wrong("scenario", f"there is no {scenario!r}; {guess(scenario, self.scenarios)}")
        return Known(**{**table, "scenario": scenarios}, line=self.line)

    def _typed(self, key: str, value: object) -> None:
        if key in ("since", "expires"):
            if type(value) is not date:
                raise self._wrong(key, f"expected a day such as 2027-01-31, without quotation marks, got {value!r}")
        elif key == "flaky":
            if not isinstance(value, bool):
                raise self._wrong(key, f"expected true or false, got {value!r}")
        elif key == "scenario" and isinstance(value, list):
            if not value or not all(isinstance(name, str) for name in value):
                raise self._wrong(key, f"expected the names of scenarios, got {value!r}")
        elif not isinstance(value, str) or not value.strip():
            raise self._wrong(key, f"expected a text that is not empty, got {value!r}")

    def _wrong(self, key: str, problem: str) -> UsageError:
        at = f"{self.path}:{self.line}" if self.line else self.path
        return UsageError(f"{at}: [[known]] {key}: {problem}")


# -- drafting ---------------------------------------------------------------------------------------------------------


def draft(findings: Iterable[Finding], *, today: date, scenarios: Collection[str]) -> str:
    """Write an entry for each requirement and cause; reason, owner and expiry are left empty, and must be filled in.

    What was driven is told by `scenario`, where all findings of a cause were in one of `scenarios`; what was found in
    source by `path`.
    """
    causes: dict[tuple[str, str, str | None], list[Finding]] = {}
    for finding in findings:
        in_source = finding.scenario is None and not finding.witnesses
        message, path = (finding.message, file_of(finding)) if in_source else (cause(finding.message), None)
        causes.setdefault((finding.requirement, message, path), []).append(finding)
    return "\n".join(
        "".join(f"{line}\n" for line in _entry(*named, found, today, scenarios)) for named, found in causes.items()
    )


def _entry(
    requirement: str, message: str, path: str | None, found: list[Finding], today: date, scenarios: Collection[str]
) -> Iterable[str]:
    yield "[[known]]"
    yield f"requirement = {_quoted(requirement)}"
    yield f"finding = {_quoted(message)}"
    if path:
        yield f"path = {_quoted(path)}"
    named = sorted({each.scenario or "" for each in found})
    if all(name in scenarios for name in named):
        yield f"scenario = [{', '.join(map(_quoted, named))}]"
    yield 'reason = ""    # why it is accepted for now'
    yield 'owner = ""     # who looks after it'
    yield f'expires = ""   # the last day on which it is, such as {today.year + 1}-01-31, without quotation marks'
    yield f"since = {today}"


def _quoted(text: str) -> str:
    """Return a text as a basic string of TOML, whatever is in it."""
    return json.dumps(text.encode(errors="backslashreplace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")
