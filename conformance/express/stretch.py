"""A stretch of a history that goes by the book, run by run and in columns."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import field

from conformance.events import Kind
from conformance.express.block import Block
from conformance.history.operations import Asked
from conformance.story import Connection, Notice, Sighting, Story

_US = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)


class Call(msgspec.Struct, eq=False):
    """A tool call of a chapter: where in the columns it starts and completes.

    `tool` is its start as known before the stretch; then `start` is -1. `stop` is -1 where it does not complete.
    `others` tells whether other calls of the run were open when it completed.
    """

    chapter: "Chapter"
    call_id: str
    payload: Any
    start: int = -1
    stop: int = -1
    others: bool = False


class Chapter(msgspec.Struct, eq=False):
    """The events of one run within a stretch: those from `first` up to `stop` (exclusive) in its columns.

    `user` is whose run it is, `question` that user and the request id: the question's name among all of them.
    `model` is an event of the run: all have its ids, agent and trace.
    `story` is None where the run was accepted within the stretch and is not yet entered. Of its events the first
    `passed` are due to be judged as a `Passage`: all where it `ends`. `high` is the seq before its first; `text` what
    the run streamed, if it ends here and did. `notice` is its acceptance, once entered, and `alongside` the number of
    its user's runs then open on the same thread. `places` are those of its operations.
    """

    run_id: str
    user: str
    question: tuple[str, str]
    asked: Asked
    connection: Connection
    thread_id: str
    own_canary: bytes
    story: Story | None = None
    begins: bool = True
    model: Any = None
    ends: bool = False
    first: int = 0
    stop: int = 0
    passed: int = 0
    high: int = 0
    alongside: int = 0
    notice: Notice | None = None
    had_tools: bool = False
    had_thought: bool = False
    text: str | None = None
    calls: list[Call] = field(default_factory=list)
    places: list[int] = field(default_factory=list)

    @property
    def tooled(self) -> bool:
        """Whether the run has called any tool, up to the end of the stretch."""
        return bool(self.calls) or self.had_tools

    @property
    def script(self) -> list[dict[str, Any]] | None:
        """The script that the model was told to follow, where it was."""
        return self.asked.script


class Stretch(msgspec.Struct, eq=False):
    """Some consecutive operations of a block, from `start` up to `stop` (exclusive), all by the book.

    Of each run of `chapters` it holds: the connection that asked is open, was never paused, and is its user's own; the
    question names nothing of others and plants nothing; the run was accepted once, under a new id; `STARTED` comes
    first, then each next seq, with new event ids, the same ids, agent and trace throughout, and timestamps that do not
    go back; `COMPLETED` is its only end. Its frames hold no canary but its own. Each tool call starts once, under an id
    new in the stretch, and completes at most once, after that.

    `accepted` are the runs accepted in it, in order. The columns hold the events run by run: `places` where in the
    block each stands, `received` its operation, `raws` its line, `micros` the microseconds of its timestamp; `others`
    are the events that stream no text, `passed` those that are due to be judged as a `Passage`, None where all are.
    `marks` are the ids and canaries that the stretch brings, and whose they are.
    """

    block: Block
    start: int
    stop: int
    accepted: list[Chapter]
    chapters: list[Chapter]
    milestones: list[int]
    marks: dict[bytes, str]
    places: list[int]
    raws: list[bytes]
    received: list[Any]
    events: list[Any]
    kinds: list[Kind]
    ids: list[str]
    stamps: list[datetime]
    micros: list[int]
    others: list[int]
    calls: list[Call] = field(default_factory=list)
    passed: list[int] | None = None
    before: list[Sighting] = field(default_factory=list)
    begun: list[Chapter] = field(default_factory=list)
    ended: list[Chapter] = field(default_factory=list)
    sightings: dict[int, Sighting] = field(default_factory=dict)
    late: list[int] = field(default_factory=list)

    def arrived_us(self) -> tuple[int, int]:
        """Return when its first and last events arrived (µs). Those of a run stand in the order in which they came."""
        received = self.received
        first = min([received[run.first].at for run in self.chapters])
        return first, max([received[run.stop - 1].at for run in self.chapters])

    def late_us(self, began: datetime) -> list[int]:
        """Return how long after its timestamp each event arrived, in µs; the history's clock was at zero when it began.

        Whoever asks first has it worked out.
        """
        if not self.late and self.chapters:
            since = min([self.stamps[run.first] for run in self.chapters]).replace(microsecond=0)
            until = max([self.stamps[run.stop - 1] for run in self.chapters])
            start = (since - began) // _US
            if until - since < _SECOND:
                late = [op.at - micro - start for op, micro in zip(self.received, self.micros, strict=True)]
            else:
                late = [op.at - (stamp - began) // _US for op, stamp in zip(self.received, self.stamps, strict=True)]
            self.late = late
        return self.late
