"""What of a verdict is old: known by a baseline, or there before a change. The verdict is told without it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import msgspec

from conformance.baseline import Comparison
from conformance.verdict import Finding, Outcome, RequirementVerdict, Verdict, judged_by
from contracts.audit import Audit

Cause = tuple[str, str, str]


def without_known(audit: Audit, comparison: Comparison) -> Audit:
    """Leave out the violations that a baseline knows."""

    def known(finding: Finding) -> bool:
        return any(entry.covers(finding) for entry in comparison.seen)

    return replace(audit, verdict=_without(audit.verdict, known, "known by the baseline"))


def without_old(audit: Audit, before: Verdict, revision: str) -> Audit:
    """Leave out the violations that were there before."""
    left = Counter(map(_cause, before.findings))
    noted = Counter(_cause(note) for requirement in before.requirements for note in requirement.notes)

    def old(finding: Finding) -> bool:
        for counts in (left, noted):
            if counts[_cause(finding)]:
                counts[_cause(finding)] -= 1
                return True
        return False

    return replace(audit, verdict=_without(audit.verdict, old, f"there since {revision}"))


def _cause(finding: Finding) -> Cause:
    """Name a finding so that it is known again where lines have moved."""
    return finding.requirement, (finding.location or "").rpartition(":")[0], finding.message


def _without(verdict: Verdict, known: Callable[[Finding], bool], why: str) -> Verdict:
    return judged_by(verdict, tuple(_judged_again(requirement, known, why) for requirement in verdict.requirements))


def _judged_again(requirement: RequirementVerdict, known: Callable[[Finding], bool], why: str) -> RequirementVerdict:
    findings = tuple(finding for finding in requirement.findings if not known(finding))
    notes = tuple(note for note in requirement.notes if not known(note))
    gone = len(requirement.findings) - len(findings)
    if not gone and len(notes) == len(requirement.notes):
        return requirement
    outcome, reason = requirement.verdict, requirement.reason
    if gone:
        outcome = Outcome.FAIL if findings else Outcome.PASS
        reason = f"violated {len(findings)} times, {gone} more {why}" if findings else f"{gone} violations {why}"
    return msgspec.structs.replace(
        requirement, verdict=outcome, reason=reason, violations=len(findings), findings=findings, notes=notes
    )
