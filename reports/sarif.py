"""The verdict as SARIF 2.1.0 (OASIS), for code scanning: results.sarif.

The requirements are the rules; each finding is a result, an error for a MUST and a warning for a SHOULD. What is
unknown or holds is no result: code scanning would raise an alert for it.
"""

import hashlib
import json
from typing import Any
from urllib.parse import quote

from conformance.catalogue import Level, load
from conformance.verdict import Finding, Outcome, RequirementVerdict, Verdict
from reports.phrases import narrowed
from reports.visible import block, one_line

VERSION = "2.1.0"
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_TEXT = 4_000
_TRACE = 8_000
_LEVELS = {Level.MUST: "error", Level.SHOULD: "warning"}
_ELSEWHERE = "verdict.json:1"
"""The location of a finding without one: code scanning takes no result that has none."""


def render(verdict: Verdict) -> str:
    """Render a verdict as a SARIF log with one run."""
    return json.dumps(log(verdict), indent=2, ensure_ascii=False) + "\n"


def log(verdict: Verdict) -> dict[str, Any]:
    """Return the SARIF log of a verdict as JSON data."""
    driver = {
        "name": "agent-conformance",
        "version": one_line(verdict.kit, limit=_TEXT),
        "rules": [_rule(requirement) for requirement in verdict.requirements],
    }
    properties = {
        "target": verdict.target,
        "dialect": verdict.dialect,
        "command": verdict.command,
        "profile": verdict.profile,
        "catalogue": verdict.catalogue,
        "seed": verdict.seed,
        "repeat": verdict.repeat,
        "verdict": verdict.verdict.value,
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [_invocation(verdict)],
        "results": [
            result
            for index, requirement in enumerate(verdict.requirements)
            if requirement.verdict is Outcome.FAIL
            for result in _results(index, requirement, verdict)
        ],
        "columnKind": "unicodeCodePoints",
        "properties": _known(properties),
    }
    return {"$schema": SCHEMA, "version": VERSION, "runs": [run]}


def _rule(requirement: RequirementVerdict) -> dict[str, Any]:
    catalogue = load()
    rule: dict[str, Any] = {
        "id": one_line(requirement.id, limit=_TEXT),
        "shortDescription": _message(requirement.statement),
        "defaultConfiguration": {"level": _LEVELS[requirement.level]},
        "properties": {"requirement_level": requirement.level.value},
    }
    if requirement.id in catalogue:
        entry = catalogue[requirement.id]
        rule["fullDescription"] = _message(f"{requirement.statement} {entry.rationale}")
        rule["help"] = _message(f"How it is decided: {entry.decided} Source: {entry.source}.")
        rule["properties"] |= _known({"family": entry.family, "since": entry.since, "capability": entry.capability})
    return rule


def _results(index: int, requirement: RequirementVerdict, verdict: Verdict) -> list[dict[str, Any]]:
    findings = requirement.findings or (
        Finding(requirement.id, requirement.reason, requirement.statement, "a violation without a kept finding"),
    )
    return [_result(index, requirement, finding, verdict) for finding in findings]


def _result(index: int, requirement: RequirementVerdict, finding: Finding, verdict: Verdict) -> dict[str, Any]:
    repeat = narrowed(verdict.repeat, requirement.id) if verdict.repeat else None
    properties = {
        "run_id": finding.run_id,
        "user": finding.user,
        "scenario": finding.scenario,
        "seed": verdict.seed,
        "repeat": repeat,
    }
    return {
        "ruleId": one_line(requirement.id, limit=_TEXT),
        "ruleIndex": index,
        "kind": "fail",
        "level": _LEVELS[requirement.level],
        "message": _message(f"{finding.message}\nexpected: {finding.expected}\nactual: {finding.actual}"),
        "locations": [_location(finding.location or _ELSEWHERE)],
        "partialFingerprints": {"finding/v1": _fingerprint(finding)},
        "properties": _known(properties),
    }


def _location(location: str) -> dict[str, Any]:
    file, colon, line = location.rpartition(":")
    if not (colon and line.isdecimal()):
        file, line = location, "1"
    # A path becomes a relative URI reference (RFC 3986): a colon in its first segment would make that a scheme.
    uri = quote(file.replace("\\", "/").encode(errors="backslashreplace"), safe="/")
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": uri},
            "region": {"startLine": max(1, int(line))},
        }
    }


def _invocation(verdict: Verdict) -> dict[str, Any]:
    notifications = [{"level": "warning", "message": _message(text)} for text in verdict.warnings]
    notifications += [{"level": "error", "message": _message(text)} for text in verdict.harness_errors]
    invocation: dict[str, Any] = {
        "executionSuccessful": not verdict.harness_errors,
        "toolExecutionNotifications": notifications,
    }
    if verdict.began:
        invocation["startTimeUtc"] = one_line(verdict.began, limit=_TEXT)
    return invocation


def _fingerprint(finding: Finding) -> str:
    """Name a finding so that it is known again in the next run, where its line and ids are others."""
    parts = (finding.requirement, finding.scenario or "", finding.message)
    return hashlib.sha256("\0".join(parts).encode(errors="backslashreplace")).hexdigest()


def _message(text: str) -> dict[str, str]:
    return {"text": block(text, limit=_TEXT)}


def _known(properties: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is not known and make the rest fit to be looked at."""
    return {
        name: one_line(value, limit=_TRACE) if isinstance(value, str) else value
        for name, value in properties.items()
        if value is not None
    }
