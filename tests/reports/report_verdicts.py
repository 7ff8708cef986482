"""Verdicts to render: one with something of everything, where the target says whatever could do harm."""

import json

import msgspec

from conformance.catalogue import Level, load
from conformance.verdict import (
    Finding,
    Measurement,
    Met,
    ObjectiveVerdict,
    Outcome,
    RequirementVerdict,
    Series,
    Spectrum,
    Verdict,
    Witness,
    overall,
    summarise,
)

SCRIPT = "<script>alert('owned')</script>"
IMAGE = "\"'><img src=https://evil.example/x onerror=alert(1)>"
RIGHT_TO_LEFT = "user\u202etxt.exe\u2066"
ANSI = "\x1b[2J\x1b]8;;https://evil.example\x07click\x1b]8;;\x07\x9b31m"
MARKUP = "[red]not red[/red] [link=https://evil.example]x[/link] :boom: {{ 7*7 }} {% raw %}"
MARKDOWN = (
    "a|b `code` ``two`` | **bold** _it_ \\| [x](https://evil.example) <b>b</b> &amp; # ```\n```\n# heading\n| a | b |"
)
XML = "]]> \x00\x01\x0b\ufffe\uffff &#0; <!-- -->"
LONG = "A" * 1_000_000
HOSTILE = f"{SCRIPT} {IMAGE} {RIGHT_TO_LEFT} {ANSI} {MARKUP} {MARKDOWN} {XML} \r\n\ttab \u2028 \u200b"

VIOLATED = {
    "EVT-05": 12,
    "ISO-01": 1,
    "SCH-04": 2,
    "SRC-01": 1,
}
REPEAT = (
    "agent-conformance verify --target 'my target.toml' --only EVT,ISO --profile full --users 20 --seed 42 "
    "--out reports/out/a-directory-with-a-long-name"
)


def witness(line: int, text: str, *, what: str = "received", conn: int | None = 3) -> Witness:
    """An operation of a user's."""
    return Witness(line=line, at_ms=1204.5 + line, what=what, conn=conn, user="alice" if conn else None, text=text)


def finding(requirement: str, number: int, text: str, **more: str) -> Finding:
    """A finding with a frame sent, a frame received and a tool call as its witnesses."""
    return Finding(
        requirement=requirement,
        message=f"a tool of run {number} is never completed",
        expected="exactly one completion for tool_call_id call_7",
        actual="no completion when the run ended",
        witnesses=(
            witness(120 + number, '{"type":"chat.start","message":"go"}', what="sent"),
            witness(123 + number, text),
            witness(130 + number, "tool=echo, outcome=returned", what="tool_ended", conn=None),
        ),
        **{"run_id": f"run-{number}", "user": "alice", "scenario": "tools", "location": f"history.jsonl:{number}"}
        | more,
    )


def _requirement(id: str, verdict: Outcome, reason: str, exercised: int = 0) -> RequirementVerdict:
    entry = load()[id]
    return RequirementVerdict(id, entry.level, entry.statement, verdict, exercised, reason)


def _judged(id: str) -> RequirementVerdict:
    if id in VIOLATED:
        frame = '{"type":"tool_start","tool_call_id":"call_7","nested":{"list":[1,2.50,"x"]}}'
        findings = tuple(finding(id, number, frame) for number in range(1, min(VIOLATED[id], 10) + 1))
        times = "time" if VIOLATED[id] == 1 else "times"
        base = _requirement(id, Outcome.FAIL, f"violated {VIOLATED[id]} {times}", 1234)
        return msgspec.structs.replace(base, violations=VIOLATED[id], findings=findings)
    if id.startswith(("SRC", "TST")):
        return _requirement(id, Outcome.NOT_APPLICABLE, "needs a source tree: agent-conformance audit PATH")
    if id in ("EVT-12", "EVT-16"):
        return _requirement(id, Outcome.UNKNOWN, "no check yet")
    if id == "LIF-03":
        return _requirement(id, Outcome.UNKNOWN, "nothing was seen that could decide it")
    return _requirement(id, Outcome.PASS, "held 40 times", 40)


