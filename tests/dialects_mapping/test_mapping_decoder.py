"""What a mapping can say, each with the least file that says it."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from conformance.cli import run
from conformance.dialects.mapping import paths
from conformance.events import (
    Accepted,
    Flaw,
    Heartbeat,
    OtherRunEvent,
    Pong,
    Ready,
    Refusal,
    RunCompleted,
    RunEvent,
    TextDelta,
    ToolDeferred,
    Unknown,
)
from conformance.history.operations import Action, Asked
from tests.dialects_mapping.mappings import DONE, EXAMPLES, HEAD, STARTED, encode, mapping, named, told

FIELDS = '\n[fields]\nrun_id = "run"\n'
TEXT = '\n[[event]]\nis = "text"\nwhen = { t = "text" }\ntext = "text"\n'
CALL = '\n[[event]]\nis = "tool_started"\nwhen = { t = "call" }\ntool_call_id = "id"\ntool_name = "fn"\n'
OUTPUT = '\n[[event]]\nis = "tool_completed"\nwhen = { t = "output" }\ntool_call_id = "id"\n'
DONE_FRAME, CALL_FRAME = {"t": "done"}, {"t": "call", "id": "c", "fn": "weather"}


def one(text: str, frame: Any, kind: type = RunEvent) -> Any:
    """The one event of a kind that a frame tells."""
    (event,) = [event for event in told(mapping(HEAD + DONE + text), [frame]) if isinstance(event, kind)]
    return event


# -- paths ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.b", 1),
        ("list[1].x", 2),
        ("/a/b", 1),
        ("/list/1/x", 2),
        ("/odd~1name.with~0dots", 3),
        ("a b", 4),
        ("a.c", UNSET),
        ("list[9]", UNSET),
        ("a.b.c", UNSET),
        ("list.x", UNSET),
    ],
)
def test_a_path_leads_to_a_value(path: str, expected: Any) -> None:
    frame = {"a": {"b": 1}, "list": [0, {"x": 2}], "odd/name.with~dots": 3, "a b": 4}
    assert paths.find(paths.parse(path), frame) == expected


def test_the_first_path_that_is_there_counts() -> None:
    text = '\n[[event]]\nis = "text"\nwhen = { t = "text" }\ntext = ["delta.text", "text"]\n'
    assert one(text, {"t": "text", "text": "b", "delta": {"text": "a"}}).payload.text == "a"
    assert one(text, {"t": "text", "text": "b"}).payload.text == "b"


# -- which frame is which ---------------------------------------------------------------------------------------------


def test_a_frame_is_known_by_several_fields() -> None:
    text = '\n[[event]]\nis = "heartbeat"\nwhen = { a.b = ["x", 5], "c" = true }\nhas = ["d"]\nlacks = ["e.f"]\n'
    dialect = mapping(HEAD + DONE + text)
    good: dict[str, Any] = {"t": "?", "a": {"b": 5}, "c": True, "d": 0}
    assert told(dialect, [good, {**good, "a": {"b": "x"}}, {**good, "e": {"f": None}}]) == [Heartbeat()] * 3
    for change in ({"a": {"b": 6}}, {"c": 1}, {"c": False}, {"d": None}, {"e": {"f": 1}}):
        assert told(dialect, [{**good, **change}]) == [Unknown("?")]


def test_the_first_that_fits_counts_unless_it_says_to_go_on() -> None:
    again = '\n[[event]]\nis = "run_completed"\nwhen = { t = "text" }\nhas = ["last"]\n'
    both = mapping(HEAD + DONE + TEXT.replace("text = ", "text = ", 1) + "go_on = true\n" + again)
    first = mapping(HEAD + DONE + TEXT + again)
    frame = {"t": "text", "text": "x", "last": True}
    assert [type(event) for event in told(both, [frame])] == [TextDelta, RunCompleted]
    assert [type(event) for event in told(first, [frame])] == [TextDelta]


def test_a_frame_that_is_no_object_can_be_meant() -> None:
    dialect = mapping(HEAD + '[[event]]\nis = "run_completed"\nwhen = { "@text" = "[DONE]" }\n')
    assert isinstance(told(dialect, [b"[DONE]"])[0], RunCompleted)
    assert told(dialect, [b"[MORE]"])[0] == Flaw(
        "SCH-01", "frame", "a JSON object in UTF-8", "JSON is malformed: invalid character (byte 1): [MORE]"
    )
    assert told(dialect, [b"[1]"]) == [Flaw("SCH-01", "frame", "a JSON object", "[1]")]


def test_frames_of_other_types_are_told_unless_they_do_not_matter() -> None:
    text = HEAD + DONE + FIELDS
    (unknown, of_run) = told(mapping(text), [{"t": "note"}, {"t": "note", "run": "r"}])
    assert unknown == Unknown("note")
    assert isinstance(of_run, OtherRunEvent)
    assert (of_run.type, of_run.run_id) == ("note", "r")
    ignoring = mapping(text.replace('type = "t"', 'type = "t"\nunknown = "ignore"'))
    assert told(ignoring, [{"t": "note"}]) == [Unknown("mapping:note")]
    declared = mapping(text + '\n[[event]]\nis = "other"\nwhen = { t = "note" }\n')
    assert told(declared, [{"t": "note"}]) == [Unknown("mapping:note")]


# -- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        ("rfc3339", "2026-01-31T09:30:00.125Z", "2026-01-31T09:30:00.125000+00:00"),
        ("iso", "2026-01-31T10:30:00+01:00", "2026-01-31T10:30:00+01:00"),
        ("s", 1769851800.125, "2026-01-31T09:30:00.125000+00:00"),
        ("ms", 1769851800125, "2026-01-31T09:30:00.125000+00:00"),
        ("us", 1769851800125000, "2026-01-31T09:30:00.125000+00:00"),
    ],
)
def test_a_time_has_a_form(form: str, value: Any, expected: str) -> None:
    text = f'[fields]\ntimestamp = {{ path = "ts", form = "{form}" }}\n' + TEXT
    assert one(text, {"t": "text", "text": "x", "ts": value}).timestamp.isoformat() == expected


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("rfc3339", "2026-01-31T09:30:00Z"),
        ("iso", "2026-01-31T10:30:00"),
        ("iso", 5),
        ("s", 1769851800125),
        ("ms", 1769851800),
        ("ms", "1769851800125"),
        ("us", 1769851800125),
        ("us", True),
    ],
)
def test_a_time_in_another_form_is_a_flaw(form: str, value: Any) -> None:
    text = f'[fields]\ntimestamp = {{ path = "ts", form = "{form}" }}\n' + TEXT
    assert one(text, {"t": "text", "text": "x", "ts": value}, Flaw).requirement == "SCH-03"


def test_what_is_missing_and_what_may_be() -> None:
    assert one(CALL, {"t": "call", "id": "c"}, Flaw) == Flaw("SCH-02", "fn", "a string", "missing")
    assert one(CALL.replace('"fn"', '"fn?"'), {"t": "call", "id": "c"}).payload.tool_name is None
    assert one(TEXT + FIELDS, {"t": "text", "text": "x"}, Flaw) == Flaw(
        "IDN-01", "run", "a non-empty string", "missing"
    )


def test_values_are_translated_and_some_are_always_the_same() -> None:
    status = 'status = { path = "ok", values = { true = "ok", false = "error" } }\nresult = { value = "done" }\n'
    payload = one(OUTPUT + status, {"t": "output", "id": "c", "ok": True}).payload
    assert (payload.status, payload.result) == ("ok", "done")
    flaw = one(OUTPUT + status, {"t": "output", "id": "c", "ok": "yes"}, Flaw)
    assert flaw == Flaw("SCH-02", "ok", "true or false", '"yes"')


def test_json_within_a_string() -> None:
    text = CALL + 'parameters = { path = "args", json = true, type = "object" }\n'
    assert one(text, {**CALL_FRAME, "args": '{"a": 1}'}).payload.parameters == {"a": 1}
    assert one(text, {**CALL_FRAME, "args": "[1]"}, Flaw) == Flaw("SCH-02", "args", "an object", '"[1]"')
    assert one(text, {**CALL_FRAME, "args": "{no"}, Flaw) == Flaw("SCH-02", "args", "an object", '"{no"')


def test_an_event_may_place_a_field_of_the_envelope_elsewhere() -> None:
    text = FIELDS + TEXT + 'run_id = "meta.run"\n'
    assert one(text, {"t": "text", "text": "x", "meta": {"run": "r"}}).run_id == "r"


# -- what came of a tool ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("places", "frame", "status", "error"),
    [
        ("", {}, "ok", None),
        ('result = "out"\n', {"out": "4"}, "ok", None),
        ('result = "out"\n', {"out": "Error: no such city"}, "error", "Error: no such city"),
        ('result = "out"\n', {"out": {"error": "gone"}}, "error", "gone"),
        ('result = "out?"\nerror = "err?"\n', {"out": "4", "err": None}, "ok", None),
        ('result = "out?"\nerror = "err?"\n', {"err": {"code": "x", "message": "gone"}}, "error", "gone"),
        ('result = "out?"\nerror = "err?"\n', {"err": "gone"}, "error", "gone"),
        ('error_code = "code?"\nerror_message = "err?"\n', {"code": "x", "err": "gone"}, "error", "gone"),
        ('status = "st"\nresult = "out"\n', {"st": "error", "out": "gone"}, "error", "gone"),
        ('status = "st"\n', {"st": "ok"}, "ok", None),
    ],
)
def test_what_came_of_a_tool(places: str, frame: dict[str, Any], status: str, error: str | None) -> None:
    payload = one(OUTPUT + places, {"t": "output", "id": "c", **frame}).payload
    assert payload.status == status
    assert (None if payload.error is UNSET else payload.error.message) == error
    assert (payload.result is UNSET) == (error is not None)


def test_an_error_that_is_none() -> None:
    text = OUTPUT + 'error = "err?"\n'
    assert one(text, {"t": "output", "id": "c", "err": 5}, Flaw).expected == "an object {code, message}, or a string"


def test_arguments_in_pieces() -> None:
    pieces = '\n[[event]]\nis = "tool_arguments"\nwhen = { t = "args" }\ntool_call_id = "id"\narguments = "delta"\n'
    frames = [{"t": "args", "id": "c", "delta": '{"city": '}, {"t": "args", "id": "c", "delta": '"Oslo"}'}, CALL_FRAME]
    (*_, start) = told(mapping(HEAD + DONE + CALL + pieces), frames)
    assert isinstance(start, RunEvent)
    assert start.payload.parameters == {"city": "Oslo"}


def test_calls_that_the_client_runs() -> None:
    text = HEAD + "client_tools = true\n" + DONE + CALL + OUTPUT
    open_one = {**CALL_FRAME, "id": "d"}
    (*_, deferred, end) = told(mapping(text), [CALL_FRAME, open_one, {"t": "output", "id": "c"}, DONE_FRAME])
    assert isinstance(deferred, ToolDeferred)
    assert deferred.payload.tool_call_id == "d"
    assert isinstance(end, RunCompleted)


# -- how a run begins, speaks and ends --------------------------------------------------------------------------------


def test_a_run_that_begins_with_its_first_event() -> None:
    dialect = mapping(HEAD + "implicit_start = true\n" + DONE + TEXT + FIELDS)
    frames = [{"t": "text", "text": text, "run": run} for run in ("a", "b") for text in ("x", "y")]
    after = [{"t": "done", "run": "a"}, {"t": "text", "text": "late", "run": "a"}]
    kinds = [(e.run_id, e.kind.name) for e in told(dialect, frames + after) if isinstance(e, RunEvent)]
    assert kinds == [
        ("a", "STARTED"), ("a", "TEXT"), ("a", "TEXT"), ("b", "STARTED"), ("b", "TEXT"), ("b", "TEXT"),
        ("a", "COMPLETED"), ("a", "TEXT"),
    ]  # fmt: skip


def test_the_answer_is_what_was_streamed_where_no_field_holds_it() -> None:
    frames = [{"t": "text", "text": "It is "}, {"t": "text", "text": "cold"}, DONE_FRAME]
    (*_, end) = told(mapping(HEAD + DONE + TEXT), frames)
    assert isinstance(end, RunCompleted)
    assert end.payload.final_response == "It is cold"
    (end,) = told(mapping(HEAD + DONE), [DONE_FRAME])
    assert isinstance(end, RunCompleted)
    assert end.payload.final_response is UNSET


def test_text_that_is_accumulated_message_by_message() -> None:
    text = TEXT.replace('text = "text"\n', 'text = { path = "text", accumulated = true }\nmessage_id = "m"\n')
    frames = [
        {"t": "text", "m": m, "text": t} for m, t in (("1", "a"), ("2", "x"), ("1", "ab"), ("1", "ab"), ("2", "xy"))
    ]
    pieces = [e.payload.text for e in told(mapping(HEAD + DONE + text), frames) if isinstance(e, TextDelta)]
    assert pieces == ["a", "x", "b", "y"]


def test_the_end_of_the_stream_may_be_the_end_of_the_run() -> None:
    dialect = mapping(HEAD + 'end_of_stream = "completed"\n' + STARTED + TEXT)
    frames = [{"t": "start"}, {"t": "text", "text": "x"}]
    assert not any(isinstance(event, RunCompleted) for event in told(dialect, frames))
    (*_, end) = told(dialect, frames, closed=True)
    assert isinstance(end, RunCompleted)
    assert end.payload.final_response == "x"
    assert told(mapping(HEAD + DONE + TEXT), frames[1:], closed=True)[1:] == []


# -- beside the runs --------------------------------------------------------------------------------------------------

CONTROL = """
[[event]]
is = "ready"
when = { t = "hello" }
user_id = "who"
capabilities = "can?"
heartbeat_s = "beat?"

