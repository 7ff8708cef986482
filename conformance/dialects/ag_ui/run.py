"""What is open in a run of AG-UI and what it has said so far; and what one frame tells."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from conformance import events
from conformance.dialects.fields import shorten
from conformance.events import Event, Violation
from conformance.recent import Recent

PREFIX = "ag-ui:"
_REMEMBERED = 2_048


@dataclass(slots=True, eq=False)
class Message:
    """A text message; `answers` tells that the assistant says it."""

    message_id: str
    answers: bool
    pieces: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Call:
    """A tool call.

    `told` tells that it was reported as started, `completed` that its result is known, `from_snapshot` that it is known
    from a snapshot of the messages only, `deferred` that its run ended before.
    """

    call_id: str
    name: str
    pieces: list[str] = field(default_factory=list)
    told: bool = False
    completed: bool = False
    from_snapshot: bool = False
    deferred: bool = False


@dataclass(slots=True, eq=False)
class Thought:
    """A message of reasoning."""

    message_id: str


@dataclass(slots=True, eq=False)
class Run:
    """One run on one stream.

    It is not `announced` where events come without a start. `ended` is the type of its terminal event. `texts`,
    `calls_open`, `steps`, `phases` and `thoughts` are what is open, by id or name; `said` and `calls` all that there
    were; `known` the calls of all runs of the stream. What the last chunk event belongs to (`chunk`) is open until an
    event of another kind, or with another id, comes. `pieces` is the assistant's text in the order of arrival, `shown`
    its last message in a snapshot.
    `client_tools` are the tools that the client runs, where the run tells; `history` tells that all calls of before are
    `known`; `continues` that the run goes on with another one's calls.
    """

    run_id: str | None = None
    thread_id: str | None = None
    announced: bool = True
    ended: str | None = None
    texts: dict[str, Message] = field(default_factory=dict)
    said: dict[str, Message] = field(default_factory=dict)
    calls_open: dict[str, Call] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    steps: set[str] = field(default_factory=set)
    phases: set[str] = field(default_factory=set)
    thoughts: set[str] = field(default_factory=set)
    thinking: bool = False
    thinking_message: bool = False
    chunk: "Message | Call | Thought | None" = None
    pieces: list[str] = field(default_factory=list)
    shown: str = ""
    known: Recent[str, Call] = field(default_factory=lambda: Recent(_REMEMBERED))
    client_tools: frozenset[str] | None = None
    history: bool = False
    continues: bool = False

    def left_open(self) -> Iterator[str]:
        """Yield what must be closed when the run finishes."""
        for what, names in (("text message", self.texts), ("tool call", self.calls_open), ("step", self.steps)):
            yield from (f"{what} {name}" for name in sorted(names))

    def left_thinking(self) -> Iterator[str]:
        """Yield the reasoning that is still open."""
        yield from (f"reasoning {name}" for name in sorted(self.phases))
        yield from (f"reasoning message {name}" for name in sorted(self.thoughts))
        if self.thinking or self.thinking_message:
            yield "thinking"


class Telling:
    """What one frame tells: canonical events, all with the frame's timestamp, and what is wrong with it."""

    __slots__ = ("events", "stamp")

    def __init__(self, told: list[Event]) -> None:
        self.events = told
        self.stamp: datetime | None = None

    def violates(self, requirement: str, message: str, *, expected: str, actual: str, run: Run | None = None) -> None:
        """Add a violation of one of AG-UI's own rules."""
        run_id = run.run_id if run is not None else None
        self.events.append(Violation(requirement, message, expected, actual, run_id))

    def event(self, make: Any, run: Run, *content: Any) -> None:
        """Add an event of a run; `content` are the fields after the envelope."""
        self.events.append(make(None, run.run_id, run.thread_id, None, None, self.stamp, None, *content))

    def other(self, run: Run, wire_type: str) -> None:
        """Add an event of AG-UI's that has no canonical form; it belongs to no run where none has started."""
        if run.announced:
            self.event(events.OtherRunEvent, run, PREFIX + wire_type)
        else:
            self.events.append(events.Unknown(PREFIX + wire_type))

    def text(self, run: Run, message: Message, delta: str, wire_type: str) -> None:
        """Add a piece of a message."""
        message.pieces.append(delta)
        if message.answers:
            run.pieces.append(delta)
        if message.answers and run.announced and delta:
            self.event(events.TextDelta, run, events.TextPayload(delta))
        else:
            self.other(run, wire_type)

    def thought(self, run: Run, delta: str, wire_type: str) -> None:
        """Add a piece of reasoning."""
        if run.announced and delta:
            self.event(events.Thinking, run, events.ThinkingPayload(delta))
        else:
            self.other(run, wire_type)

    def unpaired(self, requirement: str, run: Run, thing: str, name: str, problem: str) -> None:
        """Add that a start, an end or what is between them does not fit the others."""
        self.violates(
            requirement,
            f"{thing} {name} {problem}",
            expected="one start, then content, then one end",
            actual=f"{thing} {shorten(name, 60)!r} {problem}",
            run=run,
        )

    def identify(self, run: Run, field_name: str, value: str | None) -> None:
        """Add that an id, or the name of a tool, is empty, where it is."""
        if value == "":
            self.violates("AGU-12", f"an empty {field_name}", expected=f"{field_name}: not empty", actual='""', run=run)

    def reused(self, run: Run, field_name: str, value: str) -> None:
        """Add that an id has named another thing of the run before."""
        self.violates(
            "AGU-13",
            f"{field_name} {value} is used a second time",
            expected=f"a {field_name} of its own for each",
            actual=f"{shorten(value, 60)!r} again",
            run=run,
        )

    def nameless(self, run: Run, wire_type: str, fields: str) -> None:
        """Add that the first chunk of something does not say of what."""
        self.violates(
            "AGU-16",
            f"the first {wire_type} comes without {fields}",
            expected=f"{fields} on the first chunk after any other event",
            actual="missing",
            run=run,
        )

    def empty(self, run: Run, wire_type: str) -> None:
        """Add that a piece holds nothing."""
        self.violates("AGU-18", f"{wire_type} with an empty delta", expected="delta: not empty", actual='""', run=run)
