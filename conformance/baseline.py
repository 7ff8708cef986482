"""Baselines: the violations of a target that are known, each with its reason, so that only what is new fails.

A baseline is a TOML file of `[[known]]` tables, read strictly by `load`. `compare` holds a verdict against it, and is
pure: what is accepted, new, stale or expired follows from the two and the date alone.
"""

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import msgspec

from conformance.catalogue import Catalogue, Level, UnknownRequirement
from conformance.errors import UsageError
from conformance.nearest import guess
from conformance.verdict import Finding, Outcome, RequirementVerdict, Verdict

_HEADER = re.compile(r"^[ \t]*\[\[[ \t]*(?P<name>[^\]]*?)[ \t]*\]\]", re.MULTILINE)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A violation that is known.

    It stands for every finding of its requirement; or, with `scenario` and `finding`, only for those of that scenario
    (or of one of several) and with that message; with `path`, a pattern, only for those in such files. `upstream` is
    where it is reported or comes from, `owner` who looks after it. After the day `expires` it is no excuse any more.
    One that is `flaky` need not be seen in every run.
    """

    requirement: str
    reason: str
    scenario: tuple[str, ...] = ()
    finding: str | None = None
    path: str | None = None
    upstream: str | None = None
    owner: str | None = None
    expires: date | None = None
    flaky: bool = False
    line: int | None = None

    def covers(self, finding: Finding) -> bool:
        """Tell whether it stands for this finding."""
        return (
            self.requirement == finding.requirement
            and (not self.scenario or finding.scenario in self.scenario)
            and self.finding in (None, finding.message)
            and (self.path is None or fnmatch((finding.location or "").rpartition(":")[0], self.path))
        )


class Baseline(msgspec.Struct, frozen=True):
    """The known violations of a target; `path` is the file they were read from."""

    path: str
    known: tuple[Known, ...]


@dataclass(frozen=True)
class New:
    """A violation that no entry stands for; its first finding, where the verdict holds one."""

    requirement: str
    level: Level
    finding: Finding | None


@dataclass(frozen=True)
class Comparison:
    """A verdict held against a baseline.

    `seen` entries stand for something that was found. `stale` ones stand for nothing although their requirement was
    decided; flaky entries never are. `expired` ones have had their day. `undecided` ones have a requirement that was
    not decided.
    """

    seen: tuple[Known, ...]
    new: tuple[New, ...]
    stale: tuple[Known, ...]
    expired: tuple[Known, ...]
    undecided: tuple[Known, ...]

    @property
    def holds(self) -> bool:
        """Whether the baseline tells the truth: nothing new, nothing stale, nothing expired."""
        return not (self.new or self.stale or self.expired)


def compare(verdict: Verdict, baseline: Baseline, *, today: date) -> Comparison:
    """Hold a verdict against a baseline. Entries of requirements that the verdict leaves out are left out, too."""
    judged = {requirement.id: requirement for requirement in verdict.requirements}
    relevant = [entry for entry in baseline.known if entry.requirement in judged]
    expired = [entry for entry in relevant if entry.expires is not None and entry.expires < today]
    standing = [entry for entry in relevant if entry not in expired]
    seen, stale, undecided = [], [], []
    for entry in standing:
        requirement = judged[entry.requirement]
        if _stands(entry, requirement):
            seen.append(entry)
        elif requirement.verdict is Outcome.UNKNOWN:
            undecided.append(entry)
        elif not entry.flaky:
            stale.append(entry)
    return Comparison(
        seen=tuple(seen),
        new=tuple(new for requirement in verdict.requirements for new in _new(requirement, standing)),
        stale=tuple(stale),
        expired=tuple(expired),
        undecided=tuple(undecided),
    )


def _stands(entry: Known, requirement: RequirementVerdict) -> bool:
    if requirement.verdict is not Outcome.FAIL:
        return False
    whole = not entry.scenario and entry.finding is None and entry.path is None
    return whole or any(entry.covers(finding) for finding in requirement.findings)


def _new(requirement: RequirementVerdict, standing: Iterable[Known]) -> Iterable[New]:
    """Yield what of a requirement is new: one violation for each scenario and message."""
    if requirement.verdict is not Outcome.FAIL:
        return
    entries = [entry for entry in standing if entry.requirement == requirement.id]
    if not entries and not requirement.findings:
        yield New(requirement.id, requirement.level, None)
    told: set[tuple[str | None, str]] = set()
    for finding in requirement.findings:
        cause = (finding.scenario, finding.message)
        if cause not in told and not any(entry.covers(finding) for entry in entries):
            told.add(cause)
            yield New(requirement.id, requirement.level, finding)


# -- reading ----------------------------------------------------------------------------------------------------------


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
        cause = (entry.requirement, entry.scenario, entry.finding, entry.path)
        if cause in first:
            at = f"{path}:{entry.line}" if entry.line else path
            raise UsageError(f"{at}: {entry.requirement}: the same entry stands in line {first[cause].line}")
        first[cause] = entry
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
        if key == "expires":
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