[[event]]
is = "accepted"
when = { t = "ok" }
run_id = "run"
request_id = "re?"

[[event]]
is = "refusal"
when = { t = "no" }
message = "why"

[[event]]
is = "pong"
when = { t = "pong" }
"""


def test_control_frames() -> None:
    frames = [
        {"t": "hello", "who": "u", "can": ["stop", 5], "beat": 25},
        {"t": "ok", "run": "r"},
        {"t": "no", "why": "full"},
        {"t": "pong"},
    ]
    assert told(mapping(HEAD + DONE + CONTROL), frames) == [
        Ready(user_id="u", capabilities=("stop",), heartbeat_s=25.0),
        Accepted("r", None, None),
        Refusal("error", "full"),
        Pong(),
    ]


def test_a_websocket_greets_where_its_mapping_says_so() -> None:
    over_websocket = HEAD.replace("ndjson", "websocket")
    assert mapping(over_websocket + DONE + CONTROL).greets
    assert not mapping(over_websocket + DONE).greets


# -- requests ---------------------------------------------------------------------------------------------------------


def asked(action: Action = Action.START, **fields: Any) -> Asked:
    return Asked(at=0, ask=1, conn=1, user="u", action=action, request_id="req-1", **fields)


def test_a_body_of_plain_text_and_headers() -> None:
    headers = 'headers = { X-Request = "{request_id}" }\n'
    request = '\n[requests.start]\nurl = "v1/{thread_id}/ask"\nbody = "ask {text}"\n' + headers
    (exchange,) = mapping(HEAD + DONE + request).exchanges("http://host/api/x?y=1", asked(thread_id="t 1"), "hi")
    assert (exchange.url, exchange.body) == ("http://host/api/v1/t%201/ask", "ask hi")
    assert exchange.headers == (("X-Request", "req-1"),)


def test_a_body_keeps_its_types_and_leaves_out_what_there_is_not() -> None:
    request = (
        '\n[requests.start]\nbody = { n = 1, on = true, seq = "{after_seq}", all = ["{text}", "{thread_id}"], '
        'line = "{user}: {text}" }\n'
    )
    body = mapping(HEAD + DONE + request).request(asked(after_seq=3), "hi")
    assert json.loads(body) == {"n": 1, "on": True, "seq": 3, "all": ["hi"], "line": "u: hi"}


def test_what_goes_on_may_be_asked_for_otherwise() -> None:
    requests = '\n[requests.start]\nbody = "a"\n[requests.continue]\nbody = "b"\n'
    dialect = mapping(HEAD + DONE + requests)
    assert (dialect.request(asked(), ""), dialect.request(asked(Action.CONTINUE), "")) == ("a", "b")


# -- at the command line ----------------------------------------------------------------------------------------------


def test_check_takes_a_mapping(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = tmp_path / "run.sse"
    frames = [named("token", {"text": "x"}), named("done", "[DONE]"), named("token", {"text": "late"})]
    recording.write_bytes(b"\n\n".join([*frames, b""]))
    options = ["--dialect", str(EXAMPLES / "chat-sse.toml"), "--json", "--out", str(tmp_path / "out")]
    assert run(["check", str(recording), *options]) == 1
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["dialect"] == "chat-sse"
    assert {r["id"] for r in verdict["requirements"] if r["verdict"] == "fail"} == {"EVT-03"}


def test_a_mapping_that_is_wrong_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ours.toml"
    file.write_text(HEAD + STARTED)
    recording = tmp_path / "run.jsonl"
    recording.write_bytes(encode(DONE_FRAME))
    assert run(["check", str(recording), "--dialect", str(file)]) == 64
    assert "ours.toml: [[event]]: no frame ends a run" in capsys.readouterr().err
