"""What the decoder makes of AG-UI's events: canonical events, in order, each of its run."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from conformance.dialects import named, names
from conformance.dialects.ag_ui.reading import exact_reader, read_loosely
from conformance.dialects.ag_ui.wire import TYPES
from conformance.events import (
    Flaw,
    Kind,
    OtherRunEvent,
    Refusal,
    RunEvent,
    StoppedPayload,
    ToolCompletedElsewhere,
    ToolError,
    Unknown,
    Violation,
)
from conformance.history.operations import Action, Asked
from tests.dialects_ag_ui.streams import (
    Frame,
    Frames,
    call,
    decoded,
    encode,
    failed,
    finished,
    result,
    run,
    stamped,
    started,
    text,
)


def _told(frames: Frames) -> list[tuple[str, Any]]:
    """Kinds and payloads of the events that say something."""
    return [
        (event.kind.name, event.payload)
        for event in decoded(frames)
        if isinstance(event, RunEvent) and event.kind is not Kind.OTHER
    ]


def _kinds(frames: Frames) -> list[str]:
    return [event.kind.name if isinstance(event, RunEvent) else type(event).__name__ for event in decoded(frames)]


def _only(frames: Frames, kind: Kind) -> Any:
    (event,) = [event for event in decoded(frames) if isinstance(event, RunEvent) and event.kind is kind]
    return event


def test_the_dialect_is_found_by_its_name_and_alone() -> None:
    assert "ag-ui" in names()
    assert named("ag-ui").intrinsic == {"ag_ui"}


def test_a_run_from_start_to_end() -> None:
    thought = {"type": "REASONING_MESSAGE_CONTENT", "messageId": "th-1", "delta": "Let me see."}
    opened = {"type": "REASONING_MESSAGE_START", "messageId": "th-1", "role": "reasoning"}
    frames = stamped([started(), opened, thought, *call(), result(), *text("It is "), *text("cold.", "m2"), finished()])
    events = [event for event in decoded(frames) if isinstance(event, RunEvent)]
    assert {(e.run_id, e.thread_id, e.user_id, e.seq, e.event_id, e.agent_name) for e in events} == {
        ("run-a1", "thread-a1", None, None, None, None)
    }
    told = [event for event in events if event.kind is not Kind.OTHER]
    assert [event.kind.name for event in told] == [
        "STARTED", "THINKING", "TOOL_STARTED", "TOOL_COMPLETED", "TEXT", "TEXT", "COMPLETED",
    ]  # fmt: skip
    assert told[0].payload.request_id == "run-a1"
    assert told[1].payload.thought == "Let me see."
    assert told[2].payload.tool_name == "weather"
    assert told[2].payload.parameters == {"city": "Oslo"}
    assert (told[3].payload.status, told[3].payload.result, told[3].payload.error) == ("ok", "4 degrees", UNSET)
    assert told[6].payload.final_response == "It is cold."
    assert told[0].timestamp == datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    assert told[1].timestamp == datetime(2026, 1, 31, 9, 30, 0, 80_000, tzinfo=UTC)


def test_a_call_starts_when_its_arguments_are_whole() -> None:
    assert _kinds([started(), *call()]) == ["STARTED", "OTHER", "OTHER", "OTHER", "TOOL_STARTED"]


def test_events_without_a_canonical_form_are_namespaced() -> None:
    (event,) = decoded([started(), {"type": "STEP_STARTED", "stepName": "plan"}])[1:]
    assert isinstance(event, OtherRunEvent)
    assert event.type == "ag-ui:STEP_STARTED"


def test_what_the_user_says_is_no_answer() -> None:
    echo = [{**text("Hi", "u1")[0], "role": "user"}, *text("Hi", "u1")[1:]]
    assert _told([started(), *echo, *text("Hello."), finished()])[-1][1].final_response == "Hello."


@pytest.mark.parametrize(
    ("inside", "end", "answer"),
    [
        ([], {}, UNSET),
        ([], {"result": "forty-two"}, "forty-two"),
        ([], {"result": {"value": 42}}, UNSET),
        (text("A"), {"result": "forty-two"}, "A"),
        ([{"type": "MESSAGES_SNAPSHOT", "messages": [{"id": "1", "role": "assistant", "content": "B"}]}], {}, "B"),
        (
            [
                {
                    "type": "MESSAGES_SNAPSHOT",
                    "messages": [
                        {"id": "1", "role": "assistant", "content": "B"},
                        {"id": "2", "role": "user", "content": "And?"},
                    ],
                }
            ],
            {},
            UNSET,
        ),
        (text("  "), {}, UNSET),
    ],
)
def test_the_final_response(inside: Frames, end: Frame, answer: object) -> None:
    assert _told([started(), *inside, finished(**end)])[-1][1].final_response == answer


def test_an_interrupt_stops_the_run() -> None:
    outcome = {"type": "interrupt", "interrupts": [{"id": "int-1", "reason": "confirmation"}]}
    assert _told([started(), finished(outcome=outcome)])[-1] == ("STOPPED", StoppedPayload("interrupt"))


@pytest.mark.parametrize(("fields", "code"), [({}, "RUN_ERROR"), ({"code": "timeout"}, "timeout")])
def test_an_error_ends_the_run_that_is_active(fields: Frame, code: str) -> None:
    event = _only([started(), failed(**fields)], Kind.FAILED)
    assert (event.run_id, event.payload.code, event.payload.message) == ("run-a1", code, "it broke")


def test_an_error_without_a_run_is_a_refusal() -> None:
    assert decoded([failed(code="bad_input")]) == [Refusal("bad_input", "it broke")]


# -- chunks -------------------------------------------------------------------------------------------------------


def _chunk(kind: str, **fields: Any) -> Frame:
    return {"type": f"{kind}_CHUNK", **fields}


def test_text_in_chunks() -> None:
    frames = [
        started(),
        _chunk("TEXT_MESSAGE", messageId="m1", delta="It is "),
        _chunk("TEXT_MESSAGE", delta="cold."),
        finished(),
    ]
    assert _told(frames)[-1][1].final_response == "It is cold."
    assert [kind for kind, _ in _told(frames)] == ["STARTED", "TEXT", "TEXT", "COMPLETED"]


def test_a_call_in_chunks_starts_when_its_arguments_are_an_object() -> None:
    frames = [
        started(),
        _chunk("TOOL_CALL", toolCallId="c1", toolCallName="weather", delta='{"at": {"city":'),
        _chunk("TOOL_CALL", delta='"Oslo"}'),
        _chunk("TOOL_CALL", delta="}"),
    ]
    assert _kinds(frames)[-2:] == ["OTHER", "TOOL_STARTED"]
    assert "TOOL_STARTED" not in _kinds(frames[:-1])
    assert _told(frames)[-1][1].parameters == {"at": {"city": "Oslo"}}


def test_a_call_in_chunks_without_arguments_starts_with_the_next_event() -> None:
    frames = [started(), _chunk("TOOL_CALL", toolCallId="c1", toolCallName="now"), result("noon", "c1")]
    assert [kind for kind, _ in _told(frames)] == ["STARTED", "TOOL_STARTED", "TOOL_COMPLETED"]
    assert _told(frames)[1][1].parameters == {}


def test_a_call_in_chunks_with_something_after_its_object_has_bad_arguments() -> None:
    frames = [
        started(),
        _chunk("TOOL_CALL", toolCallId="c1", toolCallName="now", delta="{}"),
        _chunk("TOOL_CALL", delta="}"),
        finished(),
    ]
    assert [event.requirement for event in decoded(frames) if isinstance(event, Violation)] == ["AGU-14"]


def test_reasoning_in_chunks() -> None:
    frames = [
        started(),
        _chunk("REASONING_MESSAGE", messageId="t1", delta="Hm"),
        _chunk("REASONING_MESSAGE", messageId="t1", delta="."),
        _chunk("REASONING_MESSAGE", delta=""),
    ]
    assert [kind for kind, _ in _told(frames)] == ["STARTED", "THINKING", "THINKING"]


# -- results ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("4 degrees", None),
        ('{"tempC": 4, "error": null}', None),
        ("Errors are rare today", None),
        ("Error: no such city", "Error: no such city"),
        ("Tool error - no such city", "Tool error - no such city"),
        ('{"error": "no such city"}', "no such city"),
        ('{"isError": true}', '{"isError": true}'),
        ('{"status": "error"}', '{"status": "error"}'),
        ('{"broken', None),
    ],
)
def test_a_result_that_says_that_it_is_a_failure(content: str, error: str | None) -> None:
    payload = _only([started(), *call(), result(content)], Kind.TOOL_COMPLETED).payload
    if error is None:
        assert (payload.status, payload.result, payload.error) == ("ok", content, UNSET)
    else:
        assert (payload.status, payload.result, payload.error) == ("error", UNSET, ToolError("tool_error", error))


def _tool_message(**fields: Any) -> Frame:
    message = {"id": "r1", "role": "tool", "toolCallId": "call-1", "content": "4 degrees", **fields}
    return {"type": "MESSAGES_SNAPSHOT", "messages": [message]}


def test_a_result_among_the_messages() -> None:
    assert _only([started(), *call(), _tool_message()], Kind.TOOL_COMPLETED).payload.result == "4 degrees"
    failure = _only([started(), *call(), _tool_message(error="it rains")], Kind.TOOL_COMPLETED).payload
    assert failure.error == ToolError("tool_error", "it rains")


def test_a_result_that_comes_both_ways_counts_once() -> None:
    for both in ([result(), _tool_message()], [_tool_message(), result()], [_tool_message(), _tool_message()]):
        assert _kinds([started(), *call(), *both]).count("TOOL_COMPLETED") == 1
    assert _kinds([started(), *call(), result(), result()]).count("TOOL_COMPLETED") == 2


def test_a_result_before_the_end_of_the_arguments_starts_the_call() -> None:
    frames = [started(), *call()[:-1], result(), call()[-1]]
    assert [kind for kind, _ in _told(frames)] == ["STARTED", "TOOL_STARTED", "TOOL_COMPLETED"]


def test_a_call_without_a_result_is_deferred() -> None:
    for end in (finished(), failed()):
        deferred = _only([started(), *call(), end], Kind.TOOL_DEFERRED)
        assert (deferred.payload.tool_name, deferred.payload.tool_call_id) == ("weather", "call-1")
        assert _kinds([started(), *call(), end])[-2] == "TOOL_DEFERRED"
    assert "TOOL_DEFERRED" not in _kinds([started(), *call(), result(), finished()])


def test_the_result_of_a_deferred_call_belongs_to_no_call_of_its_run() -> None:
    frames = [started(), *call(), finished(), started("run-b2"), result()]
    assert _kinds(frames)[-1] == "OTHER"


def test_the_result_of_a_call_that_was_not_seen() -> None:
    shown: Frame = {"type": "MESSAGES_SNAPSHOT", "messages": []}
    assert isinstance(decoded([started(), result()])[-1], ToolCompletedElsewhere)
    assert [type(event).__name__ for event in decoded([started(), shown, result()])[-2:]] == [
        "Violation",
        "ToolCompleted",
    ]


# -- runs ---------------------------------------------------------------------------------------------------------


def test_runs_one_after_the_other_share_nothing_but_the_stream() -> None:
    frames = [*run(text("A")), started("run-b2"), *text("B"), finished("run-b2")]
    ends = [event for event in decoded(frames) if isinstance(event, RunEvent) and event.kind is Kind.COMPLETED]
    assert [(end.run_id, end.payload.final_response) for end in ends] == [("run-a1", "ADone."), ("run-b2", "B")]


def test_interleaved_runs_are_told_apart_by_their_ids() -> None:
    a, b, one = text("A", "msg-a"), text("B", "msg-b"), call(identifier="call-a")
    frames = [
        started(), a[0], *one[:2], started("run-b2", "thread-b2"), b[0], a[1], b[1], *one[2:], b[2],
        finished("run-b2", "thread-b2"), a[2], result(identifier="call-a"), finished(),
    ]  # fmt: skip
    told = [event for event in decoded(frames) if isinstance(event, RunEvent) and event.kind is not Kind.OTHER]
    assert [(event.kind.name, event.run_id) for event in told] == [
        ("STARTED", "run-a1"),
        ("STARTED", "run-b2"),
        ("TEXT", "run-a1"),
        ("TEXT", "run-b2"),
        ("TOOL_STARTED", "run-a1"),
        ("COMPLETED", "run-b2"),
        ("TOOL_COMPLETED", "run-a1"),
        ("COMPLETED", "run-a1"),
    ]
    assert [event.requirement for event in decoded(frames) if isinstance(event, Violation)] == ["AGU-02"]


def test_an_error_among_interleaved_runs_ends_the_one_that_it_names_or_the_last() -> None:
    for fields, run_id in (({}, "run-b2"), ({"runId": "run-a1"}, "run-a1"), ({"runId": 7}, "run-b2")):
        assert _only([started(), started("run-b2"), failed(**fields)], Kind.FAILED).run_id == run_id


def test_two_decoders_know_nothing_of_each_other() -> None:
    first, second = named("ag-ui").decoder(), named("ag-ui").decoder()
    first.decode(encode(started()))
    (violation, event) = second.decode(encode(text()[0]))
    assert isinstance(violation, Violation)
    assert event == Unknown("ag-ui:TEXT_MESSAGE_START")


# -- form ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "flaw"),
    [
        (b"{", "SCH-01 frame"),
        (b"\xff{}", "SCH-01 frame"),
        (b"[1]", "SCH-01 frame"),
        (b"", "SCH-01 frame"),
        (b"{}", "SCH-02 type"),
        (b'{"type": 3}', "SCH-02 type"),
        (finished(runId=None), "IDN-01 runId"),
        (finished(threadId=None), "SCH-02 threadId"),
        ({"type": "RUN_ERROR", "message": None}, "SCH-02 message"),
        (failed(code=3), "SCH-02 code"),
        ({"type": "CUSTOM"}, "SCH-02 name"),
        ({"type": "CUSTOM", "name": "a.b", "metadata": None}, "SCH-02 metadata"),
        ({"type": "CUSTOM", "name": "a.b", "timestamp": None}, "SCH-02 timestamp"),
        ({"type": "CUSTOM", "name": "a.b", "timestamp": "2026-01-31T09:30:00Z"}, "SCH-02 timestamp"),
        ({"type": "CUSTOM", "name": "a.b", "timestamp": 1_769_851_800}, "SCH-03 timestamp"),
        ({"type": "CUSTOM", "name": "a.b", "timestamp": 1_769_851_800.25}, "SCH-03 timestamp"),
        ({"type": "CUSTOM", "name": "a.b", "timestamp": 1_769_851_800_000_000}, "SCH-03 timestamp"),
        (finished(outcome={"type": "interrupt", "interrupts": []}), "SCH-02 outcome"),
        (finished(outcome={"type": "error"}), "SCH-02 outcome"),
        ({"type": "STATE_DELTA", "delta": {}}, "SCH-02 delta"),
        ({"type": "MESSAGES_SNAPSHOT", "messages": ["a"]}, "SCH-02 messages"),
        ({"type": "MESSAGES_SNAPSHOT", "messages": [{"id": "1", "role": "bot"}]}, "SCH-02 messages[0].role"),
        ({"type": "MESSAGES_SNAPSHOT", "messages": [{"role": "user"}]}, "SCH-02 messages[0].id"),
        ({"type": "TEXT_MESSAGE_START", "messageId": 1}, "SCH-02 messageId"),
        ({"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "bot"}, "SCH-02 role"),
        ({"type": "TEXT_MESSAGE_CHUNK", "messageId": "m", "delta": None}, "SCH-02 delta"),
        ({"type": "TOOL_CALL_START", "toolCallId": "c"}, "SCH-02 toolCallName"),
        ({"type": "REASONING_MESSAGE_START", "messageId": "m"}, "SCH-02 role"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_frame(frame: Frame | bytes, flaw: str) -> None:
    events = decoded([started(), frame])[1:]
    assert [f"{event.requirement} {event.field}" for event in events if isinstance(event, Flaw)] == [flaw]


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "t", "parentMessageId": None},
        {"type": "CUSTOM", "name": "a.b"},
        {"type": "CUSTOM", "name": "a.b", "value": None, "rawEvent": {"any": 1}, "unheardOf": [1]},
        {"type": "STATE_SNAPSHOT"},
        {"type": "RAW", "event": {"type": "RUN_STARTED"}, "source": "elsewhere"},
        {"type": "CUSTOM", "name": "a.b", "timestamp": 1_769_851_800_125.5},
        {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "tool"},
        {"type": "REASONING_ENCRYPTED_VALUE", "subtype": "message", "entityId": "m", "encryptedValue": "x"},
        finished(outcome=None),
        finished(outcome={"type": "success"}, usage=[{"model": "m", "inputTokens": 3}]),
    ],
)
def test_frames_that_are_as_they_may_be(frame: Frame) -> None:
    assert [event for event in decoded([started(), frame]) if not isinstance(event, RunEvent)] == []


def test_seconds_for_milliseconds_are_named_as_such() -> None:
    (flaw, _) = decoded([started(timestamp=1_769_851_800)])
    assert flaw == Flaw(
        "SCH-03",
        "timestamp",
        "milliseconds since 1970, e.g. 1769851800125",
        "1769851800 (that many seconds since 1970?)",
    )


def test_a_frame_that_deviates_is_still_read() -> None:
    broken = {**text()[1], "timestamp": None}
    assert _told([started(), text()[0], broken, text()[2], finished()])[-1][1].final_response == "Hello."


def test_a_frame_without_its_id_breaks_nothing_else() -> None:
    nameless = [{name: value for name, value in frame.items() if name != "messageId"} for frame in text()]
    assert {type(event).__name__ for event in decoded([started(), *nameless])[1:]} == {"Flaw", "OtherRunEvent"}


_VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 1e300, 10**30, "", "a", "\ud800", [], [None], [[]], ["a"], {}, {"a": 1}, {"type": "interrupt"},
     {"type": "interrupt", "interrupts": [{"id": "", "reason": "tool_call"}]},
     [{"op": "add", "path": "/a", "value": 1}], [{"op": "remove", "path": "/a/b"}],
     [{"id": "a", "role": "assistant", "content": "x", "toolCalls": [{"id": "a"}]}],
     [{"id": "a", "role": "tool", "toolCallId": "a", "content": "x"}], {"tools": [{"name": "a"}, 3], "messages": [3]}]
)  # fmt: skip
_FIELDS = st.sampled_from(
    ["messageId", "toolCallId", "toolCallName", "delta", "runId", "threadId", "role", "outcome", "messages", "snapshot",
     "stepName", "timestamp", "content", "patch", "input", "parentRunId", "message", "name", "activityType", "metadata"]
)  # fmt: skip
_FRAMES = st.builds(
    lambda kind, ids, rest: json.dumps({**rest, **ids, "type": kind}).encode(),
    st.sampled_from([*TYPES, "NO_SUCH_TYPE"]),
    st.dictionaries(_FIELDS, st.sampled_from(["", "a", "b"]), max_size=5),
    st.dictionaries(_FIELDS, _VALUES, max_size=3),
)


@given(st.lists(_FRAMES | st.binary(max_size=20), max_size=12))
def test_the_decoder_never_raises(frames: list[bytes]) -> None:
    decode = named("ag-ui").decoder().decode
    for frame in [encode(started()), *frames]:
        for event in decode(frame):
            assert event is not None


@given(_FRAMES)
def test_both_ways_of_reading_agree(frame: bytes) -> None:
    try:
        exact = exact_reader()(frame)
    except Exception:
        return
    flaws: list[Flaw] = []
    assert read_loosely(frame, flaws) == exact
    assert flaws == []


# -- requests -----------------------------------------------------------------------------------------------------


def test_a_request_is_the_input_of_a_run() -> None:
    asked = Asked(0, 1, 1, "ann", Action.START, request_id="req-1", planted={"run_id": "evil"}, impersonates="bob")
    body = json.loads(named("ag-ui").request(asked, "Hello"))
    assert (body["threadId"], body["runId"], body["tools"], body["context"]) == ("thread-req-1", "req-1", [], [])
    assert body["messages"] == [{"id": "message-req-1", "role": "user", "content": "Hello"}]
    assert body["forwardedProps"] == {"run_id": "evil", "userId": "bob", "user_id": "bob"}


def test_a_request_to_go_on_names_its_thread() -> None:
    asked = Asked(0, 1, 1, "ann", Action.CONTINUE, request_id="req-2", thread_id="thread-7")
    assert json.loads(named("ag-ui").request(asked, "And?"))["threadId"] == "thread-7"


def test_what_ag_ui_cannot_ask_for_is_sent_as_it_is() -> None:
    dialect = named("ag-ui")
    assert dialect.request(Asked(0, 1, 1, "ann", Action.GARBAGE), "{") == "{"
    assert list(dialect.exchanges("http://host/agent", Asked(0, 1, 1, "ann", Action.STOP), "")) == []
