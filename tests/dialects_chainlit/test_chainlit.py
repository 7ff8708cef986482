"""chainlit: packets in, packets out; what a session may look like, and what it may not."""

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.dialects import named
from conformance.dialects.chainlit.decoder import ChainlitDecoder
from conformance.dialects.chainlit.ids import message_id, request_id_of
from conformance.dialects.dialect import Guest
from conformance.events import Flaw, Heartbeat, Ready, Refusal, RunEvent, ToolError, Unknown
from conformance.history.operations import Action
from tests.dialects.recorded import asked, decoded, kinds, story, violated

Step = dict[str, Any]
RUN, QUESTION = "0b7f3c52-8a61-4a5e-9d1c-5f6b2a9e7d31", message_id("req-000102030405060708090a0b")
START, END = "2026-01-31T09:30:00.000250Z", "2026-01-31T09:30:01.000500Z"
ABSENT = object()


def emit(name: str, data: Any = ABSENT) -> bytes:
    return b"42" + json.dumps([name] if data is ABSENT else [name, data]).encode()


def step(kind: str, name: str, identifier: str, parent: str | None = RUN, **fields: Any) -> Step:
    known = {"threadId": "thread-1", "input": "", "output": "", "isError": False, "start": START, "end": None}
    return {"id": identifier, "type": kind, "name": name, "parentId": parent, **known, **fields}


def new(*args: Any, **fields: Any) -> bytes:
    return emit("new_message", step(*args, **fields))


def update(*args: Any, **fields: Any) -> bytes:
    return emit("update_message", step(*args, **{"end": END, **fields}))


def token(words: str, message: str = "answer-1", **fields: Any) -> bytes:
    return emit("stream_token", {"id": message, "token": words, "isSequence": False, "isInput": False, **fields})


def answer(event: str = "stream_start", words: str = "", message: str = "answer-1", **fields: Any) -> bytes:
    return emit(event, step("assistant_message", "Assistant", message, output=words, start=None, **fields))


def run(*inside: bytes, question: str = QUESTION, identifier: str = RUN, **end: Any) -> list[bytes]:
    """A whole run around these packets."""
    return [
        emit("task_start", {}),
        new("run", "on_message", identifier, question),
        *inside,
        update("run", "on_message", identifier, question, **end),
        emit("task_end", {}),
    ]


HELLO = [
    b'0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}',
    b'40{"sid":"b"}',
    emit("task_end", {}),
    emit("clear_ask", {}),
    emit("clear_call_fn", {}),
]
TOOL = [
    new("tool", "weather", "tool-1"),
    update("tool", "weather", "tool-1", input='{"city": "Oslo"}', output="4 degrees"),
]
SPOKEN = [answer(words="4 "), token("degrees"), token("."), answer("update_message", "4 degrees.")]


def told(*packets: bytes) -> Any:
    return decoded("chainlit", packets)


def broken(packets: list[bytes]) -> set[str]:
    return violated("chainlit", b"".join(packet + b"\n" for packet in packets))


def test_a_run_is_told_as_it_happens_and_each_thing_once() -> None:
    packets = [*HELLO, *run(*TOOL, *SPOKEN)]
    events = [e for e in told(*packets) if hasattr(e, "run_id")]
    assert kinds(events) == ["STARTED", "TOOL_STARTED", "TOOL_COMPLETED", "TEXT", "TEXT", "TEXT", "COMPLETED"]
    assert {(e.run_id, e.thread_id) for e in events} == {(RUN, "thread-1")}
    said = story(events)
    assert said[0][1].request_id == "req-000102030405060708090a0b"
    assert (said[2][1].tool_call_id, said[2][1].result) == ("tool-1", "4 degrees")
    assert said[-1][1].final_response == "4 degrees."
    assert str(events[0].timestamp) == "2026-01-31 09:30:00.000250+00:00"
    assert broken(packets) == set()


def test_a_server_is_ready_when_it_has_answered_the_page() -> None:
    assert [type(event) for event in told(*HELLO)] == [Unknown, Unknown, Unknown, Unknown, Ready]
    assert told(*HELLO)[-1] == Ready(message_bytes=1_000_000)
    assert told(b"2") == [Heartbeat()]
    assert told(b'44{"message":"authentication failed"}') == [Refusal("connect_error", "authentication failed")]
    assert told(b"44") == [Refusal("connect_error", None)]


