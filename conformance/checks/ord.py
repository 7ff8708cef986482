"""ORD: order is kept. Also what becomes of missing, doubled and replayed events (DLV-04, DLV-05, DLV-06)."""

from itertools import islice
from typing import Any

from conformance.checks.check import EVERY_EVENT, Unconcerned, on, on_odd
from conformance.events import Kind
from conformance.history import operations as ops
from conformance.history.operations import Action, Awaited, ClosedBy
from conformance.story import Connection, Sighting, Story, Stream
from conformance.streams import was_live

_GAP = 10_000
_SLOW_CONSUMER = frozenset({1008, 1013, 4408})
_OTHER_REASONS = frozenset({1009, 1012})
"""A message of the kit's was too large, or the target restarts: said to anybody, however fast it reads."""


class Sequence(Unconcerned):
    """A run's events are numbered without gaps and come in that order, on every connection and in every replay."""

    decides = ("ORD-01", "ORD-02", "ORD-04", "ORD-05", "DLV-04", "DLV-05")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._left_out: dict[int, set[int]] = {}

    @on_odd(*EVERY_EVENT)
    def event(self, seen: Sighting) -> None:
        """Judge an event's place in its stream."""
        stream = seen.stream
        seq = seen.event.seq
        if seq is None or seen.foreign or seen.overtaking:
            return
        story = seen.story
        same = seen.fresh or story.settled or seen.event.event_id in story.ids
        if seq == stream.high + 1 and (same or not stream.resumed):
            if not seen.fresh:
                self._elsewhere_too(seen)
            return
        if seq > stream.high + 1:
            self._skipped(seen)
        elif seq in stream.missing:
            self._late(seen)
        else:
            self._repeated(seen)

    def _elsewhere_too(self, seen: Sighting) -> None:
        """The next event of this stream, already seen on another connection or before a reconnect."""
        requirement = "ORD-04" if seen.stream.resumed else "ORD-05"
        self.exercised[requirement] += 1
        if seen.stream.resumed:
            self.exercised["DLV-05"] += 1
        elif any(seen.event.seq in other.late for other in seen.story.streams.values() if not other.resumed):
            self._in_another_order(seen)
        known = seen.story.ids.get(seen.event.event_id or "")
        if known is not None and known != seen.event.seq:
            self.fail(
                requirement,
                "an event has another seq than when it was first delivered",
                expected=f"event {seen.event.event_id} with seq {known}",
                actual=f"seq {seen.event.seq}",
                witnesses=[seen],
                run=seen.story,
            )

    def _skipped(self, seen: Sighting) -> None:
        stream = seen.stream
        if not stream.resumed:
            return  # decided when the stream ends: they may come late, which is ORD-02's matter
        nowhere = seen.story.missing - seen.story.excused
        if all(seq in stream.overtook or seq in nowhere for seq in range(stream.high + 1, seen.event.seq or 0)):
            return  # what lies between came before the replay, or does not exist
        gap = range(stream.high + 1, seen.event.seq or 0)
        self._left_out.setdefault(seen.story.number, set()).update(islice(gap, _GAP))
        self.exercised["DLV-05"] += 1
        self.fail(
            "DLV-05",
            "a replay leaves out events, or brings them out of order",
            expected=f"seq {seen.stream.high + 1} next",
            actual=f"seq {seen.event.seq}; {gap.start} to {gap.stop - 1} not yet delivered",
            witnesses=[seen],
            run=seen.story,
        )

    def _late(self, seen: Sighting) -> None:
        if not seen.stream.resumed and self._in_order_elsewhere(seen):
            self._in_another_order(seen)
        for requirement in ("ORD-04", "DLV-05") if seen.stream.resumed else ("ORD-02",):
            self.fail(
                requirement,
                "events of a run arrive out of order",
                expected=f"seq {seen.event.seq} before seq {seen.stream.high}",
                actual=f"seq {seen.event.seq} after seq {seen.stream.high}",
                witnesses=[*([seen.story.last] if seen.story.last else []), seen],
                run=seen.story,
            )

    def _in_order_elsewhere(self, seen: Sighting) -> bool:
        seq, story = seen.event.seq or 0, seen.story
        mine = (c for c in self.world.connections_of(seen.connection.user or "") if c is not seen.connection)
        streams = [story.streams[c.number] for c in mine if c.number in story.streams]
        whole = [stream for stream in streams if not stream.resumed and not stream.joined_late]
        return any(stream.high >= seq and seq not in stream.late | stream.missing for stream in whole)

    def _in_another_order(self, seen: Sighting) -> None:
        self.exercised["ORD-05"] += 1
        self.fail(
            "ORD-05",
            "two connections of one user see a run in different orders",
            expected=f"seq {seen.event.seq} in the same place on both",
            actual="in its place on one, after a higher seq on the other",
            witnesses=[seen],
            run=seen.story,
        )

    def _repeated(self, seen: Sighting) -> None:
        """A seq that this stream already had (or that is below 1)."""
        event, story = seen.event, seen.story
        if event.seq is not None and event.seq < 1:
            self._misnumbered(seen, "a seq below 1", "seq from 1")
        elif not seen.fresh and (story.settled or event.event_id in story.ids or event.event_id is None):
            self._doubled(seen)
        elif seen.stream.resumed:
            self.fail(
                "ORD-04",
                "a replayed event is not the one that was first delivered",
                expected=f"seq {event.seq} with its event_id",
                actual=f"another event_id: {event.event_id}",
                witnesses=[seen],
                run=story,
            )
        else:
            self._misnumbered(seen, "two events with the same seq", f"seq {seen.stream.high + 1}")

    def _doubled(self, seen: Sighting) -> None:
        replayed = seen.stream.resumed and not was_live(seen.connection, seen.event)
        for requirement in ("DLV-04", "DLV-05") if replayed else ("DLV-04",):
            self.fail(
                requirement,
                "an event is delivered twice on one connection",
                expected="each event once, unless the client asks for it again",
                actual=f"seq {seen.event.seq} ({seen.event.kind.name.lower()}) a second time",
                witnesses=[seen],
                run=seen.story,
            )

    def _misnumbered(self, seen: Sighting, message: str, expected: str) -> None:
        self.fail(
            "ORD-01",
            message,
            expected=expected,
            actual=f"seq {seen.event.seq} with event_id {seen.event.event_id}",
            witnesses=[*([seen.story.last] if seen.story.last else []), seen],
            run=seen.story,
        )

    @on(Story)
    def settled(self, story: Story) -> None:
        """All that will come has come: a number that no connection saw was left out."""
        if story.first is None or story.first.event.seq is None:
            return
        left_out = self._left_out.pop(story.number, set()) if self._left_out else set()
        told_to = story.connection
        if told_to is not None and told_to.was_paused:
            return  # what a slow reader lacks is for DLV-06 to judge
        if not story.missing:
            self.exercised["ORD-01"] += 1
            self.exercised["ORD-02"] += 1
            return
        lost = story.missing - story.excused - left_out
        self.exercised["ORD-01"] += not story.partly_seen
        self.exercised["ORD-02"] += 1
        if lost and story.last is not None:
            numbers = sorted(lost)
            self.fail(
                "ORD-01",
                "a run's seq has gaps",
                expected=f"every seq from 1 to {story.high}",
                actual=f"never seen: {', '.join(map(str, numbers[:8]))}{', …' if len(numbers) > 8 else ''}",
                witnesses=[story.first, story.last],
                run=story,
            )

    def finish(self) -> None:
        """Every event was held against its stream."""
        self.exercised["DLV-04"] = self.world.events


