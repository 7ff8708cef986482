"""DLV: idle and second connections."""

from itertools import islice

from conformance.checks.check import Here, Unconcerned, on
from conformance.events import Heartbeat, Kind
from conformance.history import operations as ops
from conformance.history.operations import Awaited, ClosedBy
from conformance.story import Notice, Sighting

_ENDS = (Kind.COMPLETED, Kind.FAILED, Kind.STOPPED)
_GAP = 10_000


class Heartbeats(Unconcerned):
    """Idle connections show life, and dead peers are noticed."""

    decides = ("DLV-07",)

    @on(ops.Closed)
    def closed(self, op: ops.Closed) -> None:
        """A peer that answered nothing was noticed; one that was merely idle must not be closed."""
        connection = self.world.connections[op.conn]
        if op.by is ClosedBy.KIT:
            return
        if not connection.op.answers_pings:
            self.exercised["DLV-07"] += 1

    @on(ops.Pinged)
    def pinged(self, op: ops.Pinged) -> None:
        """A sign of life."""
        self.exercised["DLV-07"] += 1

    @on(Heartbeat)
    def heartbeat(self, notice: Notice) -> None:
        """A sign of life as a frame of the dialect."""
        self.exercised["DLV-07"] += 1

    @on(ops.GaveUp)
    def gave_up(self, op: ops.GaveUp) -> None:
        """No sign of life, or a dead peer kept."""
        connection = self.world.connections.get(op.conn)
        beat = self.world.heartbeat_s
        if connection is None or op.late or beat is None or op.at < 0:
            return
        if op.awaited is Awaited.HEARTBEAT:
            message, expected = "an idle connection shows no life", f"a heartbeat every {beat:g} s"
        elif op.awaited is Awaited.CLOSE and not connection.op.answers_pings:
            message, expected = "a dead peer is not noticed", f"a close within {3 * beat:g} s of silence"
        else:
            return
        self.exercised["DLV-07"] += 1
        self.fail(
            "DLV-07",
            message,
            expected=expected,
            actual=f"nothing for {op.waited_ms:,} ms",
            witnesses=[Here(connection.line, connection.op), self.here(op)],
        )


class SecondConnection(Unconcerned):
    """A user's second connection receives the same events."""

    decides = ("DLV-10",)

    @on(*_ENDS)
    def ended(self, seen: Sighting) -> None:
        """A run's end reaches a connection that did not ask for it."""
        request = seen.story.request
        stream = seen.stream
        if request is None or seen.foreign or request.connection is seen.connection or stream.resumed:
            return
        if request.connection.op.user != seen.connection.op.user or stream.joined_late:
            return
        self.exercised["DLV-10"] += 1
        gap = set() if seen.fresh else set(islice(range(stream.high + 1, seen.event.seq or 0), _GAP))
        lacks = len((stream.missing | gap) - seen.story.missing)
        if lacks:
            self.fail(
                "DLV-10",
                "a user's second connection does not receive all of the run's events",
                expected="the events that the first connection received",
                actual=f"{lacks} of {seen.event.seq} events missing",
                witnesses=[request, seen],
                run=seen.story,
            )

    @on(ops.GaveUp)
    def gave_up(self, op: ops.GaveUp) -> None:
        """One connection saw the end, the other did not, though both were open when the run was asked for."""
        request = self.world.request_of(op.ask)
        if request is None or op.late or op.awaited is not Awaited.TERMINAL or not request.runs:
            return
        story = request.story
        connection = self.world.connections.get(op.conn)
        if story is None or story.terminal is None or connection is None or connection.connected is None:
            return
        stream = story.streams.get(op.conn)
        if connection.connected.at > request.asked.at or (stream is not None and stream.ended):
            return
        first = op.conn == request.asked.conn
        self.exercised["DLV-10"] += 1
        self.fail(
            "DLV-10",
            f"a user's {'first' if first else 'second'} connection does not receive the run's events",
            expected=f"the {story.events} events that the {'second' if first else 'first'} connection received",
            actual=f"{stream.events if stream else 0} events within {op.waited_ms:,} ms",
            witnesses=[request, story.terminal, self.here(op)],
            run=story,
        )
