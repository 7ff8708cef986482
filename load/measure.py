"""What a load measures of every event, beside what the checks decide: as one more check, which decides nothing."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import compress
from typing import Any

import msgspec

from conformance.checks.check import EVERY_EVENT, Check, on
from conformance.events import Kind, Ready
from conformance.express.stretch import Chapter, Stretch
from conformance.history.operations import Asked
from conformance.story import Notice, Sighting
from load.clocks import Offset
from load.sketch import Sketch, buckets

DELIVERY, FIRST_EVENT, RUN = "delivery", "first event", "run"
Key = tuple[str, str, str]
WHILE_LATE = ", while the generator was late"
_HINDERED = DELIVERY + WHILE_LATE
UNCLOCKED = ", before the clock was known"
_KEPT = 4096
_NEGLIGIBLE = 0.1
_SECOND_US = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


class Second(msgspec.Struct):
    """What happened in one second of the load: questions asked, runs ended, events, and how late those were."""

    asked: int = 0
    ended: int = 0
    events: int = 0
    delivery: Sketch = msgspec.field(default_factory=Sketch)


class Measure(Check):
    """Sketches of latencies, by what is measured, behaviour and kind of event; and the course of the load.

    `delivery` is the time from an event's timestamp to its arrival, `first event` that from the question (in the
    open model: from when it was due, also where the user had to connect first) to the run's first event, `run` that to
    its last. What came while the generator itself was late is kept apart (`WHILE_LATE`): it took at most as long as was
    measured. So is delivery before the target's clock was known to within a tenth of its bound (`UNCLOCKED`).
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.sketches: dict[Key, Sketch] = {}
        self.seconds: dict[int, Second] = {}
        header = self.world.header
        enough_ms = header.bounds.scaled_ms(header.bounds.delivery_p95_ms) * _NEGLIGIBLE
        self.offset = Offset(exact=header.same_clock, enough_us=enough_ms * 1000)
        self._began = _EPOCH + self.world.header.began_us * _US
        self._buffers: dict[Key, list[int]] = {}

    # -- one by one -------------------------------------------------------------------------------------------------

    @on(Asked)
    def asked(self, op: Asked) -> None:
        """Count a question."""
        self._second(op.at).asked += 1

    @on(Ready)
    def ready(self, notice: Notice) -> None:
        """Learn how the target's clock differs."""
        ready, connection = notice.event, notice.connection
        assert isinstance(ready, Ready)
        if ready.server_time is not None:
            stamp = (ready.server_time - self._began) // _US
            self.offset.learn(sent=connection.op.at, told=stamp, came=notice.op.at)

    @on(*EVERY_EVENT)
    def event(self, seen: Sighting) -> None:
        """Measure one event."""
        if seen.foreign or not seen.fresh or seen.stream.resumed or seen.connection.held_back:
            return
        story, event, at = seen.story, seen.event, seen.op.at
        asked = story.request.asked if story.request is not None else None
        behaviour = (asked.behaviour if asked is not None else None) or ""
        second = self._second(at)
        second.events += seen.pieces
        second.ended += event.terminal
        opened = seen.connection.connected
        if event.timestamp is not None and opened is not None:
            stamp = (event.timestamp - self._began) // _US - self.offset.us
            if seen.connection.op.ask is not None or opened.at <= stamp:
                self._sample((DELIVERY, behaviour, event.kind.name), at, at - stamp)
                second.delivery.add(at - stamp)
        if asked is not None and story.first is None:
            self._sample((FIRST_EVENT, behaviour, ""), at, at - _due(asked))
        if asked is not None and event.terminal and story.terminal is None:
            self._sample((RUN, behaviour, ""), at, at - _due(asked))

    def _sample(self, key: Key, at: int, late_us: int) -> None:
        if self._was_late(at - late_us, late_us):
            key = (f"{key[0]}{WHILE_LATE}", *key[1:])
        self._keep(key, buckets((late_us,)))

    # -- in bulk ----------------------------------------------------------------------------------------------------

    def screen(self, told: Stretch) -> bool:
        """Let every stretch pass."""
        return True

    def tally(self, told: Stretch) -> None:
        """Measure the events of a stretch."""
        operations = [told.block.ops[place] for place in told.milestones]
        for number, asked in Counter([op.at // _SECOND_US for op in operations if op.__class__ is Asked]).items():
            self._second(number * _SECOND_US).asked += asked
        if told.chapters:
            self._tally(told)

    def _tally(self, told: Stretch) -> None:
        late, offset = told.late_us(self._began), self.offset.us
        if offset:
            late = [us + offset for us in late]
        counted = buckets(late)
        self._over_time(told, counted)
        self._by_kind(told, late, counted)
        received = told.received
        ends, starts = [received[run.stop - 1].at for run in told.ended], [received[run.first].at for run in told.begun]
        for number, ended in Counter([at // _SECOND_US for at in ends]).items():
            self._second(number * _SECOND_US).ended += ended
        self._from_questions(RUN, told.ended, ends)
        self._from_questions(FIRST_EVENT, told.begun, starts)

    def _over_time(self, told: Stretch, counted: list[int]) -> None:
        first, last = (at // _SECOND_US for at in told.arrived_us())
        for number in range(first, last + 1):
            second = self._second(number * _SECOND_US)
            mine = counted
            if first < last:
                mine = [by for op, by in zip(told.received, counted, strict=True) if op.at // _SECOND_US == number]
            second.events += len(mine)
            second.delivery.counts.update(mine)

    def _by_kind(self, told: Stretch, late: list[int], counted: list[int]) -> None:
        """Keep the latencies of each behaviour's events by their kinds."""
        received, lagged = told.received, self.world.lagged_at
        behaviours = {chapter.asked.behaviour or "" for chapter in told.chapters}
        if len(behaviours) == 1 and min([received[run.first].at - late[run.first] for run in told.chapters]) > lagged:
            self._of_kinds((DELIVERY, behaviours.pop()), told.kinds, counted, told.others)
            return
        told_of: dict[tuple[str, str], tuple[list[Kind], list[int]]] = {}
        for chapter in told.chapters:
            mine = slice(chapter.first, chapter.stop)
            names = self._measured(told, late, chapter)
            for name in {*names}:
                kinds, by = told_of.setdefault((name, chapter.asked.behaviour or ""), ([], []))
                named = [one is name for one in names]
                kinds += compress(told.kinds[mine], named)
                by += compress(counted[mine], named)
        for key, (kinds, by) in told_of.items():
            others = [at for at, kind in enumerate(kinds) if kind is not Kind.TEXT]
            self._of_kinds(key, kinds, by, others)

    def _measured(self, told: Stretch, late: list[int], run: Chapter) -> list[str]:
        """Return as what the delivery of each event of a run counts. None was stamped before an earlier one."""
        mine = late[run.first : run.stop]
        stamps = [op.at - us for op, us in zip(told.received[run.first : run.stop], mine, strict=True)]
        # The later an event was stamped, the less can the generator have been late since.
        if not self._was_late(stamps[0], min(mine)):
            return [DELIVERY] * len(mine)
        if self._was_late(stamps[-1], max(mine)):
            return [_HINDERED] * len(mine)
        return [_HINDERED if self._was_late(*one) else DELIVERY for one in zip(stamps, mine, strict=True)]

    def _of_kinds(self, key: tuple[str, str], kinds: list[Kind], counted: list[int], others: list[int]) -> None:
        """Keep what was measured of a behaviour by the kinds of its events; `others` are those that stream no text."""
        text, of_kind = counted.copy(), dict[Kind, list[int]]()
        for at in others:
            of_kind.setdefault(kinds[at], []).append(counted[at])
        for at in reversed(others):
            del text[at]
        for kind, waits in (Kind.TEXT, text), *of_kind.items():
            self._keep((*key, kind.name), waits)

    def _from_questions(self, what: str, chapters: list[Chapter], ats: list[int]) -> None:
        """Keep, by behaviour, how long after their questions something came to these runs."""
        waits: dict[str, list[int]] = {}
        for chapter, at in zip(chapters, ats, strict=True):
            asked, due = chapter.asked, _due(chapter.asked)
            if due <= self.world.lagged_at:
                self._sample((what, asked.behaviour or "", ""), at, at - due)
            else:
                waits.setdefault(asked.behaviour or "", []).append(at - due)
        for behaviour, us in waits.items():
            self._keep((what, behaviour, ""), buckets(us))

    # -- both -------------------------------------------------------------------------------------------------------

    def _was_late(self, since: int, late_us: int) -> bool:
        """Tell whether a good part of what was measured may be the generator's own lateness."""
        return self.world.lagged_at >= since and self.world.lags.since(since, self.world.now) > late_us * _NEGLIGIBLE

    def _second(self, at: int) -> Second:
        number = at // _SECOND_US
        second = self.seconds.get(number)
        if second is None:
            second = self.seconds[number] = Second()
        return second

    def _keep(self, key: Key, counted: Sequence[int]) -> None:
        if not self.offset.trusted and key[0].startswith(DELIVERY):
            key = (f"{DELIVERY}{UNCLOCKED}", *key[1:])
        kept = self._buffers.setdefault(key, [])
        kept += counted
        if len(kept) >= _KEPT:
            self._pour(key, kept)

    def _pour(self, key: Key, kept: list[int]) -> None:
        self.sketches.setdefault(key, Sketch()).counts.update(kept)
        kept.clear()

    def settled(self) -> dict[Key, Sketch]:
        """Return the sketches with everything measured so far."""
        for key, kept in self._buffers.items():
            if kept:
                self._pour(key, kept)
        return self.sketches


def _due(asked: Asked) -> int:
    """Return when the user wanted to ask: from then on they have waited (no coordinated omission)."""
    return asked.at if asked.due is None else asked.due


def measured(checks: Sequence[Check]) -> Measure:
    """Return the one that measures."""
    return next(check for check in checks if isinstance(check, Measure))
