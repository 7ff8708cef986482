"""UI message streams written by hand, and what becomes of them."""

import io
import json
from typing import Any

from conformance.catalogue import load
from conformance.dialects import named
from conformance.events import Event
from conformance.recording import judge_frames
from conformance.verdict import Verdict

Part = dict[str, Any]
Parts = list[Part]
CATALOGUE = load()
START, STEP, STEPPED = {"type": "start"}, {"type": "start-step"}, {"type": "finish-step"}
FINISH, DONE = {"type": "finish", "finishReason": "stop"}, b"[DONE]"


def text(*pieces: str, id: str = "0") -> Parts:
    deltas = [{"type": "text-delta", "id": id, "delta": piece} for piece in pieces]
    return [{"type": "text-start", "id": id}, *deltas, {"type": "text-end", "id": id}]


def thought(*pieces: str, id: str = "r") -> Parts:
    return [{**part, "type": part["type"].replace("text", "reasoning")} for part in text(*pieces, id=id)]


def call(id: str = "call-1", name: str = "weather", **arguments: Any) -> Parts:
    written = json.dumps(arguments)
    return [
        {"type": "tool-input-start", "toolCallId": id, "toolName": name},
        *(
            {"type": "tool-input-delta", "toolCallId": id, "inputTextDelta": piece}
            for piece in (written[:3], written[3:])
        ),
        {"type": "tool-input-available", "toolCallId": id, "toolName": name, "input": arguments},
    ]


def output(value: Any = "4 degrees", id: str = "call-1", **fields: Any) -> Part:
    return {"type": "tool-output-available", "toolCallId": id, "output": value, **fields}


def broken(message: str = "no such city", id: str = "call-1") -> Part:
    return {"type": "tool-output-error", "toolCallId": id, "errorText": message}


def error(message: str = "the model is overloaded") -> Part:
    return {"type": "error", "errorText": message}


def step(*inside: Part | Parts) -> Parts:
    return [STEP, *flat(inside), STEPPED]


def answer(*inside: Part | Parts) -> list[Part | bytes]:
    """A whole response around these parts."""
    return [START, *flat(inside), FINISH, DONE]


def flat(parts: Any) -> Parts:
    return [part for item in parts for part in (item if isinstance(item, list) else [item])]


def encode(part: Part | bytes) -> bytes:
    return part if isinstance(part, bytes) else json.dumps(part).encode()


def stream(parts: list[Any]) -> bytes:
    return b"".join(b"data: " + encode(part) + b"\n\n" for part in parts)


def told(parts: list[Any], *, closed: bool = True) -> list[Event]:
    """The events of one response."""
    decoder = named("vercel-ui").decoder()
    events = [event for part in parts for event in decoder.decode(encode(part))]
    return [*events, *(decoder.closed() if closed else ())]


def check(parts: list[Any] | bytes) -> Verdict:
    capture = parts if isinstance(parts, bytes) else stream(parts)
    return judge_frames(io.BytesIO(capture), name="by hand", dialect="vercel-ui", catalogue=CATALOGUE)


def violated(parts: list[Any] | bytes) -> set[str]:
    verdict = check(parts)
    assert verdict.harness_errors == ()
    return {requirement.id for requirement in verdict.requirements if requirement.verdict == "fail"}
