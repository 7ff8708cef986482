"""The survey: tells from typed lines whether a stretch goes by the book. It reads the world and changes nothing."""

from datetime import UTC
from itertools import chain, compress, count, repeat
from operator import attrgetter, is_not
from typing import Any, TypeVar

from conformance.dialects.fields import well_stamped
from conformance.events import Accepted, Kind, RunEvent
from conformance.express.block import Block
from conformance.express.columns import join_texts, only_own_canaries, paired
from conformance.express.stretch import Chapter, Stretch
from conformance.history import operations as ops
from conformance.history.operations import Action, Asked, Credentials
from conformance.identity import is_placeholder
from conformance.story import Connection
from conformance.world import World

T = TypeVar("T")
_ROUND = frozenset(range(0, 1_000_000, 10_000))
"""The microseconds that may be written in less than three digits."""
_MOST_ASKED = 128
_MOST_UNANSWERED = 64
_microsecond, _tzinfo = attrgetter("microsecond"), attrgetter("tzinfo")
_ASKS_A_RUN = (Action.START, Action.CONTINUE)
_MAY_ENTER = (Credentials.VALID, Credentials.SHORT_LIVED)


class Survey:
    """Looks at the operations from `start` up to `stop` of a block.

    `stop` becomes the place of the first operation that is not plain in itself, or does not go on where its run was.
    `stretch` then gives those before it.
    """

    def __init__(self, world: World, block: Block, start: int, stop: int) -> None:
        self._world = world
        self._block = block
        self._start = start
        self._asked: dict[tuple[str, str], Asked] = {}
        self._chapters: dict[str, Chapter] = {}
        self._opened: list[Chapter] = []
        self._answered: set[tuple[str, str]] = set()
        self._milestones: list[int] = []
        self._marks: dict[bytes, str] = {}
        self.stop = self._walk(start, stop)

    def _walk(self, start: int, stop: int) -> int:
        """Part the events by their runs, up to the first that does not keep its run's numbers and names."""
        received: Any = self._block.speech.received
        run_id: Any = self  # no event's
        for place, op in enumerate(self._block.ops[start:stop], start):
            if type(op) is not received:
                if not self._besides(op, place):
                    return place
                continue
            event = op.frame
            if event.run_id != run_id:
                if event.run_id is None:
                    if not self._accepted(op, event.payload, place):
                        return place
                    continue
                chapter = self._chapter(event)
                if chapter is None:
                    return place
                model, run_id, told = chapter.model, event.run_id, chapter.places
                thread_id, user_id, agent_name = model.thread_id, model.user_id, model.agent_name
                traceparent, conn, seq = model.traceparent, chapter.connection.number, chapter.high + len(told)
            seq += 1
            if (
                event.seq != seq
                or event.thread_id != thread_id
                or event.user_id != user_id
                or event.agent_name != agent_name
                or (event.traceparent is not traceparent and event.traceparent != traceparent)
                or op.conn != conn
            ):
                return place
            told.append(place)
        return stop

    def _besides(self, op: Any, place: int) -> bool:
        """Take in an operation that is no received frame; tell whether it goes by the book."""
        kind = type(op)
        if kind is ops.Sent:
            return True
        plain = self._asks(op) if kind is Asked else kind is ops.Pinged
        if plain:
            self._milestones.append(place)
        return plain

    def _chapter(self, event: RunEvent) -> Chapter | None:
        """Return the chapter that an event belongs to, None where that is not by the book."""
        run_id = event.run_id or ""
        chapter = self._chapters.get(run_id) or self._known(run_id)
        if chapter is None or (chapter.model is None and not self._begun(chapter, event)):
            return None
        self._chapters[run_id] = chapter
        return chapter

    def _begun(self, chapter: Chapter, event: RunEvent) -> bool:
        """Begin a chapter with its run's first event; tell whether that is a start, and as it should be."""
        if event.kind is not Kind.STARTED or event.payload.request_id != chapter.asked.request_id:
            return False
        if event.thread_id != chapter.thread_id or event.user_id != self._world.identity_of(chapter.user):
            return False
        if event.traceparent and not self._own_trace(event.traceparent, chapter.user):
            return False
        chapter.model = event
        return True

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

    def _accepted(self, op: Any, answer: Accepted, place: int) -> bool:
        world, run_id, thread_id = self._world, answer.run_id, answer.thread_id
        connection = world.connections.get(op.conn)
        if connection is None or not run_id or not thread_id or not answer.request_id or answer.duplicate:
            return False
        asked = self._question(connection, answer.request_id)
        if asked is None or 126 in self._block.lines[place] or not _plain(connection):
            return False
        if run_id in self._chapters or is_placeholder(run_id) or world.story_of(run_id) is not None:
            return False
        user = asked.user
        for word in (run_id.encode(), thread_id.encode()):
            mark = world.marks.get(word)
            if self._marks.setdefault(word, user) != user or (mark is not None and mark.user != user):
                return False
        question = user, answer.request_id
        if question in self._answered:
            return False
        self._answered.add(question)
        own_canary = (asked.canary or "\0").encode()
        chapter = Chapter(run_id, user, question, asked, connection, thread_id, own_canary)
        self._chapters[run_id] = chapter
        self._opened.append(chapter)
        self._milestones.append(place)
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
        user, own_canary, question = asked.user, story.own_canary, (asked.user, asked.request_id or "")
        chapter = Chapter(
            run_id, user, question, asked, connection, story.thread_id, own_canary, story, begins=last is None
        )
        if last is None:
            return chapter if story.connection is None and not story.streams and not story.events else None
        stream, first = story.stream, story.first
        if stream is None or first is None or story.connection is not connection:
            return None
        if story.missing or stream.missing or story.early:
            return None
        event, began = last.event, first.event
        same = event.user_id == began.user_id and event.agent_name == began.agent_name
        same = same and event.thread_id == began.thread_id == story.thread_id and event.seq == stream.high == story.high
        if not same or event.traceparent != began.traceparent or story.high < 1 or event.timestamp is None:
            return None
        chapter.model = event
        chapter.high = story.high
        chapter.had_tools, chapter.had_thought = bool(story.tools), story.thought
        return chapter

    # -- the columns ------------------------------------------------------------------------------------------------

    def stretch(self) -> Stretch | None:
        """Return the operations up to `stop` in columns, or None where they are not all by the book."""
        block = self._block
        chapters = [chapter for chapter in self._chapters.values() if chapter.places]
        places = list(chain.from_iterable([chapter.places for chapter in chapters]))
        received: list[Any] = _picked(block.ops, chapters)
        events = [op.frame for op in received]
        stamps = [event.timestamp for event in events]
        text: Any = block.speech.text
        others = list(compress(count(), map(is_not, map(type, events), repeat(text))))
        kinds = [Kind.TEXT] * len(events)
        for at in others:
            kinds[at] = block.speech.kinds[type(events[at])]
        told = Stretch(
            block,
            self._start,
            self.stop,
            accepted=self._opened,
            chapters=chapters,
            milestones=self._milestones,
            marks=self._marks,
            places=places,
            raws=_picked(block.lines, chapters),
            received=received,
            events=events,
            kinds=kinds,
            ids=[event.event_id for event in events],
            stamps=stamps,
            micros=list(map(_microsecond, stamps)),
            others=others,
        )
        plain = _divided(told) and _apart(told) and _in_time(told) and only_own_canaries(told) and paired(told)
        if not plain:
            return None
        join_texts(told)
        return told

    def _own_trace(self, traceparent: str, user: str) -> bool:
        trace = traceparent.split("-")[1:2]
        mark = self._world.marks.get(trace[0].encode()) if trace else None
        if not trace or (mark is not None and mark.user != user):
            return False
        return self._marks.setdefault(trace[0].encode(), user) == user


