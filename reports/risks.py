"""The risks of a release: what is waived and until when, what nobody knows and for how long, what comes and goes."""

from collections.abc import Iterator
from datetime import datetime

from conformance.catalogue import Level
from conformance.verdict import Outcome
from reports.compare import Change, Comparison, Row, Run
from reports.document import Claim, Link, Section, Table, address, table
from reports.phrases import plural
from reports.waivers import Waiver

_WAIVERS = ("Waiver", "Requirement", "State", "Cause", "Reason", "Owner", "Since", "Age", "Until", "Seen in")


def risks(comparison: Comparison) -> Section:
    """Write the section."""
    claims = tuple(_claims(comparison)) or (
        Claim("None of those that are looked for was found.", (Link("what was exercised", "#critical"),)),
    )
    return Section("risks", "Risks", claims, (_waivers(comparison),) if comparison.waivers else ())


def evidence(row: Row) -> Link:
    """Link to the witness in the report of the run that shows it: where it is violated, else where it was decided."""
    sides = [side for side in (row.after, row.before) if side]
    side = next((side for side in sides if side.outcome is Outcome.FAIL), sides[0])
    fragment = f"violation-{row.id}" if side.outcome is Outcome.FAIL else row.id
    return Link(row.id, address(side.run.report, fragment))


def _claims(comparison: Comparison) -> Iterator[Claim]:
    for row in comparison.judged(Level.MUST, Outcome.UNKNOWN):
        if row.after:
            yield Claim(
                f"{row.id} is not decided: {row.after.reason} {_unknown_for(row, comparison)}", (evidence(row),)
            )
    for row in comparison.changed(Change.NO_LONGER):
        yield Claim(f"{row.id} was exercised by the baseline, and is not any more.", (evidence(row),))
    for row in comparison.rows:
        if row.after and 0 < row.after.failed_in < row.after.runs:
            yield Claim(
                f"{row.id} failed in {row.after.failed_in} of {row.after.runs} runs: it is flaky.", (evidence(row),)
            )
    for run in comparison.candidate:
        for warning in run.verdict.warnings:
            yield Claim(f"Warning of a run: {warning}", (Link("run", address(run.report)),))


def _unknown_for(row: Row, comparison: Comparison) -> str:
    """Say for how long a requirement has been undecided, as far as the runs of both sides tell it."""
    runs = sorted((run for run in (*comparison.baseline, *comparison.candidate) if run.verdict.began), key=_began)
    if not runs:
        return "(since when, no run tells)"
    decided = [run for run in runs if _decided(run, row.id)]
    since = _day(decided[-1]) if decided else _day(runs[0])
    days = plural((_when(runs[-1]) - _when(decided[-1] if decided else runs[0])).days, "day")
    if decided:
        return f"(last decided on {since}, {days} before the last run)"
    return f"(in none of {plural(len(runs), 'run')} since {since}, {days})"


def _decided(run: Run, id: str) -> bool:
    return any(each.id == id and each.verdict in (Outcome.PASS, Outcome.FAIL) for each in run.verdict.requirements)


def _began(run: Run) -> str:
    return run.verdict.began or ""


def _when(run: Run) -> datetime:
    return datetime.fromisoformat(_began(run))


def _day(run: Run) -> str:
    return _began(run)[:10]


def _waivers(comparison: Comparison) -> Table:
    rows = {row.id: row for row in comparison.rows}
    return table(
        _WAIVERS, "llllllllll", [_row(waiver, rows.get(waiver.entry.requirement)) for waiver in comparison.waivers]
    )


def _row(waiver: Waiver, row: Row | None) -> tuple[str | Link, ...]:
    entry = waiver.entry
    where = ", ".join((*entry.scenario, *([entry.path] if entry.path else [])))
    cause = entry.finding or "any"
    return (
        waiver.place,
        evidence(row) if row else entry.requirement,
        waiver.state.value,
        f"{cause} ({where})" if where else cause,
        " ".join(entry.reason.split()),
        entry.owner or "nobody",
        str(entry.since or "not said"),
        waiver.age,
        str(entry.expires or "for ever"),
        f"{waiver.seen_in} of {plural(waiver.runs, 'run')}",
    )
