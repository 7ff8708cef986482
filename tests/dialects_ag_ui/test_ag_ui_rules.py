"""Each of AG-UI's own rules: streams that keep it, and streams that break it and exactly what else they break."""

import io
from dataclasses import dataclass

import pytest

from conformance.checks.agu import AgUiRules
from conformance.recording import judge_frames
from tests.dialects_ag_ui.streams import (
    CATALOGUE,
    FRAMINGS,
    Frames,
    call,
    failed,
    finished,
    judged,
    lines,
    outcome,
    result,
    run,
    started,
    stream,
    text,
    violated,
)
from tests.dialects_ag_ui.test_ag_ui_client_tools import WITH_TOOLS


@dataclass(frozen=True)
class Case:
    """A stream, the rules that it breaks (none: it keeps `keeps`), and the beginning of a finding's message."""

    name: str
    frames: Frames
    breaks: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    says: str = ""


def _start(message: str = "msg-1") -> dict[str, str]:
    return {"type": "TEXT_MESSAGE_START", "messageId": message}


def _content(message: str = "msg-1", delta: str = "words") -> dict[str, str]:
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": message, "delta": delta}


def _end(message: str = "msg-1") -> dict[str, str]:
    return {"type": "TEXT_MESSAGE_END", "messageId": message}


def _chunk(delta: str, **fields: str) -> dict[str, str]:
    return {"type": "TEXT_MESSAGE_CHUNK", "delta": delta, **fields}


def _step(what: str, name: str = "plan") -> dict[str, str]:
    return {"type": f"STEP_{what}", "stepName": name}


def _reasoning(what: str, message: str = "thought-1", **fields: str) -> dict[str, str]:
    role = {"role": "reasoning"} if what == "MESSAGE_START" else {}
    return {"type": f"REASONING_{what}", "messageId": message, **role, **fields}


def _thinking(what: str, **fields: str) -> dict[str, str]:
    return {"type": f"THINKING_{what}", **fields}


def _patch(*operations: object) -> dict[str, object]:
    return {"type": "STATE_DELTA", "delta": list(operations)}


def _state(**state: object) -> dict[str, object]:
    return {"type": "STATE_SNAPSHOT", "snapshot": state}


def _paused(*interrupts: dict[str, str]) -> dict[str, object]:
    return finished(outcome={"type": "interrupt", "interrupts": list(interrupts)})


def _messages(*messages: dict[str, object]) -> dict[str, object]:
    return {"type": "MESSAGES_SNAPSHOT", "messages": list(messages)}


_CUSTOM = {"type": "CUSTOM", "name": "acme.note", "value": 1}
_THOUGHT = [
    _reasoning("START", "phase-1"),
    _reasoning("MESSAGE_START"),
    _reasoning("MESSAGE_CONTENT", delta="Let me see."),
    _reasoning("MESSAGE_END"),
    _reasoning("END", "phase-1"),
]
_OLD_THOUGHT = [
    _thinking("START", title="Plan"),
    _thinking("TEXT_MESSAGE_START"),
    _thinking("TEXT_MESSAGE_CONTENT", delta="Let me see."),
    _thinking("TEXT_MESSAGE_END"),
    _thinking("END"),
]
_ASKING_TOOLS: dict[str, object] = {"tools": [{"name": "confirm"}], "messages": [], "context": []}

