"""The script: what the kit tells a scripted model to do (WIRE.md, The script), and what follows from it."""

from collections.abc import Iterator
from typing import Any

import msgspec

Step = dict[str, Any]
Script = list[Step]


def say(*texts: str) -> Script:
    """Return steps that answer with these texts."""
    return [{"say": text} for text in texts]


def tool(name: str, **args: Any) -> Step:
    """Return a step that calls one tool."""
    return {"tool": name, "args": args}


def as_text(script: Script) -> str:
    """Return the words that make a scripted model follow it."""
    return f"script: {msgspec.json.encode(script).decode()}"


def calls(script: Script) -> Iterator[Step]:
    """Yield every tool call, in order."""
    for step in script:
        if "tool" in step:
            yield step
        elif "parallel" in step:
            yield from step["parallel"]


def answer(script: Script) -> str:
    """Return the text that the script says, put together."""
    return "".join(step["say"] for step in script if "say" in step)


def fails(script: Script) -> bool:
    """Tell whether the model fails."""
    return any("fail" in step for step in script)


def recalls(script: Script) -> bool:
    """Tell whether the model is told to repeat what it can see of earlier messages."""
    return any("recall" in step or step.get("tool") == "recall" for step in script)


def hangs(script: Script) -> bool:
    """Tell whether a tool never returns by itself."""
    return any(step["tool"] == "hang" for step in calls(script))


def takes_ms(script: Script) -> float:
    """Return how long the script takes at least, in ms."""
    total = pace = 0.0
    for step in script:
        total += step.get("stall_ms", 0)
        if step.keys() == {"slow_ms"}:
            pace = step["slow_ms"]
        # A text comes word by word, a tool's arguments in four pieces.
        pieces = len(str(step.get("think", step.get("say", ""))).split()) + 4 * sum(1 for _ in calls([step]))
        total += float(step.get("slow_ms", pace)) * pieces
        if "tool" in step:
            total += step["args"].get("ms", 0)
        elif "parallel" in step:
            total += max((call["args"].get("ms", 0) for call in step["parallel"]), default=0)
    return total
