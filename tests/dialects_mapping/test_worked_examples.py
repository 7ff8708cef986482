"""The two worked examples: recordings under them, and what is asked for."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.dialects.dialect import Exchange, Framing
from conformance.events import Heartbeat, Kind, RunEvent
from conformance.history.operations import Action, Asked
from conformance.verdict import Outcome
from tests.dialects_mapping.mappings import check, encode, example, named, told, violated

CHAT, JOBS = example("chat-sse"), example("jobs-ndjson")

# -- chat-sse ---------------------------------------------------------------------------------------------------------

AT = 1_769_851_800_125
TOOL_START = named("tool_start", {"id": "call-1", "tool": "weather", "args": {"city": "Oslo"}, "at": AT})
TOOL_END = named("tool_end", {"id": "call-1", "output": "4 degrees", "error": None, "at": AT + 500})
TOOL_FAILED = named("tool_end", {"id": "call-1", "output": None, "error": "no such city", "at": AT + 500})
TOKENS = [named("token", {"text": text}) for text in ("It is ", "cold")]
DONE, FAILED = named("done", "[DONE]"), named("failure", {"message": "The model is overloaded."})
CHAT_GOOD: dict[str, list[bytes]] = {
    "a whole answer": [TOOL_START, TOOL_END, *TOKENS, named("usage", {"tokens": 5}), DONE],
    "a tool that fails": [TOOL_START, TOOL_FAILED, *TOKENS, DONE],
    "a model that fails": [*TOKENS, FAILED],
    "unknown fields": [named("token", {"text": "x", "acme": 1}), DONE],
}
CHAT_BAD: dict[str, tuple[set[str], list[bytes]]] = {
    "a text that is none": ({"SCH-02"}, [named("token", {"text": 5}), DONE]),
    "arguments that are no object": (
        {"SCH-02"},
        [named("tool_start", {"id": "call-1", "tool": "t", "args": 5}), TOOL_END, DONE],
    ),
    "no JSON": ({"SCH-01"}, [*TOKENS, named("progress", "{nope"), DONE]),
    "seconds for milliseconds": ({"SCH-03"}, [named("token", {"text": "x", "at": AT / 1000}), DONE]),
    "a tool that never ends": ({"EVT-05", "EVT-07"}, [TOOL_START, *TOKENS, DONE]),
    "an end without a start": ({"EVT-05", "EVT-06"}, [TOOL_END, *TOKENS, DONE]),
    "two ends": ({"EVT-02", "EVT-03"}, [*TOKENS, DONE, FAILED]),
    "a body that was cut": ({"EVT-02"}, TOKENS),
}


def stream(frames: Iterable[bytes]) -> bytes:
    return b"".join(frame + b"\n\n" for frame in frames)


@pytest.mark.parametrize("name", CHAT_GOOD)
def test_a_good_answer_is_no_finding(name: str) -> None:
    assert violated("chat-sse", stream(CHAT_GOOD[name])) == set()


@pytest.mark.parametrize("name", CHAT_BAD)
def test_a_bad_answer_is_found(name: str) -> None:
    expected, frames = CHAT_BAD[name]
    assert violated("chat-sse", stream(frames)) == expected


def test_what_an_answer_tells() -> None:
    run = [event for event in told(CHAT, CHAT_GOOD["a whole answer"]) if isinstance(event, RunEvent)]
    assert [event.kind.name for event in run] == [
        "STARTED", "TOOL_STARTED", "TOOL_COMPLETED", "TEXT", "TEXT", "OTHER", "COMPLETED",
    ]  # fmt: skip
    assert run[1].payload.parameters == {"city": "Oslo"}
    assert run[1].timestamp is not None
    assert run[1].timestamp.isoformat() == "2026-01-31T09:30:00.125000+00:00"
    assert (run[2].payload.status, run[2].payload.result) == ("ok", "4 degrees")
    assert run[-1].payload.final_response == "It is cold"


def test_why_a_tool_and_a_run_failed() -> None:
    tool, end = (e for e in told(CHAT, [TOOL_START, TOOL_FAILED, FAILED]) if isinstance(e, RunEvent) and e.kind in FAIL)
    assert (tool.payload.status, tool.payload.error.message) == ("error", "no such city")
    assert (end.payload.code, end.payload.message) == ("error", "The model is overloaded.")


FAIL = (Kind.TOOL_COMPLETED, Kind.FAILED)


def asked(action: Action = Action.START, **fields: Any) -> Asked:
    return Asked(at=0, ask=1, conn=1, user="user-alice", action=action, request_id="req-1", **fields)


def test_a_question_to_the_chat() -> None:
    question = asked(thread_id=CHAT.new_thread("req-1"), planted={"role": "admin", "message": "never this"})
    (exchange,) = CHAT.exchanges("http://host/chat", question, 'say "hi"')
    assert (exchange.method, exchange.url, exchange.framing) == ("POST", "http://host/chat", Framing.EVENTS)
    assert json.loads(exchange.body) == {
        "message": 'say "hi"',
        "conversation_id": "thread-req-1",
        "client_message_id": "req-1",
        "role": "admin",
    }


def test_what_the_chat_cannot_do_is_not_asked() -> None:
    assert list(CHAT.exchanges("http://host/chat", asked(Action.STOP, run_id="r"), "")) == []
    assert list(CHAT.exchanges("http://host/chat", asked(Action.GARBAGE), "{no")) == [
        Exchange(url="http://host/chat", body="{no")
    ]


# -- jobs-ndjson ------------------------------------------------------------------------------------------------------

Frame = dict[str, Any]
JOB = {"id": "j-81f0c2d4", "session": "s-3fa9"}


def job(n: int, state: str, **fields: Any) -> Frame:
    return {"kind": "job", "state": state, "job": JOB, "n": n, "ts": "2026-01-31T10:30:00+01:00", **fields}


def says(n: int, content: Any) -> Frame:
    return {"kind": "message", "job": JOB, "n": n, "content": content}


def calls(n: int, **call: Any) -> Frame:
    state = "running" if "fn" in call else "finished"
    return {"kind": "call", "state": state, "job": JOB, "n": n, "call": {"ref": "c1", **call}}


LAST = job(4, "finished")
NOTE = {"kind": "note", "job": JOB, "n": 2}
CALL = calls(2, fn="weather", input='{"city": "Oslo"}')
SUCCESS = calls(3, outcome="SUCCESS", output="4 degrees")
JOBS_GOOD: dict[str, list[Any]] = {
    "a whole job": [job(1, "running"), CALL, SUCCESS, says(4, "It is"), says(5, "It is cold"), job(6, "finished")],
    "a tool that fails": [job(1, "running"), CALL, calls(3, outcome="TIMEOUT", problem="too slow"), job(4, "finished")],
    "a sign of life": [{"kind": "keepalive"}, job(1, "running"), says(2, "x"), job(3, "finished")],
    "cancelled": [job(1, "running"), says(2, "x"), job(3, "cancelled")],
    "a text that begins anew": [job(1, "running"), says(2, "first."), says(3, "second."), job(4, "finished")],
    "a kind of its own namespace": [job(1, "running"), {"kind": "acme.note"}, job(2, "finished")],
}
JOBS_BAD: dict[str, tuple[set[str], list[Any]]] = {
    "no JSON": ({"SCH-01"}, [b"{nope", job(1, "running"), job(2, "finished")]),
    "a line of another kind": ({"SCH-04"}, [job(1, "running"), NOTE, job(3, "finished")]),
    "no kind": ({"SCH-02"}, [job(1, "running"), {"note": 1}, job(2, "finished")]),
    "an outcome that is none": ({"SCH-02", "EVT-08"}, [job(1, "running"), CALL, calls(3, outcome="OK"), LAST]),
    "arguments that are no JSON": (
        {"SCH-02"},
        [job(1, "running"), calls(2, fn="weather", input="{city"), SUCCESS, job(4, "finished")],
    ),
    "a gap": ({"ORD-01", "DLV-01"}, [job(1, "running"), says(2, "x"), job(4, "finished")]),
    "a time without its zone": ({"SCH-03"}, [job(1, "running", ts="2026-01-31T10:30:00"), job(2, "finished")]),
    "no id": ({"IDN-01"}, [job(1, "running"), {**says(2, "x"), "job": {}}, job(3, "finished")]),
    "no end": ({"EVT-02"}, [job(1, "running"), says(2, "x")]),
    "a failure that does not say why": (
        {"SCH-02", "EVT-10", "SCH-06"},
        [job(1, "running"), job(2, "failed", problem={"code": "x"})],
    ),
}


def lines(frames: Iterable[Any]) -> bytes:
    return b"".join(encode(frame) + b"\n" for frame in frames)


@pytest.mark.parametrize("name", JOBS_GOOD)
def test_a_good_job_is_no_finding(name: str) -> None:
    assert violated("jobs-ndjson", lines(JOBS_GOOD[name])) == set()


@pytest.mark.parametrize("name", JOBS_BAD)
def test_a_bad_job_is_found(name: str) -> None:
    expected, frames = JOBS_BAD[name]
    assert violated("jobs-ndjson", lines(frames)) == expected


def test_what_a_job_tells() -> None:
    run = [event for event in told(JOBS, JOBS_GOOD["a whole job"]) if isinstance(event, RunEvent)]
    assert [event.kind.name for event in run] == [
        "STARTED",
        "TOOL_STARTED",
        "TOOL_COMPLETED",
        "TEXT",
        "TEXT",
        "COMPLETED",
    ]
    assert {event.run_id for event in run} == {"j-81f0c2d4"}
    assert [event.seq for event in run] == [1, 2, 3, 4, 5, 6]
    assert run[1].payload.parameters == {"city": "Oslo"}
    assert [event.payload.text for event in run[3:5]] == ["It is", " cold"]
    assert run[-1].payload.final_response == "It is cold"


def test_what_jobs_decide() -> None:
    verdict = check("jobs-ndjson", lines(JOBS_GOOD["a whole job"]))
    decided = {r.id for r in verdict.requirements if r.verdict is Outcome.PASS}
    assert {"EVT-01", "EVT-02", "EVT-05", "EVT-08", "EVT-15", "ORD-01", "SCH-01", "SCH-02", "SCH-04"} <= decided


def test_a_sign_of_life_is_one() -> None:
    assert told(JOBS, [{"kind": "keepalive"}]) == [Heartbeat()]


def test_how_a_job_is_asked_for_and_stopped() -> None:
    (start,) = JOBS.exchanges("http://host/v1/", asked(impersonates="user-bobby"), "hello")
    assert (start.url, start.framing) == ("http://host/jobs", Framing.LINES)
    assert json.loads(start.body) == {"prompt": "hello", "idempotency_key": "req-1", "on_behalf_of": "user-bobby"}
    (stop,) = JOBS.exchanges("http://host/v1/", asked(Action.STOP, run_id="j/1"), "")
    assert (stop.method, stop.url, stop.body, stop.framing) == (
        "POST",
        "http://host/jobs/j%2F1/cancel",
        "",
        Framing.WHOLE,
    )


# -- never an exception -----------------------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _changed(frames: list[Any]) -> st.SearchStrategy[bytes]:
    """Frames of the examples with anything in the place of some of their fields."""
    plain = [frame for frame in frames if isinstance(frame, dict)]
    return st.builds(
        lambda frame, name, value: json.dumps({**frame, name: value}).encode(),
        st.sampled_from(plain),
        st.sampled_from(sorted({name for frame in plain for name in frame})),
        _JSON,
    )


_LINES = _changed([frame for frames in JOBS_GOOD.values() for frame in frames])
_EVENTS = st.builds(named, st.sampled_from(["token", "tool_start", "tool_end", "failure", "done", "x"]), _JSON)


@given(st.lists(st.binary(max_size=40) | _LINES | _EVENTS, max_size=20))
def test_any_bytes_are_decoded_without_an_exception(frames: list[bytes]) -> None:
    for dialect in (CHAT, JOBS, example("five-events")):
        assert all(event is not None for event in told(dialect, frames, closed=True))


@given(st.lists(_LINES, min_size=1, max_size=20))
def test_any_lines_are_judged_without_a_crash(frames: list[bytes]) -> None:
    check("jobs-ndjson", lines(frames))
