"""The lane itself: takes blocks of lines, enters what goes by the book in bulk, and feeds the judge all else."""

from collections.abc import Callable, Generator, Iterator
from typing import Any

import msgspec
from msgspec import Raw

from conformance.checks.check import Check, Unconcerned
from conformance.events import Kind
from conformance.express.block import Block
from conformance.express.speech import Speech, speech_of
from conformance.express.stretch import Chapter, Stretch
from conformance.express.survey import Survey
from conformance.history.operations import Asked, Operation, Pinged, Received
from conformance.judge import Judge
from conformance.story import UNREAD, Recalled, Sighting, Stream, Tool

_SHORTEST = 24
_READ = msgspec.json.Decoder(Received).decode


class Unread(Received, frozen=True, tag="received"):
    """A received frame of which `frame` is its line in the history: it is read when somebody looks at it."""

    @property
    def raw(self) -> bytes:
        """The frame's bytes."""
        return _READ(self.frame).raw


class Lane:
    """Feeds a judge with blocks of a history's lines; `decode` reads one line as an operation, given its number."""

    def __init__(self, judge: Judge, decode: Callable[[bytes, int], Operation]) -> None:
        self._judge = judge
        self._world = judge.world
        self._decode = decode
        known = all(type(check).screen is not Check.screen for check in judge.checks)
        self._screens = [check.screen for check in judge.checks if type(check).screen is not Unconcerned.screen]
        self._tallies = [check.tally for check in judge.checks if type(check).tally is not Check.tally]
        self.speech: Speech | None = speech_of(judge.world.dialect) if known and judge.header.timed else None
        self._held: tuple[list[bytes], list[Any]] = ([], [])

    def feed(self, lines: list[bytes], line: int) -> None:
        """Take in whole lines; `line` is the number of the first."""
        for _ in self.steps(lines, self.speech.read(lines) if self.speech is not None else [], line):
            pass

    def steps(self, lines: list[bytes], typed: list[Any], line: int) -> Iterator[None]:
        """Take in whole lines that are read already, in small steps; `typed` is what `Speech.read` says of them.

        Those after the last end of a run wait for the next ones: runs are best judged whole.
        """
        speech = self.speech
        if speech is None:
            for at in range(0, len(lines), _SHORTEST):
                for place in range(at, min(at + _SHORTEST, len(lines))):
                    self._judge.feed(self._decode(lines[place], line + place))
                yield
            return
        earlier, known = self._held
        block = Block(line - len(earlier), earlier + lines, known + typed, speech)
        self._held = block.lines[block.stop :], block.ops[block.stop :]
        yield from self._take(block, 0, block.stop)

    def finish(self, line: int) -> None:
        """Take in what still waits; `line` is the number of the line after it."""
        lines, ops = self._held
        if self.speech is not None:
            for _ in self._take(Block(line - len(lines), lines, ops, self.speech), 0, len(lines)):
                pass

    def _take(self, block: Block, at: int, end: int) -> Iterator[None]:
        """Take in the lines from `at` up to `end`, stretch by stretch."""
        while at < end:
            survey = Survey(self._world, block, at, end)
            stop = survey.stop
            yield
            if stop - at < _SHORTEST:
                self._one_by_one(block, at, stop)
            elif not (yield from self._express(survey)):
                # one remarkable event is no reason to look at all of them
                middle = (at + stop) // 2
                yield from self._take(block, at, middle)
                yield from self._take(block, middle, stop)
            if stop < end:
                self._one_by_one(block, stop, stop + 1)
            at = stop + 1

    def _express(self, survey: Survey) -> Generator[None, None, bool]:
        """Take in what was surveyed, if no check can find anything in it; tell whether that is done."""
        try:
            stretch = survey.stretch()
            if stretch is None:
                return False
            for screen in self._screens:
                yield
                if not screen(stretch):
                    return False
        except Exception:  # what a check cannot even look at is one by one its crash, and told as such
            return False
        self._enter(stretch)
        for tally in self._tallies:
            yield
            tally(stretch)
        for call in stretch.calls:
            call.chapter.calls.clear()  # so that no cycle keeps them
        return True

    def _one_by_one(self, block: Block, at: int, stop: int) -> None:
        for place in range(at, stop):
            self._judge.feed(self.operation(block.lines[place], block.ops[place], block.line + place))

    def operation(self, line: bytes, said: Any, number: int) -> Operation:
        """Return the operation that a line of a block holds; `said` is what `Speech.read` says of it."""
        return self._decode(line, number)

    def evidence(self, line: bytes, said: Any) -> Received:
        """Return the received frame that is on a plain line of a block."""
        return Unread(said.at, said.conn, Raw(line))

    # -- entering a stretch -----------------------------------------------------------------------------------------

    def _enter(self, told: Stretch) -> None:
        """Bring the world to where it is after the stretch."""
        world, judge, block = self._world, self._judge, told.block
        operations = judge.operations + told.stop - told.start
        begins = {told.places[chapter.first]: chapter for chapter in told.begun}
        ends = {told.places[chapter.stop - 1]: chapter for chapter in told.ended}
        opened = iter(told.accepted)
        for place in sorted([*told.milestones, *begins, *ends]):
            op = block.ops[place]
            world.line, world.now = block.line + place, op.at
            if place in begins:
                self._begin(told, begins[place])
            elif place in ends:
                self._tell(told, ends[place])
                self._end(told, ends[place])
            elif op.__class__ is Asked:
                world.enter(op)
            elif op.__class__ is Pinged:
                world.line -= 1
                judge.feed(op)
            else:
                self._accept(told, next(opened), place)
        for chapter in told.chapters:
            if not chapter.ends:
                self._tell(told, chapter)
                self._pause(told, chapter)
        world.line = block.line + told.stop - 1
        world.now = block.ops[told.stop - 1].at
        world.events += len(told.events)
        world.frames += len(told.events)
        judge.operations = operations

    def _accept(self, told: Stretch, chapter: Chapter, place: int) -> None:
        """Enter the acceptance of a run."""
        world, connection = self._world, chapter.connection
        world.frames += 1
        connection.received += 1
        received = told.block.ops[place]
        op = self.evidence(told.block.lines[place], received)
        chapter.notice, chapter.story = world.take_on(connection, op, received.frame.payload)
        mine = world.open_of[chapter.user]
        if len(mine) > 1:
            alongside = [other.thread_id for other in mine if other is not chapter.story]
            chapter.alongside = alongside.count(chapter.thread_id)

    def _begin(self, told: Stretch, chapter: Chapter) -> None:
        """Enter a run's first event."""
        story = chapter.story
        assert story is not None
        connection = story.connection = chapter.connection
        story.stream = story.streams[connection.number] = Stream(chapter.user)
        self._see(told, chapter, [chapter.first])
        self._world.begin(story, told.sightings[chapter.first], told.events[chapter.first].traceparent)

    def _tell(self, told: Stretch, chapter: Chapter) -> None:
        """Enter what the events of a run say, all at once."""
        story, first, stop = chapter.story, chapter.first, chapter.stop
        assert story is not None
        assert story.stream is not None
        chapter.connection.received += stop - first
        story.events += stop - first
        story.stream.events += stop - first
        story.high = story.stream.high = chapter.high + stop - first
        story.listed.append((told.ids[first:stop], chapter.high + 1))
        story.thought = story.thought or Kind.THINKING in told.kinds[first:stop]
        needed = [stop - 1] if chapter.ends else list(range(first, stop))
        for call in chapter.calls:
            needed += [at for at in (call.start, call.stop) if at >= 0]
        self._see(told, chapter, needed)
        seen = told.sightings
        story.last = seen[stop - 1]
        for call in chapter.calls:
            if call.start >= 0:
                story.tools[call.call_id] = Tool(seen[call.start], seen[call.stop] if call.stop >= 0 else None)
                story.open_tools += call.stop < 0
            else:
                story.tools[call.call_id].completed = seen[call.stop]
                story.open_tools -= 1

    def _end(self, told: Stretch, chapter: Chapter) -> None:
        """Enter the end of a run. What it streamed is judged, and needed no more."""
        story = chapter.story
        assert story is not None
        story.passage, story.text = [], []
        self._world.end(story, told.sightings[chapter.stop - 1])

    def _pause(self, told: Stretch, chapter: Chapter) -> None:
        """Leave a run under way as the judge does: with what was not yet judged."""
        story = chapter.story
        assert story is not None
        seen, text = [told.sightings[at] for at in range(chapter.first, chapter.stop)], Kind.TEXT
        story.text += [sighting for sighting in seen if sighting.event.kind is text]
        story.passage = seen[chapter.passed :] if chapter.passed else story.passage + seen

    def _see(self, told: Stretch, chapter: Chapter, needed: list[int]) -> None:
        """Make the sightings of these events, as evidence and for runs under way."""
        story, connection = chapter.story, chapter.connection
        assert story is not None
        assert story.stream is not None
        for at in needed:
            if at not in told.sightings:
                op = self.evidence(told.raws[at], told.received[at])
                line = told.block.line + told.places[at]
                kind, event = (Recalled, UNREAD) if chapter.ends else (Sighting, told.events[at])
                told.sightings[at] = kind(line, op, event, connection, story, story.stream)
