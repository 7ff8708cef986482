"""The agent: asks the model, runs the tools that it calls, and tells everything that it does."""

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from openai import AsyncOpenAI, OpenAIError
from openai.types.chat import ChatCompletionChunk
from wire import Story

log = logging.getLogger(__name__)
OpenCalls = dict[str, tuple[str, float]]
"""The tool calls that go on, by id: the tool's name, and since when."""
_MOST_TURNS = 20


@dataclass
class _Call:
    """A tool call, put together from the pieces in which a model streams it."""

    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass
class _Turn:
    """What the model said in one turn."""

    text: str = ""
    calls: dict[int, _Call] = field(default_factory=dict)


class ToolFailed(Exception):
    """A tool that did not do what it was asked for."""


class Agent:
    """One agent for all users: it keeps nothing of a run beyond the run's own call of `run`."""

    def __init__(self) -> None:
        # --8<-- [start:wiring]
        # Behind OPENAI_BASE_URL is the provider; in the gate, the kit's scripted model.
        self._model = AsyncOpenAI(max_retries=0)
        # A service of ours that holds the tools; in the gate, the kit's.
        self._tools_url = os.environ["TOOLS_URL"]
        self._http = httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None))
        # --8<-- [end:wiring]

    async def run(self, story: Story, request: str, *, limit_s: float) -> None:
        """Answer a request and tell of it in `story`. Whatever happens, the story has an end."""
        began = time.monotonic()
        open_calls: OpenCalls = {}
        try:
            async with asyncio.timeout(limit_s):
                answer = await self._turns(story, request, open_calls)
        except asyncio.CancelledError:
            _close(story, open_calls, "stopped")
            story.event("agent_stopped", reason="stopped")
        except TimeoutError:
            _close(story, open_calls, "timeout")
            story.event("agent_error", code="timeout", message="The run took too long.", retryable=True)
        except OpenAIError:
            story.event("agent_error", code="model_failed", message="The model failed.", retryable=True)
        except Exception:
            log.exception("run %s failed", story.run_id)
            _close(story, open_calls, "internal")
            story.event("agent_error", code="internal", message="Something went wrong.", retryable=False)
        else:
            story.event("agent_completed", final_response=answer, duration_ms=_ms_since(began))

    async def _turns(self, story: Story, request: str, open_calls: OpenCalls) -> str:
        """Take turns with the model until it calls no tool any more. Returns all that it said."""
        tools = [
            {"type": "function", "function": tool} for tool in (await self._http.get(self._tools_url)).json()["tools"]
        ]
        messages: list[Any] = [{"role": "user", "content": request}]
        said = ""
        for step in range(1, _MOST_TURNS + 1):
            turn = await self._turn(story, messages, tools, step)
            said += turn.text
            if not turn.calls:
                return said
            calls = list(turn.calls.values())
            messages.append(
                {"role": "assistant", "content": turn.text or None, "tool_calls": [_asked(c) for c in calls]}
            )
            async with asyncio.TaskGroup() as together:
                results = [together.create_task(self._call(story, call, open_calls)) for call in calls]
            messages += [
                {"role": "tool", "tool_call_id": call.id, "content": result.result()}
                for call, result in zip(calls, results, strict=True)
            ]
        raise RuntimeError(f"no answer after {_MOST_TURNS} turns")

    async def _turn(self, story: Story, messages: list[Any], tools: list[Any], step: int) -> _Turn:
        """Let the model speak, and pass on each piece at once."""
        stream: AsyncIterator[ChatCompletionChunk] = await self._model.chat.completions.create(
            model=os.environ.get("MODEL", "gpt-5-mini"), messages=messages, tools=tools, stream=True, user=story.user_id
        )
        turn = _Turn()
        thought = ""
        async for chunk in stream:
            for choice in chunk.choices:
                delta = choice.delta
                thought += getattr(delta, "reasoning_content", None) or ""
                if delta.content or delta.tool_calls:
                    thought = _think(story, thought or ("Let me see." if step == 1 and not turn.text else ""), step)
                if delta.content:
                    turn.text += delta.content
                    story.event("message_chunk", text=delta.content)
                for piece in delta.tool_calls or ():
                    call = turn.calls.setdefault(piece.index, _Call())
                    call.id = piece.id or call.id
                    if piece.function is not None:
                        call.name += piece.function.name or ""
                        call.arguments += piece.function.arguments or ""
        _think(story, thought, step)
        return turn

    async def _call(self, story: Story, call: _Call, open_calls: OpenCalls) -> str:
        """Run a tool; tell of it before and after. Returns what the model is told."""
        try:
            parameters = json.loads(call.arguments or "{}")
        except ValueError:
            return "The arguments are not JSON."
        began = time.monotonic()
        open_calls[call.id] = (call.name, began)
        ids = {"tool_name": call.name, "tool_call_id": call.id}
        story.event("tool_executing", **ids, parameters=parameters)
        try:
            result = await self._use(story, call, parameters)
        except (ToolFailed, httpx.HTTPError) as failure:
            del open_calls[call.id]
            error = {"code": "tool_failed", "message": str(failure) or "The tool cannot be reached."}
            story.event("tool_completed", **ids, status="error", error=error, duration_ms=_ms_since(began))
            return f"The tool failed: {error['message']}"
        del open_calls[call.id]
        story.event("tool_completed", **ids, status="ok", result=result, duration_ms=_ms_since(began))
        return str(result)

    async def _use(self, story: Story, call: _Call, parameters: dict[str, Any]) -> object:
        whose = {
            "X-User-Id": story.user_id,
            "X-Run-Id": story.run_id,
            "X-Thread-Id": story.thread_id,
            "X-Tool-Call-Id": call.id,
        }
        answer = (await self._http.post(f"{self._tools_url}/{call.name}", json=parameters, headers=whose)).json()
        if "error" in answer:
            raise ToolFailed(answer["error"]["message"])
        return answer["result"]


def _think(story: Story, thought: str, step: int) -> str:
    """Tell a thought, if there is one; nothing of it is left."""
    if thought:
        story.event("agent_thinking", thought=thought, step=step)
    return ""


def _asked(call: _Call) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _close(story: Story, open_calls: OpenCalls, code: str) -> None:
    """Tell the end of the calls that ended with their run."""
    for call_id, (name, began) in open_calls.items():
        error = {"code": code, "message": "The run ended."}
        duration = _ms_since(began)
        story.event(
            "tool_completed", tool_name=name, tool_call_id=call_id, status="error", error=error, duration_ms=duration
        )
    open_calls.clear()


def _ms_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
