"""What one run may take, and what the engine bears with: time, sizes, retries, circuits, answers that are kept."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import nullcontext
from typing import Any

import httpx
import pytest
from opentelemetry import trace as otel

from reference_impl import trace
from reference_impl.context import UserExecutionContext, UserId
from reference_impl.errors import Unavailable
from reference_impl.llm import LLMManager
from reference_impl.model import CallTools, Conversation, Move, Prompt, Say, ToolCall
from reference_impl.reliability import ReliabilityManager, RetryHandler
from tests.reference_impl.engine_harness import check_story, engine, say, script, tool
from tests.reference_impl.test_engine_parts import context


async def test_a_tool_has_its_own_time_limit_and_the_run_goes_on() -> None:
    async with engine(tool_limit_s=0.05) as target, target.client("alice") as alice:
        events = await alice.run(script(tool("hang"), say("done")))
    check_story(events)
    (completed,) = [event["payload"] for event in events if event["type"] == "tool_completed"]
    assert completed["error"] == {"code": "timeout", "message": "The tool took longer than 0.05 s."}
    assert events[-1]["payload"]["final_response"] == "done"


async def test_a_result_that_is_too_large_is_an_error() -> None:
    async with engine(max_result_bytes=10) as target, target.client("alice") as alice:
        events = await alice.run(script(tool("echo", text="ä" * 6), tool("echo", text="ä" * 5)))
    check_story(events)
    completed = [event["payload"] for event in events if event["type"] == "tool_completed"]
    assert completed[0]["error"]["code"] == "too_large"
    assert "12 bytes; at most 10" in completed[0]["error"]["message"]
    assert completed[1]["status"] == "ok"


async def test_an_answer_that_is_too_long_ends_the_run() -> None:
    async with engine(max_answer_bytes=20) as target, target.client("alice") as alice:
        events = await alice.run(script(say("word " * 10)))
    check_story(events)
    assert (events[-1]["payload"]["code"], events[-1]["payload"]["message"]) == (
        "model_failed",
        "The answer is too long.",
    )


async def test_a_model_that_falls_silent_ends_the_run() -> None:
    async with engine(model_silence_s=0.05) as target, target.client("alice") as alice:
        events = await alice.run(script({"think": "hm"}, {"stall_ms": 60_000}))
        check_story(events)
        assert events[-1]["payload"]["message"] == "The model said nothing for 0.05 s."
        assert target.assembly.llm.open_calls == 0
        check_story(await alice.run("still there"))


class Calls:
    """Something elsewhere: fails as told, and counts."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = [*failures]
        self.number = 0

    async def __call__(self) -> str:
        self.number += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


def reliability(*, attempts: int = 3, threshold: int = 2, reset_s: float = 3600) -> ReliabilityManager:
    return ReliabilityManager(RetryHandler(attempts=attempts, wait_s=0.0001), threshold=threshold, reset_s=reset_s)


async def test_what_was_not_begun_is_tried_again() -> None:
    calls = Calls(httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"))
    assert await reliability().call("model", calls) == "done"
    assert calls.number == 3


async def test_what_may_have_been_done_is_not_done_twice() -> None:
    calls = Calls(httpx.ReadError("reset"))
    with pytest.raises(httpx.ReadError):
        await reliability().call("model", calls)
    assert calls.number == 1


async def test_what_is_down_is_left_alone_for_a_while_and_nothing_else() -> None:
    manager = reliability(attempts=1)
    down = Calls(*[httpx.ConnectError("refused")] * 9)
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"The model cannot be reached\."):
            await manager.call("model", down)
    with pytest.raises(Unavailable, match="could not be reached lately"):
        await manager.call("model", down)
    assert down.number == 2
    assert await manager.call("tools", Calls()) == "done"


async def test_a_circuit_closes_when_what_was_down_answers() -> None:
    manager = reliability(attempts=1, reset_s=0.0)
    calls = Calls(*[httpx.ConnectError("refused")] * 2)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await manager.call("model", calls)
    assert await manager.call("model", calls) == "done"


@pytest.mark.parametrize("failure", [httpx.ReadError("reset"), asyncio.CancelledError()], ids=["refused", "stopped"])
async def test_what_ends_one_users_call_closes_nothing_for_others(failure: Exception) -> None:
    manager = reliability(attempts=1, threshold=1)
    for _ in range(3):
        with pytest.raises(type(failure)):
            await manager.call("model", Calls(failure))
    assert await manager.call("model", Calls()) == "done"


class Asked:
    """A model that counts how often it is asked."""

    def __init__(self) -> None:
        self.times = 0

    async def respond(self, prompt: Prompt) -> AsyncGenerator[Move, None]:
        self.times += 1
        if "tool" in prompt.message:
            yield CallTools([ToolCall("echo", {"text": "a"})])
        yield Say(f"{prompt.context.user_id}: {prompt.message}")


class Silence(Conversation):
    """Nothing was said before."""

    def __init__(self) -> None:
        pass

    async def earlier(self, context: UserExecutionContext) -> list[str]:
        return []


async def test_answers_are_kept_for_each_user_apart_and_no_more_than_asked_for() -> None:
    model = Asked()
    llm = LLMManager(model, Silence(), cached_answers=2)

    async def ask(user: str, message: str) -> tuple[list[Move], int]:
        moves = [move async for move in llm.respond(Prompt(context(user_id=UserId(user)), message))]
        return moves, model.times

    assert await ask("alice", "hi") == ([Say("alice: hi")], 1)
    assert await ask("alice", "hi") == ([Say("alice: hi")], 1)
    assert await ask("bob", "hi") == ([Say("bob: hi")], 2)
    assert (await ask("alice", "tool"))[1] == 3
    assert (await ask("alice", "tool"))[1] == 4
    for message in ("one", "two"):
        await ask("alice", message)
    assert (await ask("alice", "hi"))[1] == 7
    await ask("carol", "hi")
    await ask("dave", "hi")
    assert (await ask("alice", "hi"))[1] == 10


async def test_calls_elsewhere_name_their_trace() -> None:
    mine = context()
    assert trace.headers(mine) == {"traceparent": mine.traceparent}


async def test_runs_tools_and_calls_are_spans_where_a_provider_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str]] = []

    class Tracer:
        def start_as_current_span(self, name: str, parent: Any, *, attributes: dict[str, Any]) -> nullcontext[None]:
            seen.append((name, attributes["run.id"]))
            return nullcontext()

    monkeypatch.setattr(otel, "get_tracer_provider", object)
    monkeypatch.setattr(otel, "get_tracer", lambda name: Tracer())
    async with engine() as target, target.client("alice") as alice:
        events = await alice.run("script: " + json.dumps([tool("echo", text="a")]))
    assert seen == [("run", events[0]["run_id"]), ("tool", events[0]["run_id"])]
