import json
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from conformance.verdict import Verdict
from reports.ctrf import render, report
from tests.reports.report_verdicts import LONG, VIOLATED, hostile, passing, sample

VERDICTS = [
    pytest.param(sample(), id="sample"),
    pytest.param(passing(), id="passing"),
    pytest.param(hostile(), id="hostile"),
    pytest.param(hostile(LONG), id="long"),
    pytest.param(hostile("\ud800\x00"), id="illegal"),
]
COUNT = {"type": "integer", "minimum": 0}
NAME = {"type": "string", "minLength": 1}
COUNTS = ("tests", "passed", "failed", "skipped", "pending", "other", "start", "stop")
# What CTRF demands of the members that are used; nothing else may stand beside them.
RULES: dict[str, Any] = {
    "type": "object",
    "required": ["reportFormat", "specVersion", "results"],
    "additionalProperties": False,
    "properties": {
        "reportFormat": {"const": "CTRF"},
        "specVersion": {"type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+$"},
        "results": {
            "type": "object",
            "required": ["tool", "summary", "tests"],
            "additionalProperties": False,
            "properties": {
                "tool": {"required": ["name"], "properties": {"name": NAME, "version": {"type": "string"}}},
                "summary": {
                    "required": list(COUNTS),
                    "properties": dict.fromkeys(COUNTS, COUNT),
                    "additionalProperties": False,
                },
                "extra": {"type": "object"},
                "tests": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["name", "status", "duration"],
                        "additionalProperties": False,
                        "properties": {
                            "name": NAME,
                            "status": {"enum": ["passed", "failed", "skipped", "pending", "other"]},
                            "duration": {"type": "integer"},
                            "suite": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                            "rawStatus": {"type": "string"},
                            "tags": {"type": "array", "items": {"type": "string"}},
                            "message": {"type": "string"},
                            "trace": {"type": "string"},
                            "extra": {"type": "object"},
                        },
                    },
                },
            },
        },
    },
}


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_report_has_the_form_of_ctrf(verdict: Verdict) -> None:
    text = render(verdict)
    errors = [
        f"{error.json_path}: {error.message[:200]}"
        for error in Draft202012Validator(RULES).iter_errors(report(verdict))
    ]
    assert errors == []
    assert json.loads(text) == report(verdict)
    assert {c for c in text if not c.isprintable()} == {"\n"}


@pytest.mark.parametrize("verdict", VERDICTS)
def test_its_counts_are_those_of_its_tests(verdict: Verdict) -> None:
    results = report(verdict)["results"]
    statuses = [test["status"] for test in results["tests"]]
    counted = {name: results["summary"][name] for name in ("passed", "failed", "skipped", "other", "pending")}
    assert counted == {name: statuses.count(name) for name in counted}
    assert results["summary"]["tests"] == len(statuses)


def test_violations_have_their_evidence_and_the_run_its_time() -> None:
    results = report(sample())["results"]
    failed = {test["name"].split()[0]: test for test in results["tests"] if test["status"] == "failed"}
    assert failed.keys() == VIOLATED.keys()
    assert "exactly one completion" in failed["EVT-05"]["trace"]
    assert failed["EVT-05"]["extra"]["repeat"].endswith("--only EVT-05")
    assert results["summary"]["stop"] - results["summary"]["start"] == 12_346
    odd = msgspec.structs.replace(sample(), began="yesterday")
    assert report(odd)["results"]["summary"]["start"] == 0
