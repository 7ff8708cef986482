"""How an answer is written, piece by piece: what both interfaces of the model share. Sans-IO."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from conformance.history.operations import EmittedCall
from conformance.witness.conversation import Item
from conformance.witness.pieces import tokens
from conformance.witness.plan import ToolCall


class Event(NamedTuple):
    """Bytes of the stream; a `token` is one that the model takes time for."""

    data: bytes
    token: bool = False


@dataclass
class Emitted:
    """What was emitted so far."""

    thoughts: list[str] = field(default_factory=list)
    text: str = ""
    calls: list[EmittedCall] = field(default_factory=list)

    @property
    def thought_tokens(self) -> int:
        """How many tokens the reasoning counts as."""
        return sum(tokens(thought) for thought in self.thoughts)

    @property
    def tokens(self) -> int:
        """How many tokens all of it counts as."""
        return self.thought_tokens + tokens(self.text) + sum(tokens(c.name + c.arguments) for c in self.calls)


class Writer(Protocol):
    """Writes one answer. `emitted` grows with the events that are taken from it, not before."""

    emitted: Emitted

    def start(self) -> Iterator[Event]:
        """Begin the stream."""
        ...

    def think(self, text: str) -> Iterator[Event]:
        """Reason."""
        ...

    def say(self, text: str) -> Iterator[Event]:
        """Answer."""
        ...

    def call(self, calls: Sequence[ToolCall]) -> Iterator[Event]:
        """Ask for tool calls."""
        ...

    def finish(self) -> Iterator[Event]:
        """End the stream."""
        ...

    def fail(self, message: str, status: int) -> Iterator[Event]:
        """End the stream with an error."""
        ...

    def whole(self) -> dict[str, Any]:
        """Return the finished answer in one piece."""
        ...


def shown_tokens(items: Sequence[Item]) -> int:
    """Return how many tokens a conversation counts as."""
    return sum(tokens(item.text) for item in items)


def api_error(message: str, status: int, *, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Return the body of an error, as the interfaces give it."""
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    kind = kinds.get(status, "server_error" if status >= 500 else "invalid_request_error")
    codes = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
    return {"error": {"message": message, "type": kind, "param": param, "code": code or codes.get(status)}}
