"""The answer as the Responses interface gives it: a stream of typed events, or one response."""

from collections.abc import Generator, Iterator, Sequence
from typing import Any

import msgspec

from conformance.history.operations import EmittedCall
from conformance.witness.pieces import fragments, words
from conformance.witness.plan import ToolCall
from conformance.witness.request import ModelRequest
from conformance.witness.writer import Emitted, Event, shown_tokens

_ECHOED: dict[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


class ResponsesWriter:
    """Writes a response. Each thought is a reasoning item with a summary; what is said in a row is one message.

    `created` is wall-clock time in seconds since 1970: frameworks stamp their own events with it.
    """

    def __init__(self, request: ModelRequest, *, created: int) -> None:
        self.emitted = Emitted()
        self.output: list[dict[str, Any]] = []
        self.id = f"resp_{request.digest}"
        self._request = request
        self._created = created
        self._shown = shown_tokens(request.conversation.items)
        self._sequence = 0
        self._speaking = False

    def start(self) -> Iterator[Event]:
        """Say that the response is on its way."""
        yield self._event("response.created", response=self._response("in_progress"))
        yield self._event("response.in_progress", response=self._response("in_progress"))

    def think(self, text: str) -> Iterator[Event]:
        """Reason: an item of its own, its summary word by word."""
        yield from self._end_message()
        item: dict[str, Any] = {"type": "reasoning", "summary": []}
        if self._request.include("reasoning.encrypted_content"):
            item["encrypted_content"] = "scripted"
        place = yield from self._add("rs", item)
        part = {"type": "summary_text", "text": ""}
        where = {**place, "summary_index": 0}
        item["summary"].append(part)
        yield self._event("response.reasoning_summary_part.added", **where, part=part)
        self.emitted.thoughts.append("")
        for piece in words(text):
            self.emitted.thoughts[-1] += piece
            part["text"] += piece
            yield self._event("response.reasoning_summary_text.delta", token=True, **where, delta=piece)
        yield self._event("response.reasoning_summary_text.done", **where, text=text)
        yield self._event("response.reasoning_summary_part.done", **where, part=part)
        yield self._done(item)

    def say(self, text: str) -> Iterator[Event]:
        """Answer, word by word: goes on with the message that is open, or begins one."""
        if not self._speaking:
            item: dict[str, Any] = {"type": "message", "status": "in_progress", "role": "assistant", "content": []}
            place = yield from self._add("msg", item)
            part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            item["content"].append(part)
            yield self._event("response.content_part.added", **place, content_index=0, part=part)
            self._speaking = True
        item = self.output[-1]
        where = {**self._place(item), "content_index": 0}
        for piece in words(text):
            self.emitted.text += piece
            item["content"][0]["text"] += piece
            yield self._event("response.output_text.delta", token=True, **where, delta=piece, logprobs=[])

    def _end_message(self) -> Iterator[Event]:
        if not self._speaking:
            return
        self._speaking = False
        item = self.output[-1]
        part = item["content"][0]
        where = {**self._place(item), "content_index": 0}
        yield self._event("response.output_text.done", **where, text=part["text"], logprobs=[])
        yield self._event("response.content_part.done", **where, part=part)
        item["status"] = "completed"
        yield self._done(item)

    def call(self, calls: Sequence[ToolCall]) -> Iterator[Event]:
        """Ask for tool calls: an item for each, its arguments in pieces."""
        yield from self._end_message()
        for index, call in enumerate(calls):
            emitted = EmittedCall(f"call_{self._request.digest}{index:02d}", call.name, call.arguments)
            self.emitted.calls.append(emitted)
            item: dict[str, Any] = {"type": "function_call", "status": "in_progress", "arguments": ""}
            item |= {"call_id": emitted.id, "name": call.name}
            place = yield from self._add("fc", item)
            for piece in fragments(call.arguments):
                item["arguments"] += piece
                yield self._event("response.function_call_arguments.delta", token=True, **place, delta=piece)
            done = {**place, "name": call.name, "arguments": call.arguments}
            yield self._event("response.function_call_arguments.done", **done)
            item["status"] = "completed"
            yield self._done(item)

    def finish(self) -> Iterator[Event]:
        """Close what is open, and say that the response is complete. One without any item gets an empty message."""
        if not self.output:
            yield from self.say("")
        yield from self._end_message()
        yield self._event("response.completed", response=self._response("completed"))

    def fail(self, message: str, status: int) -> Iterator[Event]:
        """Say that the response failed."""
        if self._speaking:
            self.output[-1]["status"] = "incomplete"
        code = "rate_limit_exceeded" if status == 429 else "server_error"
        yield self._event("response.failed", response=self._response("failed", {"code": code, "message": message}))

    def whole(self) -> dict[str, Any]:
        """Return the response."""
        return self._response("completed")

    # -- its parts ----------------------------------------------------------------------------------------------------

    def _add(self, prefix: str, item: dict[str, Any]) -> Generator[Event, None, dict[str, Any]]:
        item["id"] = f"{prefix}_{self._request.digest}{len(self.output):02d}"
        self.output.append(item)
        place = self._place(item)
        yield self._event("response.output_item.added", output_index=place["output_index"], item=item)
        return place

    def _done(self, item: dict[str, Any]) -> Event:
        return self._event("response.output_item.done", output_index=self.output.index(item), item=item)

    def _place(self, item: dict[str, Any]) -> dict[str, Any]:
        return {"item_id": item["id"], "output_index": self.output.index(item)}

    def _event(self, kind: str, *, token: bool = False, **fields: Any) -> Event:
        data = msgspec.json.encode({"type": kind, "sequence_number": self._sequence, **fields})
        self._sequence += 1
        return Event(b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n", token)

    def _response(self, status: str, error: dict[str, Any] | None = None) -> dict[str, Any]:
        body = self._request.body
        echoed = {name: default if body.get(name) is None else body[name] for name, default in _ECHOED.items()}
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "background": False,
            "error": error,
            "incomplete_details": None,
            "model": self._request.model,
            "output": [] if status == "in_progress" else self.output,
            "parallel_tool_calls": self._request.parallel,
            "service_tier": "default",
            "store": body.get("store") is not False,
            **echoed,
            "usage": self._usage if status == "completed" else None,
        }

    @property
    def _usage(self) -> dict[str, Any]:
        emitted = self.emitted.tokens
        return {
            "input_tokens": self._shown,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": emitted,
            "output_tokens_details": {"reasoning_tokens": self.emitted.thought_tokens},
            "total_tokens": self._shown + emitted,
        }
