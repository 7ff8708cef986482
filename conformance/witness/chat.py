"""The answer as Chat Completions gives it: chunks, or one completion."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from conformance.history.operations import EmittedCall
from conformance.witness.pieces import fragments, words
from conformance.witness.plan import ToolCall
from conformance.witness.request import ModelRequest
from conformance.witness.writer import Emitted, Event, api_error, shown_tokens

_BETWEEN_THOUGHTS = "\n\n"


class ChatWriter:
    """Writes a Chat Completions answer. Reasoning stands in `reasoning_content`, which the interface has no place for.

    `created` is wall-clock time in seconds since 1970: frameworks stamp their own events with it.
    """

    def __init__(self, request: ModelRequest, *, created: int) -> None:
        self.emitted = Emitted()
        self._head = {"id": f"chatcmpl-{request.digest}", "created": created, "model": request.model}
        self._digest = request.digest
        self._shown = shown_tokens(request.conversation.items)
        self._usage_wanted = bool((request.body.get("stream_options") or {}).get("include_usage"))

    def start(self) -> Iterator[Event]:
        """Say whose words come."""
        yield self._chunk({"role": "assistant", "content": "", "refusal": None})

    def think(self, text: str) -> Iterator[Event]:
        """Reason, word by word."""
        if self.emitted.thoughts:
            yield self._chunk({"reasoning_content": _BETWEEN_THOUGHTS})
        self.emitted.thoughts.append("")
        for piece in words(text):
            self.emitted.thoughts[-1] += piece
            yield self._chunk({"reasoning_content": piece}, token=True)

    def say(self, text: str) -> Iterator[Event]:
        """Answer, word by word."""
        for piece in words(text):
            self.emitted.text += piece
            yield self._chunk({"content": piece}, token=True)

    def call(self, calls: Sequence[ToolCall]) -> Iterator[Event]:
        """Ask for tool calls: for each its name first, then its arguments in pieces."""
        for index, call in enumerate(calls):
            emitted = EmittedCall(f"call_{self._digest}{index:02d}", call.name, call.arguments)
            self.emitted.calls.append(emitted)
            yield self._chunk({"tool_calls": [{"index": index, **_tool_call(emitted, arguments="")}]})
            for piece in fragments(call.arguments):
                yield self._chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, token=True)

    def finish(self) -> Iterator[Event]:
        """Say why it ends, what it cost if that was asked, and that it ends."""
        yield self._chunk({}, reason=self._reason)
        if self._usage_wanted:
            yield _event({**self._stream_head, "choices": [], "usage": self._usage})
        yield Event(b"data: [DONE]\n\n")

    def fail(self, message: str, status: int) -> Iterator[Event]:
        """Break off with an error."""
        yield _event(api_error(message, status))

    def whole(self) -> dict[str, Any]:
        """Return the completion."""
        emitted = self.emitted
        message: dict[str, Any] = {
            "role": "assistant",
            "content": emitted.text or (None if emitted.calls else ""),
            "refusal": None,
            "annotations": [],
        }
        if emitted.thoughts:
            message["reasoning_content"] = _BETWEEN_THOUGHTS.join(emitted.thoughts)
        if emitted.calls:
            message["tool_calls"] = [_tool_call(call, arguments=call.arguments) for call in emitted.calls]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._reason}
        return {
            **self._head,
            "object": "chat.completion",
            "choices": [choice],
            "usage": self._usage,
            "service_tier": "default",
            "system_fingerprint": None,
        }

    @property
    def _reason(self) -> str:
        return "tool_calls" if self.emitted.calls else "stop"

    @property
    def _usage(self) -> dict[str, Any]:
        emitted = self.emitted.tokens
        return {
            "prompt_tokens": self._shown,
            "completion_tokens": emitted,
            "total_tokens": self._shown + emitted,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": self.emitted.thought_tokens,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    @property
    def _stream_head(self) -> dict[str, Any]:
        return {**self._head, "object": "chat.completion.chunk", "service_tier": "default", "system_fingerprint": None}

    def _chunk(self, delta: dict[str, Any], *, reason: str | None = None, token: bool = False) -> Event:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        usage = {"usage": None} if self._usage_wanted else {}
        return _event({**self._stream_head, "choices": [choice], **usage}, token=token)


def _tool_call(call: EmittedCall, *, arguments: str) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _event(data: dict[str, Any], *, token: bool = False) -> Event:
    return Event(b"data: " + msgspec.json.encode(data) + b"\n\n", token)
