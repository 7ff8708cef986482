"""The objectives of loads, on both sides of a comparison."""

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.verdict import Met, ObjectiveVerdict, Verdict
from reports.document import Claim, Link, Section, table
from reports.phrases import objective

Key = tuple[str, str | None, float]


@dataclass(frozen=True, slots=True)
class Goal:
    """An objective on both sides, None where a side did not have it.

    It is violated where any run violated it, else met where one met it.
    """

    before: ObjectiveVerdict | None
    after: ObjectiveVerdict | None

    @property
    def name(self) -> str:
        """What it is called, and what is wanted."""
        known = self.after or self.before
        assert known is not None
        name, wanted, _, _ = objective(known)
        return f"{name} ({wanted})"

    @property
    def violated(self) -> bool:
        """Whether the candidate violates it."""
        return self.after is not None and self.after.verdict is Met.VIOLATED

    @property
    def broken(self) -> bool:
        """Whether the candidate violates it, and the baseline did not."""
        return self.violated and (self.before is None or self.before.verdict is not Met.VIOLATED)


def held(baseline: Sequence[Verdict], candidate: Sequence[Verdict]) -> tuple[Goal, ...]:
    """Return the objectives of the runs of two sides."""
    before, after = _by_key(baseline), _by_key(candidate)
    return tuple(Goal(before.get(key), after.get(key)) for key in dict.fromkeys([*after, *before]))


def _by_key(verdicts: Sequence[Verdict]) -> dict[Key, ObjectiveVerdict]:
    found: dict[Key, ObjectiveVerdict] = {}
    order = (Met.VIOLATED, Met.MET, Met.UNDECIDED)
    for each in (each for verdict in verdicts for each in verdict.objectives):
        key = (each.name, each.behaviour, each.bound)
        known = found.get(key)
        if known is None or order.index(each.verdict) < order.index(known.verdict):
            found[key] = each
    return found


def section(goals: Sequence[Goal]) -> tuple[Section, ...]:
    """Write what became of the objectives, where there are any."""
    if not goals:
        return ()
    link = (Link("objectives", "#objectives"),)
    broken = [goal for goal in goals if goal.broken]
    claims = [Claim(f"{goal.name} is violated and was not.", link) for goal in broken]
    rows = [(goal.name, *_side(goal.before), *_side(goal.after)) for goal in goals]
    headings = ("Objective", "Baseline", "Measured", "Candidate", "Measured")
    if not claims:
        claims = [Claim("No objective is violated that was not.", link)]
    return (Section("objectives", "Objectives under load", tuple(claims), (table(headings, "lllll", rows),)),)


def _side(judged: ObjectiveVerdict | None) -> tuple[str, str]:
    return ("", "") if judged is None else (judged.verdict.value, objective(judged)[2])
