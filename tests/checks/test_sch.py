"""SCH: every frame is well formed."""

from typing import Any

import pytest

from conformance.history.operations import Action, ClosedBy
from tests.checks.examples import bad, described, good, judged, undecided
from tests.checks.histories import ALICE, BOB, OMIT, History

# -- SCH-01, SCH-02: frames and fields ------------------------------------------------------------------------------


@good("SCH-01", "SCH-02", "SCH-03", "SCH-04")
def test_well_formed_frames() -> History:
    history = History()
    socket = history.connect()
    socket.start().whole()
    socket.receives({"type": "pong", "correlation_id": "c"})
    return history


@bad(
    "SCH-01",
    message="a frame is not well formed",
    expected="a JSON object in UTF-8",
    actual="JSON is malformed: invalid character (byte 0): hello",
    witnesses=("frame",),
)
def test_a_frame_that_is_no_json() -> History:
    history = History()
    history.connect().receives("hello")
    return history


@bad("SCH-01", message="a frame is not well formed", expected="a JSON object", actual="[1, 2]", witnesses=("frame",))
def test_a_frame_that_is_no_object() -> History:
    history = History()
    history.connect().receives("[1, 2]")
    return history


@bad(
    "SCH-01",
    message="a binary frame",
    expected="a text frame with a JSON object in UTF-8",
    actual="26 bytes of binary data",
    witnesses=("frame",),
)
def test_a_frame_that_is_not_utf_8() -> History:
    history = History()
    history.connect().receives(b'{"type": "pong", "x": "\xff"}')
    return history


@bad(
    "SCH-01",
    message="a binary frame",
    expected="a text frame with a JSON object in UTF-8",
    actual="16 bytes of binary data",
    witnesses=("pong",),
)
def test_a_binary_frame() -> History:
    history = History()
    history.connect().receives(b'{"type": "pong"}')
    return history


@bad(
    "SCH-01",
    message="a frame is not well formed",
    expected="a JSON object in UTF-8",
    actual="maximum recursion depth exceeded while deserializing an object:*",
    witnesses=("frame",),
)
def test_a_frame_that_nests_too_deep() -> History:
    history = History()
    history.connect().receives("[" * 100_000)
    return history


@bad(
    "SCH-02",
    message="a frame has a bad field 'payload.step'",
    expected="payload.step: an integer or a string",
    actual="missing",
    witnesses=("agent_thinking",),
)
def test_a_field_is_missing() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking(step=OMIT)
    run.completed()
    return history


@bad(
    "SCH-02",
    message="a frame has a bad field 'agent_name'",
    expected="agent_name: a string",
    actual="7",
    witnesses=("agent_thinking",),
)
def test_a_field_has_another_type() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking(agent_name=7)
    run.completed()
    return history


@bad(
    "SCH-02",
    message="a frame has a bad field 'type'",
    expected="type: a non-empty string",
    actual="7",
    witnesses=("7",),
)
def test_a_type_that_is_no_string() -> History:
    history = History()
    history.connect().receives({"type": 7})
    return history


@bad(
    "SCH-02",
    message="a frame has a bad field 'thread_id'",
    expected="thread_id: a string",
    actual="missing",
    witnesses=("run_accepted",),
)
def test_an_answer_with_a_missing_field() -> History:
    history = History()
    run = history.connect().request()
    run.accepted(thread_id=OMIT)
    run.whole()
    return history


@undecided("SCH-01", "SCH-02", reason="nothing was seen")
def test_no_frame_at_all() -> History:
    history = History()
    history.connecting().refused(401)
    return history


# -- SCH-03: timestamps ---------------------------------------------------------------------------------------------


@bad(
    "SCH-03",
    message="timestamp has the wrong form",
    expected="RFC 3339 in UTC with at least milliseconds, e.g. *",
    actual="1767225600",
    witnesses=("agent_thinking",),
)
def test_a_timestamp_in_seconds() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking(timestamp=1_767_225_600)
    run.completed()
    return history


@bad(
    "SCH-03",
    message="timestamp has the wrong form",
    expected="RFC 3339 in UTC with at least milliseconds, e.g. *",
    actual='"2026-01-01T00:00:00.010"',
    witnesses=("agent_thinking",),
)
def test_a_timestamp_without_a_zone() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking(timestamp="2026-01-01T00:00:00.010")
    run.completed()
    return history


@bad(
    "SCH-03",
    message="timestamp has the wrong form",
    expected="RFC 3339 in UTC with at least milliseconds, e.g. *",
    actual='"2026-01-01T01:00:00.*+01:00"',
    witnesses=("agent_thinking",),
)
def test_a_timestamp_in_another_zone() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking(timestamp=history.stamp(history.now).replace("T00:", "T01:").replace("Z", "+01:00"))
    run.completed()
    return history


