"""The reference engine's way to a model and tools that run elsewhere."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import pytest

from reference_impl.context import RunId, ThreadId, UserExecutionContext, UserId
from reference_impl.errors import ModelFailed, ToolFailed
from reference_impl.model import CallTools, Conversation, Move, Prompt, Say, Think, ToolCall
from reference_impl.outside import Endpoints, Outside
from reference_impl.reliability import ReliabilityManager, RetryHandler
from reference_impl.remote_model import RemoteModel
from reference_impl.remote_tools import RemoteToolbox
from tests.reference_impl.engine_harness import spawn

CONTEXT = UserExecutionContext(
    user_id=UserId("alice"),
    thread_id=ThreadId("a-thread"),
    run_id=RunId("a-run"),
    request_id="a-request",
    agent_name="helper",
    traceparent="",
)
WHOSE = {"x-user-id": "alice", "x-thread-id": "a-thread", "x-run-id": "a-run"}
Answer = Callable[[httpx.Request], httpx.Response]


class Earlier(Conversation):
    """What was said before."""

    def __init__(self, *lines: str) -> None:
        self._lines = [*lines]

    async def earlier(self, context: UserExecutionContext) -> list[str]:
        return self._lines


def outside(answer: Answer) -> Outside:
    reliability = ReliabilityManager(RetryHandler(attempts=2, wait_s=0.001), threshold=5, reset_s=60)
    there = Outside(Endpoints("http://model/v1", "a-key", tools_url="http://tools"), reliability)
    there.http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return there


def stream(deltas: Iterable[dict[str, Any]], last: str = "data: [DONE]\n\n") -> httpx.Response:
    lines = [f"data: {json.dumps({'choices': [{'delta': delta}]})}\n\n" for delta in deltas]
    return httpx.Response(200, text=": hello\n\n" + "".join(lines) + last)


async def moves(answer: Answer, *earlier: str) -> list[Move]:
    """What the model does; each of its tools gets the result "done"."""
    made = []
    async for move in RemoteModel(Earlier(*earlier), outside(answer)).respond(Prompt(CONTEXT, "Hello.")):
        made.append(move)
        for call in move.calls if isinstance(move, CallTools) else ():
            call.outcome = {"status": "ok", "result": "done"}
    return made


def call(index: int, arguments: str, **named: Any) -> dict[str, Any]:
    function = {**({"name": named["name"]} if "name" in named else {}), "arguments": arguments}
    return {"tool_calls": [{"index": index, **({"id": f"c{index}"} if named else {}), "function": function}]}


async def test_it_thinks_speaks_calls_tools_and_goes_on_with_their_results() -> None:
    asked: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url == "http://model/v1/chat/completions"
        assert WHOSE.items() <= dict(request.headers).items()
        assert request.headers["authorization"] == "Bearer a-key"
        asked.append(json.loads(request.content))
        if len(asked) == 2:
            return stream([{"content": "Done."}])
        thoughts = [{"reasoning_content": text} for text in ("hm ", "\n\n", "so")]
        calls = [call(0, "", name="echo"), call(0, '{"te'), call(0, 'xt": "a"}'), call(1, "{not json", name="fail")]
        return stream([{"role": "assistant", "content": ""}, *thoughts, {"content": "Let me see. "}, *calls])

    made = await moves(answer, "user: before", "assistant: yes: before")
    assert [move for move in made if not isinstance(move, CallTools)] == [
        Think("hm "),
        Think("\n\nso"),
        Say("Let me see. "),
        Say("Done."),
    ]
    (calling,) = [move for move in made if isinstance(move, CallTools)]
    assert [(c.tool, c.args) for c in calling.calls] == [("echo", {"text": "a"}), ("fail", {"arguments": "{not json"})]
    first, second = asked
    assert first["stream"] is True
    assert {tool["function"]["name"] for tool in first["tools"]} >= {"echo", "sleep", "hang"}
    assert first["messages"] == [
        {"role": "user", "content": "before"},
        {"role": "assistant", "content": "yes: before"},
        {"role": "user", "content": "Hello."},
    ]
    said, *results = second["messages"][3:]
    assert said["content"] == "Let me see. "
    assert [c["id"] for c in said["tool_calls"]] == [r["tool_call_id"] for r in results] == ["c0", "c1"]
    assert {r["content"] for r in results} == {"done"}


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda _: httpx.Response(429, json={"error": {"message": "Too many."}}), "Too many."),
        (lambda _: httpx.Response(502, text="<html>"), "<html>"),
        (lambda _: httpx.Response(500), "It failed without a word."),
        (lambda _: stream([{"content": "a"}], 'data: {"error": {"message": "Down."}}\n\n'), "Down."),
        (lambda _: stream([{"content": "a"}], ""), "The model broke off its answer."),
        (unreachable, "The model cannot be reached, or broke off its answer."),
    ],
)
async def test_a_model_that_fails_is_a_failure_with_a_reason(answer: Answer, message: str) -> None:
    with pytest.raises(ModelFailed) as failed:
        await moves(answer)
    assert str(failed.value) == message


async def test_a_tool_is_called_in_its_runs_name() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url == "http://tools/e%2Fcho"
        assert dict(request.headers).items() >= {**WHOSE, "x-tool-call-id": wanted.call_id}.items()
        assert json.loads(request.content) == {"text": "a"}
        return httpx.Response(200, json={"result": "a"})

    wanted = ToolCall("e/cho", {"text": "a"})
    assert await RemoteToolbox(CONTEXT, outside(answer)).run(wanted) == "a"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda _: httpx.Response(422, json={"error": {"code": "bad", "message": "No."}}), "bad"),
        (unreachable, "unreachable"),
    ],
)
async def test_a_tool_that_fails(answer: Answer, code: str) -> None:
    with pytest.raises(ToolFailed) as failed:
        await RemoteToolbox(CONTEXT, outside(answer)).run(ToolCall("echo", {}))
    assert failed.value.code == code


async def test_where_it_is_not_told_where_they_are_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    child = await spawn("--model", "openai")
    _, errors = await child.communicate()
    assert child.returncode == 64
    assert "--model openai: expected a URL in $OPENAI_BASE_URL" in errors.decode()
