"""Streams of AG-UI written by hand, and what becomes of them."""

import io
import json
from collections.abc import Iterable
from itertools import count
from typing import Any

from conformance.catalogue import load
from conformance.dialects import named
from conformance.events import Event
from conformance.recording import judge_frames
from conformance.verdict import Verdict

Frame = dict[str, Any]
Frames = list[Frame]
FRAMINGS = ("lines", "stream")
CATALOGUE = load()


def started(run: str = "run-a1", thread: str = "thread-a1", **fields: Any) -> Frame:
    return {"type": "RUN_STARTED", "threadId": thread, "runId": run, **fields}


def finished(run: str = "run-a1", thread: str = "thread-a1", **fields: Any) -> Frame:
    return {"type": "RUN_FINISHED", "threadId": thread, "runId": run, **fields}


def failed(message: str = "it broke", **fields: Any) -> Frame:
    return {"type": "RUN_ERROR", "message": message, **fields}


def text(words: str = "Hello.", message: str = "msg-1", **fields: Any) -> Frames:
    return [
        {"type": "TEXT_MESSAGE_START", "messageId": message, "role": "assistant", **fields},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": message, "delta": words},
        {"type": "TEXT_MESSAGE_END", "messageId": message},
    ]


def call(arguments: str = '{"city": "Oslo"}', identifier: str = "call-1", name: str = "weather") -> Frames:
    middle = len(arguments) // 2
    pieces = [arguments[:middle], arguments[middle:]] if arguments else []
    return [
        {"type": "TOOL_CALL_START", "toolCallId": identifier, "toolCallName": name},
        *({"type": "TOOL_CALL_ARGS", "toolCallId": identifier, "delta": piece} for piece in pieces),
        {"type": "TOOL_CALL_END", "toolCallId": identifier},
    ]


def result(content: str = "4 degrees", identifier: str = "call-1") -> Frame:
    return {"type": "TOOL_CALL_RESULT", "messageId": f"res-{identifier}", "toolCallId": identifier, "content": content}


def run(*inside: Frame | Frames, words: str | None = "Done.", **fields: Any) -> Frames:
    """A whole run around these events; it says something at its end, unless `words` is None."""
    spoken = text(words, "msg-last") if words is not None else []
    return [started(**fields), *flat(inside), *spoken, finished()]


def flat(parts: Iterable[Frame | Frames]) -> Frames:
    return [frame for part in parts for frame in (part if isinstance(part, list) else [part])]


def stamped(frames: Frames) -> Frames:
    """The frames with timestamps."""
    clock = count(1_769_851_800_000, 40)
    return [{**frame, "timestamp": next(clock)} for frame in frames]


def lines(frames: Iterable[Frame | bytes]) -> bytes:
    return b"".join(encode(frame) + b"\n" for frame in frames)


def stream(frames: Iterable[Frame | bytes]) -> bytes:
    return b"".join(b"data: " + encode(frame) + b"\n\n" for frame in frames)


def encode(frame: Frame | bytes) -> bytes:
    return frame if isinstance(frame, bytes) else json.dumps(frame).encode()


def judged(recording: bytes) -> Verdict:
    verdict = judge_frames(io.BytesIO(recording), name="a recording", dialect="ag-ui", catalogue=CATALOGUE)
    assert verdict.harness_errors == ()
    return verdict


def violated(verdict: Verdict) -> set[str]:
    return {requirement.id for requirement in verdict.requirements if requirement.violations}


def outcome(verdict: Verdict, identifier: str) -> str:
    return next(r.verdict.value for r in verdict.requirements if r.id == identifier)


def decoded(frames: Iterable[Frame | bytes]) -> list[Event]:
    """What the decoder makes of the frames of one stream."""
    decode = named("ag-ui").decoder().decode
    return [event for frame in frames for event in decode(encode(frame))]
