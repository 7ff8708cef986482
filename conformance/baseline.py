"""Baselines: the violations of a target that are known, each with its reason, so that only what is new fails.

Read from a file, and drafted, in `baseline_file`. `compare` holds a verdict against one, and is pure: what is accepted,
new, stale or expired follows from the two and the date alone.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

import msgspec

from conformance.catalogue import Level
from conformance.nearest import guess
from conformance.verdict import Finding, Outcome, RequirementVerdict, Verdict, cause


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A violation that is known.

    It stands for every finding of its requirement; or, with `scenario` and `finding`, only for those of that scenario
    (or of one of several) and with that message, in which `*` stands for anything; with `path`, a pattern, only for
    those in such files. `upstream` is where it is reported or comes from, `owner` who looks after it, `since` the day
    from which on it is known. After the day `expires` it is no excuse any more. One that is `flaky` need not be seen in
    every run.
    """

    requirement: str
    reason: str
    scenario: tuple[str, ...] = ()
    finding: str | None = None
    path: str | None = None
    upstream: str | None = None
    owner: str | None = None
    since: date | None = None
    expires: date | None = None
    flaky: bool = False
    line: int | None = None

    def covers(self, finding: Finding) -> bool:
        """Tell whether it stands for this finding."""
        return self.requirement == finding.requirement and self.unmet(finding) == []

    def unmet(self, finding: Finding) -> list[str]:
        """Return which of its keys do not fit this finding."""
        fits = {
            "scenario": not self.scenario or finding.scenario in self.scenario,
            "finding": self.finding is None or _matches(finding.message, self.finding),
            "path": self.path is None or fnmatchcase(file_of(finding), self.path),
        }
        return [key for key, fitting in fits.items() if not fitting]


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


def file_of(finding: Finding) -> str:
    """Return the file that a finding is in, as a pattern of paths sees it."""
    return (finding.location or "").rpartition(":")[0]


def _matches(message: str, pattern: str) -> bool:
    """Tell whether a message is as a pattern has it: `*` stands for anything, all else for itself."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), message, re.DOTALL) is not None


def compare(verdict: Verdict, baseline: Baseline, *, today: date, played: Collection[str] | None = None) -> Comparison:
    """Hold a verdict against a baseline. Entries of requirements that the verdict leaves out are left out, too.

    An entry of scenarios of which none was `played` is undecided; None says that all were.
    """
    judged = {requirement.id: requirement for requirement in verdict.requirements}
    relevant = [entry for entry in baseline.known if entry.requirement in judged]
    expired = [entry for entry in relevant if entry.expires is not None and entry.expires < today]
    standing = [entry for entry in relevant if entry not in expired]
    seen, stale, undecided = [], [], []
    for entry in standing:
        requirement = judged[entry.requirement]
        if _stands(entry, requirement):
            seen.append(entry)
        elif requirement.verdict is Outcome.UNKNOWN or _unplayed(entry, played):
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


def mistaken(entry: Known, verdict: Verdict) -> str:
    """Say why an entry stands for nothing: nothing of the kind is found any more, or its patterns match nothing."""
    found = [finding for finding in verdict.findings if finding.requirement == entry.requirement]
    if not found:
        return "it does not happen any more: remove it"
    never = [key for key in ("scenario", "finding", "path") if all(key in entry.unmet(each) for each in found)]
    if not never:
        return "no finding has all of its scenario, finding and path"
    seen = {
        "scenario": {each.scenario or "none" for each in found},
        "finding": {cause(each.message) for each in found},
        "path": {file_of(each) for each in found},
    }
    given = {"scenario": ", ".join(entry.scenario), "finding": entry.finding or "", "path": entry.path or ""}
    return "; ".join(f"{key} {given[key]!r} matches nothing; {guess(given[key], seen[key])}" for key in never)


def _unplayed(entry: Known, played: Collection[str] | None) -> bool:
    return played is not None and bool(entry.scenario) and not any(name in played for name in entry.scenario)


def _stands(entry: Known, requirement: RequirementVerdict) -> bool:
    if requirement.verdict is not Outcome.FAIL:
        return False
    whole = not entry.scenario and entry.finding is None and entry.path is None
    return whole or any(entry.covers(finding) for finding in requirement.findings)


def _new(requirement: RequirementVerdict, standing: Iterable[Known]) -> Iterable[New]:
    """Yield what of a requirement is new: one violation for each scenario and cause."""
    if requirement.verdict is not Outcome.FAIL:
        return
    entries = [entry for entry in standing if entry.requirement == requirement.id]
    if not entries and not requirement.findings:
        yield New(requirement.id, requirement.level, None)
    told: set[tuple[str | None, str]] = set()
    for finding in requirement.findings:
        scene = (finding.scenario, cause(finding.message))
        if scene not in told and not any(entry.covers(finding) for entry in entries):
            told.add(scene)
            yield New(requirement.id, requirement.level, finding)