def whole(*requirements: RequirementVerdict) -> Verdict:
    """A verdict on these requirements, with measurements, warnings and errors of the kit."""
    return Verdict(
        schema=1,
        kit="0.1.0",
        catalogue=1,
        command="verify",
        target="my backend",
        dialect="five-events",
        seed=42,
        verdict=overall(requirements),
        summary=summarise(requirements),
        requirements=requirements,
        capabilities=("resume", "stop"),
        began="2025-03-01T12:00:00.000Z",
        duration_ms=12_345.6,
        operations=20_480,
        events=5_120,
        measurements=(
            Measurement("delivery latency p95", 3.1, "ms", 5_120),
            Measurement("delivered", 99.99999, "%", 5_120),
        ),
        warnings=("the tool witness is not wired: what tools did cannot be told",),
        harness_errors=('check Lifecycle crashed at line 7: Traceback:\n  File "evt.py", line 3\nKeyError: 1\n',),
        repeat=REPEAT,
        profile="full",
    )


def sample() -> Verdict:
    """The whole catalogue with every outcome; TST wholly not applicable, SRC nearly."""
    return whole(*(_judged(requirement.id) for requirement in load()))


def passing() -> Verdict:
    """A verdict with nothing to complain about, and nothing known that may be unknown."""
    verdict = whole(*(_requirement(r.id, Outcome.PASS, "held 40 times", 40) for r in load()))
    return msgspec.structs.replace(
        verdict,
        dialect=None,
        seed=None,
        began=None,
        duration_ms=None,
        measurements=(),
        warnings=(),
        harness_errors=(),
        repeat=None,
        profile=None,
    )


def loaded(text: str = "chat") -> Verdict:
    """The verdict of a load, with a text wherever a name of the target's may stand."""
    figures = ("p95_ms", text, 500.0, "ms")
    return msgspec.structs.replace(
        sample(),
        command="load",
        objectives=(
            ObjectiveVerdict(*figures, Met.MET, 1_165, 11.0, 6.3, 11.2, reason=text),
            ObjectiveVerdict(*figures, Met.VIOLATED, 1_165, 911.0, 806.3, None, reason=text),
            ObjectiveVerdict("errors", None, 0.01, "share", Met.UNDECIDED, 80, 0.0, 0.0, 0.035, 299, "0 of 80"),
            ObjectiveVerdict("run_p95_ms", None, 500.0, "ms", Met.UNDECIDED, 0, reason="nothing was measured"),
        ),
        series=(
            Series(text, text, (1.0, 2.0, None, 4.0)),
            Series("ended", text, (0.0, 0.0, 0.0, 0.0)),
            Series("empty", "ms", ()),
        ),
        spectra=(
            Spectrum(text, text, 7, ((50.0, 1.0), (99.9, 2.5))),
            Spectrum("run", None, 7, ((50.0, 8.0), (99.9, 9.0))),
        ),
    )


def hostile(text: str = HOSTILE) -> Verdict:
    """The sample, with a text in every place that a target or a user can fill."""
    bad = finding("EVT-05", 1, text, run_id=text, user=text, scenario=text, location=text)
    bad = msgspec.structs.replace(
        bad,
        message=text,
        expected=text,
        actual=text,
        witnesses=(
            *bad.witnesses,
            Witness(9, 1.0, text, 4, text, json.dumps({"text": text, text[:100]: [text]}, ensure_ascii=False)),
        ),
    )
    failing = RequirementVerdict("EVT-05", Level.MUST, text, Outcome.FAIL, 1, text, 2, (bad, bad))
    undecided = RequirementVerdict("ISO-01", Level.MUST, text, Outcome.UNKNOWN, 0, text)
    absent = RequirementVerdict("DLV-01", Level.MUST, text, Outcome.NOT_APPLICABLE, 0, text)
    held = RequirementVerdict("SCH-01", Level.MUST, text, Outcome.PASS, 3, text)
    return msgspec.structs.replace(
        whole(failing, held, undecided, absent),
        target=text,
        dialect=text,
        capabilities=(text,),
        measurements=(Measurement(text, 1.0, "ms", 3),),
        warnings=(text,),
        harness_errors=(text,),
        repeat=f"agent-conformance verify --url {text}",
        profile=text,
        command=text,
        kit=text,
    )
