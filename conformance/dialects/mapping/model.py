"""A mapping, as it was read: which frame means what, and how a request is written."""

from typing import Any, Literal

import msgspec

from conformance.dialects.dialect import Framing
from conformance.dialects.mapping.paths import Path, find
from conformance.dialects.mapping.source import Source

Transport = Literal["websocket", "sse", "ndjson", "json"]
FRAMINGS = {"sse": Framing.EVENTS, "ndjson": Framing.LINES, "json": Framing.WHOLE}
EVENT, TEXT = "@event", "@text"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Frames of one kind: those in which each path of `when` has one of its values, all of `has` and none of `lacks`.

    `go_on` tells that the rules below are looked at, too.
    """

    kind: str
    when: tuple[tuple[Path, tuple[Any, ...]], ...] = ()
    has: tuple[Path, ...] = ()
    lacks: tuple[Path, ...] = ()
    go_on: bool = False
    sources: dict[str, Source] = {}
    envelope: dict[str, Source] = {}

    def matches(self, frame: dict[str, Any]) -> bool:
        """Tell whether a frame is of this kind."""
        return (
            all(any(_same(find(path, frame), value) for value in values) for path, values in self.when)
            and all(find(path, frame) not in (msgspec.UNSET, None) for path in self.has)
            and all(find(path, frame) in (msgspec.UNSET, None) for path in self.lacks)
        )


def _same(came: Any, expected: Any) -> bool:
    return bool(came == expected) and isinstance(came, bool) == isinstance(expected, bool)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """How something is asked for: `body` is a template; `url` is relative to the target's.

    `planted` are the objects in the body into which the kit may put fields that are not the protocol's.
    """

    body: Any = None
    url: str | None = None
    method: str = "POST"
    headers: dict[str, str] = {}
    planted: tuple[Path, ...] = ()
    framing: Framing = Framing.EVENTS


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """A whole mapping. `text` is the file's, so that a history can hold it."""

    name: str
    text: str
    transport: Transport
    type_path: tuple[str, Path] | None = None
    event_names: bool = False
    ignores_unknown: bool = False
    implied: frozenset[str] = frozenset()
    intrinsic: frozenset[str] = frozenset()
    client_names_threads: bool = False
    client_tools: bool = False
    implicit_start: bool = False
    completes_at_end: bool = False
    envelope: dict[str, Source] = {}
    rules: tuple[Rule, ...] = ()
    requests: dict[str, Request] = {}
    malformed: dict[str, str] = {}
