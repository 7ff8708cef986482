"""langgraph: named events in, requests out; what a stream may look like in each mode, and what it may not."""

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.dialects import named
from conformance.dialects.dialect import Framing
from conformance.dialects.langgraph.decoder import LangGraphDecoder
from conformance.events import Flaw, RunEvent, ToolError, Unknown
from conformance.history.operations import Action
from tests.dialects.recorded import asked, decoded, exchanges, kinds, story, violated

Message = dict[str, Any]
Named = tuple[str, Any]
META = {"langgraph_node": "agent", "run_id": "run-1", "thread_id": "thread-1"}
BEGIN: Named = ("metadata", {"run_id": "run-1", "attempt": 1})
CALL = {"name": "weather", "args": {"city": "Oslo"}, "id": "call-1", "type": "tool_call"}
ASKED = {"type": "human", "id": "m-0", "content": "How cold is it?"}


def ai(content: Any = "", identifier: str | None = "m-1", *calls: Message, **fields: Any) -> Message:
    return {"type": "ai", "id": identifier, "content": content, "tool_calls": list(calls), **fields}


def result(content: Any = "4 degrees", call_id: str = "call-1", **fields: Any) -> Message:
    return {
        "type": "tool",
        "id": f"r-{call_id}",
        "name": "weather",
        "tool_call_id": call_id,
        "content": content,
        **fields,
    }


def chunk(content: Any = "", identifier: str = "m-2", *parts: Message, **fields: Any) -> Named:
    message = {
        "type": "AIMessageChunk",
        "id": identifier,
        "content": content,
        "tool_call_chunks": list(parts),
        **fields,
    }
    return ("messages", [message, META])


def part(args: str, index: int = 0, **fields: Any) -> Message:
    return {"name": None, "id": None, "args": args, "index": index, **fields}


def last(identifier: str = "m-2") -> Named:
    return chunk("", identifier, chunk_position="last")


def update(node: str, *messages: Message) -> Named:
    return ("updates", {node: {"messages": list(messages)}})


def values(*messages: Message) -> Named:
    return ("values", {"messages": [ASKED, *messages]})


def partial(message: Message, *, finished: bool = False) -> Named:
    return ("messages/partial", [{**message, "response_metadata": {"finish_reason": "stop"} if finished else {}}])


IN_PIECES: list[Named] = [
    BEGIN,
    chunk("", "m-1", part("", id="call-1", name="weather")),
    chunk("", "m-1", part('{"city": ')),
    chunk("", "m-1", part('"Oslo"}')),
    last("m-1"),
    update("agent", ai("", "m-1", CALL)),
    ("messages", [result(), META]),
    update("tools", result()),
    chunk("4 "),
    chunk("degrees."),
    last(),
    update("agent", ai("4 degrees.", "m-2")),
]
IN_STATES: list[Named] = [
    BEGIN,
    values(),
    values(ai("", "m-1", CALL)),
    values(ai("", "m-1", CALL), result()),
    values(ai("", "m-1", CALL), result(), ai("4 degrees.", "m-2")),
]
IN_UPDATES = [BEGIN, *(frame for frame in IN_PIECES if frame[0] == "updates")]
IN_PARTS: list[Named] = [
    BEGIN,
    ("messages/metadata", {"m-1": {"metadata": META}}),
    partial(ai("", "m-1", {**CALL, "args": {}})),
    partial(ai("", "m-1", CALL), finished=True),
    ("messages/complete", [result()]),
    partial(ai("4 ", "m-2")),
    partial(ai("4 degrees.", "m-2")),
    partial(ai("4 degrees.", "m-2"), finished=True),
]


def frame(event: Named | bytes) -> bytes:
    return event if isinstance(event, bytes) else f"event: {event[0]}\ndata: {json.dumps(event[1])}".encode()


def stream(frames: list[Any]) -> bytes:
    return b"".join(frame(event).replace(b"\n", b"\r\n") + b"\r\n\r\n" for event in frames)


def told(*frames: Any, closed: bool = True) -> Any:
    return decoded("langgraph", [frame(event) for event in frames], closed=closed)


def broken(*frames: Any) -> set[str]:
    return violated("langgraph", stream(list(frames)))


@pytest.mark.parametrize("frames", [IN_PIECES, IN_STATES, IN_UPDATES, IN_PARTS, [*IN_PIECES, *IN_STATES[1:]]])
def test_every_mode_tells_the_same_run_and_each_thing_once(frames: list[Named]) -> None:
    said = [(kind, payload) for kind, payload in story(told(*frames)) if kind != "TEXT"]
    assert [kind for kind, _ in said] == ["STARTED", "TOOL_STARTED", "TOOL_COMPLETED", "COMPLETED"]
    start, end = said[1][1], said[2][1]
    assert (start.tool_name, start.tool_call_id, start.parameters) == ("weather", "call-1", {"city": "Oslo"})
    assert (end.tool_call_id, end.status, end.result) == ("call-1", "ok", "4 degrees")
    assert said[3][1].final_response == "4 degrees."
    assert broken(*frames) == set()


