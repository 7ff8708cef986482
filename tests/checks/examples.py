"""Examples of what checks decide: a function that builds a history, and what must become of it.

    @good("EVT-01")                                  nothing is violated, and these pass
    @bad("EVT-01", "EVT-14", message=…, …)           exactly these are violated; the words are those of the first
    @undecided("EVT-02", reason=…)                   nothing is violated, and this stays unknown

Each turns the function into a test and enters it into `EXAMPLES`.
"""

import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from conformance.catalogue import load
from conformance.history.operations import Frame
from conformance.rejudge import judge_recording
from conformance.verdict import Finding, Outcome, RequirementVerdict, Verdict
from tests.checks.histories import History, judge

Build = Callable[[], History]
Test = Callable[[], None]


@dataclass(frozen=True)
class Example:
    """One history and what kind of example it is for which requirements."""

    name: str
    kind: str
    ids: tuple[str, ...]
    build: Build


EXAMPLES: list[Example] = []
STATISTICAL = frozenset({"DLV-01", "DLV-02", "DLV-09", "IDN-05"})
"""Requirements that no single event decides."""


def good(*ids: str) -> Callable[[Build], Test]:
    """The history violates nothing, and these requirements pass."""

    def make(build: Build) -> Test:
        def test() -> None:
            verdict = judged(build())
            assert described(verdict) == {}
            outcomes = {id: of(verdict, id).verdict.value for id in ids}
            assert outcomes == dict.fromkeys(ids, "pass"), [of(verdict, id).reason for id in ids]
            assert all(of(verdict, id).exercised > 0 for id in ids)

        return _entered(test, Example(_name(build), "good", ids, build))

    return make


def bad(
    *ids: str, message: str = "", expected: str = "", actual: str = "", witnesses: tuple[str, ...] = ()
) -> Callable[[Build], Test]:
    """The history violates exactly these requirements.

    A finding of the first of them reads like this, where `*` stands for any text; `witnesses` are the types of its
    frames, and the tags of its other operations.
    """

    def make(build: Build) -> Test:
        def test() -> None:
            history = build()
            verdict = judged(history)
            assert set(described(verdict)) == set(ids), described(verdict)
            for id in ids:
                for finding in of(verdict, id).findings:
                    _sensible(finding, history)
            findings = of(verdict, ids[0]).findings
            found = [(f.message, f.expected, f.actual, _labels(f, history)) for f in findings]
            assert all((message, expected, actual, witnesses)), found
            assert any(
                _matches(message, f.message)
                and _matches(expected, f.expected)
                and _matches(actual, f.actual)
                and _labels(f, history) == witnesses
                for f in findings
            ), found

        return _entered(test, Example(_name(build), "bad", ids, build))

    return make


def undecided(*ids: str, reason: str) -> Callable[[Build], Test]:
    """The history violates nothing, and leaves these requirements unknown for this reason."""

    def make(build: Build) -> Test:
        def test() -> None:
            verdict = judged(build())
            assert described(verdict) == {}
            for id in ids:
                assert of(verdict, id).verdict is Outcome.UNKNOWN
                assert reason in of(verdict, id).reason

        return _entered(test, Example(_name(build), "undecided", ids, build))

    return make


def judged(history: History) -> Verdict:
    """Judge a history, as it is and as it is stored: both must give the same verdict, and no check may crash."""
    verdict = judge(history)
    assert verdict.harness_errors == ()
    assert stored(history) == verdict
    return verdict


def stored(history: History) -> Verdict:
    """Judge a history as it is read back from a file."""
    lines = [msgspec.json.encode(item) for item in (history.header, *history.operations)]
    return judge_recording(io.BytesIO(b"\n".join(lines) + b"\n"), name="by hand", catalogue=load())


def of(verdict: Verdict, id: str) -> RequirementVerdict:
    """Return the verdict on one requirement."""
    return next(requirement for requirement in verdict.requirements if requirement.id == id)


def described(verdict: Verdict) -> dict[str, list[str]]:
    """Return what is violated, in words."""
    return {
        requirement.id: [f"{f.message}: expected {f.expected}, got {f.actual}" for f in requirement.findings]
        for requirement in verdict.requirements
        if requirement.violations
    }


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def _labels(finding: Finding, history: History) -> tuple[str, ...]:
    return tuple(_label(history, witness.line) for witness in finding.witnesses)


def _label(history: History, line: int) -> str:
    op = history.operations[line - 2]
    if not isinstance(op, Frame):
        return str(op.__struct_config__.tag)
    try:
        return str(json.loads(op.raw)["type"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return "frame"


def _sensible(finding: Finding, history: History) -> None:
    assert finding.message
    assert finding.expected
    assert finding.actual
    assert finding.expected != finding.actual
    assert finding.witnesses
    assert finding.location == f"history.jsonl:{finding.witnesses[-1].line}"
    for witness in finding.witnesses:
        op = history.operations[witness.line - 2]
        assert witness.what == op.__struct_config__.tag
        assert witness.at_ms == op.at / 1000
        assert witness.conn == getattr(op, "conn", None)
        assert witness.text


def _name(build: Build) -> str:
    return f"{build.__module__.rsplit('.', 1)[-1]}.{build.__name__}"


def _entered(test: Test, example: Example) -> Test:
    EXAMPLES.append(example)
    test.__name__ = test.__qualname__ = example.build.__name__
    test.__doc__ = example.build.__doc__
    test.__module__ = example.build.__module__
    return test
