import json
import re
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from conformance.verdict import Verdict
from reports.sarif import log, render
from tests.reports.report_verdicts import LONG, REPEAT, hostile, passing, sample

VERDICTS = [
    pytest.param(sample(), id="sample"),
    pytest.param(passing(), id="passing"),
    pytest.param(hostile(), id="hostile"),
    pytest.param(hostile(LONG), id="long"),
]
MESSAGE = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
# What SARIF 2.1.0 demands of the members that are used (sections 3.13 to 3.58), and what GitHub demands besides.
RULES: dict[str, Any] = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "additionalProperties": False,
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name", "rules"],
                                "properties": {
                                    "name": {"type": "string"},
                                    "version": {"type": "string"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id", "shortDescription", "defaultConfiguration"],
                                            "additionalProperties": False,
                                            "properties": {
                                                "id": {"type": "string"},
                                                "shortDescription": MESSAGE,
                                                "fullDescription": MESSAGE,
                                                "help": MESSAGE,
                                                "defaultConfiguration": {"properties": {"level": LEVEL}},
                                                "properties": {"type": "object"},
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "invocations": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["executionSuccessful"],
                            "additionalProperties": False,
                            "properties": {
                                "executionSuccessful": {"type": "boolean"},
                                "startTimeUtc": {"type": "string"},
                                "toolExecutionNotifications": {
                                    "type": "array",
                                    "items": {"required": ["message"], "properties": {"message": MESSAGE}},
                                },
                            },
                        },
                    },
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "properties": {"type": "object"},
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "kind": {"const": "fail"},
                                "level": LEVEL,
                                "message": MESSAGE,
                                "partialFingerprints": {"additionalProperties": {"type": "string"}},
                                "properties": {"type": "object"},
                                "locations": {
                                    "type": "array",
                                    "minItems": 1,
                                    "items": {
                                        "required": ["physicalLocation"],
                                        "properties": {
                                            "physicalLocation": {
                                                "required": ["artifactLocation", "region"],
                                                "properties": {
                                                    "artifactLocation": {
                                                        "required": ["uri"],
                                                        "properties": {"uri": {"type": "string", "minLength": 1}},
                                                    },
                                                    "region": {
                                                        "required": ["startLine"],
                                                        "properties": {"startLine": {"type": "integer", "minimum": 1}},
                                                    },
                                                },
                                            }
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


def run_of(verdict: Verdict) -> dict[str, Any]:
    document = json.loads(render(verdict))
    run: dict[str, Any] = document["runs"][0]
    return run


def place_of(location: str | None) -> tuple[str, int]:
    verdict = sample()
    finding = msgspec.structs.replace(verdict.findings[0], location=location)
    broken = next(r for r in verdict.requirements if r.findings)
    only = msgspec.structs.replace(broken, findings=(finding,))
    place = run_of(msgspec.structs.replace(verdict, requirements=(only,)))["results"][0]["locations"][0]
    return place["physicalLocation"]["artifactLocation"]["uri"], place["physicalLocation"]["region"]["startLine"]


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_log_has_the_form_of_sarif(verdict: Verdict) -> None:
    text = render(verdict)
    errors = [
        f"{error.json_path}: {error.message[:200]}" for error in Draft202012Validator(RULES).iter_errors(log(verdict))
    ]
    assert errors == []
    assert json.loads(text) == log(verdict)
    assert {c for c in text if not c.isprintable()} == {"\n"}


@pytest.mark.parametrize("verdict", VERDICTS)
def test_results_point_to_their_rules(verdict: Verdict) -> None:
    run = run_of(verdict)
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [requirement.id for requirement in verdict.requirements]
    assert len(run["results"]) == len(verdict.findings)
    for result in run["results"]:
        rule = rules[result["ruleIndex"]]
        assert rule["id"] == result["ruleId"]
        assert rule["defaultConfiguration"]["level"] == result["level"]


def test_a_must_is_an_error_and_a_should_a_warning() -> None:
    levels = {result["ruleId"]: result["level"] for result in run_of(sample())["results"]}
    assert levels == {"EVT-05": "error", "SCH-04": "warning", "ISO-01": "error", "SRC-01": "error"}


def test_seed_and_command_are_kept() -> None:
    run = run_of(sample())
    assert run["properties"]["seed"] == 42
    assert run["properties"]["repeat"] == REPEAT
    result = run["results"][0]
    assert result["properties"]["seed"] == 42
    assert result["properties"]["repeat"].endswith(f"--only {result['ruleId']}")
    assert "seed" not in run_of(passing())["properties"]


@pytest.mark.parametrize(
    ("location", "uri", "line"),
    [
        ("history.jsonl:123", "history.jsonl", 123),
        ("src/my app/tool.py:7", "src/my%20app/tool.py", 7),
        ("C:\\code\\tool.py:7", "C%3A/code/tool.py", 7),
        ("pyproject.toml", "pyproject.toml", 1),
        ("odd:name:0", "odd%3Aname", 1),
        ("https://evil.example:9", "https%3A//evil.example", 9),
        (None, "verdict.json", 1),
    ],
)
def test_locations_are_relative_addresses_with_a_line(location: str | None, uri: str, line: int) -> None:
    assert place_of(location) == (uri, line)


def test_hostile_locations_are_addresses_all_the_same() -> None:
    for result in run_of(hostile())["results"]:
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+", uri)


def test_the_same_finding_in_another_run_has_the_same_fingerprint() -> None:
    finding = sample().findings[0]
    moved = msgspec.structs.replace(finding, run_id="other", location="history.jsonl:999", witnesses=())
    other = msgspec.structs.replace(finding, message="something else")
    broken = next(r for r in sample().requirements if r.findings)
    three = msgspec.structs.replace(broken, findings=(finding, moved, other))
    results = run_of(msgspec.structs.replace(sample(), requirements=(three,)))["results"]
    first, second, third = (result["partialFingerprints"]["finding/v1"] for result in results)
    assert first == second != third


def test_a_violation_without_a_kept_finding_is_still_a_result() -> None:
    bare = tuple(msgspec.structs.replace(r, findings=()) for r in sample().requirements)
    results = run_of(msgspec.structs.replace(sample(), requirements=bare))["results"]
    assert sorted(result["ruleId"] for result in results) == ["EVT-05", "ISO-01", "SCH-04", "SRC-01"]


def test_errors_of_the_kit_are_told() -> None:
    invocation = run_of(sample())["invocations"][0]
    assert invocation["executionSuccessful"] is False
    assert [note["level"] for note in invocation["toolExecutionNotifications"]] == ["warning", "error"]
    assert run_of(passing())["invocations"][0]["executionSuccessful"] is True