def _picked(column: list[T], chapters: list[Chapter]) -> list[T]:
    """Return what stands in a column of the block where the chapters have their events, chapter by chapter."""
    picked: list[T] = []
    for chapter in chapters:
        places = chapter.places
        first, last = places[0], places[-1]
        together = last - first == len(places) - 1
        picked += column[first : last + 1] if together else [column[place] for place in places]
    return picked


def _divided(told: Stretch) -> bool:
    """Give each chapter its part of the columns; tell whether runs start once, and come to an end but once."""
    at = 0
    for chapter in told.chapters:
        chapter.first = at
        at = chapter.stop = at + len(chapter.places)
        if told.kinds[at - 1] is Kind.COMPLETED:
            chapter.ends = True
            told.ended.append(chapter)
        if chapter.begins:
            told.begun.append(chapter)
    told.begun.sort(key=lambda chapter: chapter.places[0])
    told.ended.sort(key=lambda chapter: chapter.places[-1])
    others = [told.kinds[at] for at in told.others]
    return others.count(Kind.STARTED) == len(told.begun) and others.count(Kind.COMPLETED) == len(told.ended)


def _apart(told: Stretch) -> bool:
    """Tell whether no two events share an id, nor one of them one with an earlier event of its run."""
    ids = set(told.ids)
    for chapter in told.chapters:
        if not chapter.begins and not chapter.story.ids.keys().isdisjoint(told.ids[chapter.first : chapter.stop]):  # type: ignore[union-attr]
            return False
    return len(ids) == len(told.ids) and "" not in ids


def _in_time(told: Stretch) -> bool:
    """Tell whether no run's timestamps go back, and all are written as the dialect wants them."""
    stamps = told.stamps
    for chapter in told.chapters:
        mine = stamps[chapter.first : chapter.stop]
        last = chapter.story.last if chapter.story is not None else None
        if sorted(mine) != mine or (last is not None and mine[0] < last.event.timestamp):  # type: ignore[operator]
            return False
    if list(map(_tzinfo, stamps)).count(UTC) < len(stamps):
        return False
    if _ROUND.isdisjoint(told.micros):
        return True
    round_ones = [at for at, micro in enumerate(told.micros) if micro in _ROUND]
    return all(well_stamped(stamps[at], told.raws[at]) for at in round_ones)


def _plain(connection: Connection) -> bool:
    return not connection.held_back and connection.op.credentials in _MAY_ENTER
