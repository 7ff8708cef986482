"""The verdict as CTRF (Common Test Report Format) JSON: one test a requirement. What is unknown is "other"."""

import json
from datetime import UTC, datetime
from typing import Any

from conformance.verdict import Outcome, RequirementVerdict, Verdict
from reports.junit import details
from reports.phrases import narrowed
from reports.visible import one_line

SPEC = "0.0.0"
_TEXT = 1_000
_STATUS = {
    Outcome.PASS: "passed",
    Outcome.FAIL: "failed",
    Outcome.UNKNOWN: "other",
    Outcome.NOT_APPLICABLE: "skipped",
}


def render(verdict: Verdict) -> str:
    """Render a verdict as a CTRF document."""
    return json.dumps(report(verdict), indent=2, ensure_ascii=False) + "\n"


def report(verdict: Verdict) -> dict[str, Any]:
    """Return the CTRF document of a verdict as JSON data."""
    start = _start_ms(verdict)
    duration = round(verdict.duration_ms or 0)
    counts = verdict.summary
    return {
        "reportFormat": "CTRF",
        "specVersion": SPEC,
        "results": {
            "tool": {"name": "agent-conformance", "version": _line(verdict.kit)},
            "summary": {
                "tests": len(verdict.requirements),
                "passed": counts.passed,
                "failed": counts.failed,
                "skipped": counts.not_applicable,
                "pending": 0,
                "other": counts.unknown,
                "start": start,
                "stop": start + duration,
            },
            "tests": [_test(requirement, verdict) for requirement in verdict.requirements],
            "extra": {"target": _line(verdict.target), "verdict": verdict.verdict.value, "seed": verdict.seed},
        },
    }


def _test(requirement: RequirementVerdict, verdict: Verdict) -> dict[str, Any]:
    test: dict[str, Any] = {
        "name": _line(f"{requirement.id} {requirement.statement}"),
        "status": _STATUS[requirement.verdict],
        "duration": 0,
        "suite": ["agent-conformance", _line(requirement.id.partition("-")[0])],
        "rawStatus": requirement.verdict.value,
        "tags": [requirement.level.value],
        "message": _line(requirement.findings[0].message if requirement.findings else requirement.reason),
        "extra": {"exercised": requirement.exercised},
    }
    if requirement.verdict is Outcome.FAIL:
        test["trace"] = details(requirement, verdict.repeat)
        if verdict.repeat:
            test["extra"]["repeat"] = _line(narrowed(verdict.repeat, requirement.id))
    return test


def _start_ms(verdict: Verdict) -> int:
    """Return when the run began, in ms since 1970; 0 where that is not known."""
    if verdict.began is None:
        return 0
    try:
        return round(datetime.fromisoformat(verdict.began).astimezone(UTC).timestamp() * 1000)
    except ValueError:
        return 0


def _line(text: str) -> str:
    return one_line(text, limit=_TEXT)
