"""Faults of what is told again after a reconnect."""

import msgspec

from reference_impl.connection import Connection
from reference_impl.context import new_id
from reference_impl.events import Event
from reference_impl.faulty.fault import fault
from reference_impl.faulty.rewriting import rewritten
from reference_impl.journal import Journal
from reference_impl.replay import Replayer, ReplayPart
from reference_impl.run import StoredRun


@fault(
    "new-ids-on-replay",
    "A replayed event has another event_id than when it was first delivered.",
    stands_for="Ids given when an event is sent instead of when it happens.",
    breaks=("IDN-06", "ORD-04"),
)
class NewIdsOnReplay(Journal):
    """Keeps what happened, and names it anew each time."""

    async def events(self, run: StoredRun, *, after_seq: int = 0, limit: int = 256) -> list[Event]:
        """Up to `limit` events of `run` that come after `after_seq`, under new ids."""
        events = await super().events(run, after_seq=after_seq, limit=limit)
        return [rewritten(event, event_id=new_id()) for event in events]


@fault(
    "replay-skips-one",
    "A replay leaves out the first event that the client missed.",
    stands_for="A cursor that one side takes for the last event seen, and the other for the first one wanted.",
    breaks=("DLV-05", "DLV-08", "LIF-06"),
)
class ReplaySkipsOne(Replayer):
    """Counts from the other end."""

    async def replay(self, connection: Connection, part: ReplayPart) -> None:
        """Send one run's events, one too late."""
        await super().replay(connection, ReplayPart(part.run, part.after_seq + 1))


@fault(
    "reversed-replay",
    "A replay brings the events that were missed with the newest first.",
    stands_for="ORDER BY created_at DESC, made for a list of what is new, and used for a replay.",
    breaks=("ORD-04", "DLV-05"),
)
class ReversedReplay(Journal):
    """Begins with the end."""

    async def events(self, run: StoredRun, *, after_seq: int = 0, limit: int = 256) -> list[Event]:
        """Up to `limit` events of `run` that come after `after_seq`, the last one first and the rest in its place."""
        events = await super().events(run, after_seq=after_seq, limit=limit)
        texts = [event.text for event in reversed(events)]
        return [msgspec.structs.replace(event, text=text) for event, text in zip(events, texts, strict=True)]


@fault(
    "doubled-replay",
    "A replay brings each event twice.",
    stands_for="A replay from two stores, the recent events in memory and all of them on disk, that overlap.",
    breaks=("DLV-04", "DLV-05"),
)
class DoubledReplay(Replayer):
    """Leaves nothing out."""

    async def replay(self, connection: Connection, part: ReplayPart) -> None:
        """Send one run's events, and again."""
        for event in await self.so_far(part.run, after_seq=part.after_seq):
            await connection.offer_when_room(event.text)
        await super().replay(connection, part)


@fault(
    "offline-queue-of-fifty",
    "Of what a client has missed only the last fifty events are kept.",
    stands_for="A bounded queue for clients that are away: deque(maxlen=50).",
    breaks=("DLV-05",),
)
class OfflineQueueOfFifty(Replayer):
    """Keeps the end of the story."""

    async def replay(self, connection: Connection, part: ReplayPart) -> None:
        """Send one run's events, as far as they are kept."""
        there = await self.so_far(part.run, after_seq=part.after_seq)
        await super().replay(connection, ReplayPart(part.run, part.after_seq + max(0, len(there) - 50)))


@fault(
    "counted-as-sent",
    "What was sent while nobody was connected counts as delivered: a replay goes on after it.",
    stands_for="Events marked as sent when they are handed to a socket, be it alive or dead.",
    breaks=("DLV-05", "DLV-08", "LIF-04", "LIF-06"),
)
class CountedAsSent(Replayer):
    """Trusts the postman."""

    async def replay(self, connection: Connection, part: ReplayPart) -> None:
        """Send what was not sent to anybody yet."""
        sent = await self.so_far(part.run, after_seq=part.after_seq)
        await super().replay(connection, ReplayPart(part.run, sent[-1].seq if sent else part.after_seq))