def test_text_is_told_as_it_comes() -> None:
    for frames in (IN_PIECES, IN_PARTS):
        assert [payload.text for kind, payload in story(told(*frames)) if kind == "TEXT"] == ["4 ", "degrees."]


def test_the_run_is_named_by_its_metadata_and_the_thread_by_that_of_its_messages() -> None:
    events = [event for event in told(*IN_PIECES) if isinstance(event, RunEvent)]
    assert {event.run_id for event in events} == {"run-1"}
    assert {event.thread_id for event in events[1:]} == {"thread-1"}


def test_the_end_of_the_response_is_the_end_of_the_run_unless_it_says_so_before() -> None:
    assert "COMPLETED" not in kinds(told(*IN_PIECES, closed=False))
    assert kinds(told(*IN_PIECES, ("end", None), closed=False))[-1] == "COMPLETED"
    assert kinds(told(*IN_PIECES, ("end", None))).count("COMPLETED") == 1
    assert broken(*IN_PIECES, ("end", None)) == set()


def test_a_run_that_fails_says_why() -> None:
    events = told(BEGIN, ("error", {"error": "ModelError", "message": "overloaded"}))
    assert (story(events)[-1][0], story(events)[-1][1].code, story(events)[-1][1].message) == (
        "FAILED",
        "ModelError",
        "overloaded",
    )
    assert broken(BEGIN, ("error", "it broke")) == set()


def test_a_tool_that_failed_says_so() -> None:
    failed = update("tools", result("no such city", status="error"))
    payload = story(told(BEGIN, update("agent", ai("", "m-1", CALL)), failed))[2][1]
    assert (payload.status, payload.error) == ("error", ToolError("tool_error", "no such city"))


@pytest.mark.parametrize("where", ["updates", "values"])
def test_a_run_that_is_interrupted_waits_for_its_client(where: str) -> None:
    frames = [BEGIN, update("agent", ai("", "m-1", CALL)), (where, {"__interrupt__": [{"value": "May I?", "id": "i"}]})]
    assert kinds(told(*frames))[-2:] == ["TOOL_DEFERRED", "STOPPED"]
    assert story(told(*frames))[-1][1].reason == "interrupt"
    assert broken(*frames) == set()


def test_a_run_that_ends_with_a_call_open_has_not_completed() -> None:
    assert kinds(told(*IN_PIECES[:6]))[-2:] == ["TOOL_DEFERRED", "STOPPED"]


@pytest.mark.parametrize("frames", [[BEGIN], IN_PIECES[:-3], IN_PARTS[:-1]])
def test_a_run_that_ends_in_the_middle_has_not_completed(frames: list[Named]) -> None:
    assert kinds(told(*frames))[-1] == "STOPPED"
    assert broken(*frames) == set()


def test_reasoning_is_told_as_thinking() -> None:
    blocks = [{"type": "reasoning", "reasoning": "Cold, "}, {"type": "text", "text": "4"}]
    kept = chunk("", additional_kwargs={"reasoning_content": "I think."})
    events = told(BEGIN, chunk(blocks), kept, chunk([{"type": "thinking", "thinking": "x"}]), last())
    assert [(k, getattr(p, "thought", None) or p.text) for k, p in story(events)[1:-1]] == [
        ("THINKING", "Cold, "),
        ("TEXT", "4"),
        ("THINKING", "I think."),
        ("THINKING", "x"),
    ]


OLD = [ai("", "old-1", {**CALL, "id": "old"}), result(call_id="old"), ai("Before.", "old-2")]


@pytest.mark.parametrize(
    "frames",
    [
        [BEGIN, values(*OLD), values(*OLD, ai("Now.", "m-2"))],
        [BEGIN, values(*OLD[:1]), values(*OLD[:2])],
        [BEGIN, values(ai("no id", None)), values(ai("no id", None), ai("neither", None))],
        IN_PIECES[1:],
        [*IN_PIECES[:6], BEGIN, *IN_PIECES[6:]],
        [(f"{name}|tools:1|agent:2", value) if name != "metadata" else (name, value) for name, value in IN_PIECES],
        [*IN_PIECES, *((name, {"x": 1}) for name in ("custom", "debug", "tasks", "checkpoints", "events", "feedback"))],
        [BEGIN, ("values", 7), ("updates", {"node": None}), ("updates", {"node": [{"messages": ai("x")}]})],
        [BEGIN, ("messages", [ASKED, META]), ("messages", [ai("whole"), META])],
        [BEGIN, chunk("x", "m-1"), chunk("y", "m-2"), chunk("x", "m-1")],
        [
            BEGIN,
            chunk("", "m-1", part("{}", id="c", name="t")),
            chunk("", "m-1", part("{not", 1, id="d", name="u")),
            last("m-1"),
            ("messages", [result(call_id="c"), META]),
        ],
        [BEGIN, chunk("draft"), update("agent", ai("final, redacted", "m-2"))],
        [BEGIN, update("tools", result(call_id="made before"))],
        [BEGIN, update("agent", ai("done", "m-1", somethingNew=1))],
        [("end", None)],
    ],
)
def test_unusual_is_not_wrong(frames: list[Named]) -> None:
    assert broken(*frames) == set()


