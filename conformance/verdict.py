"""Findings and the verdict: the kit's answer, as data. `verdict.json` is this module's `Verdict`, encoded.

The schema is published as `conformance/verdict.schema.json` and made from these types by `json_schema`.
"""

import inspect
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Literal

import msgspec

from conformance.catalogue import Level

SCHEMA = 1


class Outcome(StrEnum):
    """Verdict on a requirement, and on the whole."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


class Witness(msgspec.Struct, frozen=True):
    """An operation that proves a finding: its line in the history, time in ms, and what it was, shortened."""

    line: int
    at_ms: float
    what: str
    conn: int | None
    user: str | None
    text: str


class Finding(msgspec.Struct, frozen=True):
    """A violated requirement: what was expected, what was seen, and the operations that prove it.

    `location` is `file:line`: of the history for findings on the wire, of the source for source contracts.
    `scenario` is what the kit was driving, so that `--only` can repeat it.
    """

    requirement: str
    message: str
    expected: str
    actual: str
    run_id: str | None = None
    user: str | None = None
    scenario: str | None = None
    location: str | None = None
    witnesses: tuple[Witness, ...] = ()


class RequirementVerdict(msgspec.Struct, frozen=True):
    """The verdict on one requirement. `exercised` counts the situations that could have shown a violation.

    `violations` counts them all; `findings` holds the first of them, each different. `notes` are what may be a
    violation, where a rule on source cannot be sure: they decide nothing.
    """

    id: str
    level: Level
    statement: str
    verdict: Outcome
    exercised: int
    reason: str
    violations: int = 0
    findings: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()


class Summary(msgspec.Struct, frozen=True):
    """How many requirements had which outcome."""

    passed: int = msgspec.field(name="pass")
    failed: int = msgspec.field(name="fail")
    unknown: int
    not_applicable: int


class Measurement(msgspec.Struct, frozen=True):
    """A figure that was measured: value, unit and number of samples behind it."""

    name: str
    value: float
    unit: str
    samples: int


class Met(StrEnum):
    """Whether an objective is met, as far as the samples say."""

    MET = "met"
    VIOLATED = "violated"
    UNDECIDED = "undecided"


class ObjectiveVerdict(msgspec.Struct, frozen=True):
    """The verdict on one objective under load.

    `value` is what was measured, between `low` and `high` at 95 % confidence each; None where nothing was. `needed` is
    how many samples would decide it, where they do not and that can be told.
    """

    name: str
    behaviour: str | None
    bound: float
    unit: str
    verdict: Met
    samples: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    needed: int | None = None
    reason: str = ""


class Series(msgspec.Struct, frozen=True):
    """A figure over time: one value a second from the beginning on, None where there was none."""

    name: str
    unit: str
    values: tuple[float | None, ...]


class Spectrum(msgspec.Struct, frozen=True):
    """How a latency is distributed, of all behaviours or of one: pairs of a percentile and its value in ms."""

    name: str
    behaviour: str | None
    samples: int
    percentiles: tuple[tuple[float, float], ...]


class Block(msgspec.Struct, frozen=True):
    """The samples of some seconds of a run, from `at_s` on: how many waits were at most so many µs (the keys)."""

    at_s: int
    counts: dict[int, int]


class Distribution(msgspec.Struct, frozen=True):
    """The samples behind measurements of a name ("delivery latency p95" …), by time: a block holds `block_s` seconds.

    The upper ends of the bins are 0.1 ms apart up to 100 ms, above that by at most 1 %.
    """

    name: str
    block_s: int
    blocks: tuple[Block, ...]


class Verdict(msgspec.Struct, frozen=True):
    """The whole verdict, as written to `verdict.json`.

    `warnings` are sentences on what the kit could not do; `harness_errors` on what failed in the kit itself.
    `repeat` is the command that repeats the run. `objectives`, `series` and `spectra` come from a load.
    """

    schema: int
    kit: str
    catalogue: int
    command: str
    target: str
    dialect: str | None
    seed: int | None
    verdict: Outcome
    summary: Summary
    requirements: tuple[RequirementVerdict, ...]
    capabilities: tuple[str, ...] = ()
    began: str | None = None
    duration_ms: float | None = None
    operations: int = 0
    events: int = 0
    measurements: tuple[Measurement, ...] = ()
    warnings: tuple[str, ...] = ()
    harness_errors: tuple[str, ...] = ()
    repeat: str | None = None
    profile: str | None = None
    objectives: tuple[ObjectiveVerdict, ...] = ()
    series: tuple[Series, ...] = ()
    spectra: tuple[Spectrum, ...] = ()
    distributions: tuple[Distribution, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, by requirement."""
        return tuple(finding for requirement in self.requirements for finding in requirement.findings)

    def to_json(self) -> bytes:
        """Encode as indented JSON, one trailing newline."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def cause(message: str) -> str:
    """Return the pattern of a message: `*` for each word with a digit, which differs from run to run (ids, counts)."""
    return re.sub(r"(?<!\S)(?!['\"])\S*\d\S*", "*", message)


def summarise(requirements: Iterable[RequirementVerdict]) -> Summary:
    """Count the outcomes."""
    counts = dict.fromkeys(Outcome, 0)
    for requirement in requirements:
        counts[requirement.verdict] += 1
    return Summary(
        passed=counts[Outcome.PASS],
        failed=counts[Outcome.FAIL],
        unknown=counts[Outcome.UNKNOWN],
        not_applicable=counts[Outcome.NOT_APPLICABLE],
    )


def overall(requirements: Iterable[RequirementVerdict]) -> Outcome:
    """Fail if a MUST is violated; pass if at least one MUST was decided and none violated; else unknown."""
    musts = [requirement.verdict for requirement in requirements if requirement.level is Level.MUST]
    if Outcome.FAIL in musts:
        return Outcome.FAIL
    return Outcome.PASS if Outcome.PASS in musts else Outcome.UNKNOWN


def judged_by(verdict: Verdict, requirements: tuple[RequirementVerdict, ...]) -> Verdict:
    """Return the verdict with other verdicts on its requirements, and what they come to."""
    return msgspec.structs.replace(
        verdict, requirements=requirements, verdict=overall(requirements), summary=summarise(requirements)
    )


def exit_code(verdict: Verdict, *, strict: bool) -> Literal[0, 1, 2, 70]:
    """Return the exit code of a command that reached this verdict (ARCHITECTURE.md, Exit codes)."""
    counted = [r for r in verdict.requirements if strict or r.level is Level.MUST]
    if any(requirement.verdict is Outcome.FAIL for requirement in counted):
        return 1
    if any(objective.verdict is Met.VIOLATED for objective in verdict.objectives):
        return 1
    if verdict.harness_errors:
        return 70
    undecided = any(r.verdict is Outcome.UNKNOWN for r in verdict.requirements if r.level is Level.MUST)
    undecided = undecided or any(objective.verdict is Met.UNDECIDED for objective in verdict.objectives)
    if undecided and (strict or verdict.verdict is Outcome.UNKNOWN):
        return 2
    return 2 if verdict.verdict is Outcome.UNKNOWN else 0


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of `verdict.json`."""
    schema: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(Verdict)))
    for definition in schema["$defs"].values():
        if "description" in definition:
            definition["description"] = inspect.cleandoc(definition["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Agent Conformance Kit verdict, schema 1",
        **schema,
    }


if __name__ == "__main__":
    import sys

    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(json_schema()), indent=2) + b"\n")