def test_a_step_that_uses_a_tool_may_show_its_input_when_it_starts() -> None:
    started = story(told(*run(new("tool", "weather", "t", input='{"city": "Oslo"}'))))[1][1]
    assert started.parameters == {"city": "Oslo"}
    assert story(told(*run(new("tool", "weather", "t", input="Oslo"))))[1][1].parameters == "Oslo"


def test_a_tool_that_failed_says_so() -> None:
    failed = update("tool", "weather", "tool-1", isError=True, output="no such city")
    payload = story(told(*run(TOOL[0], failed)))[2][1]
    assert (payload.status, payload.error) == ("error", ToolError("tool_error", "no such city"))


def test_a_run_fails_with_what_went_wrong_or_was_stopped() -> None:
    failed = story(told(*run(isError=True, output="it broke")))[-1]
    assert (failed[0], failed[1].code, failed[1].message) == ("FAILED", "error", "it broke")
    assert story(told(*run(isError=True)))[-1][0] == "STOPPED"


def test_other_steps_are_the_agents_thoughts() -> None:
    thought = update("llm", "thinking", "s-1", output="It is cold there.")
    assert [
        p.thought for kind, p in story(told(*run(new("llm", "thinking", "s-1"), thought))) if kind == "THINKING"
    ] == ["It is cold there."]


SECOND, OTHER = "5d3b1c7a-2e4f-4b6d-8a9c-1f2e3d4c5b6a", "6a1f0e9d-3c2b-4a5d-9e8f-7a6b5c4d3e2f"


@pytest.mark.parametrize(
    "packets",
    [
        [*HELLO, *run(), *run(question=OTHER, identifier=SECOND)],
        [*HELLO, new("run", "on_chat_start", "s", None), update("run", "on_chat_start", "s", None)],
        [*HELLO, answer("new_message", "Welcome!", parentId=None), *run(*SPOKEN[1:1])],
        run(answer("new_message", "Loading..."), answer("update_message", "4 degrees.")),
        run(answer(words="4"), answer("new_message", "4"), answer("update_message", "4\n\nSources: a, b")),
        run(answer(words=""), token("4", isSequence=True), token("4 degrees", isSequence=True)),
        run(new("tool", "weather", "t"), emit("update_message", step("tool", "weather", "t", output="4"))),
        run(new("tool", "weather", "t", output="4", end=END)),
        run(*TOOL, TOOL[1]),
        run(new("tool", "weather", "t", parent=None), update("tool", "weather", "t", parent=None, output="4")),
        run(emit("stream_start", step("tool", "w", "t")), token("x", "t"), update("tool", "w", "t", output="x")),
        run(new("run", "inner", "i"), update("run", "inner", "i", output="x")),
        run(emit("task_end", {}), emit("task_start", {}), emit("element", {"id": "e"})),
        run(emit("delete_message", step("assistant_message", "A", "answer-1")), emit("toast", {"message": "m"})),
        [*run(), answer("new_message", "Anything else?", parentId=None)],
        [b"6", b"3", b"1", b"41", b'430["x"]', b'451-["x",{"_placeholder":true,"num":0}]', *run()],
        [b'42/chat,["task_start",{}]', b'427["task_end",{}]', emit("reload"), *run()],
        [*HELLO, emit("some_day_new", {"a": [1]}), token("for nobody"), *run()],
    ],
)
def test_unusual_is_not_wrong(packets: list[bytes]) -> None:
    assert broken(packets) == set()


@pytest.mark.parametrize(
    ("packets", "requirements"),
    [
        (run()[:-2], {"EVT-02"}),
        (run(TOOL[0]), {"EVT-05", "EVT-07"}),
        ([*run(*SPOKEN), token("more")], {"EVT-03"}),
        ([*run(TOOL[0]), TOOL[1]], {"EVT-03", "EVT-07"}),
        ([b"42{}", *run()], {"SCH-02"}),
        ([b"42[]", *run()], {"SCH-02"}),
        ([b"42[", *run()], {"SCH-01"}),
        ([b"40[", *run()], {"SCH-01"}),
        ([b"49", *run()], {"SCH-01"}),
        ([b"hello", *run()], {"SCH-01"}),
        ([b"\xff\xfe", *run()], {"SCH-01"}),
        ([emit("new_message", "text"), *run()], {"SCH-02"}),
        ([emit("new_message", {"type": "tool"}), *run()], {"SCH-02"}),
        ([emit("stream_token", {"id": "answer-1"}), *run()], {"SCH-02"}),
        ([emit("stream_token"), *run()], {"SCH-02"}),
    ],
)
def test_what_is_wrong_is_found(packets: list[bytes], requirements: set[str]) -> None:
    assert broken(packets) == requirements


