"""The agent's model: deterministic, following the script that the user's message holds (WIRE.md, The script)."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from reference_impl.context import UserExecutionContext, new_id
from reference_impl.errors import ModelFailed
from reference_impl.journal import Journal

SCRIPT_MARKER = re.compile(r"script:\s*(?=\[)")
MAX_CHUNKS_PER_SAY = 64
MAX_STALL_MS = 86_400_000


class Think(msgspec.Struct, frozen=True):
    """The model reasons."""

    text: str


class Say(msgspec.Struct, frozen=True):
    """The model streams a piece of its answer."""

    text: str


class ToolCall(msgspec.Struct, eq=False):
    """One call of a tool.

    `outcome` is what came of it, `{status, result}` or `{status, error}`; None until it is over.
    """

    tool: str
    args: dict[str, Any]
    call_id: str = msgspec.field(default_factory=new_id)
    outcome: Mapping[str, Any] | None = None


class CallTools(msgspec.Struct, frozen=True):
    """The model wants these calls made at once, and goes on when all have ended."""

    calls: Sequence[ToolCall]


Move = Think | Say | CallTools


class Prompt(msgspec.Struct, frozen=True):
    """What the model is shown: who asks, the newest message, and where earlier ones are to be had."""

    context: UserExecutionContext
    message: str


class Conversation:
    """What the model can see of earlier messages: this user's, on this thread, newest within the window (ISO-04)."""

    def __init__(self, journal: Journal, *, window_bytes: int) -> None:
        self._journal = journal
        self._window_bytes = window_bytes

    async def earlier(self, context: UserExecutionContext) -> list[str]:
        """Earlier messages, oldest first, whole; those that do not fit the window are left out."""
        rows = await self._journal.earlier_messages(context.run_id, context.user_id, context.thread_id)
        seen: list[str] = []
        room = self._window_bytes
        for message, answer in rows:
            for line in (f"assistant: {answer}", f"user: {message}"):
                room -= len(line.encode())
                if room < 0:
                    return seen[::-1]
                seen.append(line)
        return seen[::-1]


class Model(Protocol):
    """Whatever decides what the agent does."""

    def respond(self, prompt: Prompt) -> AsyncGenerator[Move, None]:
        """The model's moves, one by one; the outcomes of its tool calls are there when it is asked for the next."""
        ...


class ScriptedModel:
    """Does what the script in the newest message says; without one it thinks once and repeats the message."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    async def respond(self, prompt: Prompt) -> AsyncGenerator[Move, None]:
        """The model's moves, one by one. Raises ModelFailed, also for a script that is not as WIRE.md says."""
        steps = read_script(prompt.message)
        if steps is None:
            yield Think("The message holds no script: repeating it.")
            for piece in pieces_of(f"You said: {prompt.message}"):
                yield Say(piece)
            return
        for number, step in enumerate(steps, start=1):
            # A pattern such as `str(text)` takes longer than all else that is done with a step.
            match step:
                case {"think": text} if isinstance(text, str) and len(step) == 1:
                    yield Think(text)
                case {"say": str(text)} if len(step) == 1:
                    for piece in pieces_of(text):
                        yield Say(piece)
                case {"tool": _}:
                    yield CallTools([read_call(step, number)])
                case {"parallel": list(calls)} if len(step) == 1:
                    yield CallTools([read_call(call, number) for call in calls])
                case {"stall_ms": int(ms)} if len(step) == 1 and 0 <= ms <= MAX_STALL_MS:
                    await asyncio.sleep(ms / 1000)
                case {"fail": str(message)} if len(step) == 1:
                    raise ModelFailed(message or "The model failed.")
                case {"recall": True} if len(step) == 1:
                    lines = await self._conversation.earlier(prompt.context)
                    for piece in pieces_of("\n".join(lines) or "There are no earlier messages."):
                        yield Say(piece)
                case _:
                    raise ModelFailed(f"Step {number} of the script is not one that the model knows: {brief(step)}")


def read_script(message: str) -> list[Any] | None:
    """The steps of the script in `message`, None if it has none. Raises ModelFailed if it is malformed."""
    marker = SCRIPT_MARKER.search(message)
    if marker is None:
        return None
    try:
        steps = _json_at(message, marker.end())
    except (ValueError, RecursionError):
        raise ModelFailed("The script is not a JSON array: nothing can be read after 'script:'.") from None
    if not isinstance(steps, list):
        raise ModelFailed(f"The script is {type(steps).__name__}, not a JSON array.")
    return steps


def _json_at(text: str, start: int) -> Any:
    try:
        return msgspec.json.decode(text[start:])
    except msgspec.DecodeError:
        # Text follows. What is before it is decoded by msgspec, which refuses what cannot be sent on: NaN, numbers too
        # large, lone surrogates.
        _, end = json.JSONDecoder().raw_decode(text, start)
        return msgspec.json.decode(text[start:end])


def read_call(step: Any, number: int) -> ToolCall:
    """The tool call that a step describes. Raises ModelFailed."""
    if isinstance(step, dict) and {"tool"} <= step.keys() <= {"tool", "args"}:
        tool, args = step["tool"], step.get("args", {})
        if tool and isinstance(tool, str) and isinstance(args, dict):
            return ToolCall(tool, args)
    raise ModelFailed(f'Step {number} of the script is not {{"tool": name, "args": {{…}}}}: {brief(step)}')


def pieces_of(text: str) -> list[str]:
    """`text` in pieces of one or more words; put together they are `text` exactly (EVT-15)."""
    words = re.findall(r"\s*\S+\s*", text) or ([text] if text else [])
    size = -(-len(words) // MAX_CHUNKS_PER_SAY)
    return ["".join(words[start : start + size]) for start in range(0, len(words), size or 1)]


def brief(step: object) -> str:
    """`step` as JSON, cut to 80 characters."""
    text = msgspec.json.encode(step).decode()
    return text if len(text) <= 80 else f"{text[:79]}…"