@bad(
    "SCH-03",
    message="timestamp has the wrong form",
    expected="RFC 3339 in UTC with at least milliseconds, e.g. *",
    actual='"2026-01-01T00:00:02Z"',
    witnesses=("agent_thinking",),
)
def test_a_timestamp_without_milliseconds() -> History:
    history = History().after(1000)
    run = history.connect().start()
    run.started()
    history.after(2000)
    run.thinking(timestamp="2026-01-01T00:00:02Z")
    run.completed()
    return history


@bad(
    "SCH-03",
    message="a timestamp is far from the observer's clock",
    expected="within 300 s of the time of arrival",
    actual="*, 3,600 s before it",
    witnesses=("agent_started",),
)
def test_a_clock_that_is_an_hour_off() -> History:
    history = History().after(3_700_000)
    run = history.connect().start()
    for tell in (run.started, run.thinking, run.completed):
        tell(timestamp=history.stamp(history.now - 3_600_000))
    return history


@good("SCH-03")
def test_a_clock_that_is_four_minutes_off() -> History:
    history = History(same_clock=False)
    run = history.connect().start()
    for tell in (run.started, run.thinking, run.completed):
        tell(timestamp=history.stamp(history.now + 240_000))
    return history


@good("SCH-03", "DLV-05", "ORD-04")
def test_a_replay_of_what_is_long_over() -> History:
    history = History()
    socket = history.connect()
    run = socket.start().whole()
    socket.closed(ClosedBy.KIT)
    history.after(3_600_000)
    back = history.connect()
    back.resumes(run)
    run.again(1, 2, 3, 4, 5, on=back)
    return history


@undecided("SCH-03", "ORD-03", reason="nothing was seen")
def test_no_timestamp() -> History:
    history = History()
    history.connect()
    return history


# -- SCH-04: unknown types ------------------------------------------------------------------------------------------


@bad(
    "SCH-04",
    message="an event of the unknown type 'progress'",
    expected="a type of the dialect, or a namespaced one such as acme.progress",
    actual="progress",
    witnesses=("progress",),
)
def test_an_unknown_event_of_a_run() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.tells("progress", {"percent": 50})
    run.thinking()
    run.completed()
    return history


@bad(
    "SCH-04",
    message="an event of the unknown type 'welcome_back'",
    expected="a type of the dialect, or a namespaced one such as acme.progress",
    actual="welcome_back",
    witnesses=("welcome_back",),
)
def test_an_unknown_frame() -> History:
    history = History()
    history.connect().receives({"type": "welcome_back"})
    return history


@good("SCH-04")
def test_namespaced_types() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking()
    run.tells("acme.progress", {"percent": 50})
    run.completed()
    socket.receives({"type": "acme:balance"})
    return history


# -- SCH-05: the payload and the envelope ---------------------------------------------------------------------------


@good("SCH-05")
def test_what_the_client_planted_stays_in_the_payload() -> History:
    history = History()
    planted = {"run_id": history.id(), "user_id": "user-planted", "event_id": history.id()}
    run = history.connect().start(planted=planted)
    run.started()
    run.thinking()
    run.tool_started(parameters=planted)
    run.tool_completed(result=planted)
    run.completed()
    return history


@bad(
    "SCH-05",
    "IDN-03",
    message="a payload field replaced the envelope's thread_id",
    expected="thread_id as the engine sets it",
    actual="a-thread-of-the-clients-own, which the client put into its request",
    witnesses=("tool_executing",),
)
def test_a_planted_field_replaces_the_envelopes() -> History:
    history = History()
    run = history.connect().start(planted={"thread_id": "a-thread-of-the-clients-own"})
    run.started()
    run.thinking()
    run.tool_started(thread_id="a-thread-of-the-clients-own")
    run.tool_completed()
    run.completed()
    return history


@bad(
    "SCH-05",
    message="a payload field replaced the envelope's agent_name",
    expected="agent_name as the engine sets it",
    actual="planted-agent, which the client put into its request",
    witnesses=("agent_started",),
)
def test_a_planted_agent_name_in_every_event() -> History:
    history = History()
    history.connect().start(planted={"agent_name": "planted-agent"}).whole(agent_name="planted-agent")
    return history


@undecided("SCH-05", reason="nothing was seen")
def test_nothing_was_planted() -> History:
    history = History()
    history.connect().start().whole()
    return history


# -- SCH-06: errors -------------------------------------------------------------------------------------------------


@good("SCH-06")
def test_errors_that_say_enough() -> History:
    history = History()
    socket = history.connect()
    socket.error("bad_json", "Expected a JSON object, got 3 bytes that are none.")
    run = socket.start()
    run.started()
    run.failed("timeout", "The run took longer than 5 s.")
    return history


