"""Streams: how far a run has been delivered on a connection, and what a connection can have seen of it."""

from datetime import timedelta
from itertools import islice

from conformance.events import RunEvent
from conformance.story import NO_SEQS, Connection, Request, Seqs, Sighting, Story, Stream

_GAP = 10_000


def _and(seqs: Seqs, more: set[int]) -> Seqs:
    """Return what is in either, as a set that no other run or stream has."""
    if not seqs:
        return set(more)
    seqs |= more
    return seqs


def joined(story: Story, connection: Connection, event: RunEvent, *, own: bool, shares: bool) -> Stream:
    """Return a run's stream on a connection that tells of it for the first time.

    `own` is whether the run was asked for on it; `shares` whether it is told of the run at all.
    """
    stream = Stream(connection.user)
    if event.seq is not None and event.seq > 1 and not (shares and saw_begin(connection, story.request)):
        stream.joined_late = True
        stream.high = event.seq - 1
    story.stream = stream if story.connection is None and own else None
    story.connection = story.connection or connection
    story.streams[connection.number] = stream
    return stream


def rewind(stream: Stream, cursor: int) -> None:
    """The client asks for the events after a cursor again: they are expected once more."""
    stream.high = stream.cursor = cursor
    stream.resumed = stream.replaying = True
    stream.joined_late = False
    stream.ended = False
    stream.missing = stream.overtook = stream.late = NO_SEQS


def begin_replay(stream: Stream, connection: Connection, event: RunEvent) -> None:
    """Go back to the cursor of a resume, once, where what came so far came live before the target read the question."""
    if was_live(connection, event):
        stream.high = stream.cursor or 0
        stream.missing = NO_SEQS
    stream.cursor = None


def deliver(sighting: Sighting) -> None:
    """Enter an event into its stream."""
    stream, story, seq = sighting.stream, sighting.story, sighting.event.seq
    stream.events += 1
    if seq is not None and sighting.overtaking:
        stream.overtook = _and(stream.overtook, {seq})
    elif seq is not None:
        if seq == stream.high + 1:
            stream.high = seq
        elif seq > stream.high:
            gap = set(islice(range(stream.high + 1, seq), _GAP)) - stream.overtook
            stream.missing = _and(stream.missing, gap)
            story.excused -= gap
            stream.high = seq
        elif seq in stream.missing:
            stream.missing -= {seq}
            stream.late = _and(stream.late, {seq})
    if sighting.event.terminal:
        stream.ended = True


def number(story: Story, seq: int, *, excused: bool) -> None:
    """Enter a new event's seq into its run; what it leaves out is `excused` where nobody may have been there to see."""
    if seq > story.high:
        if seq > story.high + 1:
            gap = set(islice(range(story.high + 1, seq), _GAP))
            story.missing = _and(story.missing, gap)
            if excused:
                story.excused = _and(story.excused, gap)
        story.high = seq
    elif story.missing:
        story.missing -= {seq}


def next_in_order(story: Story, event: RunEvent) -> bool:
    """Tell whether an event is its run's next one by its number, with an id of its own, and not stamped earlier."""
    before = story.last.event.timestamp if story.last is not None else None
    return (
        event.exact
        and event.seq == story.high + 1
        and before is not None
        and event.timestamp >= before  # type: ignore[operator]
        and bool(event.event_id)
        and event.event_id not in story.ids
        and not story.missing
    )


def saw_begin(connection: Connection, request: Request | None) -> bool:
    """Tell whether a connection must have seen a run from its first event on.

    It asked for the run, and not for one that was there already, or it was greeted before anybody asked.
    """
    if request is None:
        return False
    if request.connection is connection:
        return request.accepted is None or not request.accepted.duplicate
    return connection.ready_at is not None and connection.ready_at <= request.asked.at


def was_live(connection: Connection, event: RunEvent) -> bool:
    """Tell whether an event can have been sent live, because it happened after the client began to connect."""
    ready = connection.ready
    if ready is None or ready.server_time is None or event.timestamp is None:
        return True
    connecting = timedelta(microseconds=(connection.ready_at or connection.op.at) - connection.op.at)
    return event.timestamp > ready.server_time - connecting
