"""openai-responses: events in, requests out; what does not fit is found, what is legal is not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from conformance.dialects import named
from conformance.events import Kind, Refusal, RunEvent, ToolCompletedElsewhere
from conformance.history.operations import Action, Asked
from conformance.verdict import Outcome
from tests.dialects_openai_responses.responses import (
    ID,
    Frames,
    answer,
    check,
    created,
    function,
    item,
    mcp,
    message,
    numbered,
    reasoning,
    response,
    result,
    search,
    told,
    violated,
)

FAILURE = {"code": "server_error", "message": "The model is overloaded."}
ERROR = {"type": "error", "code": "server_error", "message": "The model is overloaded.", "param": None}
DOWN = {"type": "http_error", "code": 503, "message": "down"}
HALF = message(0, "half ", "a sentence")[:4]
LIMIT = {"reason": "max_output_tokens"}
REFUSAL = {"type": "refusal", "refusal": "No."}
IN_FULL = {"type": "message", "role": "assistant", "status": "completed", "id": "msg_9"}
SAID = [{"type": "output_text", "text": "Done.", "annotations": []}]
GOOD: dict[str, Frames] = {
    "text": answer(message(0, "It ", "is cold")),
    "reasoning, a function that the client runs": answer(reasoning(0, "hm ", "hm"), function(1)),
    "functions that the agent runs": answer(
        function(0, call_id="a"), function(1, call_id="b"), result(2, call_id="b"), result(3, "error: no", "a"),
        message(4, "sorry"),
    ),
    "tools of the server": answer(search(0), mcp(1, output="4"), message(2, "4 degrees")),
    "a tool of the server that fails": answer(mcp(0, status="failed", error=DOWN)),
    "arguments that are no JSON": answer(function(0, "{city")),
    "two messages": answer(message(0, "first "), message(1, "second", id="msg_2")),
    "two messages at the same time": answer(
        [frame for pair in zip(message(0, "a", "b"), message(1, "c", "d", id="msg_2"), strict=True) for frame in pair]
    ),
    "a message that was not streamed": answer(item(0, {**IN_FULL, "content": []}, content=SAID)),
    "a refusal": answer(
        item(
            0,
            {**IN_FULL, "content": []},
            {"type": "response.content_part.added", "content_index": 0, "part": {**REFUSAL, "refusal": ""}},
            {"type": "response.refusal.delta", "content_index": 0, "delta": "No."},
            {"type": "response.refusal.done", "content_index": 0, "refusal": "No."},
            {"type": "response.content_part.done", "content_index": 0, "part": REFUSAL},
            content=[REFUSAL],
        )
    ),
    "reasoning in full": answer(
        item(
            0,
            {"id": "rs_1", "type": "reasoning", "summary": []},
            {"type": "response.reasoning_text.delta", "content_index": 0, "delta": "hm"},
            {"type": "response.reasoning_text.done", "content_index": 0, "text": "hm"},
        ),
        message(1, "done"),
    ),
    "an output that is not repeated": answer(message(0, "x"), output=[]),
    "numbers that begin with 1 and leave some out": [
        {**frame, "sequence_number": 2 * number + 1} for number, frame in enumerate(answer(message(0, "x", "y")))
    ],
    "queued first": numbered([response("queued"), created(), *message(0, "x"), response("completed")]),
    "cut short": numbered([created(), *HALF, response("incomplete", incomplete_details=LIMIT)]),
    "a model that fails": numbered([created(), *HALF, response("failed", error=FAILURE)]),
    "an error and its failure": numbered([created(), ERROR, response("failed", error=FAILURE)]),
    "an error alone": numbered([created(), *HALF, ERROR]),
    "nothing but an error": numbered([ERROR]),
    "a new kind of event": answer({"type": "response.hologram.delta", "delta": "x"}, message(0, "x")),
}  # fmt: skip
BARE = message(0, "a", "b")
FAILED = response("failed", error=FAILURE)


def swapped(text: str) -> Frames:
    """A message whose whole text is another than what was streamed."""
    return [{**frame, "text": text} if frame["type"] == "response.output_text.done" else frame for frame in BARE]


BAD: dict[str, tuple[set[str], list[Any]]] = {
    "no JSON": ({"SCH-01"}, [*answer(message(0, "x")), b"{nope"]),
    "no type": ({"SCH-02"}, answer({"delta": "x"}, message(0, "x"))),
    "a type of another API": ({"SCH-04"}, answer({"type": "message"}, message(0, "x"))),
    "no number": ({"SCH-02"}, [{k: v for k, v in f.items() if k != "sequence_number"} for f in answer(BARE)]),
    "a number again": ({"SCH-02"}, [{**frame, "sequence_number": 7} for frame in answer(BARE)]),
    "numbers that go back": ({"SCH-02"}, answer(BARE[:2], {**BARE[2], "sequence_number": 99}, BARE[3:])),
    "a delta that is no text": ({"SCH-02", "EVT-15"}, answer(BARE[:2], {**BARE[2], "delta": 5}, BARE[3:])),
    "text of an item that is not there": ({"SCH-02"}, answer(BARE[2:4], BARE, output=[])),
    "text of another item": ({"SCH-02"}, answer(BARE[:2], {**BARE[2], "item_id": "msg_7"}, BARE[3:])),
    "text of a part that was not added": ({"SCH-02"}, answer(BARE[:1], BARE[2:])),
    "text of an item that is done": ({"SCH-02"}, answer(BARE, BARE[2:4], output=[])),
    "an item that is done twice": ({"SCH-02"}, answer(BARE, BARE[-1:], output=[])),
    "two items in one place": ({"SCH-02"}, answer(BARE, message(0, "c", id="msg_2"))),
    "a text that is not what was streamed": ({"SCH-02"}, answer(swapped("b"))),
    "a piece that came twice": ({"SCH-02", "EVT-15"}, answer(BARE[:3], BARE[2:])),
    "arguments that are not what was streamed": ({"SCH-02"}, answer(function(0)[:2], function(0)[3:])),
    "an answer that was not streamed": ({"EVT-15"}, answer(BARE, output=[{**IN_FULL, "content": SAID}])),
    "another id at the end": ({"IDN-03"}, answer(BARE, id="resp_other")),
    "another status at the end": ({"SCH-02"}, answer(BARE, status="in_progress")),
    "no beginning": ({"EVT-01", "EVT-02"}, numbered([*BARE, response("completed")])),
    "a beginning twice": ({"EVT-01", "EVT-14"}, numbered([created(), created(), *BARE, response("completed")])),
    "two ends": ({"EVT-02", "EVT-03"}, numbered([created(), *BARE, response("completed"), FAILED])),
    "text after the end": ({"EVT-03", "SCH-02"}, numbered([created(), response("completed"), *BARE[2:4]])),
    "a failure that does not say why": ({"EVT-10", "SCH-06"}, numbered([created(), response("failed")])),
    "a body that was cut": ({"EVT-02"}, numbered([created(), *HALF])),
    "a result twice": ({"EVT-05"}, answer(function(0), result(1), result(2))),
    "an empty id": ({"IDN-01"}, numbered([created(id=""), *BARE, response("completed", id="")])),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_what_is_legal_is_no_finding(name: str) -> None:
    assert violated(GOOD[name]) == set()


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_is_found(name: str) -> None:
    expected, frames = BAD[name]
    assert violated(frames) == expected


@pytest.mark.parametrize("name", [name for name in GOOD if "a new kind" not in name])
def test_the_good_examples_are_so_by_the_official_types(name: str) -> None:
    official: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    for frame in GOOD[name]:
        assert official.validate_json(json.dumps(frame)).type == frame["type"]


@pytest.mark.parametrize("name", [name for name in GOOD if "nothing but" not in name])
def test_a_run_is_told_from_its_start_to_one_end(name: str) -> None:
    run = [event for event in told(GOOD[name]) if isinstance(event, RunEvent)]
    assert run[0].kind is Kind.STARTED
    assert {event.run_id for event in run} == {ID}
    assert [event.kind for event in run if event.terminal] == [run[-1].kind]


def said(name: str) -> list[tuple[str, Any]]:
    run = [event for event in told(GOOD[name]) if isinstance(event, RunEvent) and event.kind is not Kind.OTHER]
    return [(event.kind.name, event.payload) for event in run]


def test_what_a_run_tells() -> None:
    (_, thought, again, call, deferred, (_, end)) = said("reasoning, a function that the client runs")
    assert (thought[1].thought, again[1].thought) == ("hm ", "hm")
    assert (call[0], call[1].tool_name, call[1].tool_call_id) == ("TOOL_STARTED", "weather", "call_1")
    assert call[1].parameters == {"city": "Oslo"}
    assert deferred[0] == "TOOL_DEFERRED"
    assert end.duration_ms is None


def test_functions_that_the_agent_runs_come_to_an_end() -> None:
    outcomes = {p.tool_call_id: p for kind, p in said("functions that the agent runs") if kind == "TOOL_COMPLETED"}
    assert (outcomes["b"].status, outcomes["b"].result) == ("ok", "4 degrees")
    assert (outcomes["a"].status, outcomes["a"].error.message) == ("error", "error: no")


def test_a_tool_of_the_server_starts_when_its_item_does() -> None:
    kinds = [kind for kind, _ in said("tools of the server")]
    assert kinds == ["STARTED", "TOOL_STARTED", "TOOL_COMPLETED", "TOOL_STARTED", "TOOL_COMPLETED", "TEXT", "COMPLETED"]
    (kind, failed) = said("a tool of the server that fails")[2]
    assert (kind, failed.status, failed.error.message) == ("TOOL_COMPLETED", "error", "down")


def test_the_answer_is_the_output() -> None:
    assert said("two messages")[-1][1].final_response == "first second"
    assert said("two messages at the same time")[-1][1].final_response == "acbd"
    assert [kind for kind, _ in said("a message that was not streamed")] == ["STARTED", "TEXT", "COMPLETED"]


def test_how_runs_end() -> None:
    assert said("cut short")[-1][0] == "STOPPED"
    assert said("cut short")[-1][1].reason == "max_output_tokens"
    for name in ("a model that fails", "an error and its failure", "an error alone"):
        kind, payload = said(name)[-1]
        assert (kind, payload.code, payload.message) == ("FAILED", "server_error", "The model is overloaded.")
    assert Refusal("server_error", "The model is overloaded.") in told(GOOD["nothing but an error"])


def test_an_error_alone_ends_the_run_when_the_stream_ends() -> None:
    assert not any(isinstance(e, RunEvent) and e.terminal for e in told(GOOD["an error alone"], closed=False))


def test_a_result_of_an_earlier_response_is_no_finding() -> None:
    frames = answer(result(0), message(1, "x"))
    assert any(isinstance(event, ToolCompletedElsewhere) for event in told(frames))
    assert violated(frames) == set()


def test_the_thread_is_the_conversation() -> None:
    frames = numbered([created(conversation={"id": "conv_1"}), *BARE, response("completed")])
    assert {event.thread_id for event in told(frames) if isinstance(event, RunEvent)} == {"conv_1"}


def test_what_the_stream_shows_is_decided() -> None:
    verdict = check(answer(function(0), result(1), message(2, "a", "b")))
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


def test_a_request_asks_for_a_stream() -> None:
    (exchange,) = named("openai-responses").exchanges("http://x/v1/responses", asked(), "hello")
    assert (exchange.url, exchange.method) == ("http://x/v1/responses", "POST")
    assert json.loads(exchange.body) == {"model": "agent", "input": "hello", "stream": True}


def test_the_model_is_in_the_query_of_the_url() -> None:
    (exchange,) = named("openai-responses").exchanges("http://x/v1/responses?model=m1", asked(), "hello")
    assert json.loads(exchange.body)["model"] == "m1"


def test_a_request_goes_on_with_its_conversation() -> None:
    body = json.loads(
        named("openai-responses").request(asked(thread_id="conv_1", planted={"id": "p"}, impersonates="bob"), "x")
    )
    assert (body["conversation"], body["metadata"], body["user"]) == ("conv_1", {"id": "p"}, "bob")


def test_anything_else_is_sent_as_it_is_or_not_at_all() -> None:
    dialect = named("openai-responses")
    (exchange,) = dialect.exchanges("http://x", asked(Action.GARBAGE), "{not json")
    assert exchange.body == dialect.request(asked(Action.GARBAGE), "{not json") == "{not json"
    assert list(dialect.exchanges("http://x", asked(Action.STOP), "")) == []


# -- never an exception -----------------------------------------------------------------------------------------------

_TYPES = sorted({frame["type"] for frames in GOOD.values() for frame in frames})
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_ITEM = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["message", "function_call", "function_call_output", "mcp_call", "web_search_call"]),
        **{
            name: st.sampled_from(["a", "b"]) | _JSON
            for name in ("id", "call_id", "arguments", "output", "error", "content")
        },
    },
)
_FRAMES = st.fixed_dictionaries(
    {"type": st.sampled_from(_TYPES) | st.text(max_size=8)},
    optional={
        "item": _ITEM | _JSON,
        "response": st.fixed_dictionaries({"id": st.just("r")}, optional={"output": st.lists(_ITEM | _JSON)}) | _JSON,
        "item_id": st.sampled_from(["a", "b"]) | _JSON,
        **{name: st.integers(-1, 2) | _JSON for name in ("sequence_number", "output_index", "content_index")},
        **{name: st.text(max_size=4) | _JSON for name in ("delta", "text", "arguments", "message", "part")},
    },
)  # fmt: skip


@given(st.lists(st.binary(max_size=40) | _FRAMES.map(lambda frame: json.dumps(frame).encode()), max_size=20))
def test_any_bytes_are_decoded_without_an_exception(frames: list[bytes]) -> None:
    decoder = named("openai-responses").decoder()
    for frame in frames:
        assert all(event is not None for event in decoder.decode(frame))
    decoder.closed()


@given(st.lists(_FRAMES, max_size=20))
def test_any_events_are_judged_without_a_crash(frames: list[dict[str, Any]]) -> None:
    assert check([*numbered([created()]), *frames]).harness_errors == ()
