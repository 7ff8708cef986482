"""Runs as they are told: the story of a run, the streams on which it is told, and each sighting of an event."""

from collections.abc import Collection
from itertools import count
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import field

from conformance.dialects.dialect import Decoder
from conformance.events import Accepted, Event, Ready, Refusal, RunEvent
from conformance.history import operations as ops
from conformance.history.operations import Action, Asked, Closed, Frame, Refused

LONGEST_PASSAGE = 256
NO_SEQS: frozenset[int] = frozenset()
"""Most runs leave nothing out: they share this instead of having empty sets of their own."""

Seqs = set[int] | frozenset[int]
_DROPPED: Any = MappingProxyType({})
_DROPPED_ALL: Any = ()
"""What runs over share where they had details: nobody can add to them."""


class Request(msgspec.Struct, eq=False):
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
    def may_be_refused(self) -> bool:
        """Whether an error is a usual answer: to all but a ping, and a stop or resume of what is the asker's."""
        return self.asked.owner is not None or self.asked.action not in (Action.STOP, Action.RESUME, Action.PING)

    @property
    def answered(self) -> bool:
        """Whether it was taken on or refused."""
        return self.accepted is not None or self.refusal is not None


class Stream(msgspec.Struct, eq=False):
    """One run as delivered on one connection, which is the `user`'s.

    `high` is the seq up to which it was delivered, `missing` the seqs below that were not, `late` those that came after
    a higher one; `resumed` tells that the client asked for a replay of what comes after `cursor`, `replaying` that the
    first event of it was not seen yet, `overtook` holds the seqs that came before it; `joined_late` tells that the
    connection came to a run under way.
    """

    user: str | None
    high: int = 0
    events: int = 0
    resumed: bool = False
    replaying: bool = False
    joined_late: bool = False
    ended: bool = False
    cursor: int | None = None
    missing: Seqs = NO_SEQS
    late: Seqs = NO_SEQS
    overtook: Seqs = NO_SEQS


class Connection(msgspec.Struct, eq=False):
    """One connection of the kit's: a WebSocket, or one HTTP exchange.

    `ready_at` (µs) is when it was greeted; `paused_at` when the kit last stopped reading from it.
    """

    number: int
    line: int
    op: ops.Connecting
    decoder: Decoder
    connected: ops.Connected | None = None
    refused: ops.Refused | None = None
    closed: ops.Closed | None = None
    ready: Ready | None = None
    ready_at: int | None = None
    received: int = 0
    paused: bool = False
    was_paused: bool = False
    paused_at: int = 0
    unanswered: list[Request] = field(default_factory=list)

    @property
    def user(self) -> str | None:
        """The kit's name of the user whose connection it is."""
        return self.op.user

    @property
    def held_back(self) -> bool:
        """Whether the kit may have kept back what came on it: how long that took says nothing of the target."""
        return self.was_paused or self.op.proxied

    @property
    def open(self) -> bool:
        """Whether it is open as far as the kit knows."""
        return self.connected is not None and self.closed is None


class Tool(msgspec.Struct, eq=False):
    """One tool call of a run, from its start to its completion."""

    started: "Sighting"
    completed: "Sighting | None" = None


