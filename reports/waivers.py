"""The entries of a baseline file, held against all runs of a candidate: which stand for something, and since when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from conformance.baseline import Baseline, Known, compare
from conformance.verdict import Verdict
from reports.phrases import plural


class State(StrEnum):
    """What an entry is worth."""

    IN_FORCE = "in force"
    NOT_SEEN = "not seen"
    UNDECIDED = "undecided"
    STALE = "stale"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Waiver:
    """An entry: where it stands, what it is worth, and in how many of the runs it stood for something."""

    entry: Known
    place: str
    state: State
    seen_in: int
    runs: int
    today: date

    @property
    def untrue(self) -> bool:
        """Whether it has to be removed or renewed."""
        return self.state in (State.STALE, State.EXPIRED)

    @property
    def age(self) -> str:
        """How long it has been accepted already, in days."""
        if self.entry.since is None:
            return "not said"
        return plural((self.today - self.entry.since).days, "day")


@dataclass(frozen=True, slots=True)
class Waivers:
    """All entries, and the requirements with a violation in some run that none of them stands for."""

    entries: tuple[Waiver, ...] = ()
    unwaived: frozenset[str] = frozenset()


def waivers(runs: Sequence[Verdict], baseline: Baseline, *, today: date) -> Waivers:
    """Hold a baseline file against the runs of a candidate. What is stale in one run and seen in another is seen."""
    compared = [compare(run, baseline, today=today) for run in runs]
    found = []
    for entry in baseline.known:
        seen_in = sum(entry in each.seen for each in compared)
        if any(entry in each.expired for each in compared):
            state = State.EXPIRED
        elif seen_in:
            state = State.IN_FORCE
        elif any(entry in each.stale for each in compared):
            state = State.STALE
        else:
            state = State.UNDECIDED if any(entry in each.undecided for each in compared) else State.NOT_SEEN
        place = f"{baseline.path}:{entry.line}" if entry.line else baseline.path
        found.append(Waiver(entry, place, state, seen_in, len(runs), today))
    return Waivers(tuple(found), frozenset(new.requirement for each in compared for new in each.new))
