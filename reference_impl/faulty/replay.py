"""Faults of what is told again after a reconnect."""

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
    breaks=("DLV-05",),
)
class ReplaySkipsOne(Replayer):
    """Counts from the other end."""

    async def replay(self, connection: Connection, part: ReplayPart) -> None:
        """Send one run's events, one too late."""
        await super().replay(connection, ReplayPart(part.run, part.after_seq + 1))