@pytest.mark.parametrize(
    "message",
    [
        "Bearer authentication required",
        "Invalid field password: required",
        "secret: missing value",
        "See https://docs.example.com/guides/errors.py for the meaning of this code.",
        "Expected one of a/b, c/d; and/or nothing.",
        "Meet us at noon (room 3).",
    ],
)
def test_an_innocent_error_is_no_leak(message: str) -> None:
    history = History()
    history.connect().error("internal", message)
    assert described(judged(history)) == {}


@pytest.mark.parametrize(
    ("message", "what"),
    [
        ('Traceback (most recent call last):\n  File "x", line 3', "a stack trace"),
        ("boom at Object.run (server.js:10:5) at main(app.js:7)", "a stack trace"),
        ("no such file: /srv/app/engine/run.py", "a source path"),
        ("raised in file:///srv/app/engine.py", "a source path"),
        (r"C:\Users\app\engine failed", "a source path"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl is bad", "a token"),
        ("sent Bearer abc123.def456.ghi789", "a token"),
        ("the key sk-abcdefghijklmnop1234 is spent", "a token"),
        ("connect failed: password=correcthorse host=db", "a secret"),
        ("API_KEY: 9f8e7d6c5b4a", "a secret"),
    ],
)
def test_an_error_that_leaks(message: str, what: str) -> None:
    history = History()
    history.connect().error("internal", message)
    verdict = judged(history)
    assert set(described(verdict)) == {"SCH-06"}
    assert f"an error shows {what}" in [finding.message for finding in verdict.findings]


@bad(
    "SCH-06",
    message="an error without code or message",
    expected="a code and a message",
    actual="code '', message 'Expected something else.'",
    witnesses=("error",),
)
def test_an_error_without_a_code() -> History:
    history = History()
    history.connect().error("")
    return history


@bad(
    "SCH-06",
    message="an error shows a stack trace",
    expected="a message without stack trace, file path, secret or token",
    actual="Traceback (most recent call",
    witnesses=("agent_error",),
)
def test_an_error_with_a_stack_trace() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.failed("internal", 'Traceback (most recent call last):\n  File "engine.py", line 7, in run')
    return history


@undecided("SCH-06", reason="nothing was seen")
def test_no_error() -> History:
    history = History()
    history.connect().start().whole()
    return history


# -- SCH-07: the headers of an event stream -------------------------------------------------------------------------


def event_stream(**headers: Any) -> History:
    history = History(capabilities=("resume", "sse"))
    run = history.connect(ALICE).start().whole()
    reading = history.connecting(ALICE, url="http://target/runs", method="GET", accept="text/event-stream")
    reading.asks(Action.RESUME, run_id=run.run_id, after_seq=0)
    reading.connected(200, **headers)
    run.again(1, 2, 3, 4, 5, on=reading)
    reading.closed(ClosedBy.TARGET, None)
    return history


@good("SCH-07", "ORD-04")
def test_an_event_stream() -> History:
    return event_stream(content_type="text/event-stream; charset=utf-8", cache_control="no-store")


@bad(
    "SCH-07",
    message="an event stream with the wrong headers",
    expected="content-type: text/event-stream, cache-control: no-store or no-cache",
    actual="content-type: text/event-stream, cache-control: none",
    witnesses=("connected",),
)
def test_an_event_stream_that_may_be_cached() -> History:
    return event_stream(content_type="text/event-stream")


@bad(
    "SCH-07",
    message="an event stream with the wrong headers",
    expected="content-type: text/event-stream, cache-control: no-store or no-cache",
    actual="content-type: application/json, cache-control: no-cache",
    witnesses=("connected",),
)
def test_an_event_stream_with_another_type() -> History:
    return event_stream(content_type="application/json", cache_control="no-cache")


@undecided("SCH-07", reason="nothing was seen")
def test_no_event_stream() -> History:
    history = History(capabilities=("sse",))
    history.connect().start().whole()
    return history


@bad(
    "ACC-04",
    message="a user may read another user's run",
    expected="the answer for a run that does not exist",
    actual="HTTP 200",
    witnesses=("connected",),
)
def test_what_answers_the_reading_of_anothers_run_need_not_be_a_stream_of_events() -> History:
    history = History()
    run = history.connect(ALICE).start().whole()
    reading = history.connecting(BOB, method="GET", accept="application/json", ask=history.next_ask())
    reading.asks(Action.READ, run_id=run.run_id, owner=ALICE, ask=history.last_ask)
    reading.connected(200, content_type="application/json")
    reading.receives({"ended": True, "events": []})
    return history
