"""A small agent whose model does what the script in the user's words says. It knows nothing of the kit."""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

_MARKER = re.compile(r"script:\s*(?=\[)")
Step = dict[str, Any]


class ModelFailed(Exception):
    """The model gave up."""


class Thought(NamedTuple):
    """The agent reasons."""

    text: str


class Words(NamedTuple):
    """The agent speaks."""

    text: str


class Call(NamedTuple):
    """The agent calls a tool."""

    id: str
    name: str
    args: dict[str, Any]


class Outcome(NamedTuple):
    """A tool has returned (`result`), or failed (`error`)."""

    call: Call
    result: Any = None
    error: str | None = None


Happening = Thought | Words | Call | Outcome


def script_of(text: str) -> list[Step]:
    """Return the script in a text, or what the model does without one. Raises `ModelFailed` where it cannot be read."""
    marker = _MARKER.search(text)
    if marker is None:
        return [{"think": "hm"}, {"say": f"You said: {text}"}]
    try:
        steps: list[Step] = json.JSONDecoder().raw_decode(text, marker.end())[0]
    except (ValueError, RecursionError):
        raise ModelFailed("The script cannot be read.") from None
    return steps


async def act(text: str, seen: list[str]) -> AsyncIterator[Happening]:
    """Yield what happens; `seen` is what the model can see of earlier messages. Raises `ModelFailed`."""
    for step in script_of(text):
        if "think" in step:
            yield Thought(step["think"])
        elif "say" in step:
            for word in re.findall(r"\s*\S+\s*", step["say"]):
                yield Words(word)
                await asyncio.sleep(0)
        elif "recall" in step:
            yield Words(" ".join(seen))
        elif "stall_ms" in step:
            await asyncio.sleep(step["stall_ms"] / 1000)
        elif "fail" in step:
            raise ModelFailed(step["fail"])
        else:
            if any("tool" not in part for part in step.get("parallel", [step])):
                raise ModelFailed("The script has a step that is unknown.")
            calls = [
                Call(f"call_{uuid.uuid4().hex}", s["tool"], s.get("args", {})) for s in step.get("parallel", [step])
            ]
            for call in calls:
                yield call
            for done in asyncio.as_completed([_run(call) for call in calls]):
                yield await done


async def _run(call: Call) -> Outcome:
    match call.name:
        case "echo":
            return Outcome(call, call.args["text"])
        case "sleep":
            await asyncio.sleep(call.args["ms"] / 1000)
            return Outcome(call, call.args.get("text"))
        case "hang":
            await asyncio.Event().wait()
        case "fail":
            return Outcome(call, error=f"error: {call.args['message']}")
    return Outcome(call, error=f"error: there is no tool {call.name}")
