"""a2a: responses in, requests out, in the forms of release 0.3 and of 1.0."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from conformance.dialects.a2a.decoder import A2aDecoder
from conformance.dialects.dialect import Framing
from conformance.events import Flaw, Refusal, RunEvent, Unknown
from conformance.history.operations import Action
from tests.dialects.recorded import asked, decoded, encode, exchanges, kinds, story, violated

Frame = dict[str, Any]
IDS = {"taskId": "task-1", "contextId": "context-1"}
TIME = "2026-01-31T09:30:00.125Z"


def answer(result: Frame, request: Any = "req-1") -> Frame:
    return {"jsonrpc": "2.0", "id": request, "result": result}


class V1:
    """Release 1.0: what a result is stands in the name of its field."""

    state = "TASK_STATE_{}"

    def part(self, text: str) -> Frame:
        return {"text": text}

    def said(self, text: str) -> Frame:
        return {"messageId": "m-1", "role": "ROLE_AGENT", "parts": [self.part(text)]}

    def status(self, name: str, text: str | None = None, **fields: Any) -> Frame:
        state = self.state.format(name.upper().replace("-", "_")) if self.state != "{}" else name
        message = {"message": self.said(text)} if text is not None else {}
        return {"state": state, "timestamp": TIME, **message, **fields}

    def task(self, name: str = "submitted", *turns: str, **fields: Any) -> Frame:
        history = [{"messageId": f"u-{t}", "role": "ROLE_USER", "parts": [self.part(t)]} for t in turns or ("hi",)]
        return answer(
            {
                "task": {"id": "task-1", "contextId": "context-1", "status": self.status(name), "history": history}
                | fields
            }
        )

    def update(self, name: str, text: str | None = None, **fields: Any) -> Frame:
        return answer({"statusUpdate": {**IDS, "status": self.status(name, text), **fields}})

    def artifact(self, text: str, name: str = "a-1", **fields: Any) -> Frame:
        return answer(
            {"artifactUpdate": {**IDS, "artifact": {"artifactId": name, "parts": [self.part(text)]}, **fields}}
        )

    def message(self, text: str, **fields: Any) -> Frame:
        return answer({"message": {**self.said(text), **fields}})


class V03(V1):
    """Release 0.3: every object names its kind, an update whether it is the last of its stream."""

    state = "{}"

    def part(self, text: str) -> Frame:
        return {"kind": "text", "text": text}

    def said(self, text: str) -> Frame:
        return {"kind": "message", "messageId": "m-1", "role": "agent", "parts": [self.part(text)]}

    def task(self, name: str = "submitted", *turns: str, **fields: Any) -> Frame:
        body = super().task(name, *turns, **fields)["result"]["task"]
        return answer({"kind": "task", **body, "history": [{**m, "role": "user"} for m in body["history"]]})

    def update(self, name: str, text: str | None = None, **fields: Any) -> Frame:
        final = name in ("completed", "failed", "canceled", "rejected", "input-required")
        body = super().update(name, text)["result"]["statusUpdate"]
        return answer({"kind": "status-update", "final": final, **body, **fields})

    def artifact(self, text: str, name: str = "a-1", **fields: Any) -> Frame:
        return answer({"kind": "artifact-update", **super().artifact(text, name, **fields)["result"]["artifactUpdate"]})

    def message(self, text: str, **fields: Any) -> Frame:
        return answer({**self.said(text), **fields})


FORMS = [V1(), V03()]
forms = pytest.mark.parametrize("a2a", FORMS, ids=["1.0", "0.3"])


def stream(frames: Any) -> bytes:
    return b"".join(b"data: " + encode(frame) + b"\n\n" for frame in frames)


def told(*frames: Any, closed: bool = True) -> Any:
    return decoded("a2a", [encode(frame) for frame in frames], closed=closed)


def broken(*frames: Any) -> set[str]:
    return violated("a2a", stream(frames))


def whole(a2a: V1) -> list[Frame]:
    return [
        a2a.task(),
        a2a.update("working", "Looking it up."),
        a2a.artifact("4 "),
        a2a.artifact("degrees.", append=True),
        a2a.update("completed"),
    ]


@forms
def test_a_task_is_told_from_its_first_state_to_its_last(a2a: V1) -> None:
    events = told(*whole(a2a))
    assert kinds(events) == ["STARTED", "THINKING", "TEXT", "TEXT", "COMPLETED"]
    assert {(e.run_id, e.thread_id) for e in events} == {("task-1", "context-1")}
    said = story(events)
    assert said[0][1].request_id == "req-1"
    assert said[1][1].thought == "Looking it up."
    assert said[-1][1].final_response == "4 degrees."
    assert str(events[1].timestamp) == "2026-01-31 09:30:00.125000+00:00"
    assert broken(*whole(a2a)) == set()


@forms
def test_both_releases_tell_the_same(a2a: V1) -> None:
    assert told(*whole(a2a)) == told(*whole(V1()))


@forms
def test_an_agent_may_answer_with_a_message_alone(a2a: V1) -> None:
    events = told(a2a.message("Hello."))
    assert kinds(events) == ["STARTED", "TEXT", "COMPLETED"]
    assert {e.run_id for e in events} == {"m-1"}
    assert broken(a2a.message("Hello.")) == set()


@forms
@pytest.mark.parametrize(
    ("state", "kind"),
    [("completed", "COMPLETED"), ("failed", "FAILED"), ("rejected", "FAILED"), ("canceled", "STOPPED")],
)
def test_each_final_state_ends_the_run(a2a: V1, state: str, kind: str) -> None:
    assert kinds(told(a2a.task(), a2a.update(state, "why"), closed=False))[-1] == kind
    assert kinds(told(a2a.task(state), closed=False))[-1] == kind
    assert broken(a2a.task(), a2a.update(state, "why")) == set()


@forms
def test_a_task_that_waits_for_the_user_ends_its_run_with_the_response(a2a: V1) -> None:
    events = told(a2a.task(), a2a.update("input-required", "Which city?"))
    assert kinds(events)[-1] == "STOPPED"
    assert story(events)[-1][1].reason == "input-required"
    assert broken(a2a.task(), a2a.update("input-required", "Which city?")) == set()


def test_a_task_that_waits_for_credentials_may_go_on_by_itself() -> None:
    a2a = V1()
    frames = [a2a.task(), a2a.update("auth-required"), a2a.update("working"), a2a.update("completed", "Done.")]
    assert kinds(told(*frames)) == ["STARTED", "TEXT", "COMPLETED"]
    assert broken(*frames) == set()


@forms
def test_each_turn_of_a_task_is_a_run(a2a: V1) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\n\r\n"
    first = stream([a2a.task(), a2a.update("input-required", "Which city?")])
    second = stream([a2a.task("working", "hi", "Oslo"), a2a.artifact("4 degrees."), a2a.update("completed")])
    assert violated("a2a", head + first + head + second) == set()


@forms
@pytest.mark.parametrize("final", ["4 degrees.", "4 degrees. In Celsius."])
def test_an_artifact_that_comes_again_as_a_whole_is_not_told_twice(a2a: V1, final: str) -> None:
    events = told(*whole(a2a)[:4], a2a.artifact(final), a2a.update("completed"))
    assert story(events)[-1][1].final_response == final
    assert broken(*whole(a2a)[:4], a2a.artifact(final), a2a.update("completed")) == set()


@forms
def test_the_answer_may_be_in_the_last_status_or_in_the_progress(a2a: V1) -> None:
    assert story(told(a2a.task(), a2a.update("completed", "4 degrees.")))[-1][1].final_response == "4 degrees."
    frames = [a2a.task(), a2a.update("working", "4 "), a2a.update("working", "degrees."), a2a.update("completed")]
    assert story(told(*frames))[-1][1].final_response == "4 degrees."
    assert story(told(a2a.task("completed")))[-1][1].final_response is UNSET


@forms
def test_the_artifacts_of_a_finished_task_are_its_answer(a2a: V1) -> None:
    artifacts = [{"artifactId": name, "parts": [a2a.part(f"{name}.")]} for name in ("One", "Two")]
    assert story(told(a2a.task("completed", artifacts=artifacts)))[-1][1].final_response == "One.Two."


@pytest.mark.parametrize(
    "frames",
    [
        whole(V03())[1:],  # servers of 0.2 begin without the task
        [*whole(V1()), V1().task("completed")],
        [V1().task(), answer({"statusUpdate": {"taskId": "task-1", "status": {"state": "TASK_STATE_COMPLETED"}}})],
        [
            V1().task(),
            V1().update("working", status={"state": "TASK_STATE_WORKING", "timestamp": "2026-01-31T09:30:00Z"}),
            *whole(V1())[2:],
        ],
        [V03().task(status={"state": "submitted", "timestamp": "2026-01-31T09:30:00"}), *whole(V03())[1:]],
        [V1().task(somethingNew=[1]), *whole(V1())[1:]],
        [V1().artifact("", parts=[{"data": {"x": 1}}]), *whole(V1())[1:]],
        [V1().task("unspecified"), *whole(V1())[1:]],
        [answer(frame["result"], 7) for frame in whole(V1())],
        [frame["result"] for frame in whole(V1())],
    ],
)
def test_unusual_is_not_wrong(frames: list[Frame]) -> None:
    assert broken(*frames) == set()


def _without(frame: Frame, name: str) -> Frame:
    return {**frame, "result": {key: value for key, value in frame["result"].items() if key != name}}


@pytest.mark.parametrize(
    ("frames", "requirements"),
    [
        (whole(V1())[:4], {"EVT-02"}),
        ([*whole(V1()), V1().artifact("late", "a-2")], {"EVT-03"}),
        ([*whole(V1()), V1().update("completed")], {"EVT-02", "EVT-03"}),
        ([*whole(V1())[:4], V1().update("failed")], {"EVT-10", "SCH-06"}),
        ([{**V1().task(), "jsonrpc": "1.0"}, *whole(V1())[1:]], {"SCH-02"}),
        ([{k: v for k, v in V1().task().items() if k != "id"}, *whole(V1())[1:]], {"SCH-02"}),
        ([{"jsonrpc": "2.0", "id": 1}, *whole(V1())], {"SCH-02"}),
        ([answer({"nothing": {}}), *whole(V1())], {"SCH-02"}),
        ([answer({"kind": "surprise"}), *whole(V03())], {"SCH-02"}),
        ([*whole(V03())[:4], _without(V03().update("completed"), "final")], {"SCH-02"}),
        ([*whole(V03())[:4], _without(V03().update("completed"), "contextId")], {"SCH-02"}),
        ([V1().task(), V1().update("dreaming"), *whole(V1())[1:]], {"SCH-02"}),
        ([V1().task(), V1().update("working", status="working"), *whole(V1())[1:]], {"SCH-02"}),
        ([V1().task(), answer({"artifactUpdate": {**IDS, "artifact": {"parts": []}}}), *whole(V1())[1:]], {"SCH-02"}),
        (
            [
                V1().task(),
                V1().update("working", status=V1().status("working", timestamp="2026-01-31T09:30:00")),
                *whole(V1())[1:],
            ],
            {"SCH-03"},
        ),
        (
            [
                V03().task(),
                V03().update("working", status=V03().status("working", timestamp=1769851800)),
                *whole(V03())[1:],
            ],
            {"SCH-03"},
        ),
        ([V1().task(id=""), *whole(V1())[1:]], {"IDN-01"}),
        ([b"[]", *whole(V1())], {"SCH-01"}),
        ([b"{", *whole(V1())], {"SCH-01"}),
    ],
)
def test_what_is_wrong_is_found(frames: list[Any], requirements: set[str]) -> None:
    assert broken(*frames) == requirements


def test_an_error_refuses_what_has_not_begun_and_fails_what_has() -> None:
    error = {"jsonrpc": "2.0", "id": "req-1", "error": {"code": -32603, "message": "it broke"}}
    assert told(error) == [Refusal("-32603", "it broke", "req-1")]
    (_, failed) = story(told(V1().task(), error))
    assert (failed[0], failed[1].code, failed[1].message) == ("FAILED", "-32603", "it broke")
    assert broken({**error, "error": {"message": "it broke"}}) == {"SCH-02", "SCH-06"}


def test_an_error_instead_of_a_stream_is_recorded_as_one_frame() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n"
    error = b'{"jsonrpc":"2.0","id":"req-1","error":{"code":-32001,"message":"Task not found"}}'
    assert violated("a2a", head + error) == set()
    assert violated("a2a", head + error.replace(b"2.0", b"1")) == {"SCH-02"}


@pytest.mark.parametrize("dialect", ["a2a", "a2a-v03"])
def test_a_request_names_itself_and_the_context(dialect: str) -> None:
    (start,) = exchanges(dialect, "http://h:1/rpc", asked())
    body = json.loads(start.body)
    assert body["id"] == body["params"]["message"]["messageId"] == "req-000102030405060708090a0b"
    assert "contextId" not in body["params"]["message"]
    assert body["method"] == {"a2a": "SendStreamingMessage", "a2a-v03": "message/stream"}[dialect]
    (goes_on,) = exchanges(dialect, "http://h:1/rpc", asked(Action.CONTINUE, thread_id="context-1", planted={"x": "y"}))
    message = json.loads(goes_on.body)["params"]["message"]
    assert (message["contextId"], message["metadata"]) == ("context-1", {"x": "y"})
    assert message["parts"][0]["text"] == "hello"


def test_a_task_is_canceled_by_its_id_and_the_answer_is_no_run() -> None:
    (cancel,) = exchanges("a2a", "http://h:1/rpc", asked(Action.STOP, run_id="task-1#2", request_id=None))
    body = json.loads(cancel.body)
    assert (body["method"], body["params"], cancel.framing) == ("CancelTask", {"id": "task-1"}, Framing.WHOLE)
    task = {"id": "task-1", "contextId": "context-1", "status": {"state": "TASK_STATE_CANCELED"}}
    assert told(answer(task, body["id"])) == [Unknown("a2a:cancel")]
    error = {"jsonrpc": "2.0", "id": body["id"], "error": {"code": -32001, "message": "no such task"}}
    assert told(error) == [Refusal("-32001", "no such task", "1")]


def test_what_the_protocol_does_not_have_is_not_asked() -> None:
    for action in (Action.RESUME, Action.READ, Action.PING):
        assert exchanges("a2a", "http://h:1/rpc", asked(action)) == []
    (bad,) = exchanges("a2a", "http://h:1/rpc", asked(Action.GARBAGE), "{not json")
    assert bad.body == "{not json"


NAMES = ["jsonrpc", "id", "result", "error", "kind", "task", "statusUpdate", "status", "state", "artifact", "artifacts"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["task", "completed", "2.0"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*NAMES, "parts", "history"]), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(
    st.lists(st.binary(max_size=40) | JSON.map(encode) | JSON.map(lambda r: encode(answer({"task": r}))), max_size=5)
)
def test_no_bytes_are_too_much(frames: list[bytes]) -> None:
    decoder = A2aDecoder()
    for frame in frames:
        for found in decoder.decode(frame):
            assert isinstance(found, RunEvent | Flaw | Refusal | Unknown)
    decoder.closed()
