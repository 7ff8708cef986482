"""Two sides of runs, a baseline's and a candidate's, held against each other requirement by requirement."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from conformance.catalogue import Level
from conformance.verdict import Finding, Outcome, RequirementVerdict, Verdict
from reports.goals import Goal, held
from reports.performance import BY, Waits, compared
from reports.waivers import Waiver, Waivers


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its verdict, and where its report.html is, as a relative address."""

    verdict: Verdict
    report: str


class Change(StrEnum):
    """What became of a requirement from the baseline to the candidate."""

    BROKEN = "broken"
    FIXED = "fixed"
    STILL = "still violated"
    NEWLY = "newly exercised"
    NO_LONGER = "no longer exercised"
    SAME = "unchanged"


@dataclass(frozen=True, slots=True)
class Judged:
    """A requirement on one side: its outcome in all runs, how often exercised and violated, and in which run it failed.

    It fails where it failed in any run, else it holds where it held in any.
    """

    outcome: Outcome
    exercised: int
    failed_in: int
    runs: int
    finding: Finding | None
    reason: str
    run: Run


@dataclass(frozen=True, slots=True)
class Row:
    """A requirement on both sides; None where a side does not know it."""

    id: str
    level: Level
    statement: str
    before: Judged | None
    after: Judged | None

    @property
    def change(self) -> Change:
        """What became of it."""
        before = self.before.outcome if self.before else Outcome.UNKNOWN
        after = self.after.outcome if self.after else Outcome.UNKNOWN
        decided = (Outcome.PASS, Outcome.FAIL)
        if after is Outcome.FAIL:
            return Change.STILL if before is Outcome.FAIL else Change.BROKEN
        if before is Outcome.FAIL:
            return Change.FIXED if after is Outcome.PASS else Change.NO_LONGER
        if (before in decided) is not (after in decided):
            return Change.NEWLY if after in decided else Change.NO_LONGER
        return Change.SAME


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides, each requirement on them, how long users waited, and what of the candidate is waived."""

    baseline: tuple[Run, ...]
    candidate: tuple[Run, ...]
    rows: tuple[Row, ...]
    waits: tuple[Waits, ...]
    known: Waivers = field(default_factory=Waivers)

    def changed(self, change: Change, level: Level | None = None) -> list[Row]:
        """Return the requirements of which that became."""
        return [row for row in self.rows if row.change is change and level in (None, row.level)]

    def judged(self, level: Level, outcome: Outcome) -> list[Row]:
        """Return the requirements of a level of which the candidate's outcome is that."""
        return [row for row in self.rows if row.level is level and row.after and row.after.outcome is outcome]

    def waived(self, row: Row) -> bool:
        """Whether a waiver in force stands for each violation of a requirement by the candidate."""
        return bool(self.waivers) and row.id not in self.known.unwaived

    @property
    def waivers(self) -> tuple[Waiver, ...]:
        """The entries of the baseline file."""
        return self.known.entries

    @property
    def slower(self) -> list[str]:
        """Where the candidate is claimed to be slower, a sentence each."""
        return [f"The p95 of the {waits.name} is more than {BY} higher." for waits in self.waits if waits.regressed]

    @property
    def goals(self) -> tuple[Goal, ...]:
        """The objectives of loads."""
        return held([run.verdict for run in self.baseline], [run.verdict for run in self.candidate])

    @property
    def regressions(self) -> list[str]:
        """What the candidate does worse, a sentence each: what it breaks that is not waived, and where it is slower."""
        goals = [f"The objective {goal.name} is violated and was not." for goal in self.goals if goal.broken]
        broken = [row for row in self.changed(Change.BROKEN) if not self.waived(row)]
        return [f"{row.id} ({row.level}) is violated and was not." for row in broken] + goals + self.slower


def compare(baseline: Sequence[Run], candidate: Sequence[Run], known: Waivers | None = None) -> Comparison:
    """Hold the runs of a candidate against those of a baseline; `known` is what of the candidate is waived."""
    before, after = _by_id(baseline), _by_id(candidate)
    rows = []
    for id in dict.fromkeys([*after, *before]):
        named = (after.get(id) or before[id])[0][1]
        rows.append(Row(id, named.level, named.statement, _judged(before.get(id)), _judged(after.get(id))))
    waits = compared([run.verdict for run in baseline], [run.verdict for run in candidate])
    return Comparison(tuple(baseline), tuple(candidate), tuple(rows), tuple(waits), known or Waivers())


def _by_id(runs: Sequence[Run]) -> dict[str, list[tuple[Run, RequirementVerdict]]]:
    found: dict[str, list[tuple[Run, RequirementVerdict]]] = {}
    for run in runs:
        for requirement in run.verdict.requirements:
            found.setdefault(requirement.id, []).append((run, requirement))
    return found


def _judged(judged: list[tuple[Run, RequirementVerdict]] | None) -> Judged | None:
    if judged is None:
        return None
    outcomes = [requirement.verdict for _, requirement in judged]
    order = (Outcome.FAIL, Outcome.PASS, Outcome.UNKNOWN, Outcome.NOT_APPLICABLE)
    outcome = next(outcome for outcome in order if outcome in outcomes)
    run, requirement = judged[outcomes.index(outcome)]
    return Judged(
        outcome,
        sum(requirement.exercised for _, requirement in judged),
        outcomes.count(Outcome.FAIL),
        len(judged),
        requirement.findings[0] if requirement.findings else None,
        requirement.reason,
        run,
    )
