"""The run events of WIRE.md: their types, their envelope, and their one encoding."""

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

import msgspec

from reference_impl.context import RunId, ThreadId, UserExecutionContext, UserId


class EventType(StrEnum):
    """Every type of run event (WIRE.md, Run events)."""

    AGENT_STARTED = "agent_started"
    AGENT_THINKING = "agent_thinking"
    TOOL_EXECUTING = "tool_executing"
    TOOL_COMPLETED = "tool_completed"
    MESSAGE_CHUNK = "message_chunk"
    AGENT_COMPLETED = "agent_completed", True
    AGENT_ERROR = "agent_error", True
    AGENT_STOPPED = "agent_stopped", True

    terminal: bool
    """Whether this type ends its run (EVT-02)."""

    def __new__(cls, value: str, terminal: bool = False) -> "EventType":
        """A member of the enumeration."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.terminal = terminal
        return member


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What a client receives. The payload is nested, so it cannot replace an envelope field (SCH-05)."""

    type: str
    event_id: str
    run_id: RunId
    thread_id: ThreadId
    user_id: UserId
    seq: int
    timestamp: str
    agent_name: str
    payload: dict[str, Any]
    traceparent: str


class Event(msgspec.Struct, frozen=True, gc=False):
    """An envelope encoded once: `text` goes, the same, to every reader.

    `own` is what of `text` only this event has, its timestamp and payload; None where more of it is its own.
    """

    user_id: UserId
    run_id: RunId
    seq: int
    event_id: str
    type: EventType
    text: str
    own: str | None = None

    @property
    def line(self) -> str:
        """What the journal keeps of it: number, type, and what is its own, from which `RunEvents` makes it again."""
        return f"{self.seq} {self.type._value_} {self.own or self.text}"


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Envelope)


class RunEvents:
    """Makes the events of one run: what their envelopes share is encoded once, and not kept with each of them."""

    __slots__ = ("_context", "_end", "_run_id")

    def __init__(self, context: UserExecutionContext) -> None:
        self._context = context
        shared = {
            "run_id": context.run_id,
            "thread_id": context.thread_id,
            "user_id": context.user_id,
            "agent_name": context.agent_name,
            "traceparent": context.traceparent,
        }
        self._end = _encoder.encode(shared).decode().removeprefix("{")
        self._run_id = _encoder.encode(context.run_id).decode()[1:-1]

    def event(self, seq: int, type: EventType, own: str) -> Event:
        """The run's event of this number; `own` is its timestamp and payload, as they are written."""
        context = self._context
        text = f'{{"type":"{type._value_}","event_id":"{self._run_id}-{seq}","seq":{seq},{own},{self._end}'
        return Event(context.user_id, context.run_id, seq, f"{context.run_id}-{seq}", type, text, own)

    def read(self, lines: str) -> Iterator[Event]:
        """The events of which these lines were kept, with the same texts, byte for byte."""
        for line in lines.split("\n"):
            number, name, kept = line.split(" ", 2)
            seq, type = int(number), EventType(name)
            if kept.startswith("{"):
                event_id = msgspec.json.decode(kept)["event_id"]
                yield Event(self._context.user_id, self._context.run_id, seq, event_id, type, kept)
            else:
                yield self.event(seq, type, kept)


def decode_event(event: Event) -> Envelope:
    """The envelope of `event` again; for recovery, which must know which tools are open."""
    return _decoder.decode(event.text)


def format_timestamp(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC with microseconds, such as `2025-01-31T12:00:00.123456Z` (SCH-03)."""
    whole, microseconds = divmod(int(seconds * 1_000_000 + 0.5), 1_000_000)
    return f"{_whole_second(whole)}.{str(1_000_000 + microseconds)[1:]}Z"


@lru_cache(maxsize=4)
def _whole_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:-6]


def parse_timestamp(text: str) -> float:
    """The seconds since the epoch of what `format_timestamp` wrote, or RFC 3339 in small letters."""
    return datetime.fromisoformat(text.upper()).timestamp()
