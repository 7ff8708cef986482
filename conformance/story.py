"""Runs as they are told: the story of a run, the streams on which it is told, and each sighting of an event."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from conformance.dialects.dialect import Decoder
from conformance.events import Accepted, Event, Ready, Refusal, RunEvent
from conformance.history import operations as ops
from conformance.history.operations import Action, Asked, Frame


@dataclass(slots=True, eq=False)
class Request:
    """One question of the kit's, and what became of it."""

    asked: Asked
    line: int
    connection: "Connection"
    accepted: Accepted | None = None
    refusal: Refusal | None = None
    refused_line: int = 0
    story: "Story | None" = None

    @property
    def op(self) -> Asked:
        """The operation that asked, as evidence."""
        return self.asked

    @property
    def runs(self) -> bool:
        """Whether it asks for a run."""
        return self.asked.action in (Action.START, Action.CONTINUE)

    @property
    def answered(self) -> bool:
        """Whether it was taken on or refused."""
        return self.accepted is not None or self.refusal is not None


@dataclass(slots=True, eq=False)
class Stream:
    """One run as delivered on one connection.

    `high` is the seq up to which it was delivered, `missing` the seqs below that were not; `resumed` tells that the
    client asked for a replay, `replaying` that the first event of it was not seen yet, `joined_late` that the
    connection came to a run under way.
    """

    high: int = 0
    events: int = 0
    resumed: bool = False
    replaying: bool = False
    joined_late: bool = False
    ended: bool = False
    missing: set[int] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Connection:
    """One connection of the kit's: a WebSocket, or one HTTP exchange."""

    number: int
    line: int
    op: ops.Connecting
    decoder: Decoder
    connected: ops.Connected | None = None
    refused: ops.Refused | None = None
    closed: ops.Closed | None = None
    ready: Ready | None = None
    received: int = 0
    paused: bool = False
    was_paused: bool = False
    unanswered: list[Request] = field(default_factory=list)

    @property
    def user(self) -> str | None:
        """The kit's name of the user whose connection it is."""
        return self.op.user

    @property
    def open(self) -> bool:
        """Whether it is open as far as the kit knows."""
        return self.connected is not None and self.closed is None


@dataclass(slots=True, eq=False)
class Tool:
    """One tool call of a run, from its start to its completion."""

    started: "Sighting"
    completed: "Sighting | None" = None


@dataclass(slots=True, eq=False)
class Story:
    """One run: what its events, over all connections, tell together.

    `ids` maps the event ids seen to their seq; `missing` are seqs that no connection has seen though later ones came.
    `streams` are its deliveries, by the number of the connection; `stream` is the one on which it has been told so far,
    None where there are several or none. `passage` holds the events that were not yet handed to the checks as a
    `Passage`.
    """

    number: int
    run_id: str | None
    user: str | None
    thread_id: str | None
    scenario: str | None
    born_at: int
    request: Request | None = None
    own_canary: bytes = b"\0"
    connection: Connection | None = None
    streams: dict[int, Stream] = field(default_factory=dict)
    stream: Stream | None = None
    first: "Sighting | None" = None
    last: "Sighting | None" = None
    terminal: "Sighting | None" = None
    events: int = 0
    high: int = 0
    ids: dict[str, int] = field(default_factory=dict)
    missing: set[int] = field(default_factory=set)
    tools: dict[str, Tool] = field(default_factory=dict)
    open_tools: int = 0
    thought: bool = False
    text: "list[Sighting]" = field(default_factory=list)
    passage: "list[Sighting]" = field(default_factory=list)
    stop_asked: Asked | None = None
    settled: bool = False

    @property
    def script(self) -> list[dict[str, Any]] | None:
        """The script that the model was told to follow, where it was."""
        return self.request.asked.script if self.request else None

    def forget_details(self) -> None:
        """Drop everything that only a run still being told needs."""
        self.settled = True
        self.ids = {}
        self.tools = {}
        self.text = []
        self.passage = []
        self.last = self.terminal or self.last
        self.stream = None


class Sighting(msgspec.Struct, eq=False):
    """A run event as it was received: the operation, its line in the history, and what it belongs to.

    `fresh` tells an event of the run that was not seen before from one delivered again; `foreign` one that reached a
    connection of another user than the run's; `overtaking` one that was under way live when the client asked for a
    replay, and may come before it.
    """

    line: int
    op: Frame
    event: RunEvent
    connection: Connection
    story: Story
    stream: Stream
    fresh: bool = True
    foreign: bool = False
    overtaking: bool = False


@dataclass(slots=True, frozen=True)
class Passage:
    """Some consecutive events of one run, told together: for checks that need not look at each when it comes."""

    story: Story
    sightings: list[Sighting]


@dataclass(slots=True, frozen=True)
class Notice:
    """A frame's event that belongs to no run, as it was received.

    `request` is the question it answers, as far as that can be told; `earlier` another run that already had the id.
    """

    line: int
    op: Frame
    event: Event
    connection: Connection
    request: Request | None = None
    earlier: Story | None = None
