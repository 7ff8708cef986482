"""What is open in one message of the stream, and what it has said so far."""

from dataclasses import dataclass, field
from typing import Any

from conformance import events
from conformance.dialects.fields import shorten
from conformance.events import Event, Flaw

PREFIX = "vercel-ui:"


@dataclass(slots=True, eq=False)
class Call:
    """A tool call.

    `told` tells that it was reported as started, `over` that it has an outcome, or has none in this message, and
    `refused` that its input was none that the tool takes.
    """

    call_id: str
    name: str
    pieces: list[str] = field(default_factory=list)
    told: bool = False
    over: bool = False
    refused: bool = False


@dataclass(slots=True, eq=False)
class Message:
    """A run: the answer to one request.

    `open` counts the starts that no finish has closed: streams that are merged may bring several. `texts` and
    `thoughts` are the open parts of the step. `failed` is what an error said, with which the run will end.
    """

    begun: bool = False
    open: int = 0
    ended: bool = False
    again: bool = False
    texts: set[str] = field(default_factory=set)
    thoughts: set[str] = field(default_factory=set)
    calls: dict[str, Call] = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)
    failed: str | None = None


class Telling:
    """What one frame tells. The protocol names neither run nor thread, and gives no time."""

    __slots__ = ("events", "message")

    def __init__(self, message: Message, told: list[Event]) -> None:
        self.message = message
        self.events = told

    def event(self, make: Any, *content: Any) -> None:
        """Add an event of the run; its start is told before the first, where no part tells it."""
        if not self.message.begun:
            self.message.begun = True
            self.event(events.RunStarted, events.StartedPayload(None))
        self.events.append(make(None, None, None, None, None, None, None, *content))

    def aside(self, part_type: str) -> None:
        """Add a part that has no canonical form."""
        if self.message.begun and not self.message.ended:
            self.event(events.OtherRunEvent, PREFIX + part_type)
        else:
            self.events.append(events.Unknown(PREFIX + part_type))

    def dangling(self, field_name: str, value: str | None, expected: str) -> None:
        """Add that a part names something that is not there: the official client gives up on the stream."""
        if value is not None:
            self.events.append(Flaw("SCH-02", field_name, expected, f"{shorten(value, 60)!r}, which is not there"))
