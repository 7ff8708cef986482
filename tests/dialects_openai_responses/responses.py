"""Streamed responses written by hand, and what becomes of them."""

import io
import json
from collections.abc import Iterable
from typing import Any

from conformance.catalogue import load
from conformance.dialects import named
from conformance.events import Event
from conformance.recording import judge_frames
from conformance.verdict import Verdict

Frame = dict[str, Any]
Frames = list[Frame]
CATALOGUE = load()
ID = "resp_5f2c8ad1e07b4c90"
OUTLINE: Frame = {
    "id": ID,
    "object": "response",
    "created_at": 1769851800,
    "model": "agent",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}


def response(status: str, /, **fields: Any) -> Frame:
    return {"type": f"response.{status}", "response": {**OUTLINE, "status": status, **fields}}


def created(**fields: Any) -> Frame:
    return {**response("in_progress", **fields), "type": "response.created"}


def item(output_index: int, data: Frame, *inside: Frame, **done: Any) -> Frames:
    """An item of the output, and what is streamed of it."""
    return [
        {"type": "response.output_item.added", "output_index": output_index, "item": data},
        *({"output_index": output_index, "item_id": data["id"], **event} for event in inside),
        {"type": "response.output_item.done", "output_index": output_index, "item": {**data, **done}},
    ]


def message(at: int, *pieces: str, id: str = "msg_1") -> Frames:
    words = "".join(pieces)
    part = {"type": "output_text", "text": words, "annotations": [], "logprobs": []}
    place = {"content_index": 0}
    return item(
        at,
        {"id": id, "type": "message", "role": "assistant", "status": "in_progress", "content": []},
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        *({"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []} for piece in pieces),
        {"type": "response.output_text.done", **place, "text": words, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part},
        status="completed",
        content=[part],
    )


def reasoning(at: int, *pieces: str) -> Frames:
    part = {"type": "summary_text", "text": "".join(pieces)}
    place = {"summary_index": 0}
    return item(
        at,
        {"id": "rs_1", "type": "reasoning", "summary": []},
        {"type": "response.reasoning_summary_part.added", **place, "part": {**part, "text": ""}},
        *({"type": "response.reasoning_summary_text.delta", **place, "delta": piece} for piece in pieces),
        {"type": "response.reasoning_summary_text.done", **place, "text": "".join(pieces)},
        {"type": "response.reasoning_summary_part.done", **place, "part": part},
        summary=[part],
    )


def function(at: int, arguments: str = '{"city": "Oslo"}', call_id: str = "call_1", name: str = "weather") -> Frames:
    data = {"id": f"fc_{call_id}", "type": "function_call", "status": "in_progress", "arguments": ""}
    return item(
        at,
        {**data, "call_id": call_id, "name": name},
        *({"type": "response.function_call_arguments.delta", "delta": p} for p in (arguments[:4], arguments[4:])),
        {"type": "response.function_call_arguments.done", "name": name, "arguments": arguments},
        status="completed",
        arguments=arguments,
    )


def result(at: int, output: str = "4 degrees", call_id: str = "call_1") -> Frames:
    data = {"id": f"fco_{call_id}", "type": "function_call_output", "call_id": call_id, "status": "completed"}
    return item(at, {**data, "output": output})


def mcp(at: int, **outcome: Any) -> Frames:
    data = {"id": "mcp_1", "type": "mcp_call", "name": "weather", "server_label": "w", "arguments": ""}
    return item(
        at,
        {**data, "status": "in_progress"},
        {"type": "response.mcp_call.in_progress"},
        {"type": "response.mcp_call_arguments.delta", "delta": "{}"},
        {"type": "response.mcp_call_arguments.done", "arguments": "{}"},
        {"type": "response.mcp_call.completed"},
        **{"arguments": "{}", "status": "completed", **outcome},
    )


def search(at: int) -> Frames:
    data = {"id": "ws_1", "type": "web_search_call", "action": {"type": "search", "query": "Oslo", "queries": []}}
    return item(
        at,
        {**data, "status": "in_progress"},
        {"type": "response.web_search_call.in_progress"},
        {"type": "response.web_search_call.searching"},
        {"type": "response.web_search_call.completed"},
        status="completed",
    )


def answer(*inside: Frame | Frames, **fields: Any) -> Frames:
    """A whole response around these events; what was done is its output."""
    events = flat(inside)
    output = [event["item"] for event in events if event.get("type") == "response.output_item.done"]
    outcome = response("completed", **{"output": output, **fields})
    return numbered([created(), response("in_progress"), *events, outcome])


def numbered(frames: Iterable[Frame], first: int = 0) -> Frames:
    """The frames with their numbers, where they have none."""
    return [{"sequence_number": number, **frame} for number, frame in enumerate(frames, start=first)]


def flat(parts: Iterable[Frame | Frames]) -> Frames:
    return [frame for part in parts for frame in (part if isinstance(part, list) else [part])]


def encode(frame: Frame | bytes) -> bytes:
    return frame if isinstance(frame, bytes) else json.dumps(frame).encode()


def stream(frames: Iterable[Any]) -> bytes:
    def name(frame: Any) -> bytes:
        kind = frame.get("type") if isinstance(frame, dict) else None
        return b"event: " + kind.encode() + b"\n" if isinstance(kind, str) and kind.isprintable() else b""

    return b"".join(name(frame) + b"data: " + encode(frame) + b"\n\n" for frame in frames)


def told(frames: Iterable[Any], *, closed: bool = True) -> list[Event]:
    """The events of one answer."""
    decoder = named("openai-responses").decoder()
    events = [event for frame in frames for event in decoder.decode(encode(frame))]
    return [*events, *(decoder.closed() if closed else ())]


def check(frames: Iterable[Any]) -> Verdict:
    capture = io.BytesIO(stream(frames))
    return judge_frames(capture, name="by hand", dialect="openai-responses", catalogue=CATALOGUE)


def violated(frames: Iterable[Any]) -> set[str]:
    verdict = check(frames)
    assert verdict.harness_errors == ()
    return {requirement.id for requirement in verdict.requirements if requirement.verdict == "fail"}