class Story(msgspec.Struct, eq=False):
    """One run: what its events, over all connections, tell together.

    `ids` maps the event ids seen to their seq; it is put together when somebody asks, from `known_ids` and the lists
    of ids that were `listed` since, each with the seq of its first. `missing` are seqs that no connection has seen
    though later ones came, `excused` those that may have passed while none was open. `early` holds completions of tools
    that have not started. `streams` are its deliveries, by the number of the connection; `stream` is the one on which
    it has been told so far, None where there are several or none. `passage` holds the events that were not yet handed
    to the checks as a `Passage`. `by_the_book` tells that all of it so far was (`express.Stretch`).
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
    known_ids: dict[str, int] = field(default_factory=dict)
    listed: list[tuple[list[str], int]] = field(default_factory=list)
    missing: Seqs = NO_SEQS
    excused: Seqs = NO_SEQS
    tools: dict[str, Tool] = field(default_factory=dict)
    early: "dict[str, Sighting]" = field(default_factory=dict)
    open_tools: int = 0
    thought: bool = False
    text: "list[Sighting]" = field(default_factory=list)
    passage: "list[Sighting]" = field(default_factory=list)
    stop_asked: Asked | None = None
    settled: bool = False
    by_the_book: bool = False

    @property
    def ids(self) -> dict[str, int]:
        """The event ids seen, with their seq."""
        if self.listed:
            for ids, first in self.listed:
                self.known_ids.update(zip(ids, count(first)))
            self.listed.clear()
        return self.known_ids

    @property
    def event_ids(self) -> Collection[str]:
        """The event ids seen, each once."""
        return self.listed[0][0] if len(self.listed) == 1 and not self.known_ids else self.ids

    @property
    def script(self) -> list[dict[str, Any]] | None:
        """The script that the model was told to follow, where it was."""
        return self.request.asked.script if self.request else None

    @property
    def partly_seen(self) -> bool:
        """Whether events are missing that may have passed while no connection of the kit's was there to see them."""
        return not self.missing.isdisjoint(self.excused)

    @property
    def strayed(self) -> bool:
        """Whether some of it came to another user."""
        return len({stream.user for stream in self.streams.values()}) > 1

    def forget_details(self) -> None:
        """Drop everything that only a run still being told needs."""
        self.settled = True
        self.known_ids = self.tools = self.early = _DROPPED
        self.listed = self.text = self.passage = _DROPPED_ALL
        self.stream = None
        self.first = self._alone(self.first)
        self.last = self._alone(self.terminal or self.last)
        self.terminal = self.last if self.terminal is not None else None

    def _alone(self, seen: "Sighting | None") -> "Sighting | None":
        """Return a sighting that does not hold its run: so that the run goes at once when nobody needs it any more."""
        if seen is None:
            return None
        if self.by_the_book:
            return recalled(seen, _NONE)
        return msgspec.structs.replace(seen, story=_NONE)

    def take_up(self) -> None:
        """An event comes of which nobody expected more: have details again."""
        if self.known_ids is _DROPPED:
            self.known_ids, self.tools, self.early = {}, {}, {}
            self.listed, self.text, self.passage = [], [], []


class Sighting(msgspec.Struct, eq=False):
    """A run event as it was received: the operation, its line in the history, and what it belongs to.

    `fresh` tells an event of the run that was not seen before from one delivered again; `foreign` one that reached a
    connection of another user than the run's; `overtaking` one that was under way live when the client asked for a
    replay, and may come before it. `pieces` is the number of frames that were told as this one (`Decoder.joined`):
    its line is that of the last, its operation holds them all, one a line.
    """

    line: int
    op: Frame | Closed
    event: RunEvent
    connection: Connection
    story: Story
    stream: Stream
    fresh: bool = True
    foreign: bool = False
    overtaking: bool = False
    pieces: int = 1

    @property
    def incomplete(self) -> bool:
        """Whether earlier events of the run have not been seen (yet): what they tell must be waited for."""
        seq = self.event.seq
        return bool(self.story.missing) or (seq is not None and seq > self.story.high + 1)


UNREAD: Any = None
"""What a sighting has in place of its event where that is `Recalled`."""


class Recalled(Sighting, eq=False):
    """A sighting that keeps no event: whoever asks has it read again, by a decoder that keeps no state."""

    @property  # type: ignore[misc]
    def event(self) -> RunEvent:  # type: ignore[override]
        """The event."""
        assert not isinstance(self.op, Closed)
        event = self.connection.decoder.decode(self.op.raw)[-1]
        assert isinstance(event, RunEvent)
        return event


def recalled(seen: Sighting, story: Story) -> Recalled:
    """Return a sighting of what went by the book without its event, as one of this run."""
    return Recalled(seen.line, seen.op, UNREAD, seen.connection, story, seen.stream)


_NONE = Story(0, None, None, None, None, 0)


class Passage(msgspec.Struct, frozen=True, eq=False):
    """Some consecutive events of one run, told together: for checks that need not look at each when it comes."""

    story: Story
    sightings: list[Sighting]


class Notice(msgspec.Struct, frozen=True, eq=False):
    """A frame's event that belongs to no run, as it was received.

    `request` is the question it answers, as far as that can be told; `earlier` another run that already had the id.
    """

    line: int
    op: Frame | Refused | Closed
    event: Event
    connection: Connection
    request: Request | None = None
    earlier: Story | None = None
