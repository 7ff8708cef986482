"""The survey: tells from typed lines whether a stretch goes by the book. It reads the world and changes nothing."""

from collections.abc import Iterable
from itertools import chain
from operator import lt
from typing import Any

from conformance import canary
from conformance.events import Accepted, Kind
from conformance.express.stretch import Call, Chapter, Stretch
from conformance.history import operations as ops
from conformance.history.operations import Action, Asked, Credentials
from conformance.identity import is_placeholder
from conformance.story import Connection
from conformance.world import World

_MOST_ASKED = 128
_MOST_UNANSWERED = 64
_LONGEST_PASSAGE = 200
_ASKS_A_RUN = (Action.START, Action.CONTINUE)
_MAY_ENTER = (Credentials.VALID, Credentials.SHORT_LIVED)
_SILENT = (ops.Sent, ops.Pinged)
_PLAIN = frozenset({Kind.STARTED, Kind.THINKING, Kind.TOOL_STARTED, Kind.TOOL_COMPLETED, Kind.TEXT, Kind.COMPLETED})
_SECRET = b"secret~of~"


class Survey:
    """Looks at the operations `start` to `stop` of a block; `line` is the line of the block's first.

    `stop` becomes the place of the first operation that is not plain in itself. `stretch` then gives those before it.
    """

    def __init__(
        self, world: World, lines: list[bytes], typed: list[Any], *, line: int, start: int, stop: int, received: type
    ) -> None:
        self._world = world
        self._lines = lines
        self._typed = typed
        self._line = line
        self._start = start
        self._asked: dict[tuple[int, str], Asked] = {}
        self._chapters: dict[str, Chapter] = {}
        self._milestones: list[int] = []
        self._marks: dict[bytes, str] = {}
        self.stop = self._walk(range(start, stop), received)

    def _walk(self, places: range, received: type) -> int:
        typed, chapters, find = self._typed, self._chapters, self._chapters.get
        for place in places:
            op = typed[place]
            kind = op.__class__
            if kind is received:
                frame = op.frame
                if hasattr(frame, "seq"):
                    chapter = find(frame.run_id)
                    if chapter is None:
                        chapter = self._known(frame.run_id)
                        if chapter is None:
                            return place
                        chapters[frame.run_id] = chapter
                    chapter.places.append(place)
                elif self._accepted(op, frame.payload, self._lines[place]):
                    self._milestones.append(place)
                else:
                    return place
            elif kind is Asked:
                if not self._asks(op):
                    return place
                self._milestones.append(place)
            elif kind not in _SILENT:
                return place
        return places.stop

    def _asks(self, op: Asked) -> bool:
        connection = self._world.connections.get(op.conn)
        named = op.owner is not None or op.planted is not None or op.impersonates is not None or op.run_id is not None
        if named or op.action not in _ASKS_A_RUN or not op.request_id or connection is None:
            return False
        if op.user != connection.op.user or len(connection.unanswered) > _MOST_UNANSWERED:
            return False
        if (op.conn, op.request_id) in self._asked or len(self._asked) >= _MOST_ASKED:
            return False
        if self._world.request_named(op.user, op.request_id) is not None:
            return False
        if op.canary:
            token = op.canary.encode()
            if token in self._marks or self._world.marks.get(token) is not None:
                return False
            self._marks[token] = op.user
        self._asked[op.conn, op.request_id] = op
        return True

    def _accepted(self, op: Any, answer: Accepted, raw: bytes) -> bool:
        world, run_id, thread_id = self._world, answer.run_id, answer.thread_id
        connection = world.connections.get(op.conn)
        if connection is None or not run_id or not thread_id or not answer.request_id or answer.duplicate:
            return False
        asked = self._question(connection, answer.request_id)
        if asked is None or 126 in raw or not _plain(connection):
            return False
        if run_id in self._chapters or is_placeholder(run_id) or world.story_of(run_id) is not None:
            return False
        for word in (run_id, thread_id):
            if self._marks.setdefault(word.encode(), asked.user) != asked.user:
                return False
        self._chapters[run_id] = Chapter(run_id, asked, connection, thread_id, (asked.canary or "\0").encode())
        return True

    def _question(self, connection: Connection, request_id: str) -> Asked | None:
        """Return the plain question that an acceptance answers."""
        waiting = [r for r in connection.unanswered if r.asked.request_id == request_id]
        asked = self._asked.get((connection.number, request_id))
        if not waiting:
            return asked
        request = waiting[0]
        first = self._world.request_named(request.asked.user, request_id)
        plain = request.runs and request.story is None and request.asked.user == connection.op.user
        plain = plain and request.asked.owner is None and request.asked.planted is None
        plain = plain and request.asked.impersonates is None and (first is None or first is request)
        return request.asked if plain and asked is None and len(waiting) == 1 else None

    def _known(self, run_id: str) -> Chapter | None:
        """Return a chapter of a run that was under way before, if it was told by the book so far."""
        story = self._world.stories.get(run_id)
        if story is None or story.request is None or story.thread_id is None or story.stop_asked is not None:
            return None
        request, last = story.request, story.last
        connection = request.connection
        asked = request.asked
        if self._world.connections.get(connection.number) is not connection or not _plain(connection):
            return None
        if asked.owner is not None or asked.planted is not None or asked.impersonates is not None:
            return None
        if story.user != asked.user or asked.user != connection.op.user or story.terminal is not None:
            return None
        chapter = Chapter(run_id, asked, connection, story.thread_id, story.own_canary, story, last is None)
        if last is None:
            return chapter if story.connection is None and not story.streams and not story.events else None
        stream, first = story.stream, story.first
        if stream is None or first is None or story.connection is not connection or story.missing or stream.missing:
            return None
        event, began = last.event, first.event
        same = event.user_id == began.user_id and event.agent_name == began.agent_name
        same = same and event.thread_id == began.thread_id == story.thread_id and event.seq == stream.high == story.high
        if not same or event.traceparent != began.traceparent or story.high < 1 or event.timestamp is None:
            return None
        chapter.high = story.high
        return chapter

    # -- the columns ------------------------------------------------------------------------------------------------

    def stretch(self) -> Stretch | None:
        """Return the operations up to `stop` in columns, or None where they are not all by the book."""
        chapters = [chapter for chapter in self._chapters.values() if chapter.places]
        typed, lines = self._typed, self._lines
        told = Stretch(self._line, typed, lines, chapters, self._milestones, self._marks)
        places = told.places = list(chain.from_iterable([chapter.places for chapter in chapters]))
        received = [typed[place] for place in places]
        told.events = [op.frame for op in received]
        told.kinds = [event.kind for event in told.events]
        told.seqs = [event.seq for event in told.events]
        told.ids = [event.event_id for event in told.events]
        told.stamps = [event.timestamp for event in told.events]
        told.ats = [op.at for op in received]
        told.raws = [lines[place] for place in places]
        plain = self._divided(told, [op.conn for op in received]) and self._continuous(told)
        return told if plain and self._free(told) and _paired(told) else None

    def _divided(self, told: Stretch, conns: list[int]) -> bool:
        """Give each chapter its part, and tell whether it begins and ends as it should, on its connection."""
        at = 0
        kinds, seqs = told.kinds, told.seqs
        for chapter in told.chapters:
            chapter.first = at
            at = chapter.stop = at + len(chapter.places)
            chapter.ends = kinds[at - 1] is Kind.COMPLETED
            (told.begun if chapter.begins else told.before_lists).append(chapter)
            if chapter.ends:
                told.ended.append(chapter)
        return True
