"""What was said on a thread so far: AG-UI's clients keep the conversation, and send all of it with each request."""

from collections.abc import Sequence
from typing import Any

import msgspec

from conformance.dialects.dialect import Turn
from conformance.dialects.fields import decode_json

Message = dict[str, Any]


def question(request_id: str | None, text: str) -> Message:
    """Return what the user says, as a message."""
    return {"id": f"message-{request_id}", "role": "user", "content": text}


def conversation(turns: Sequence[Turn]) -> list[Message]:
    """Return the messages of earlier turns, as AG-UI's own client puts them together from the events.

    Reasoning is left out: only the newest release has messages of that role.
    """
    said = _Said()
    for turn in turns:
        said.add(question(turn.asked.request_id, turn.text))
        for frame in turn.frames:
            try:
                event = decode_json(frame)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue
            if isinstance(event, dict):
                said.hear(event)
    return said.messages


class _Said:
    """The messages as they grow, event by event."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._calls: dict[str, Any] = {}
        self._latest = ""

    def add(self, message: Message) -> Message:
        self.messages.append(message)
        return message

    def hear(self, event: dict[str, Any]) -> None:
        message_id, call_id = event.get("messageId"), event.get("toolCallId")
        delta = event.get("delta")
        match event.get("type"):
            case "TEXT_MESSAGE_START":
                self._text(message_id or "", event.get("role"))
            case "TEXT_MESSAGE_CONTENT" | "TEXT_MESSAGE_CHUNK":
                message = self._text(message_id or self._latest, event.get("role"))
                message["content"] += delta or ""
            case "TOOL_CALL_START":
                self._call(call_id or "", event)
            case "TOOL_CALL_ARGS" | "TOOL_CALL_CHUNK":
                call = self._call(call_id or self._latest, event)
                call["function"]["arguments"] += delta or ""
            case "TOOL_CALL_RESULT":
                content = event.get("content")
                self.add({"id": message_id, "role": "tool", "toolCallId": call_id, "content": content})
            case "MESSAGES_SNAPSHOT":
                told = event.get("messages")
                self.messages = [m for m in told if isinstance(m, dict)] if isinstance(told, list) else self.messages

    def _text(self, message_id: str, role: str | None) -> Message:
        self._latest = message_id
        known = next((m for m in self.messages if m.get("id") == message_id), None)
        message = known or self.add({"id": message_id, "role": role or "assistant"})
        message.setdefault("content", "")
        return message

    def _call(self, call_id: str, event: dict[str, Any]) -> Message:
        self._latest = call_id
        if call_id not in self._calls:
            function = {"name": event.get("toolCallName") or "", "arguments": ""}
            self._calls[call_id] = {"id": call_id, "type": "function", "function": function}
            parent = event.get("parentMessageId") or call_id
            known = next((m for m in self.messages if m.get("id") == parent), None)
            message = known or self.add({"id": parent, "role": "assistant"})
            message.setdefault("toolCalls", []).append(self._calls[call_id])
        call: Message = self._calls[call_id]
        return call
