"""The audit: a source tree in, a verdict on SRC and TST out."""

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatch
from pathlib import Path

from conformance import __version__
from conformance.catalogue import Requirement
from conformance.catalogue import load as catalogue
from conformance.verdict import SCHEMA, Finding, Outcome, RequirementVerdict, Verdict, overall, summarise
from contracts import ruff
from contracts.config import Config, Ignore
from contracts.facts import Mark
from contracts.project import Judgement, Project
from contracts.rule import Rule, rules
from contracts.scan import scan
from contracts.tree import Tree

FAMILIES = ("SRC", "TST")
Place = tuple[str, Mark]


@dataclass(frozen=True)
class Options:
    """How to audit. Without `cache` nothing is kept; `only` are ids and families; `today` decides what is due."""

    cache: Path | None = None
    only: tuple[str, ...] = ()
    processes: int | None = None
    today: date | None = None
    repeat: str | None = None


@dataclass(frozen=True)
class Audit:
    """What came of an audit: the verdict, and the project that it is about."""

    verdict: Verdict
    project: Project


def audit(paths: Sequence[Path], config: Config, options: Options) -> Audit:
    """Read and judge the source below these paths. Raises `UsageError` where there is none."""
    began = time.monotonic()
    started = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    tree = Tree(paths, config)
    chosen = [rule for rule in rules() if rule.id in _wanted(options.only)]
    codes = sorted({code for rule in chosen for code in rule.ruff})
    linter = ruff.Run(tree, codes, options.cache) if codes and tree.files else None
    files = scan(tree, config, cache=options.cache, processes=options.processes)
    today = options.today or datetime.now(UTC).date()
    said = linter.result(facts.path for facts in files if facts.unread) if linter else ruff.Said({})
    project = Project(tree, files, config, said.found, today)
    excuses = _Excuses(config.ignore, today)
    verdicts = [_decide(rule, project, excuses, said.problem) for rule in chosen]
    verdict = Verdict(
        schema=SCHEMA,
        kit=__version__,
        catalogue=catalogue().REVISION,
        command="audit",
        target=" ".join(map(str, tree.paths)),
        dialect=None,
        seed=None,
        verdict=overall(verdicts),
        summary=summarise(verdicts),
        requirements=tuple(verdicts),
        began=started,
        duration_ms=(time.monotonic() - began) * 1000,
        warnings=tuple(excuses.warnings(verdicts)),
        harness_errors=(said.problem,) if said.problem else (),
        repeat=options.repeat,
    )
    return Audit(verdict, project)


def read(paths: Sequence[Path], config: Config) -> Project:
    """Read the source below these paths, and judge nothing."""
    tree = Tree(paths, config)
    return Project(tree, scan(tree, config, cache=None), config, {}, datetime.now(UTC).date())


def _wanted(only: Collection[str]) -> set[str]:
    chosen = catalogue().select(only) if only else catalogue()
    return {requirement.id for requirement in chosen if requirement.family in FAMILIES}


def _decide(rule: Rule, project: Project, excuses: "_Excuses", problem: str | None) -> RequirementVerdict:
    judgement = Judgement()
    judgement.undecided = problem if rule.ruff else None
    for facts in project.files:
        marks = facts.marks.get(rule.id)
        if marks is not None:
            judgement.take(facts.path, marks)
    rule.judge(project, judgement)
    failed = _ordered(excuses.without(rule.id, judgement.failed))
    noted = _ordered(excuses.without(rule.id, judgement.noted))
    exercised = max(judgement.exercised, len(judgement.failed))
    outcome, reason = _outcome(rule, judgement.undecided, exercised, len(failed), len(noted))
    excuse = next((entry for entry in project.config.not_applicable if entry.rule == rule.id), None)
    if outcome is Outcome.UNKNOWN and excuse is not None:
        outcome, reason = Outcome.NOT_APPLICABLE, excuse.reason
    requirement: Requirement = catalogue()[rule.id]
    return RequirementVerdict(
        id=rule.id,
        level=requirement.level,
        statement=requirement.statement,
        verdict=outcome,
        exercised=exercised,
        reason=reason,
        violations=len(failed),
        findings=tuple(_finding(rule, place) for place in failed),
        notes=tuple(_finding(rule, place) for place in noted),
    )


def _outcome(rule: Rule, undecided: str | None, exercised: int, failed: int, noted: int) -> tuple[Outcome, str]:
    also = f"; {noted} to look at" if noted else ""
    if failed:
        return Outcome.FAIL, f"violated {failed} time{'s' if failed > 1 else ''}{also}"
    if undecided is not None:
        return Outcome.UNKNOWN, undecided + also
    if not exercised:
        return Outcome.UNKNOWN, rule.unknown + also
    return Outcome.PASS, f"held {exercised} time{'s' if exercised > 1 else ''}{also}"


def _ordered(places: Iterable[Place]) -> list[Place]:
    return sorted(dict.fromkeys(places), key=lambda place: (place[0], place[1].line, place[1].message))


def _finding(rule: Rule, place: Place) -> Finding:
    path, mark = place
    return Finding(rule.id, mark.message, rule.expected, "", location=f"{path}:{mark.line}")


class _Excuses:
    """The `[[ignore]]` entries of a configuration: what they cover, and which of them cover nothing."""

    def __init__(self, entries: Iterable[Ignore], today: date) -> None:
        self._entries = list(entries)
        self._today = today
        self._used: set[Ignore] = set()

    def without(self, rule: str, places: Iterable[Place]) -> list[Place]:
        """Return what is not ignored."""
        return [place for place in places if not self._covered(rule, place[0])]

    def _covered(self, rule: str, path: str) -> bool:
        for entry in self._entries:
            if entry.rule == rule and (fnmatch(path, entry.path) or fnmatch(path, f"*/{entry.path}")):
                self._used.add(entry)
                if entry.expires is None or entry.expires >= self._today:
                    return True
        return False

    def warnings(self, judged: Iterable[RequirementVerdict]) -> Iterable[str]:
        """Say what entries are good for nothing any more."""
        ids = {requirement.id for requirement in judged}
        for entry in self._entries:
            if entry.rule not in ids:
                continue
            if entry not in self._used:
                yield f"[[ignore]] {entry.rule} in {entry.path} covers nothing: remove it"
            elif entry.expires is not None and entry.expires < self._today:
                yield f"[[ignore]] {entry.rule} in {entry.path} expired on {entry.expires}: {entry.reason}"
