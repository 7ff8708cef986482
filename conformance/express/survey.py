"""The survey: tells from typed lines whether a stretch goes by the book. It reads the world and changes nothing."""

from datetime import UTC
from itertools import chain
from operator import lt
from typing import Any

from conformance.dialects.fields import well_stamped
from conformance.events import Accepted, Kind
from conformance.express.columns import join_texts, only_own_canaries, paired
from conformance.express.speech import Speech
from conformance.express.stretch import Chapter, Stretch
from conformance.history import operations as ops
from conformance.history.operations import Action, Asked, Credentials
from conformance.identity import is_placeholder
from conformance.story import Connection
from conformance.world import World

_MOST_ASKED = 128
_MOST_UNANSWERED = 64
_ASKS_A_RUN = (Action.START, Action.CONTINUE)
_MAY_ENTER = (Credentials.VALID, Credentials.SHORT_LIVED)


class Survey:
    """Looks at the operations `start` to `stop` of a block; `line` is the line of the block's first.

    `stop` becomes the place of the first operation that is not plain in itself. `stretch` then gives those before it.
    """

    def __init__(
        self, world: World, lines: list[bytes], typed: list[Any], speech: Speech, *, line: int, start: int, stop: int
    ) -> None:
        self._world = world
        self._lines = lines
        self._typed = typed
        self._line = line
        self._start = start
        self._asked: dict[tuple[str, str], Asked] = {}
        self._chapters: dict[str, Chapter] = {}
        self._opened: list[Chapter] = []
        self._answered: set[tuple[str, str]] = set()
        self._milestones: list[int] = []
        self._marks: dict[bytes, str] = {}
        self.stop = self._walk(range(start, stop), speech)

    def _walk(self, places: range, speech: Speech) -> int:
        typed, chapters, find = self._typed, self._chapters, self._chapters.get
        received: Any = speech.received
        acceptance: Any = speech.acceptance
        for place in places:
            op = typed[place]
            kind = op.__class__
            if kind is received:
                frame = op.frame
                if frame.__class__ is not acceptance:
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
            elif kind is ops.Pinged:
                self._milestones.append(place)
            elif kind is not ops.Sent:
                return place
        return places.stop

    def _asks(self, op: Asked) -> bool:
        connection = self._world.connections.get(op.conn)
        named = op.owner is not None or op.planted is not None or op.impersonates is not None or op.run_id is not None
        if named or op.action not in _ASKS_A_RUN or not op.request_id or connection is None:
            return False
        if op.user != connection.op.user or len(connection.unanswered) > _MOST_UNANSWERED:
            return False
        if (op.user, op.request_id) in self._asked or len(self._asked) >= _MOST_ASKED:
            return False
        if self._world.request_named(op.user, op.request_id) is not None:
            return False
        if op.canary:
            token = op.canary.encode()
            if token in self._marks or self._world.marks.get(token) is not None:
                return False
            self._marks[token] = op.user
        self._asked[op.user, op.request_id] = op
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
        user = asked.user
        for word in (run_id.encode(), thread_id.encode()):
            mark = world.marks.get(word)
            if self._marks.setdefault(word, user) != user or (mark is not None and mark.user != user):
                return False
        if (user, answer.request_id) in self._answered:
            return False
        self._answered.add((user, answer.request_id))
        chapter = Chapter(run_id, asked, connection, thread_id, (asked.canary or "\0").encode())
        self._chapters[run_id] = chapter
        self._opened.append(chapter)
        return True

    def _question(self, connection: Connection, request_id: str) -> Asked | None:
        """Return the plain question that an acceptance answers."""
        waiting = [r for r in connection.unanswered if r.asked.request_id == request_id]
        asked = self._asked.get((connection.op.user or "", request_id))
        if not waiting:
            return asked if asked is not None and asked.conn == connection.number else None
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
        if (
            stream is None
            or first is None
            or story.connection is not connection
            or story.missing
            or stream.missing
            or story.early
        ):
            return None
        event, began = last.event, first.event
        same = event.user_id == began.user_id and event.agent_name == began.agent_name
        same = same and event.thread_id == began.thread_id == story.thread_id and event.seq == stream.high == story.high
        if not same or event.traceparent != began.traceparent or story.high < 1 or event.timestamp is None:
            return None
        chapter.high = story.high
        chapter.had_tools, chapter.had_thought = bool(story.tools), story.thought
        return chapter

    # -- the columns ------------------------------------------------------------------------------------------------

    def stretch(self) -> Stretch | None:
        """Return the operations up to `stop` in columns, or None where they are not all by the book."""
        chapters = [chapter for chapter in self._chapters.values() if chapter.places]
        typed, lines = self._typed, self._lines
        told = Stretch(self._line, self._start, self.stop, typed, lines, self._opened, chapters, self._milestones)
        told.marks = self._marks
        places = told.places = list(chain.from_iterable([chapter.places for chapter in chapters]))
        received = [typed[place] for place in places]
        told.events = events = [op.frame for op in received]
        told.kinds = [event.kind for event in events]
        told.seqs = [event.seq for event in events]
        told.ids = [event.event_id for event in events]
        told.stamps = [event.timestamp for event in events]
        told.ats = [op.at for op in received]
        told.raws = [lines[place] for place in places]
        plain = self._divided(told) and self._same(told, [op.conn for op in received]) and self._in_time(told)
        if not plain or not only_own_canaries(told) or not paired(told):
            return None
        join_texts(told)
        return told

    def _divided(self, told: Stretch) -> bool:
        """Give each chapter its part of the columns; tell whether each run starts and ends where it should."""
        at = 0
        for chapter in told.chapters:
            chapter.first = at
            at = chapter.stop = at + len(chapter.places)
            if told.kinds[at - 1] is Kind.COMPLETED:
                chapter.ends = True
                told.ended.append(chapter)
            if chapter.begins:
                told.begun.append(chapter)
                event = told.events[chapter.first]
                if event.kind is not Kind.STARTED or event.payload.request_id != chapter.asked.request_id:
                    return False
                if event.traceparent and not self._own_trace(event.traceparent, chapter.user):
                    return False
        told.begun.sort(key=lambda chapter: chapter.places[0])
        told.ended.sort(key=lambda chapter: chapter.places[-1])
        return told.kinds.count(Kind.STARTED) == len(told.begun) and told.kinds.count(Kind.COMPLETED) == len(told.ended)

    def _own_trace(self, traceparent: str, user: str) -> bool:
        trace = traceparent.split("-")[1:2]
        mark = self._world.marks.get(trace[0].encode()) if trace else None
        if not trace or (mark is not None and mark.user != user):
            return False
        return self._marks.setdefault(trace[0].encode(), user) == user

    def _same(self, told: Stretch, conns: list[int]) -> bool:
        """Tell whether each run is numbered without gaps and keeps its ids, its agent, its trace and its connection."""
        seqs: list[int] = []
        wanted: list[tuple[int, str, str | None, str | None, str | None]] = []
        for chapter in told.chapters:
            story, length = chapter.story, chapter.stop - chapter.first
            model = story.last.event if story is not None and story.last is not None else told.events[chapter.first]
            user = self._world.identity_of(chapter.user) if chapter.begins else model.user_id
            one = (chapter.connection.number, chapter.thread_id, user, model.agent_name, model.traceparent)
            wanted += [one] * length
            seqs += range(chapter.high + 1, chapter.high + length + 1)
            if not chapter.begins and not story.ids.keys().isdisjoint(told.ids[chapter.first : chapter.stop]):  # type: ignore[union-attr]
                return False
        if told.seqs != seqs:
            return False
        came = [
            (conn, event.thread_id, event.user_id, event.agent_name, event.traceparent)
            for conn, event in zip(conns, told.events, strict=True)
        ]
        ids = set(told.ids)
        return came == wanted and len(ids) == len(came) and "" not in ids

    def _in_time(self, told: Stretch) -> bool:
        """Tell whether no run's timestamps go back, and all are written as the dialect wants them."""
        stamps = told.stamps
        back = sum(map(lt, stamps[1:], stamps))
        for chapter in told.chapters:
            first = chapter.first
            if first and stamps[first] < stamps[first - 1]:
                back -= 1
            last = chapter.story.last if chapter.story is not None else None
            if last is not None and stamps[first] < last.event.timestamp:  # type: ignore[operator]
                return False
        if back or [stamp.tzinfo for stamp in stamps].count(UTC) < len(stamps):
            return False
        round_ones = [at for at, stamp in enumerate(stamps) if not stamp.microsecond % 10_000]
        return all(well_stamped(stamps[at], told.raws[at]) for at in round_ones)


def _plain(connection: Connection) -> bool:
    return not connection.held_back and connection.op.credentials in _MAY_ENTER
