"""Run events as AG-UI tells them (AG-UI 1.0, docs/sdk/js/core/events)."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from reference_impl.context import UserExecutionContext
from reference_impl.events import Event, EventType, parse_timestamp

_encoder = msgspec.json.Encoder()


class AguiTeller:
    """Tells one run to one client, event by event. A text message stays open until something else is told.

    Run and thread bear the names that the client gave them.
    """

    def __init__(self, context: UserExecutionContext) -> None:
        self._context = context
        self._open: str | None = None

    def tell(self, event: Event) -> str:
        """The server-sent events that say what `event` says."""
        envelope = msgspec.json.decode(event.text)
        stamp = round(parse_timestamp(envelope["timestamp"]) * 1000)
        return "".join(_message({**said, "timestamp": stamp}) for said in self._say(event, envelope))

    def _say(self, event: Event, envelope: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        kind, payload = envelope["type"], envelope["payload"]
        if kind != EventType.MESSAGE_CHUNK and self._open is not None:
            yield {"type": "TEXT_MESSAGE_END", "messageId": self._open}
            self._open = None
        match kind:
            case EventType.AGENT_STARTED:
                yield {"type": "RUN_STARTED", **self._names(envelope)}
            case EventType.AGENT_THINKING:
                yield from _thought(event.event_id, payload["thought"])
            case EventType.TOOL_EXECUTING:
                yield from _call(payload)
            case EventType.TOOL_COMPLETED:
                yield _result(event.event_id, payload)
            case EventType.MESSAGE_CHUNK:
                yield from self._text(event.event_id, payload["text"])
            case EventType.AGENT_COMPLETED:
                ending = {"result": payload["final_response"], "outcome": {"type": "success"}}
                yield {"type": "RUN_FINISHED", **self._names(envelope), **ending}
            case EventType.AGENT_ERROR:
                yield {"type": "RUN_ERROR", "code": payload["code"], "message": payload["message"]}
            case EventType.AGENT_STOPPED:
                yield {"type": "RUN_ERROR", "code": "stopped", "message": payload["reason"]}

    def _names(self, envelope: Mapping[str, Any]) -> dict[str, Any]:
        run_id = envelope["run_id"]
        own = run_id == self._context.run_id
        return {"threadId": envelope["thread_id"], "runId": self._context.request_id if own else run_id}

    def _text(self, message_id: str, text: str) -> Iterator[dict[str, Any]]:
        if not text:
            return  # a delta may not be empty
        if self._open is None:
            self._open = message_id
            yield {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": "assistant"}
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": self._open, "delta": text}


def _thought(message_id: str, thought: str) -> Iterator[dict[str, Any]]:
    phase = f"reasoning-{message_id}"
    yield {"type": "REASONING_START", "messageId": phase}
    yield {"type": "REASONING_MESSAGE_START", "messageId": message_id, "role": "reasoning"}
    if thought:
        yield {"type": "REASONING_MESSAGE_CONTENT", "messageId": message_id, "delta": thought}
    yield {"type": "REASONING_MESSAGE_END", "messageId": message_id}
    yield {"type": "REASONING_END", "messageId": phase}


def _call(payload: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    call_id = payload["tool_call_id"]
    yield {"type": "TOOL_CALL_START", "toolCallId": call_id, "toolCallName": payload["tool_name"]}
    arguments = _encoder.encode(payload["parameters"]).decode()
    yield {"type": "TOOL_CALL_ARGS", "toolCallId": call_id, "delta": arguments}
    yield {"type": "TOOL_CALL_END", "toolCallId": call_id}


def _result(message_id: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """A tool's end: its result as text, or a JSON object with the error. AG-UI has no field for a failure."""
    if payload["status"] == "error":
        content = _encoder.encode({"error": payload["error"]}).decode()
    else:
        result = payload["result"]
        content = result if isinstance(result, str) else _encoder.encode(result).decode()
    return {
        "type": "TOOL_CALL_RESULT",
        "messageId": message_id,
        "toolCallId": payload["tool_call_id"],
        "content": content,
        "role": "tool",
    }


def _message(said: Mapping[str, Any]) -> str:
    """One event as an SSE message. JSON has no raw line breaks."""
    return f"data: {_encoder.encode(said).decode()}\n\n"