CASES = [
    # AGU-01
    Case("a run", run(), keeps=("AGU-01", "AGU-02", "AGU-03", "AGU-04", "AGU-05", "AGU-06", "AGU-10", "AGU-24")),
    Case("an error alone", [failed()], keeps=("AGU-01",)),
    Case("an error before a run", [failed(), *run()], keeps=("AGU-01",)),
    Case("state first", [_state(a=1), *run()], ("AGU-01",), says="the stream begins with STATE_SNAPSHOT"),
    Case("text without a run", [*text(), finished()], ("AGU-01", "EVT-01")),
    # AGU-02
    Case("one run after the other", [*run(), started("run-b2"), *text(), finished("run-b2")], keeps=("AGU-02",)),
    Case(
        "a run within a run",
        [
            started(),
            *text(),
            started("run-b2", parentRunId="run-a1"),
            *text("B", "msg-b"),
            finished("run-b2"),
            finished(),
        ],
        ("AGU-02",),
        says="run run-b2 starts while run run-a1 is active",
    ),
    Case("a run abandoned", [started(), started("run-b2"), *text(), finished("run-b2")], ("AGU-02", "EVT-02")),
    # AGU-03
    Case(
        "a run after an error", [started(), failed(), started("run-b2"), *text(), finished("run-b2")], keeps=("AGU-03",)
    ),
    Case(
        "text after the end", [*run(), _start("msg-9")], ("AGU-03", "EVT-03"), says="TEXT_MESSAGE_START follows RUN_F"
    ),
    Case("state after an error", [started(), failed(), _state(a=1)], ("AGU-03", "EVT-03")),
    # AGU-04
    Case("finished and failed", [*run(), failed()], ("AGU-04", "EVT-02", "EVT-03")),
    Case(
        "finished twice", [*run(), finished()], ("AGU-04", "EVT-02", "EVT-03"), says="RUN_FINISHED follows RUN_FINISHED"
    ),
    Case("failed twice", [started(), failed(), failed()], ("AGU-04", "EVT-02", "EVT-03")),
    # AGU-05
    Case(
        "another run finished",
        [started(), *text(), finished("run-z9")],
        ("AGU-05",),
        says="RUN_FINISHED has another runId",
    ),
    Case("another thread finished", [started(), *text(), finished(thread="thread-z9")], ("AGU-05",)),
    Case("its own parent", run(parentRunId="run-a1"), ("AGU-05",)),
    Case(
        "a parent of another thread",
        [*run(), started("run-b2", "thread-b2", parentRunId="run-a1"), *text(), finished("run-b2", "thread-b2")],
        ("AGU-05",),
    ),
    Case("a branch", [*run(), started("run-b2", parentRunId="run-a1"), *text(), finished("run-b2")], keeps=("AGU-05",)),
    # AGU-06
    Case(
        "two messages at once",
        run(_start(), _start("msg-2"), _content("msg-2"), _end("msg-2"), _content(), _end()),
        keeps=("AGU-06",),
    ),
    Case(
        "content without a start",
        run(_content()),
        ("AGU-06",),
        says="text message msg-1 has content while it is not open",
    ),
    Case("content after the end", run(text(), _content()), ("AGU-06",)),
    Case("an end without a start", run(_end()), ("AGU-06",)),
    Case("a start while open", run(_start(), _start(), _content(), _end()), ("AGU-06",)),
    Case("a chunk of an open message", run(_start(), _chunk("a", messageId="msg-1"), _end()), ("AGU-06",)),
    Case("content of a chunked message", run(_chunk("a", messageId="msg-1"), _content()), ("AGU-06",)),
    # AGU-07
    Case("a call", run(call(), result()), keeps=("AGU-07", "AGU-12", "AGU-13", "AGU-14", "AGU-15", "AGU-17")),
    Case("arguments without a start", run(call()[1], call(), result()), ("AGU-07",)),
    Case("a call's end without a start", run(call()[-1]), ("AGU-07",)),
    Case("a call starts while open", run(call()[0], call(), result()), ("AGU-07",)),
    # AGU-08
    Case(
        "steps",
        run(_step("STARTED"), _step("STARTED", "act"), _step("FINISHED"), _step("FINISHED", "act")),
        keeps=("AGU-08",),
    ),
    Case(
        "a step twice", run(_step("STARTED"), _step("FINISHED"), _step("STARTED"), _step("FINISHED")), keeps=("AGU-08",)
    ),
    Case("a step not started", run(_step("FINISHED")), ("AGU-08",)),
    Case("a step started twice", run(_step("STARTED"), _step("STARTED"), _step("FINISHED")), ("AGU-08",)),
    # AGU-09
    Case("reasoning", run(_THOUGHT), keeps=("AGU-09", "AGU-11", "AGU-18")),
    Case("thinking", run(_OLD_THOUGHT), keeps=("AGU-09", "AGU-11", "AGU-18")),
    Case("reasoning without a phase", run(_THOUGHT[1:4]), keeps=("AGU-09",)),
    Case("reasoning without a start", run(_THOUGHT[2]), ("AGU-09",)),
    Case("reasoning that ends without a start", run(_THOUGHT[3]), ("AGU-09",)),
    Case("a phase that ends without a start", run(_THOUGHT[4]), ("AGU-09",)),
    Case("reasoning that starts twice", run(_THOUGHT[1], _THOUGHT[1:4]), ("AGU-09",)),
    Case("a thinking message outside thinking", run(_OLD_THOUGHT[1:4]), ("AGU-09",)),
    Case("thinking content without a message", run(_OLD_THOUGHT[0], _OLD_THOUGHT[2], _OLD_THOUGHT[4]), ("AGU-09",)),
    Case("thinking starts twice", run(_OLD_THOUGHT[0], _OLD_THOUGHT), ("AGU-09",)),
    Case("thinking ends twice", run(_OLD_THOUGHT, _OLD_THOUGHT[4]), ("AGU-09",)),
    Case("a thinking message starts twice", run(_OLD_THOUGHT[0], _OLD_THOUGHT[1], _OLD_THOUGHT[1:]), ("AGU-09",)),
    # AGU-10
    Case("an error leaves a message open", [started(), _start(), _content(), failed()], keeps=("AGU-03",)),
    Case(
        "a message left open",
        [started(), _start(), _content(), finished()],
        ("AGU-10",),
        says="RUN_FINISHED while something is open: text",
    ),
    Case("a call left open", run(call()[:-1]), ("AGU-10",)),
    Case("a step left open", run(_step("STARTED")), ("AGU-10",)),
    # AGU-11
    Case("reasoning left open", run(_THOUGHT[0]), ("AGU-11",)),
    Case("a reasoning message left open", run(_THOUGHT[1]), ("AGU-11",)),
    Case("thinking left open", run(_OLD_THOUGHT[0]), ("AGU-11",)),
    # AGU-12
    Case("a message without an id", run(text(message="")), ("AGU-12",), says="an empty messageId"),
    Case(
        "a call without an id", run(call(identifier=""), result(identifier="")), ("AGU-12",), says="an empty toolCallId"
    ),
    Case("a tool without a name", run(call(name=""), result()), ("AGU-12",), says="an empty toolCallName"),
    Case("a run without a thread", [started(thread=""), *text(), finished(thread="")], ("AGU-12",)),
    # AGU-13
    Case("a message id twice", run(text(), text()), ("AGU-13",), says="messageId msg-1 is used a second time"),
    Case("a call id twice", run(call(), result(), call(), result()), ("AGU-13", "EVT-05")),
    Case("a run id twice", [*run(), *run()], ("AGU-13", "EVT-01", "EVT-02", "EVT-03", "EVT-14")),
    Case(
        "a message id in the next run",
        [*run(), started("run-b2"), *text(message="msg-last"), finished("run-b2")],
        keeps=("AGU-13",),
    ),
    # AGU-14
    Case("a call without arguments", run(call(""), result()), keeps=("AGU-14",)),
    Case("a call with null", run(call("null"), result()), keeps=("AGU-14",)),
    Case(
        "broken arguments",
        run(call('{"city": oops}'), result()),
        ("AGU-14",),
        says="the arguments of tool call call-1 are no",
    ),
    Case("arguments in a list", run(call('["Oslo"]'), result()), ("AGU-14",)),
    Case("arguments encoded twice", run(call('"{}"'), result()), ("AGU-14",)),
    # AGU-15
    Case(
        "a result of no call",
        run(_messages(), result()),
        ("AGU-15", "EVT-05", "EVT-06"),
        says="a result of tool call call-1, which nobody made",
    ),
    Case(
        "a result of another call",
        run(call(), result(), result(identifier="call-9"), input={"messages": []}),
        ("AGU-15", "EVT-05", "EVT-06"),
    ),
    # AGU-16
    Case(
        "chunks",
        run(_chunk("a", messageId="msg-1"), _chunk("b"), _chunk("c", messageId="msg-2")),
        keeps=("AGU-06", "AGU-16"),
    ),
    Case(
        "a chunk goes on after another event",
        run(_chunk("a", messageId="msg-1"), _CUSTOM, _chunk("b", messageId="msg-1")),
        keeps=("AGU-13", "AGU-16"),
    ),
    Case(
        "a chunk goes on over RAW",
        run(_chunk("a", messageId="msg-1"), {"type": "RAW", "event": {}}, _chunk("b")),
        keeps=("AGU-16",),
    ),
    Case(
        "a chunk of nothing", run(_chunk("a")), ("AGU-16",), says="the first TEXT_MESSAGE_CHUNK comes without messageId"
    ),
    Case(
        "a nameless chunk after another event", run(_chunk("a", messageId="msg-1"), _CUSTOM, _chunk("b")), ("AGU-16",)
    ),
    Case("a tool chunk without a name", run({"type": "TOOL_CALL_CHUNK", "toolCallId": "call-1"}), ("AGU-16",)),
    Case("a reasoning chunk of nothing", run({"type": "REASONING_MESSAGE_CHUNK", "delta": "a"}), ("AGU-16",)),
    # AGU-17
    Case("a result before the end", run(call()[:-1], result(), call()[-1]), ("AGU-17",)),
    # AGU-18
    Case("an empty piece", run(_start(), _content(delta=""), _end()), ("AGU-18",)),
    Case("an empty thought", run(_THOUGHT[1], _reasoning("MESSAGE_CONTENT", delta=""), _THOUGHT[3]), ("AGU-18",)),
    Case("an empty chunk", run(_chunk("", messageId="msg-1"), _chunk("a")), keeps=("AGU-16",)),
    # AGU-19, AGU-20
    Case(
        "state",
        run(
            _state(a=[1]), _patch({"op": "add", "path": "/a/-", "value": 2}, {"op": "test", "path": "/a/1", "value": 2})
        ),
        keeps=("AGU-19", "AGU-20"),
    ),
    Case("a delta of an unknown state", run(_patch({"op": "remove", "path": "/a"})), keeps=("AGU-19", "AGU-20")),
    Case(
        "no operation",
        run(_patch({"op": "merge", "path": "/a", "value": 1})),
        ("AGU-19",),
        says="STATE_DELTA is no JSON Patch",
    ),
    Case("no pointer", run(_patch({"op": "add", "path": "a", "value": 1})), ("AGU-19",)),
    Case(
        "no such place",
        run(_state(a=1), _patch({"op": "replace", "path": "/b", "value": 1})),
        ("AGU-20",),
        says="STATE_DELTA does not apply",
    ),
    Case(
        "state of the run before",
        [*run(_state(a=1)), started("run-b2"), _patch({"op": "remove", "path": "/b"}), *text(), finished("run-b2")],
        ("AGU-20",),
    ),
    Case(
        "state of another thread",
        [
            *run(_state(a=1)),
            started("run-b2", "thread-b2"),
            _patch({"op": "remove", "path": "/b"}),
            *text(),
            finished("run-b2", "thread-b2"),
        ],
        keeps=("AGU-20",),
    ),
    Case(
        "an activity",
        run(
            {"type": "ACTIVITY_SNAPSHOT", "messageId": "act-1", "activityType": "PLAN", "content": {"steps": []}},
            {
                "type": "ACTIVITY_DELTA",
                "messageId": "act-1",
                "activityType": "PLAN",
                "patch": [{"op": "add", "path": "/steps/0", "value": 1}],
            },
        ),
        keeps=("AGU-12", "AGU-19", "AGU-20"),
    ),
    Case(
        "an activity that has no such place",
        run(
            {"type": "ACTIVITY_SNAPSHOT", "messageId": "act-1", "activityType": "PLAN", "content": {}},
            {
                "type": "ACTIVITY_DELTA",
                "messageId": "act-1",
                "activityType": "PLAN",
                "patch": [{"op": "remove", "path": "/steps/0"}],
            },
        ),
        ("AGU-20",),
    ),
    # AGU-21
    Case("an interrupt", [started(), *text(), _paused({"id": "int-1", "reason": "confirmation"})], keeps=("AGU-21",)),
    Case("an interrupt without an id", [started(), _paused({"id": "", "reason": "confirmation"})], ("AGU-21",)),
    Case(
        "two interrupts, one id",
        [started(), _paused({"id": "int-1", "reason": "a"}, {"id": "int-1", "reason": "b"})],
        ("AGU-21",),
    ),
    Case("an interrupt for no call", [started(), _paused({"id": "int-1", "reason": "tool_call"})], ("AGU-21",)),
    # AGU-23
    Case(
        "a snapshot",
        run(text("Hello."), _messages({"id": "msg-1", "role": "assistant", "content": "Hello."})),
        keeps=("AGU-23",),
    ),
    Case(
        "a snapshot of before",
        run(_messages({"id": "msg-0", "role": "assistant", "content": "Hello."})),
        keeps=("AGU-23",),
    ),
    Case(
        "a snapshot with other words",
        run(text("Hel"), _messages({"id": "msg-1", "role": "assistant", "content": "Hello."})),
        ("AGU-23",),
    ),
    # AGU-24
    Case("a type that is none", run({"type": "AGENT_PING"}), ("AGU-24",)),
    Case("a misspelt type", run({"type": "textMessageStart", "messageId": "msg-1"}), ("AGU-24",)),
    Case("a draft", run({"type": "META", "metaType": "thumbs_up", "payload": {}}), keeps=("AGU-24",)),
    # AGU-22
    Case("the engine's tool returns", run(call(), result(), **WITH_TOOLS), keeps=("AGU-22",)),
    Case("the engine's tool never returns", run(call(), **WITH_TOOLS), ("AGU-22",)),
]


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_exactly_these_rules_are_broken(case: Case, framing: str) -> None:
    verdict = judged((lines if framing == "lines" else stream)(case.frames))
    assert violated(verdict) == set(case.breaks)
    assert {name: outcome(verdict, name) for name in case.keeps} == dict.fromkeys(case.keeps, "pass")
    if case.says:
        findings = next(r.findings for r in verdict.requirements if r.id == case.breaks[0])
        assert any(finding.message.startswith(case.says) for finding in findings), findings


def test_every_rule_has_a_stream_that_keeps_it_and_one_that_breaks_it() -> None:
    known = {requirement.id for requirement in CATALOGUE if requirement.family == "AGU"}
    assert set(AgUiRules.decides) == known
    assert {name for case in CASES for name in case.breaks if name in known} == known
    assert {name for case in CASES for name in case.keeps} == known


def test_a_finding_names_its_run_and_shows_the_frame() -> None:
    verdict = judged(lines(run(call()[-1])))
    (finding,) = next(r.findings for r in verdict.requirements if r.id == "AGU-07")
    assert finding.run_id == "run-a1"
    assert finding.expected == "one start, then content, then one end"
    assert '"TOOL_CALL_END"' in finding.witnesses[0].text


def test_the_rules_are_not_applied_to_other_dialects() -> None:
    frame = b'{"type":"heartbeat"}\n'
    verdict = judge_frames(io.BytesIO(frame), name="x", dialect="five-events", catalogue=CATALOGUE)
    assert {outcome(verdict, name) for name in AgUiRules.decides} == {"not_applicable"}
