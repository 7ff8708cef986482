"""The run events of WIRE.md: their types, their envelope, and their one encoding."""

from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

import msgspec

from reference_impl.context import RunId, ThreadId, UserId


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


class Event(msgspec.Struct, frozen=True):
    """An envelope encoded once: `text` goes to the journal and, the same, to every reader."""

    user_id: UserId
    run_id: RunId
    seq: int
    event_id: str
    type: EventType
    text: str


_decoder = msgspec.json.Decoder(Envelope)


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
