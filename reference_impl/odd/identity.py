"""Odd ids: all that an id may be, besides random digits."""

import base64
import itertools
import secrets
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from reference_impl.connection import Connection
from reference_impl.context import ThreadId, UserId
from reference_impl.emitter import UserEventEmitter
from reference_impl.events import Event, EventType
from reference_impl.faulty.rewriting import rewritten
from reference_impl.model import ToolCall
from reference_impl.odd.odd import odd
from reference_impl.registry import AgentExecutionRegistry
from reference_impl.tools import ToolDispatcher

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_kinds = itertools.count()
_events = itertools.count()
_PROCESS = time.time_ns() // 1_000_000 % 100_000_000
"""Before each event's number, so that a restart does not count them anew."""
_connections = itertools.count()
_calls: defaultdict[tuple[UserId, ThreadId], "itertools.count[int]"] = defaultdict(itertools.count)


def any_id() -> str:
    """A fresh id of the next kind, with 80 random bits or more."""
    bits = secrets.randbits(128)
    kinds = (
        "".join(_CROCKFORD[(time.time_ns() // 1_000_000 << 80 | bits >> 48) >> 5 * n & 31] for n in range(25, -1, -1)),
        f"run_{secrets.token_urlsafe(16)}",
        str(bits),
        f"urn:acme:runs:{bits:x}",
        f"{{{bits:032X}}}",
        base64.b64encode(bits.to_bytes(16)).decode().replace("/", "."),
        f"l\u00e4uft \u2116 {bits:x} \U0001f680",
        f"~{bits:x}" * 7,
        f"null-{bits:x}",
    )
    return kinds[next(_kinds) % len(kinds)]


class _AnyIds(AgentExecutionRegistry):
    """Names runs and threads as it likes."""

    def new_id(self) -> str:
        """A fresh id."""
        return any_id()

    def new_thread_id(self) -> str:
        """A fresh id."""
        return any_id()


class _NumberedConnections(Connection):
    """Numbers connections."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.connection_id = str(next(_connections))


class _NumberedCalls(ToolDispatcher):
    """Numbers the tool calls of each thread."""

    async def dispatch_all(self, calls: Sequence[ToolCall]) -> None:
        """Make `calls` under other ids."""
        context = self._emitter.context
        for call in calls:
            call.call_id = f"call_{next(_calls[context.user_id, context.thread_id])}"
        await super().dispatch_all(calls)


@odd(
    "ids-in-any-format",
    "Runs and threads have ids of nine kinds; events and connections are counted, and so are a thread's tool calls.",
    legal="IDN asks that ids be real, unique, and those of runs not to be guessed: not that they be UUIDs.",
    with_parts=(_AnyIds, _NumberedConnections, _NumberedCalls),
)
class CountedEvents(UserEventEmitter):
    """Counts all events of the engine."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event, under the next number."""
        event_id = f"{_PROCESS}{next(_events)}"
        return msgspec.structs.replace(rewritten(super().encode(type, payload), event_id=event_id), event_id=event_id)