class Replays(Unconcerned):
    """After a reconnect nothing is lost; and a slow reader gets everything, or is told that it does not."""

    decides = ("DLV-05", "DLV-06")

    @on(*(kind for kind in EVERY_EVENT if kind in (Kind.COMPLETED, Kind.FAILED, Kind.STOPPED)))
    def ended(self, seen: Sighting) -> None:
        """A stream is complete."""
        if seen.foreign:
            return
        stream, connection = seen.stream, seen.connection
        if stream.resumed:
            self.exercised["DLV-05"] += 1
        if connection.was_paused and not seen.story.strayed:  # what others got instead is no matter of reading
            self.exercised["DLV-06"] += 1
            if stream.missing or (seen.event.seq or 0) > stream.high + 1:
                self._gap(connection, stream, seen)

    def _gap(self, connection: Connection, stream: Stream, seen: Sighting) -> None:
        self.fail(
            "DLV-06",
            "a slow reader misses events and is not told",
            expected="every event, or a close with a code that says so (4408)",
            actual=f"seq jumps from {stream.high} to {seen.event.seq}, {len(stream.missing)} more missing",
            witnesses=[seen],
            run=seen.story,
        )

    @on(ops.GaveUp)
    def gave_up(self, op: ops.GaveUp) -> None:
        """A run that is over was asked for again, and its end did not come."""
        request = self.world.request_of(op.ask)
        if request is None or request.asked.action is not Action.RESUME or request.asked.owner is not None:
            return
        story = self.world.story_of(request.asked.run_id or "")
        if op.late or op.awaited is not Awaited.TERMINAL or request.refusal is not None or story is None:
            return
        stream, terminal = story.streams.get(op.conn), story.terminal
        if stream is None or terminal is None or stream.ended:
            return
        if terminal.event.seq is not None and (request.asked.after_seq or 0) >= terminal.event.seq:
            return  # nothing was left to tell
        self.exercised["DLV-05"] += 1
        self.fail(
            "DLV-05",
            "a replay stops before the run's end",
            expected=f"{terminal.event.kind.name.lower()} after what was missed",
            actual=f"{stream.events} events within {op.waited_ms:,} ms",
            witnesses=[terminal, request, self.here(op)],
            run=story,
        )

    @on(ops.Closed)
    def closed(self, op: ops.Closed) -> None:
        """A slow reader that is closed must be told so."""
        connection = self.world.connections[op.conn]
        if not connection.was_paused or op.by is not ClosedBy.TARGET:
            return
        if connection.op.method != "websocket":
            self.exercised["DLV-06"] += 1
            return  # the body is whole
        if op.code in _OTHER_REASONS or self.world.taken_for_dead(connection, op):
            return
        self.exercised["DLV-06"] += 1
        if op.code not in _SLOW_CONSUMER:
            self.fail(
                "DLV-06",
                "a slow reader is cut off without a code that says so",
                expected="close code 4408 (or 1013)",
                actual=f"close code {op.code}",
                witnesses=[self.here(op)],
            )
