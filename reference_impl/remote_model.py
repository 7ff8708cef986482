"""A model behind the OpenAI-compatible Chat Completions interface, streamed."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import httpx
import msgspec

from reference_impl.context import UserExecutionContext
from reference_impl.errors import ModelFailed, Unavailable
from reference_impl.model import CallTools, Conversation, Move, Prompt, Say, Think, ToolCall
from reference_impl.outside import Outside, error_of
from reference_impl.tools import describe_tools

Message = dict[str, Any]


class RemoteModel:
    """Asks the model again after each round of tool calls, until it has nothing more to call."""

    def __init__(self, conversation: Conversation, outside: Outside) -> None:
        self._conversation = conversation
        self._outside = outside
        self._tools = describe_tools()

    async def respond(self, prompt: Prompt) -> AsyncGenerator[Move, None]:
        """The model's moves, one by one, as they come. Raises ModelFailed."""
        messages = await self.messages(prompt)
        while True:
            answer = Answer()
            async with aclosing(self.deltas(prompt.context, messages)) as deltas:
                async for delta in deltas:
                    for move in answer.take(delta):
                        yield move
            if not answer.calls:
                return
            calls = answer.tool_calls()
            yield CallTools(calls)
            messages += answer.told(calls)

    async def messages(self, prompt: Prompt) -> list[Message]:
        """What the model is shown: the earlier messages of this thread, and the newest."""
        shown: list[Message] = []
        for line in await self._conversation.earlier(prompt.context):
            role, _, text = line.partition(": ")
            shown.append({"role": role, "content": text})
        return [*shown, {"role": "user", "content": prompt.message}]

    async def deltas(self, context: UserExecutionContext, messages: list[Message]) -> AsyncGenerator[Message, None]:
        """The pieces of one answer of the model. Raises ModelFailed, also where it breaks off."""
        there = self._outside.endpoints
        body = {"model": there.model_name, "messages": messages, "tools": self._tools, "stream": True}
        headers = {"Authorization": f"Bearer {there.model_key}"}
        url = f"{there.model_url}/chat/completions"
        try:
            response = await self._outside.post("model", url, body=body, context=context, headers=headers)
            async with aclosing(response):
                if response.status_code >= 400:
                    raise ModelFailed(error_of(await response.aread())[1])
                async with aclosing(_data(response)) as lines:
                    async for line in lines:
                        yield _delta(line)
        except (Unavailable, httpx.HTTPError):
            raise ModelFailed("The model cannot be reached, or broke off its answer.") from None


async def _data(response: httpx.Response) -> AsyncGenerator[str, None]:
    """The data of each server-sent event, up to `[DONE]`. Raises ModelFailed where that is missing."""
    lines: AsyncIterator[str] = response.aiter_lines()
    async for line in lines:
        if line == "data: [DONE]":
            return
        if line.startswith("data: "):
            yield line[6:]
    raise ModelFailed("The model broke off its answer.")


def _delta(line: str) -> Message:
    chunk = msgspec.json.decode(line)
    if "error" in chunk:
        raise ModelFailed(error_of(line.encode())[1])
    choices = chunk.get("choices")
    delta: Message = choices[0].get("delta") or {} if choices else {}
    return delta


class Answer:
    """One answer of the model, put together from its pieces. `calls` maps an index to the id, name and arguments."""

    def __init__(self) -> None:
        self.text = ""
        self.calls: dict[int, list[str]] = {}
        self._space = ""

    def take(self, delta: Mapping[str, Any]) -> list[Move]:
        """Take in a piece; return what it makes the agent tell."""
        moves: list[Move] = []
        thought = self._space + (delta.get("reasoning_content") or "")
        self._space = "" if thought.strip() else thought  # white space alone is no thought
        if thought and not self._space:
            moves.append(Think(thought))
        if text := delta.get("content"):
            self.text += text
            moves.append(Say(text))
        for piece in delta.get("tool_calls") or ():
            call = self.calls.setdefault(piece["index"], ["", "", ""])
            function = piece.get("function") or {}
            for place, part in enumerate((piece.get("id"), function.get("name"), function.get("arguments"))):
                call[place] += part or ""
        return moves

    def tool_calls(self) -> list[ToolCall]:
        """The tool calls that the model asks for."""
        return [ToolCall(name, _arguments(arguments)) for _, name, arguments in self.calls.values()]

    def told(self, calls: list[ToolCall]) -> list[Message]:
        """What the next request adds to the conversation: this answer, and what came of its calls."""
        asked = [
            {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for call_id, name, arguments in self.calls.values()
        ]
        results = [
            {"role": "tool", "tool_call_id": name[0], "content": _in_words(call.outcome or {})}
            for name, call in zip(self.calls.values(), calls, strict=True)
        ]
        return [{"role": "assistant", "content": self.text or None, "tool_calls": asked}, *results]


def _arguments(text: str) -> dict[str, Any]:
    """The arguments of a call; what is no JSON object stands as it came, for the tool to refuse."""
    try:
        found = msgspec.json.decode(text or "{}")
    except msgspec.DecodeError:
        found = None
    return found if isinstance(found, dict) else {"arguments": text}


def _in_words(outcome: Mapping[str, Any]) -> str:
    """What a model is told of a tool's outcome."""
    result = outcome.get("result", outcome)
    return result if isinstance(result, str) else msgspec.json.encode(result).decode()
