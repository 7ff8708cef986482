"""What the evidence of a comparison recommends, by stated rules."""

from collections.abc import Iterator
from enum import StrEnum

from conformance.catalogue import Level
from conformance.verdict import Outcome
from reports.compare import Comparison
from reports.document import Claim, Link, Section
from reports.phrases import plural

_RULES = (
    "Block: a MUST is violated that no waiver in force stands for, or an objective of a load, or a wait is claimed to "
    "be slower, or no MUST was decided, or the kit failed.",
    "Approve with waivers: else, where a waiver stands for a violated MUST, where a MUST that applies was not decided, "
    "where a SHOULD is violated, or where a waiver is not true any more (expired, or of something that is not seen).",
    "Approve: else.",
)


class Advice(StrEnum):
    """What the evidence recommends."""

    APPROVE = "approve"
    WAIVERS = "approve with waivers"
    BLOCK = "block"


def advice(comparison: Comparison) -> tuple[Advice, list[str]]:
    """Return the recommendation, and the rules of it that applied."""
    if against := list(_against(comparison)):
        return Advice.BLOCK, against
    if waived := list(_waived(comparison)):
        return Advice.WAIVERS, waived
    return Advice.APPROVE, ["Every MUST that applies was decided and holds, no SHOULD is violated."]


def rules(recommended: Advice, reasons: list[str]) -> Section:
    """Write the section that states the rules, and which of them applied."""
    here = Claim(f"Here: {recommended}. {' '.join(reasons)}", (Link("risks", "#risks"), Link("changes", "#changes")))
    return Section("recommendation", "Recommendation", (*map(Claim, _RULES), here))


def _against(comparison: Comparison) -> Iterator[str]:
    failed = comparison.judged(Level.MUST, Outcome.FAIL)
    if grave := [row.id for row in failed if not comparison.waived(row)]:
        yield f"A MUST is violated: {', '.join(grave)}."
    if missed := [goal.name for goal in comparison.goals if goal.violated]:
        yield f"An objective is violated: {', '.join(missed)}."
    yield from comparison.slower
    if not comparison.judged(Level.MUST, Outcome.PASS) and not failed:
        yield "Not one MUST was decided."
    if any(run.verdict.harness_errors for run in comparison.candidate):
        yield "The kit itself failed in a run of the candidate."


def _waived(comparison: Comparison) -> Iterator[str]:
    if excused := [row.id for row in comparison.judged(Level.MUST, Outcome.FAIL)]:
        yield f"A waiver stands for each violation of {', '.join(excused)}."
    if unknown := comparison.judged(Level.MUST, Outcome.UNKNOWN):
        yield f"{plural(len(unknown), 'MUST')} could not be decided."
    if should := [row.id for row in comparison.judged(Level.SHOULD, Outcome.FAIL)]:
        yield f"A SHOULD is violated: {', '.join(should)}."
    if untrue := [waiver for waiver in comparison.waivers if waiver.untrue]:
        yield f"{plural(len(untrue), 'waiver')} not true any more."
