"""DLV: in time, whatever happens. And what timestamps must be (SCH-03, ORD-03): each is read once, here."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import repeat
from operator import floordiv
from typing import Any

from conformance.checks.check import EVERY_EVENT, Check, ms, on, on_odd
from conformance.checks.histogram import Histogram
from conformance.events import Flaw, Kind
from conformance.express.stretch import Stretch
from conformance.statistics import Decision, needed, share
from conformance.story import Notice, Passage, Sighting, Stream
from conformance.streams import saw_begin
from conformance.verdict import Measurement

_ENDS = (Kind.COMPLETED, Kind.FAILED, Kind.STOPPED)
_ALLOWED_LATE = 0.05
_GAP = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_SECOND_US = 1_000_000


class Latency(Check):
    """An event arrives soon after its timestamp; timestamps are real, and do not go backwards."""

    decides = ("SCH-03", "ORD-03", "DLV-02")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._latency = Histogram()
        self._began = _EPOCH + self.world.header.began_us * _US
        self._skew_us = self.world.bounds.clock_skew_s * 1e6
        self._stamped = 0
        self._slowest: tuple[int, Sighting] | None = None
        self._slow_us = self.world.bounds.scaled_ms(self.world.bounds.delivery_p95_ms) * 1000
        self._told: list[int] = []
        self._tenths: Counter[int] = Counter()
        self._within: int | None = None
        self._excused = 0

    @on(Flaw)
    def flaw(self, notice: Notice) -> None:
        """A timestamp that is none."""
        flaw = notice.event
        assert isinstance(flaw, Flaw)
        if flaw.requirement == "SCH-03":
            self._stamped += 1
            self.fail(
                "SCH-03",
                f"{flaw.field} has the wrong form",
                expected=flaw.expected,
                actual=flaw.actual,
                witnesses=[notice],
            )

    @on_odd(*EVERY_EVENT)
    def event(self, seen: Sighting) -> None:
        """Hold an event's timestamp against its predecessor's."""
        stamp, last = seen.event.timestamp, seen.story.last
        if stamp is None or last is None or not seen.fresh or seen.foreign:
            return
        before = last.event.timestamp
        if before is not None and stamp < before and (seen.event.seq or 0) >= (last.event.seq or 0):
            self._backwards(seen, last)

    @on(Passage)
    def passage(self, passage: Passage) -> None:
        """Hold timestamps against the clock."""
        first = passage.sightings[0]
        if not first.fresh or first.foreign:
            return
        replayed = first.stream.resumed or first.connection.held_back or not self.world.header.timed
        began, add, skew_us = self._began, self._latency.add, self._skew_us
        for seen in passage.sightings:
            stamp = seen.event.timestamp
            if stamp is None:
                continue
            self._stamped += seen.pieces
            late_us = seen.op.at - (stamp - began) // _US
            if not -skew_us < late_us < skew_us:
                if not replayed:
                    self._far_off(seen, late_us / 1e6)
            elif late_us > self._slow_us:
                self._slow(seen, late_us, replayed=replayed)
            elif not replayed:
                add(seen.op.at, late_us)

    def _slow(self, seen: Sighting, late_us: int, *, replayed: bool) -> None:
        stamped_at, connection = seen.op.at - late_us, seen.connection
        begun = connection.connected if connection.op.method in ("websocket", "GET") else connection.op
        in_time = late_us - self.world.slack_us(stamped_at) <= self._slow_us
        self._excused += in_time and not replayed
        if replayed or in_time or (begun is not None and begun.at > stamped_at):
            return  # nothing can arrive on a connection before it is open, nor in answer to what was not asked
        if self._slowest is None or late_us > self._slowest[0]:
            self._slowest = (late_us, seen)
        self._latency.add(seen.op.at, late_us)

    def _backwards(self, seen: Sighting, last: Sighting) -> None:
        self.fail(
            "ORD-03",
            "timestamps go backwards within a run",
            expected=f"{last.event.timestamp} or later",
            actual=f"{seen.event.timestamp}",
            witnesses=[last, seen],
            run=seen.story,
        )

    def _far_off(self, seen: Sighting, late_s: float) -> None:
        self.fail(
            "SCH-03",
            "a timestamp is far from the observer's clock",
            expected=f"within {self._skew_us / 1e6:,.0f} s of the time of arrival",
            actual=f"{seen.event.timestamp}, {abs(late_s):,.0f} s {'before' if late_s > 0 else 'after'} it",
            witnesses=[seen],
            run=seen.story,
        )

    def screen(self, told: Stretch) -> bool:
        """Every event is in time."""
        self._told = late = self._late_us(told)
        self._tenths = tenths = Counter(map(floordiv, late, repeat(100)))
        least, most = min(tenths, default=0) * 100, max(tenths, default=0) * 100 + 99
        seconds = {at // _SECOND_US for at in told.arrived_us()} if told.chapters else set()
        self._within = seconds.pop() if len(seconds) == 1 and not told.before else None
        if -self._skew_us < least and most < self._skew_us and most <= self._slow_us:
            return True
        return not late or (-self._skew_us < min(late) <= max(late) < self._skew_us and max(late) <= self._slow_us)

    def _late_us(self, told: Stretch) -> list[int]:
        """Return how long after its timestamp each event that is due arrived."""
        began, late = self._began, told.late_us(self._began)
        if told.passed is not None:
            late = [late[at] for at in told.passed]
        if not told.before:
            return late
        return late + [seen.op.at - (seen.event.timestamp - began) // _US for seen in told.before]  # type: ignore[operator]

    def tally(self, told: Stretch) -> None:
        """Count the latencies."""
        self._stamped += len(self._told)
        if self._within is not None:
            self._latency.add_within(self._within, self._tenths)
        else:
            self._latency.add_all(self._arrivals(told), self._told)

    def _arrivals(self, told: Stretch) -> list[int]:
        """Return when each event that is due arrived."""
        ats = [op.at for op in told.received]
        if told.passed is not None:
            ats = [ats[at] for at in told.passed]
        return ats + [seen.op.at for seen in told.before]

    def finish(self) -> None:
        """Judge the latencies together."""
        self.exercised["SCH-03"] = self._stamped
        self.exercised["ORD-03"] = self._stamped
        latency, bound = self._latency, self._slow_us / 1000
        self.exercised["DLV-02"] = latency.samples
        if not self.world.header.same_clock:
            self.undecided["DLV-02"] = "the target's clock may differ from the kit's: set [bounds] same_clock if not"
            return
        self.measured += latency.measurements("delivery latency")
        self.distributions += latency.distributions("delivery latency")
        over = latency.over(bound)
        self.shares["DLV-02"] = (over, latency.samples, _ALLOWED_LATE)
        decision = share(*self.shares["DLV-02"])
        if decision is Decision.ABOVE and self._slowest is not None:
            self.fail(
                "DLV-02",
                "events arrive late",
                expected=f"95 % within {bound:,.0f} ms",
                actual=f"{over} of {latency.samples} later; p95 {latency.percentile(95):,.0f} ms, "
                f"the slowest {ms(self._slowest[0])}",
                witnesses=[self._slowest[1]],
                run=self._slowest[1].story,
            )
        elif over + self._excused > _ALLOWED_LATE * (latency.samples + self._excused):
            self.undecided["DLV-02"] = (
                f"{self._excused} of the events that came late did so while the kit was late itself"
            )
        elif decision is Decision.UNDECIDED and latency.samples:
            self.undecided["DLV-02"] = (
                f"{over} of {latency.samples} events later than {bound:,.0f} ms is too few samples "
                f"({needed(_ALLOWED_LATE)} on time would decide it)"
            )


class Delivery(Check):
    """Nearly every event arrives: what a numbered stream lacks at its run's end was lost."""

    decides = ("DLV-01",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.expected = 0
        self.lost = 0
        self._last: list[Any] = []

    @on(*_ENDS)
    def ended(self, seen: Sighting) -> None:
        """A stream has ended: how many of its events came?"""
        seq = seen.event.seq
        stream: Stream = seen.stream
        if seq is None or seen.foreign or stream.ended or stream.joined_late or stream.resumed:
            return
        self.expected += seq
        lost = len(stream.missing - {seq}) + max(0, seq - stream.high - 1)
        if lost:
            self.lost += lost
            self._last = [seen]

    def screen(self, told: Stretch) -> bool:
        """No run lacks any."""
        return True

    def tally(self, told: Stretch) -> None:
        """Count the events of the runs that end."""
        self.expected += sum([chapter.high + chapter.stop - chapter.first for chapter in told.ended])

    @on_odd(*EVERY_EVENT)
    def late(self, seen: Sighting) -> None:
        """An event that was counted as lost arrives after all: late, which is for ORD to judge."""
        stream, seq = seen.stream, seen.event.seq
        if stream.ended and seq in stream.missing and not (seen.foreign or stream.joined_late or stream.resumed):
            self.lost -= 1

    def finish(self) -> None:
        """Judge the losses together."""
        self.exercised["DLV-01"] = self.expected
        if not self.expected:
            return
        wanted = self.world.bounds.delivered
        self.shares["DLV-01"] = (self.lost, self.expected, 1 - wanted)
        ratio = 1 - self.lost / self.expected
        self.measured.append(Measurement("delivered", ratio * 100, "%", self.expected))
        decision = share(*self.shares["DLV-01"])
        if decision is Decision.ABOVE:
            self.fail(
                "DLV-01",
                "events are lost",
                expected=f"at least {wanted:.1%} delivered",
                actual=f"{self.lost} of {self.expected} lost ({ratio:.3%} delivered)",
                witnesses=self._last,
            )
        elif decision is Decision.UNDECIDED:
            enough = needed(1 - wanted)
            self.undecided["DLV-01"] = (
                f"{self.expected:,} events expected, {self.lost} lost: {enough:,} without loss would decide it"
            )


class FirstEvent(Check):
    """The first event comes soon after the request."""

    decides = ("DLV-09",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._waits = Histogram()
        self._told: list[int] = []
        self._told_at: list[int] = []
        self._bound = self.world.bounds.scaled_ms(self.world.bounds.first_event_p95_ms)
        self._slowest: tuple[int, Sighting] | None = None

    @on_odd(*EVERY_EVENT)
    def event(self, seen: Sighting) -> None:
        """Take the time of a run's first event."""
        request = seen.story.request
        if seen.story.first is not None or request is None or seen.foreign or seen.connection is not request.connection:
            return
        if seen.connection.held_back or request.asked.behaviour in ("queued", "greedy"):
            return
        waited = seen.op.at - request.asked.at
        if waited > self._bound * 1000:
            if waited - self.world.slack_us(request.asked.at) <= self._bound * 1000:
                return
            if self._slowest is None or waited > self._slowest[0]:
                self._slowest = (waited, seen)
        self._waits.add(seen.op.at, waited)

    def screen(self, told: Stretch) -> bool:
        """No run's first event is slow, or may be."""
        self._told_at = [told.received[run.first].at for run in told.begun]
        self._told = [at - run.asked.at for at, run in zip(self._told_at, told.begun, strict=True)]
        if any(run.asked.behaviour in ("queued", "greedy") for run in told.begun):
            return False
        return not self._told or max(self._told) <= self._bound * 1000

    def tally(self, told: Stretch) -> None:
        """Count the waits."""
        self._waits.add_all(self._told_at, self._told)

    def finish(self) -> None:
        """Judge the waits together."""
        waits = self._waits
        self.exercised["DLV-09"] = waits.samples
        self.measured += waits.measurements("first event")
        self.distributions += waits.distributions("first event")
        over = waits.over(self._bound)
        self.shares["DLV-09"] = (over, waits.samples, _ALLOWED_LATE)
        decision = share(*self.shares["DLV-09"])
        if decision is Decision.ABOVE and self._slowest is not None:
            self.fail(
                "DLV-09",
                "users wait for the first event",
                expected=f"95 % of first events within {self._bound:,.0f} ms",
                actual=f"{over} of {waits.samples} later, the slowest after {ms(self._slowest[0])}",
                witnesses=[*([r] if (r := self._slowest[1].story.request) else []), self._slowest[1]],
                run=self._slowest[1].story,
            )
        elif decision is Decision.UNDECIDED and waits.samples:
            self.undecided["DLV-09"] = (
                f"{over} of {waits.samples} first events later than {self._bound:,.0f} ms is too few samples "
                f"({needed(_ALLOWED_LATE)} on time would decide it)"
            )


class Streaming(Check):
    """A tool's start arrives while the tool still runs."""

    decides = ("DLV-03",)
    _LONG_MS = 200.0

    def screen(self, told: Stretch) -> bool:
        """No tool takes long."""
        return not any(call.payload.tool_name == "sleep" for call in told.calls)

    @on(Kind.TOOL_COMPLETED)
    def completed(self, seen: Sighting) -> None:
        """Hold the time between the arrivals of a tool's two events against the time that the tool took."""
        story = seen.story
        tool = story.tools.get(seen.event.payload.tool_call_id)
        if tool is None or seen.foreign or not seen.fresh or story.script is None or tool.completed is not None:
            return
        start = tool.started
        if story.stop_asked is not None:
            return  # it was not left to sleep as long as it was told to
        if start.connection is not seen.connection or seen.stream.resumed or seen.connection.held_back:
            return
        request = story.request
        if request is not None and not saw_begin(seen.connection, request):
            return  # what it missed may have been kept for it, and have come all at once
        args = start.event.payload.parameters
        took = args.get("ms") if isinstance(args, dict) and start.event.payload.tool_name == "sleep" else None
        if not isinstance(took, int | float) or took < self._LONG_MS or seen.event.payload.status != "ok":
            return
        if isinstance(args.get("text"), str) and args["text"] not in str(seen.event.payload.result):
            return  # it is another call's: EVT-13
        between = (seen.op.at - start.op.at) / 1000
        if between < took / 2 <= between + self.world.slack_us(start.op.at - 1_000_000) / 1000:
            return
        if between < took / 2 and start.event.payload.announced:
            return  # the user knew of the call already
        self.exercised["DLV-03"] += 1
        if between < took / 2:
            self.fail(
                "DLV-03",
                "a tool's start arrives only when the tool is done",
                expected=f"about {took:,.0f} ms between start and completion of a tool that takes that long",
                actual=f"{between:,.0f} ms",
                witnesses=[start, seen],
                run=story,
            )
