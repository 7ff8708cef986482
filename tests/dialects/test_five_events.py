"""five-events: frames in, requests out (WIRE.md)."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from conformance import events
from conformance.dialects import named
from conformance.events import Event, Flaw, Kind, RunEvent
from conformance.history.operations import Action, Asked

DIALECT = named("five-events")
OMIT: Any = object()
PAYLOADS: dict[str, dict[str, Any]] = {
    "agent_started": {"request_id": "req-1"},
    "agent_thinking": {"thought": "hm", "step": 1},
    "tool_executing": {"tool_name": "echo", "tool_call_id": "call-1", "parameters": {"text": "x"}},
    "tool_completed": {
        "tool_name": "echo",
        "tool_call_id": "call-1",
        "status": "ok",
        "result": {"text": "x"},
        "duration_ms": 1.5,
    },
    "message_chunk": {"text": "a piece"},
    "agent_completed": {"final_response": "done", "duration_ms": 7},
    "agent_error": {"code": "timeout", "message": "Too slow.", "retryable": True},
    "agent_stopped": {"reason": "asked to"},
}
KINDS = {
    "agent_started": Kind.STARTED,
    "agent_thinking": Kind.THINKING,
    "tool_executing": Kind.TOOL_STARTED,
    "tool_completed": Kind.TOOL_COMPLETED,
    "message_chunk": Kind.TEXT,
    "agent_completed": Kind.COMPLETED,
    "agent_error": Kind.FAILED,
    "agent_stopped": Kind.STOPPED,
}
TERMINAL = {"agent_completed", "agent_error", "agent_stopped"}
READY = {
    "type": "connection_established",
    "protocol": "five-events/1",
    "connection_id": "conn-1",
    "user_id": "user-1",
    "server_time": "2026-01-31T09:30:00.125Z",
    "heartbeat_s": 25,
    "capabilities": ["resume", "stop"],
}
FORM = "RFC 3339 in UTC with at least milliseconds, e.g. 2026-01-31T09:30:00.125Z"
every_type = pytest.mark.parametrize("wire_type", PAYLOADS)


def frame(wire_type: str, payload: dict[str, Any] | None = None, **envelope: Any) -> dict[str, Any]:
    """A frame to the letter, but for what is given."""
    content = PAYLOADS.get(wire_type, {}) if payload is None else payload
    whole = {
        "type": wire_type,
        "event_id": "event-1",
        "run_id": "run-1",
        "thread_id": "thread-1",
        "user_id": "user-1",
        "seq": 3,
        "timestamp": "2026-01-31T09:30:00.125Z",
        "agent_name": "helper",
        "payload": {name: value for name, value in content.items() if value is not OMIT},
        **envelope,
    }
    return {name: value for name, value in whole.items() if value is not OMIT}


def decode(data: Any) -> list[Event]:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return list(DIALECT.decoder().decode(raw))


def run_event(data: Any) -> RunEvent:
    """The one event of a frame that has nothing wrong with it."""
    (event,) = decode(data)
    assert isinstance(event, RunEvent)
    return event


def flaws(data: Any) -> list[tuple[str, str, str, str]]:
    return [(f.requirement, f.field, f.expected, f.actual) for f in decode(data) if isinstance(f, Flaw)]


# -- to the letter --------------------------------------------------------------------------------------------------


@every_type
def test_a_frame_to_the_letter(wire_type: str) -> None:
    event = run_event(frame(wire_type, traceparent="00-a-b-01"))
    assert event.exact
    assert event.kind is KINDS[wire_type]
    assert event.terminal is (wire_type in TERMINAL)
    assert (event.event_id, event.run_id, event.thread_id, event.user_id) == ("event-1", "run-1", "thread-1", "user-1")
    assert (event.seq, event.agent_name, event.traceparent) == (3, "helper", "00-a-b-01")
    assert event.timestamp == datetime(2026, 1, 31, 9, 30, 0, 125_000, UTC)
    for name, value in PAYLOADS[wire_type].items():
        assert getattr(event.payload, name) == value


@every_type
def test_a_frame_with_more_than_that_says_the_same(wire_type: str) -> None:
    """It is read another way, and gives the same event; only it is not all that the frame holds."""
    exact, loose = run_event(frame(wire_type)), run_event(frame(wire_type, acme={"x": 1}))
    assert not loose.exact
    assert type(loose) in type(exact).__mro__
    for name in ("kind", "terminal", *events.RunEvent.__struct_fields__):
        assert getattr(loose, name) == getattr(exact, name)
    for name in PAYLOADS[wire_type]:
        assert getattr(loose.payload, name) == getattr(exact.payload, name)


@every_type
def test_a_payload_with_more_than_that_is_no_flaw(wire_type: str) -> None:
    assert not run_event(frame(wire_type, {**PAYLOADS[wire_type], "acme": 1})).exact


@pytest.mark.parametrize(
    ("timestamp", "micros"),
    [
        ("2026-01-31T09:30:00.125Z", 125_000),
        ("2026-01-31T09:30:00.000Z", 0),
        ("2026-01-31T09:30:00.000001Z", 1),
        ("2026-01-31T09:30:00.125+00:00", 125_000),
        ("2026-01-31T09:30:00.123456789Z", 123_457),
        ("2026-01-31T09:30:00.125-00:00", 125_000),
        ("2026-01-31t09:30:00.125z", 125_000),
    ],
)
def test_good_timestamps(timestamp: str, micros: int) -> None:
    event = run_event(frame("agent_thinking", timestamp=timestamp))
    assert event.timestamp == datetime(2026, 1, 31, 9, 30, 0, micros, UTC)


def test_a_leap_second_is_the_end_of_the_second_before() -> None:
    event = run_event(frame("agent_thinking", timestamp="2016-12-31T23:59:60.250Z"))
    assert event.timestamp == datetime(2016, 12, 31, 23, 59, 59, 999_999, UTC)


@pytest.mark.parametrize(
    ("changed", "result", "error"),
    [
        ({"result": None}, None, None),
        ({"result": OMIT}, OMIT, None),
        ({"error": None}, {"text": "x"}, None),
        ({"status": "error", "result": OMIT, "error": {"code": "c", "message": "m"}}, OMIT, ("c", "m")),
        ({"status": "error", "result": None, "error": {"code": "c", "message": "m"}}, None, ("c", "m")),
    ],
)
def test_the_outcome_of_a_tool(changed: dict[str, Any], result: Any, error: tuple[str, str] | None) -> None:
    """A result that is null is told from none."""
    payload = run_event(frame("tool_completed", {**PAYLOADS["tool_completed"], **changed})).payload
    assert payload.result == (msgspec.UNSET if result is OMIT else result)
    assert (payload.error is msgspec.UNSET) is (error is None)
    if error is not None:
        assert (payload.error.code, payload.error.message) == error


# -- SCH-01: no JSON object -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "a JSON object in UTF-8"),
        (b"hello", "a JSON object in UTF-8"),
        (b'{"type": "pong"', "a JSON object in UTF-8"),
        (b'{"type": "pong"} {}', "a JSON object in UTF-8"),
        (b'{"type": NaN}', "a JSON object in UTF-8"),
        (b"{'type': 'pong'}", "a JSON object in UTF-8"),
        (b'{"type": "\xff"}', "a JSON object in UTF-8"),
        (b'{"type": "\xed\xa0\x80"}', "a JSON object in UTF-8"),
        (b"\x00", "a JSON object in UTF-8"),
        (b"\xef\xbb\xbf{}", "a JSON object in UTF-8"),
        (b"[" * 100_000, "a JSON object in UTF-8"),
        (b'{"a":' * 100_000, "a JSON object in UTF-8"),
        (b"[]", "a JSON object"),
        (b"null", "a JSON object"),
        (b'"text"', "a JSON object"),
        (b"7", "a JSON object"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_frame_that_is_no_object(raw: bytes, expected: str) -> None:
    (flaw,) = decode(raw)
    assert isinstance(flaw, Flaw)
    assert (flaw.requirement, flaw.field, flaw.expected) == ("SCH-01", "frame", expected)
    assert len(flaw.actual) < 400


@pytest.mark.parametrize("depth", [10, 500])
def test_nesting_that_is_deep_and_fine(depth: int) -> None:
    result: Any = "x"
    for _ in range(depth):
        result = [result]
    payload = run_event(frame("tool_completed", {**PAYLOADS["tool_completed"], "result": result})).payload
    assert payload.result == result


@pytest.mark.parametrize("escape", ["\\ud800", "\\udc00", "\\udc00\\ud800", "\\ud83d"])
def test_lone_surrogates_do_no_harm(escape: str) -> None:
    """JSON can write what is no character (RFC 8259, section 8.2): it is read as the character for that."""
    raw = json.dumps(frame("message_chunk")).replace("a piece", f"a {escape}\\\\ud800 piece").encode()
    assert run_event(raw).payload.text == "a " + "\ufffd" * escape.count("u") + "\\ud800 piece"


def test_surrogates_in_pairs() -> None:
    raw = json.dumps(frame("message_chunk")).replace("a piece", "\\ud83d\\udc4b").encode()
    assert run_event(raw).payload.text == "\U0001f44b"


# -- SCH-02: fields -------------------------------------------------------------------------------------------------


@every_type
@pytest.mark.parametrize("name", ["event_id", "thread_id", "user_id", "agent_name"])
@pytest.mark.parametrize(("value", "actual"), [(OMIT, "missing"), (None, "null"), (7, "7"), ([], "[]")])
def test_a_text_of_the_envelope(wire_type: str, name: str, value: Any, actual: str) -> None:
    data = frame(wire_type, **{name: value})
    assert flaws(data) == [("SCH-02", name, "a string", actual)]
    event = decode(data)[-1]
    assert isinstance(event, RunEvent)
    assert getattr(event, name) is None
    assert event.run_id == "run-1"


@pytest.mark.parametrize(
    ("value", "actual"), [(OMIT, "missing"), (None, "null"), ("3", '"3"'), (1.5, "1.5"), (True, "true")]
)
def test_a_seq_that_is_no_number(value: Any, actual: str) -> None:
    assert flaws(frame("agent_thinking", seq=value)) == [("SCH-02", "seq", "an integer", actual)]


@pytest.mark.parametrize(("value", "actual"), [(OMIT, "missing"), (None, "null"), ("x", '"x"'), ([], "[]")])
def test_a_payload_that_is_no_object(value: Any, actual: str) -> None:
    whole = frame("agent_stopped")
    whole = whole | {"payload": value} if value is not OMIT else {k: v for k, v in whole.items() if k != "payload"}
    first, *_ = flaws(whole)
    assert first == ("SCH-02", "payload", "an object", actual)


@pytest.mark.parametrize(
    ("wire_type", "name", "value", "expected", "actual"),
    [
        ("agent_started", "request_id", OMIT, "a string", "missing"),
        ("agent_thinking", "thought", None, "a string", "null"),
        ("agent_thinking", "step", [], "an integer or a string", "[]"),
        ("tool_executing", "tool_name", 1, "a string", "1"),
        ("tool_executing", "tool_call_id", OMIT, "a string", "missing"),
        ("tool_executing", "parameters", "x", "an object", '"x"'),
        ("tool_completed", "status", "fine", "ok or error", '"fine"'),
        ("tool_completed", "duration_ms", "1", "a number", '"1"'),
        ("tool_completed", "error", "broken", "an object {code, message}", '"broken"'),
        ("message_chunk", "text", None, "a string", "null"),
        ("agent_completed", "final_response", OMIT, "a string", "missing"),
        ("agent_completed", "duration_ms", None, "a number", "null"),
        ("agent_error", "code", 500, "a string", "500"),
        ("agent_error", "retryable", "no", "true or false", '"no"'),
        ("agent_stopped", "reason", {}, "a string", "{}"),
    ],
)
def test_a_field_of_the_payload(wire_type: str, name: str, value: Any, expected: str, actual: str) -> None:
    data = frame(wire_type, {**PAYLOADS[wire_type], name: value})
    assert flaws(data) == [("SCH-02", f"payload.{name}", expected, actual)]
    assert isinstance(decode(data)[-1], RunEvent)


@pytest.mark.parametrize("wire_type", [None, 7, "", OMIT, []])
def test_a_frame_without_a_type(wire_type: Any) -> None:
    bare = {} if wire_type is OMIT else {"type": wire_type}
    flaw, event = decode(bare)
    assert isinstance(flaw, Flaw)
    assert (flaw.requirement, flaw.field) == ("SCH-02", "type")
    assert event == events.Unknown(None)


def test_a_run_event_without_a_type() -> None:
    *found, event = decode(frame("x") | {"type": None})
    assert [flaw.requirement for flaw in found if isinstance(flaw, Flaw)] == ["SCH-02"]
    assert isinstance(event, events.OtherRunEvent)
    assert event.run_id == "run-1"


# -- SCH-03: timestamps ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timestamp", "known"),
    [
        ("2026-01-31T09:30:00Z", True),
        ("2026-01-31T10:30:00.125+01:00", True),
        ("2026-01-31T09:30:00.125", False),
        ("2026-13-31T09:30:00.125Z", False),
        ("now", False),
        ("", False),
        (1_767_225_600, False),
        (1_767_225_600.125, False),
        (None, False),
    ],
)
def test_a_timestamp_of_another_form(timestamp: Any, known: bool) -> None:
    data = frame("agent_thinking", timestamp=timestamp)
    assert flaws(data) == [("SCH-03", "timestamp", FORM, json.dumps(timestamp))]
    event = decode(data)[-1]
    assert isinstance(event, RunEvent)
    assert (event.timestamp is not None) is known
    assert event.timestamp is None or event.timestamp.tzinfo is not None


def test_no_timestamp_is_a_missing_field() -> None:
    assert flaws(frame("agent_thinking", timestamp=OMIT)) == [("SCH-02", "timestamp", FORM, "missing")]


# -- IDN-01: the run id ---------------------------------------------------------------------------------------------


@every_type
@pytest.mark.parametrize(("value", "actual"), [(OMIT, "missing"), (None, "null"), (7, "7")])
def test_no_run_id(wire_type: str, value: Any, actual: str) -> None:
    data = frame(wire_type, run_id=value)
    assert flaws(data) == [("IDN-01", "run_id", "a non-empty string", actual)]
    event = decode(data)[-1]
    assert isinstance(event, RunEvent)
    assert event.run_id is None
    assert event.kind is KINDS[wire_type]


def test_an_empty_run_id_is_left_to_the_check_where_the_frame_is_exact() -> None:
    assert run_event(frame("agent_thinking", run_id="")).run_id == ""
    assert flaws(frame("agent_thinking", run_id="", acme=1)) == [("IDN-01", "run_id", "a non-empty string", '""')]


def test_several_flaws_at_once() -> None:
    data = frame("agent_thinking", {"thought": 1}, run_id=None, seq="x", timestamp="never")
    assert [(requirement, field) for requirement, field, _, _ in flaws(data)] == [
        ("IDN-01", "run_id"),
        ("SCH-02", "seq"),
        ("SCH-03", "timestamp"),
        ("SCH-02", "payload.thought"),
        ("SCH-02", "payload.step"),
    ]


# -- frames of no run -----------------------------------------------------------------------------------------------


def test_the_greeting() -> None:
    (ready,) = decode(READY | {"limits": {"run_s": 5, "message_bytes": 65536}})
    assert ready == events.Ready(
        connection_id="conn-1",
        user_id="user-1",
        protocol="five-events/1",
        server_time=datetime(2026, 1, 31, 9, 30, 0, 125_000, UTC),
        heartbeat_s=25.0,
        capabilities=("resume", "stop"),
        run_limit_s=5.0,
        message_bytes=65536,
    )


@pytest.mark.parametrize("capabilities", [None, "resume", {}, 7])
def test_a_greeting_that_announces_nothing(capabilities: Any) -> None:
    (ready,) = decode(READY | {"capabilities": capabilities})
    assert isinstance(ready, events.Ready)
    assert ready.capabilities is None


def test_a_greeting_with_flaws() -> None:
    bad = {**READY, "user_id": 7, "server_time": "noon", "heartbeat_s": "often", "limits": {"message_bytes": "many"}}
    assert [flaw[:2] for flaw in flaws(bad)] == [
        ("SCH-02", "user_id"),
        ("SCH-03", "server_time"),
        ("SCH-02", "heartbeat_s"),
    ]
    assert isinstance(decode(bad)[-1], events.Ready)


ACCEPTED = {"run_id": "run-1", "thread_id": "thread-1", "request_id": "req-1"}


@pytest.mark.parametrize("duplicate", [True, False])
def test_an_acceptance_in_its_payload_or_without(duplicate: bool) -> None:
    fields = ACCEPTED | {"duplicate": duplicate}
    (wrapped,) = decode({"type": "run_accepted", "payload": fields})
    (flat,) = decode({"type": "run_accepted", **fields})
    assert isinstance(wrapped, events.Accepted)
    assert wrapped.exact
    assert isinstance(flat, events.Accepted)
    for answer in (wrapped, flat):
        assert (answer.run_id, answer.thread_id, answer.request_id) == ("run-1", "thread-1", "req-1")
        assert answer.duplicate is duplicate


def test_an_acceptance_with_flaws() -> None:
    bad = {"type": "run_accepted", "payload": ACCEPTED | {"run_id": None}}
    assert flaws(bad) == [("SCH-02", "run_id", "a string", "null")]
    assert decode(bad)[-1] == events.Accepted(None, "thread-1", "req-1")


@pytest.mark.parametrize("wrap", [False, True])
def test_errors(wrap: bool) -> None:
    fields = {"code": "not_found", "message": "No.", "request_id": "req-1"}
    data = {"type": "error", "payload": fields} if wrap else {"type": "error", **fields}
    assert decode(data) == [events.Refusal("not_found", "No.", "req-1")]


def test_an_error_with_flaws() -> None:
    assert flaws({"type": "error", "code": 404, "request_id": 7}) == [
        ("SCH-02", "code", "a string", "404"),
        ("SCH-02", "message", "a string", "missing"),
    ]


@pytest.mark.parametrize(
    ("data", "event"),
    [
        ({"type": "pong", "correlation_id": "c"}, events.Pong("c")),
        ({"type": "pong"}, events.Pong(None)),
        ({"type": "ping"}, events.Heartbeat()),
        ({"type": "heartbeat"}, events.Heartbeat()),
        ({"type": "news"}, events.Unknown("news")),
        ({"type": "acme.news", "payload": {"run": 1}}, events.Unknown("acme.news")),
    ],
)
def test_other_frames(data: dict[str, Any], event: Event) -> None:
    assert decode(data) == [event]


def test_an_event_of_a_run_whose_type_is_not_known() -> None:
    event = run_event(frame("acme.progress"))
    assert isinstance(event, events.OtherRunEvent)
    assert (event.kind, event.type, event.seq, event.exact) == (Kind.OTHER, "acme.progress", 3, False)


# -- requests -------------------------------------------------------------------------------------------------------


def asked(action: Action, **fields: Any) -> Asked:
    return Asked(0, 1, 1, "user-1", action, **fields)


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        (
            asked(Action.START, request_id="req-1"),
            {"type": "start_agent", "payload": {"user_request": "TEXT", "request_id": "req-1"}},
        ),
        (
            asked(Action.START, request_id="req-1", thread_id="t"),
            {"type": "start_agent", "payload": {"user_request": "TEXT", "request_id": "req-1", "thread_id": "t"}},
        ),
        (
            asked(Action.START, request_id="req-1", impersonates="user-2"),
            {"type": "start_agent", "payload": {"user_request": "TEXT", "request_id": "req-1", "user_id": "user-2"}},
        ),
        (
            asked(Action.START, request_id="req-1", planted={"run_id": "mine"}),
            {
                "type": "start_agent",
                "payload": {
                    "user_request": "TEXT",
                    "request_id": "req-1",
                    "run_id": "mine",
                    "context": {"run_id": "mine"},
                },
            },
        ),
        (
            asked(Action.CONTINUE, request_id="req-1", thread_id="t"),
            {"type": "user_message", "payload": {"content": "TEXT", "request_id": "req-1", "thread_id": "t"}},
        ),
        (asked(Action.STOP, run_id="run-1"), {"type": "stop_agent", "payload": {"run_id": "run-1"}}),
        (
            asked(Action.RESUME, run_id="run-1", after_seq=0),
            {"type": "resume", "payload": {"run_id": "run-1", "after_seq": 0}},
        ),
        (
            asked(Action.RESUME, thread_id="t", after_seq=7),
            {"type": "resume", "payload": {"thread_id": "t", "after_seq": 7}},
        ),
        (asked(Action.PING, request_id="c"), {"type": "ping", "payload": {"correlation_id": "c"}}),
        (asked(Action.PING), {"type": "ping", "payload": {}}),
    ],
)
def test_requests(question: Asked, wanted: dict[str, Any]) -> None:
    assert json.loads(DIALECT.request(question, "TEXT")) == wanted


@pytest.mark.parametrize("action", [Action.GARBAGE, Action.UNKNOWN_TYPE, Action.OVERSIZE])
def test_bad_input_goes_out_as_it_is(action: Action) -> None:
    assert DIALECT.request(asked(action), "{not json") == "{not json"


def test_a_request_says_everything_in_any_script() -> None:
    text = 'é\u2028"\\ \U0001f44b script: [{"say": "x"}]'
    frame_text = DIALECT.request(asked(Action.START, request_id="r"), text)
    assert json.loads(frame_text)["payload"]["user_request"] == text
    assert "\n" not in frame_text


@pytest.mark.parametrize(
    ("url", "run_id", "wanted"),
    [
        ("ws://host:8000/ws", "run-1", "http://host:8000/runs/run-1/events"),
        ("wss://host/a/b?x=1", "run-1", "https://host/runs/run-1/events"),
        ("http://host", "run-1", "http://host/runs/run-1/events"),
        ("ws://host/ws", "../a b?c/#", "http://host/runs/..%2Fa%20b%3Fc%2F%23/events"),
    ],
)
def test_where_a_run_can_be_read(url: str, run_id: str, wanted: str) -> None:
    asked = Asked(0, 1, 1, "ann", Action.READ, run_id=run_id)
    (exchange,) = DIALECT.exchanges(url, asked, "")
    assert (exchange.method, exchange.url) == ("GET", wanted)


def test_what_it_promises() -> None:
    assert DIALECT.transport == "websocket"
    assert DIALECT.intrinsic >= {"thinking", "seq"}
    assert DIALECT.implied >= {"resume", "stop", "threads", "multi_connection", "text_stream"}
    assert not DIALECT.intrinsic & DIALECT.implied
