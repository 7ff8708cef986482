"""adk: events in, requests out; what a run of ADK may look like, and what it may not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from conformance.dialects.adk import Adk
from conformance.dialects.adk.decoder import AdkDecoder
from conformance.events import CompletedPayload, Flaw, RunEvent, StoppedPayload, ToolError
from conformance.history.operations import Action
from tests.dialects.recorded import asked, decoded, encode, exchanges, kinds, story, violated

Frame = dict[str, Any]


def event(*parts: Frame, run: str = "e-1", author: str = "cook", **fields: Any) -> Frame:
    content = {"content": {"role": "model", "parts": list(parts)}} if parts else {}
    return {"invocationId": run, "author": author, "id": "event-1", "timestamp": 1769851800.25, **content, **fields}


def text(words: str, **fields: Any) -> Frame:
    return {"text": words, **fields}


def call(call_id: str | None = "call-1", name: str = "weather", **args: Any) -> Frame:
    return {"functionCall": {**({"id": call_id} if call_id else {}), "name": name, "args": args}}


def response(value: Any = "4 degrees", call_id: str | None = "call-1", name: str = "weather") -> Frame:
    wrapped = value if isinstance(value, dict) else {"result": value}
    return {"functionResponse": {**({"id": call_id} if call_id else {}), "name": name, "response": wrapped}}


def piece(words: str, **fields: Any) -> Frame:
    return event(text(words, **fields), partial=True)


def stream(frames: list[Any]) -> bytes:
    return b"".join(b"data: " + encode(frame) + b"\n\n" for frame in frames)


def told(*frames: Any, closed: bool = True) -> Any:
    return decoded("adk", [encode(frame) for frame in frames], closed=closed)


def broken(*frames: Any) -> set[str]:
    return violated("adk", stream(list(frames)))


WHOLE = [
    piece("Let me see.", thought=True),
    event(text("Let me see.", thought=True), call(city="Oslo"), partial=False),
    event(response()),
    piece("4 "),
    piece("degrees."),
    event(text("4 degrees."), partial=False),
]


def test_a_run_is_told_as_it_happens_and_each_thing_once() -> None:
    assert kinds(told(*WHOLE)) == [
        "STARTED",
        "THINKING",
        "TOOL_STARTED",
        "TOOL_COMPLETED",
        "TEXT",
        "TEXT",
        "COMPLETED",
    ]
    tool, result, end = (payload for kind, payload in story(told(*WHOLE)) if "TOOL" in kind or kind == "COMPLETED")
    assert (tool.tool_name, tool.tool_call_id, tool.parameters) == ("weather", "call-1", {"city": "Oslo"})
    assert (result.status, result.result) == ("ok", "4 degrees")
    assert end.final_response == "4 degrees."
    assert broken(*WHOLE) == set()


def test_every_event_is_of_the_run_and_at_the_time_that_it_names() -> None:
    events = [e for e in told(*WHOLE) if isinstance(e, RunEvent)]
    assert {e.run_id for e in events} == {"e-1"}
    assert str(events[0].timestamp) == "None"
    assert str(events[1].timestamp) == "2026-01-31 09:30:00.250000+00:00"


def test_the_end_of_the_response_is_the_end_of_the_run() -> None:
    assert kinds(told(*WHOLE, closed=False))[-1] == "TEXT"
    assert kinds(told(closed=True)) == []


@pytest.mark.parametrize(
    "frames",
    [
        [event(text("All at once."))],
        [piece("a"), event(text("a and more"))],
        [event(text("one")), event(text("two"), author="waiter")],
        [piece("never made whole")],
        [event(call(None)), event(response(call_id=None)), event(text("done"))],
        [event(call("a"), call("b")), event(response(call_id="b"), response(call_id="a")), event(text("done"))],
        [event(call(), longRunningToolIds=["call-1"])],
        [event(response(), author="user"), event(text("after the client ran it"))],
        [event(response()), event(text("a call made before"))],
        [event(), event(actions={"stateDelta": {"x": 1}}), event(text("done"))],
        [event({"inlineData": {"mimeType": "image/png", "data": ""}}), event(text("done"))],
        [event(text("x"), branch="a.b", timestamp=1769851900), event(text("y"), branch="a.c")],
        [event(errorCode="MAX_TOKENS", errorMessage="too long"), event(text("another agent goes on"))],
        [event(text("x"), somethingNew={"a": 1})],
    ],
)
def test_unusual_is_not_wrong(frames: list[Frame]) -> None:
    assert broken(*frames) == set()


@pytest.mark.parametrize(
    ("frames", "requirements"),
    [
        ([*WHOLE[:2], {"error": "RuntimeError: no such city"}], {"EVT-05", "EVT-07"}),
        ([event(call()), event(text("done"))], {"EVT-05", "EVT-07"}),
        ([*WHOLE, event(response())], {"EVT-05"}),
        ([event(call()), event(call()), event(response()), event(text("done"))], {"EVT-05"}),
        ([event(text("x"), run="")], {"IDN-01"}),
        ([{k: v for k, v in event(text("x")).items() if k != "invocationId"}], {"IDN-01"}),
        ([{**event(text("x")), "author": None}], {"SCH-02"}),
        ([event(text("x"), id=7)], {"SCH-02"}),
        ([event(text("x"), timestamp="now")], {"SCH-03"}),
        ([event(text("x"), timestamp=1769851800250)], {"SCH-03"}),
        ([event(text("x"), timestamp=1769851900), event(text("y"))], {"ORD-03"}),
        ([event(content=[1]), event(text("x"))], {"SCH-02"}),
        (
            [event({"functionCall": {"id": "c", "args": {}}}), event(response(call_id="c", name="")), event(text("x"))],
            {"SCH-02"},
        ),
        ([b"[1]", event(text("x"))], {"SCH-01"}),
        ([b'{"invocationId": ', event(text("x"))], {"SCH-01"}),
        ([piece("Hel"), piece("lo"), event(text("llo"))], {"EVT-15"}),
        ([event(text("x")), {"error": "it broke"}, event(text("y"))], {"EVT-03"}),
    ],
)
def test_what_is_wrong_is_found(frames: list[Any], requirements: set[str]) -> None:
    assert broken(*frames) == requirements


def test_a_failure_is_told_once_with_the_code_of_the_exception() -> None:
    event_of_it = event(errorCode="ModelError", errorMessage="overloaded")
    last = {"error": "ModelError: overloaded", "error_details": {"error_type": "ModelError"}}
    for frames in ([event_of_it], [event_of_it, last]):
        (_, failed) = story(told(*frames))
        assert failed[0] == "FAILED"
        assert (failed[1].code, failed[1].message) == ("ModelError", "overloaded")
    (_, failed) = story(told(last))
    assert (failed[1].code, failed[1].message) == ("ModelError", "ModelError: overloaded")


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"error": "no such city"}, "no such city"),
        ({"isError": True, "content": []}, '{"isError":true,"content":[]}'),
        ("Error: no such city", "Error: no such city"),
    ],
)
def test_a_tool_that_failed_says_so_in_its_response(value: Any, error: str) -> None:
    payload = story(told(event(call()), event(response(value))))[2][1]
    assert (payload.status, payload.error) == ("error", ToolError("tool_error", error))


def test_a_long_running_tool_is_the_clients_to_finish() -> None:
    assert kinds(told(event(call(), longRunningToolIds=["call-1"])))[-2:] == ["TOOL_DEFERRED", "STOPPED"]
    assert story(told(event(call(), longRunningToolIds=["call-1"])))[-1][1] == StoppedPayload(
        "waits for a long-running tool"
    )


def test_nothing_said_is_no_empty_answer() -> None:
    assert story(told(event()))[-1][1] == CompletedPayload(UNSET)


def test_a_new_session_is_made_before_the_run() -> None:
    thread = Adk().new_thread("req-000102030405060708090a0b")
    session, run = exchanges("adk", "http://h:1/apps/kitchen", asked(thread_id=thread))
    assert session.url == f"http://h:1/apps/kitchen/users/user-a/sessions/{thread}"
    assert run.url == "http://h:1/run_sse"
    body = json.loads(run.body)
    assert (body["appName"], body["userId"], body["sessionId"], body["streaming"]) == (
        "kitchen",
        "user-a",
        thread,
        True,
    )
    assert body["newMessage"]["parts"] == [{"text": "hello"}]


def test_a_thread_that_is_there_is_only_run_on() -> None:
    (run,) = exchanges("adk", "http://h:1/apps/kitchen/", asked(Action.CONTINUE, thread_id="session-x"))
    assert json.loads(run.body)["sessionId"] == "session-x"


def test_the_server_is_asked_for_its_first_app_where_the_url_names_none() -> None:
    apps, session, run = exchanges("adk", "http://h:1", asked(), "hello", b'["bakery", "kitchen"]')
    assert (apps.method, apps.url) == ("GET", "http://h:1/list-apps")
    assert "/apps/bakery/users/" in session.url
    assert json.loads(run.body)["appName"] == "bakery"


def test_what_the_protocol_does_not_have_is_not_asked() -> None:
    for action in (Action.STOP, Action.RESUME, Action.READ, Action.PING):
        assert exchanges("adk", "http://h:1/apps/kitchen", asked(action)) == []
    (bad,) = exchanges("adk", "http://h:1/apps/kitchen", asked(Action.GARBAGE), "{not json")
    assert (bad.url, bad.body) == ("http://h:1/run_sse", "{not json")


def test_planted_fields_go_where_an_application_may_put_its_own() -> None:
    run = exchanges("adk", "http://h:1/apps/k", asked(planted={"run_id": "x"}, impersonates="user-b"))[-1]
    assert json.loads(run.body)["stateDelta"] == {"run_id": "x", "user_id": "user-b"}
    assert json.loads(run.body)["userId"] == "user-a"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*event(), "content", "parts", "text", "functionCall", "functionResponse", "id", "name"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(st.lists(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()), max_size=5))
def test_no_bytes_are_too_much(frames: list[bytes]) -> None:
    decoder = AdkDecoder()
    for frame in frames:
        for found in decoder.decode(frame):
            assert isinstance(found, RunEvent | Flaw)
    decoder.closed()