def test_runs_side_by_side_are_told_apart_by_their_steps_parents() -> None:
    one, two = (
        run(answer(words="one")),
        run(answer(words="two", message="answer-2", parentId=SECOND), question=OTHER, identifier=SECOND),
    )
    mixed = [one[1], two[1], one[2], two[2], one[3], two[3]]
    answers = {e.run_id: e.payload.final_response for e in told(*mixed) if hasattr(e, "terminal") and e.terminal}
    assert answers == {RUN: "one", SECOND: "two"}
    assert broken(mixed) == set()


def test_a_client_connects_and_answers_pings() -> None:
    dialect, guest = named("chainlit"), Guest("user-a", "a-token", 3)
    (connect,) = dialect.replies(HELLO[0], guest)
    session = json.loads(connect.removeprefix("40"))
    assert UUID(session["sessionId"]).version == 4
    assert session["clientType"] == "webapp"
    assert dialect.replies(HELLO[0], Guest("user-a", None, 4)) != dialect.replies(HELLO[0], guest)
    assert dialect.replies(HELLO[1], guest) == ('42["connection_successful"]',)
    assert dialect.replies(b"2", guest) == ("3",)
    assert [dialect.lets_in(raw) for raw in (HELLO[0], HELLO[1], b'44{"message":"no"}')] == [None, True, False]
    assert dialect.replies(HELLO[2], guest) == ()
    assert dialect.greets


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("ws://h:1", "ws://h:1/ws/socket.io/"),
        ("http://h:1/app/", "ws://h:1/app/ws/socket.io/"),
        ("ws://h:1/ws", "ws://h:1/ws/socket.io/"),
        ("wss://h/ws/socket.io/?x=1", "wss://h/ws/socket.io/"),
    ],
)
def test_the_address_is_that_of_socket_io(url: str, place: str) -> None:
    address, headers = named("chainlit").address(url, Guest("user-a", "a-token", 1))
    assert address.partition("?")[0] == place
    assert {"EIO=4", "transport=websocket"} <= set(address.partition("?")[2].split("&"))
    assert headers == (("Cookie", "access_token=a-token"),)
    assert named("chainlit").address(url, Guest("user-a", None, 1))[1] == ()


def test_a_message_is_named_by_a_uuid_that_tells_the_request() -> None:
    packet = named("chainlit").request(asked(planted={"id": "x"}), "hello")
    name, body = json.loads(packet.removeprefix("42"))
    message = body["message"]
    assert (name, message["output"], message["type"], message["metadata"]) == (
        "client_message",
        "hello",
        "user_message",
        {"id": "x"},
    )
    assert UUID(message["id"]).version == 4
    assert request_id_of(message["id"]) == "req-000102030405060708090a0b"
    assert UUID(message_id("any other")).version == 4
    assert request_id_of(message_id("any other")) is None
    assert named("chainlit").request(asked(Action.STOP, run_id=RUN), "") == '42["stop"]'
    assert named("chainlit").request(asked(Action.GARBAGE), "{not json") == "{not json"


NAMES = st.sampled_from(["new_message", "update_message", "stream_start", "stream_token", "task_start"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["run", "tool", RUN, END]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*step("run", "x", "y"), "token"]), inner)
    ),
    max_leaves=20,
)
STEPS = st.dictionaries(st.sampled_from([*step("run", "x", "y"), "token"]), JSON)


@given(st.lists(st.binary(max_size=30) | st.builds(emit, NAMES, JSON | STEPS), max_size=6))
def test_no_bytes_are_too_much(packets: list[bytes]) -> None:
    decoder = ChainlitDecoder()
    for packet in packets:
        for found in decoder.decode(packet):
            assert isinstance(found, Flaw | Unknown | Ready | Refusal | Heartbeat | RunEvent)
    decoder.closed()
