"""vercel-ui: parts in, requests out; what the official client rejects is found, what it takes is not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.dialects import named
from conformance.dialects.dialect import Turn
from conformance.events import Flaw, Kind, Refusal, RunEvent, Unknown
from conformance.history.operations import Action, Asked
from conformance.verdict import Outcome
from tests.dialects_vercel_ui.ui_streams import (
    DONE,
    FINISH,
    START,
    STEP,
    STEPPED,
    answer,
    broken,
    call,
    check,
    encode,
    error,
    output,
    step,
    stream,
    text,
    thought,
    told,
    violated,
)

DELTA = {"type": "text-delta", "id": "0", "delta": "x"}
INPUT_ERROR = {"type": "tool-input-error", "toolCallId": "call-1", "toolName": "weather", "input": 5, "errorText": "no"}
GOOD: dict[str, list[Any]] = {
    "text": answer(step(text("It ", "is cold"))),
    "several steps, with the same text id": answer(
        step(thought("hm"), call(city="Oslo"), output({"t": 4})), step(text("It "), text("is cold"))
    ),
    "a tool that fails": answer(step(call(), broken()), step(text("sorry"))),
    "tools at the same time": answer(step(call("a"), call("b"), broken(id="b"), output(id="a")), step(text("ok"))),
    "a tool that the client runs": answer(step(call())),
    "a tool that waits for approval": answer(
        step(call(), {"type": "tool-approval-request", "approvalId": "ap", "toolCallId": "call-1"})
    ),
    "a tool that was denied": answer(step(call(), {"type": "tool-output-denied", "toolCallId": "call-1"})),
    "an input that the tool does not take": answer(step(call()[:-1], INPUT_ERROR), step(text("ok"))),
    "the same, told twice": answer(step(call()[:-1], INPUT_ERROR, broken()), step(text("ok"))),
    "an input that never streamed": answer(step(call()[-1:], output())),
    "outputs that grow": answer(step(call(), output("4", preliminary=True), output("4 degrees"))),
    "a tool that returns nothing": answer(
        step(call(), {"type": "tool-output-available", "toolCallId": "call-1"}), step(text("done"))
    ),
    "no start, no finish": [*text("hey"), DONE],
    "no steps": answer(text("hey")),
    "no DONE": answer(step(text("hey")))[:-1],
    "an error before anything": [START, error(), DONE],
    "nothing but an error": [error(), DONE],
    "an error that leaves a text open": [START, STEP, *text("half")[:-1], error(), STEPPED, FINISH, DONE],
    "an error, and a tool that ends after it": [START, *step(call(), error(), output()), FINISH, DONE],
    "an error, and no more": [START, STEP, *text("half")[:-1], error()],
    "an abort": [START, STEP, *text("half")[:-1], *call(), {"type": "abort", "reason": "by the user"}, DONE],
    "data, sources, files and metadata": [
        {"type": "data-progress", "data": 1, "transient": True},
        *answer(
            {"type": "message-metadata", "messageMetadata": {"model": "m"}},
            {"type": "source-url", "sourceId": "s", "url": "https://example.org"},
            {"type": "source-document", "sourceId": "d", "mediaType": "text/plain", "title": "T"},
            {"type": "file", "url": "data:,x", "mediaType": "text/plain"},
            {"type": "data-weather", "id": "w", "data": {"t": 4}},
            step(text("done")),
        ),
    ],
    "data after the finish": [*answer(text("hey"))[:-1], {"type": "data-title", "data": "T"}, DONE],
    "streams merged into one": [START, *step(text("a")), START, FINISH, *step(text("b")), FINISH, DONE],
    "streams one after the other": [*answer(text("a"))[:-1], START, *step(text("b")), FINISH, DONE],
    "unknown fields": [{**part, "acme": 1} if isinstance(part, dict) else part for part in answer(step(text("x")))],
    "a name of JavaScript's": answer(text("x", id="__proto__")),
}
BAD: dict[str, tuple[set[str], list[Any]]] = {
    "no JSON": ({"SCH-01"}, answer(text("x"), b"{nope")),  # type: ignore[arg-type]
    "an array": ({"SCH-01"}, [START, b"[1]", FINISH, DONE]),
    "no type": ({"SCH-02"}, answer(text("x"), {"id": "0"})),
    "an unknown type": ({"SCH-04"}, answer(text("x"), {"type": "text-middle", "id": "0"})),
    "null where a field may be absent": ({"SCH-02"}, [{"type": "start", "messageId": None}, *answer(text("x"))[1:]]),
    "no delta": ({"SCH-02"}, answer(text("x")[:1], {"type": "text-delta", "id": "0"}, text()[1:])),
    "a finish reason of another API": (
        {"SCH-02"},
        [START, *text("x"), {"type": "finish", "finishReason": "end"}, DONE],
    ),
    "an id of data that is a number": ({"SCH-02"}, answer(text("x"), {"type": "data-x", "id": 5, "data": 1})),
    "text that was never begun": ({"SCH-02"}, answer(DELTA)),
    "text that goes on in the next step": ({"SCH-02"}, answer([STEP, text("a")[0], STEPPED, STEP, DELTA, STEPPED])),
    "text that ends twice": ({"SCH-02"}, answer(text("x"), text("x")[-1])),
    "reasoning that was never begun": ({"SCH-02"}, answer(thought("x")[1:], text("x"))),
    "a piece of an input without its start": ({"SCH-02"}, answer(call()[1:], output(), text("x"))),
    "an outcome twice": ({"EVT-05"}, answer(step(call(), output(), output()), text("x"))),
    "two outcomes": ({"EVT-05"}, answer(step(call(), output(), broken()), text("x"))),
    "a call twice": ({"EVT-05"}, answer(step(call(), call()[-1:], output()), text("x"))),
    "one id for two calls": (
        {"EVT-05", "IDN-09"},
        answer(step(call(), output(), call(name="time"), output()), text("x")),
    ),
    "an error without a text": ({"EVT-10", "SCH-06"}, [START, error(""), DONE]),
    "a stack trace": ({"SCH-06"}, [START, error("Traceback (most recent call last): ..."), DONE]),
    "a tool's error without a text": ({"EVT-08"}, answer(step(call(), broken("")), text("x"))),
    "an error after the finish": ({"EVT-02", "EVT-03"}, [*answer(text("x"))[:-1], error(), DONE]),
    "a body that was cut": ({"EVT-02"}, [START, STEP, *text("half")[:-1]]),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_the_client_takes_is_no_finding(name: str) -> None:
    assert violated(GOOD[name]) == set()


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_found(name: str) -> None:
    expected, parts = BAD[name]
    assert violated(parts) == expected


@pytest.mark.parametrize("name", [name for name in GOOD if "nothing but" not in name])
def test_a_run_is_told_from_its_start_to_one_end(name: str) -> None:
    run = [event for event in told(GOOD[name]) if isinstance(event, RunEvent)]
    assert run[0].kind is Kind.STARTED
    assert [event.kind for event in run if event.terminal] == [run[-1].kind]


def test_what_a_run_tells() -> None:
    events = told(GOOD["several steps, with the same text id"])
    said = [event for event in events if isinstance(event, RunEvent) and event.kind is not Kind.OTHER]
    assert [event.kind.name for event in said] == [
        "STARTED", "THINKING", "TOOL_STARTED", "TOOL_COMPLETED", "TEXT", "TEXT", "COMPLETED",
    ]  # fmt: skip
    assert said[2].payload.parameters == {"city": "Oslo"}
    assert (said[3].payload.status, said[3].payload.result) == ("ok", {"t": 4})
    assert said[-1].payload.final_response == "It is cold"


def test_responses_in_one_capture_are_told_apart() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n\r\n"
    cut, whole = stream([START, STEP, *text("half")[:-1]]), stream(answer(text("x")))
    assert violated(head + whole + head + whole) == set()
    verdict = check(head + cut + head + whole)
    assert [(r.id, r.violations) for r in verdict.requirements if r.violations] == [("EVT-02", 1)]


def test_a_tool_that_the_client_runs_is_deferred() -> None:
    kinds = [event.kind for event in told(GOOD["a tool that the client runs"]) if isinstance(event, RunEvent)]
    assert kinds[-2:] == [Kind.TOOL_DEFERRED, Kind.COMPLETED]


def test_an_error_ends_the_run_when_the_stream_does() -> None:
    unfinished = [START, error("overloaded")]
    assert not any(isinstance(event, RunEvent) and event.terminal for event in told(unfinished, closed=False))
    (*_, failed) = told(unfinished)
    assert isinstance(failed, RunEvent)
    assert (failed.kind, failed.payload.code, failed.payload.message) == (Kind.FAILED, "error", "overloaded")


def test_an_error_before_a_run_is_a_refusal() -> None:
    assert Refusal("error", "the model is overloaded") in told(GOOD["nothing but an error"])


def test_the_finding_says_what_the_client_would() -> None:
    (flaw,) = [event for event in told(answer(DELTA)) if isinstance(event, Flaw)]
    assert flaw == Flaw("SCH-02", "id", "the id of a text-start before it in the same step", "'0', which is not there")


def test_what_the_stream_shows_is_decided() -> None:
    verdict = check(stream(answer(step(call(), output()), step(text("a", "b")))))
    decided = {r.id for r in verdict.requirements if r.verdict is Outcome.PASS}
    assert {
        "EVT-01",
        "EVT-02",
        "EVT-03",
        "EVT-05",
        "EVT-06",
        "EVT-08",
        "EVT-09",
        "EVT-15",
        "SCH-01",
        "SCH-02",
    } <= decided


# -- requests ---------------------------------------------------------------------------------------------------------


def asked(action: Action = Action.START, **fields: Any) -> Asked:
    return Asked(at=0, ask=1, conn=1, user="u", action=action, request_id="req-1", **fields)


def test_a_request_is_what_use_chat_posts() -> None:
    (exchange,) = named("vercel-ui").exchanges("http://x/api/chat", asked(), "hello")
    assert (exchange.url, exchange.method) == ("http://x/api/chat", "POST")
    assert json.loads(exchange.body) == {
        "id": "chat-req-1",
        "messages": [{"id": "message-req-1", "role": "user", "parts": [{"type": "text", "text": "hello"}]}],
        "trigger": "submit-message",
    }


def test_a_request_goes_on_with_its_chat_and_never_overrides_it() -> None:
    planted = {"id": "planted", "role": "admin"}
    body = json.loads(named("vercel-ui").request(asked(thread_id="chat-7", planted=planted, impersonates="bob"), "x"))
    assert (body["id"], body["role"], body["user_id"]) == ("chat-7", "admin", "bob")


def test_a_request_repeats_the_conversation() -> None:
    before = Turn(asked(), "hello", [encode(part) for part in answer(thought("hm"), text("good ", "day"))])
    silent = Turn(asked(), "anyone?", [])
    (exchange,) = named("vercel-ui").exchanges(
        "http://x", asked(Action.CONTINUE, thread_id="chat-1"), "bye", [before, silent]
    )
    messages = json.loads(exchange.body)["messages"]
    assert [(message["role"], message["parts"]) for message in messages] == [
        (role, [{"type": "text", "text": text}])
        for role, text in (("user", "hello"), ("assistant", "good day"), ("user", "anyone?"), ("user", "bye"))
    ]


def test_anything_else_is_sent_as_it_is() -> None:
    assert named("vercel-ui").request(asked(Action.GARBAGE), "{not json") == "{not json"


# -- never an exception -----------------------------------------------------------------------------------------------

_TYPES = sorted({part["type"] for parts in GOOD.values() for part in parts if isinstance(part, dict)})
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = [
    "id",
    "delta",
    "toolCallId",
    "toolName",
    "input",
    "output",
    "errorText",
    "inputTextDelta",
    "messageId",
    "data",
]
_PARTS = st.fixed_dictionaries(
    {"type": st.sampled_from(_TYPES) | st.text(max_size=8)},
    optional={name: st.sampled_from(["0", "call-1", ""]) | _JSON for name in _FIELDS},
)


@given(st.lists(st.binary(max_size=40) | _PARTS.map(lambda part: json.dumps(part).encode()), max_size=20))
def test_any_bytes_are_decoded_without_an_exception(frames: list[bytes]) -> None:
    decoder = named("vercel-ui").decoder()
    for frame in frames:
        assert all(event is not None for event in decoder.decode(frame))
    decoder.closed()


@given(st.lists(_PARTS, max_size=20))
def test_any_parts_are_judged_without_a_crash(parts: list[dict[str, Any]]) -> None:
    assert check(stream([START, *parts])).harness_errors == ()


def test_a_frame_that_says_nothing_of_the_run_is_namespaced() -> None:
    assert [event for event in told([DONE]) if isinstance(event, Unknown)] == [Unknown("vercel-ui:done")]