def test_a_stream_of_a_thread_may_hold_several_runs() -> None:
    second = [("metadata", {"run_id": "run-2"}), update("agent", ai("Again.", "m-9"))]
    ends = [(e.run_id, e.kind.name) for e in told(*IN_PIECES, *second) if isinstance(e, RunEvent) and e.terminal]
    assert ends == [("run-1", "COMPLETED"), ("run-2", "COMPLETED")]


@pytest.mark.parametrize(
    ("frames", "requirements"),
    [
        ([("metadata", {"attempt": 1}), *IN_PIECES[1:]], {"IDN-01"}),
        ([("metadata", {"run_id": ""}), *IN_PIECES[1:]], {"IDN-01"}),
        ([("metadata", []), *IN_PIECES], {"SCH-02"}),
        ([*IN_PIECES, ("messages", {"content": "x"})], {"SCH-02"}),
        ([*IN_PIECES, ("messages/partial", {})], {"SCH-02"}),
        ([*IN_PIECES, ("updates", [])], {"SCH-02"}),
        ([*IN_PIECES, update("agent", {"content": "no type"})], {"SCH-02"}),
        ([*IN_PIECES, update("tools", {"type": "tool", "content": "of what?"})], {"SCH-02"}),
        ([*IN_PIECES, ("surprise", {})], {"SCH-04"}),
        ([*IN_PIECES, b"event: values\ndata: {"], {"SCH-01"}),
        ([b'data: {"messages": []}', *IN_PIECES], {"SCH-02"}),
        ([BEGIN, ("error", {})], {"SCH-02", "EVT-10", "SCH-06"}),
        ([BEGIN, ("error", {"error": "E", "message": "m"}), chunk("more")], {"EVT-03"}),
    ],
)
def test_what_is_wrong_is_found(frames: list[Any], requirements: set[str]) -> None:
    assert broken(*frames) == requirements


def test_a_run_whose_connection_is_cut_has_not_ended() -> None:
    assert kinds(told(*IN_PIECES, closed=False))[-1] == "TEXT"


def test_a_new_thread_is_made_before_the_run() -> None:
    request_id = "req-000102030405060708090a0b"
    thread = named("langgraph").new_thread(request_id)
    assert thread is not None
    assert UUID(thread).version == 4
    make, run = exchanges("langgraph", "http://h:1/assistants/cook", asked(thread_id=thread, planted={"x": "y"}))
    assert (make.url, json.loads(make.body)["thread_id"], make.framing) == ("http://h:1/threads", thread, Framing.NONE)
    assert run.url == f"http://h:1/threads/{thread}/runs/stream"
    body = json.loads(run.body)
    assert (body["assistant_id"], body["metadata"]) == ("cook", {"x": "y"})
    assert body["input"]["messages"] == [{"role": "user", "content": "hello"}]
    (goes_on,) = exchanges("langgraph", "http://h:1/", asked(Action.CONTINUE, thread_id="another"))
    assert goes_on.url == "http://h:1/threads/another/runs/stream"
    assert json.loads(goes_on.body)["assistant_id"] == "agent"


def test_a_run_is_cancelled_on_its_thread() -> None:
    (stop,) = exchanges("langgraph", "http://h:1", asked(Action.STOP, run_id="run-1", thread_id="thread-1"))
    assert stop.url == "http://h:1/threads/thread-1/runs/run-1/cancel?wait=0"
    for action in (Action.RESUME, Action.READ, Action.PING):
        assert exchanges("langgraph", "http://h:1", asked(action)) == []
    (bad,) = exchanges("langgraph", "http://h:1", asked(Action.GARBAGE), "{not json")
    assert (bad.url, bad.body) == ("http://h:1/runs/stream", "{not json")


NAMES = st.sampled_from(
    ["metadata", "values", "updates", "messages", "messages/partial", "messages/complete", "error", "end", "x"]
)
KEYS = st.sampled_from(
    ["type", "id", "content", "tool_calls", "tool_call_chunks", "tool_call_id", "messages", "args", "name", "run_id"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["ai", "tool", "AIMessageChunk"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=20,
)
LISTED = st.dictionaries(KEYS, JSON, max_size=6).map(lambda message: [message, {}])


@given(st.lists(st.binary(max_size=30) | st.builds(lambda n, v: frame((n, v)), NAMES, JSON | LISTED), max_size=6))
def test_no_bytes_are_too_much(frames: list[bytes]) -> None:
    decoder = LangGraphDecoder()
    for raw in frames:
        for found in decoder.decode(raw):
            assert isinstance(found, RunEvent | Flaw | Unknown)
    decoder.closed()
