"""What the engine asks of the record of its runs. `sqlite_journal.py` is the one that needs no other service."""

from collections.abc import Callable, Sequence
from typing import Protocol

from reference_impl.context import RunId, ThreadId, UserId
from reference_impl.events import Event
from reference_impl.run import AcceptOutcome, NewRun, StoredRun

Subscriber = Callable[[Sequence[Event]], None]


class Journal(Protocol):
    """Runs, events and thread memory, on record.

    An event is on record before anybody is shown it, so what a client saw is still there after a crash (LIF-06). What
    is appended within one turn of the event loop may share the cost of one write.
    """

    events_written: int

    @property
    def failed(self) -> bool:
        """Whether a write has failed for good; none is tried after that."""
        ...

    @property
    def commits(self) -> int:
        """How many writes there were."""
        ...

    def subscribe(self, subscriber: Subscriber) -> None:
        """Have `subscriber` called in the event loop with each group of events once it is on record, in order."""
        ...

    def on_failure(self, callback: Callable[[], None]) -> None:
        """Have `callback` called in the event loop if a write fails for good."""
        ...

    async def open(self) -> None:
        """Make ready to be used."""
        ...

    async def close(self) -> None:
        """Write what is pending, then let go of everything."""
        ...

    def append(self, event: Event) -> None:
        """Take one event for the next write, without waiting. Raises JournalFailed if there will be none."""
        ...

    async def flush(self) -> None:
        """Wait until everything appended so far is on record and the subscribers have it. Raises JournalFailed."""
        ...

    async def accept(
        self, run: NewRun, *, may_insert: bool, thread_must_exist: bool, owns_thread: bool = False
    ) -> tuple[AcceptOutcome, NewRun]:
        """Record an accepted run; or find the one that has the same user and request id already (LIF-01).

        `may_insert` is false if the user may have no more runs, but may still ask for an earlier one. `owns_thread`
        tells that the thread may not be one of somebody else's. Raises JournalFailed.
        """
        ...

    async def remember(self, user_id: UserId, thread_id: ThreadId, key: str, value: str) -> None:
        """Keep `value` under `key` in this user's thread."""
        ...

    async def recall(self, user_id: UserId, thread_id: ThreadId, key: str) -> str | None:
        """What this user's thread remembers under `key`, None if nothing."""
        ...

    async def find_run(self, user_id: UserId, run_id: str) -> StoredRun | None:
        """The run of this user with this id; None also if it is somebody else's (ACC-04)."""
        ...

    async def runs_of_thread(self, user_id: UserId, thread_id: str) -> list[StoredRun]:
        """All runs of this user's thread, oldest first; empty if the user has no such thread (ISO-07)."""
        ...

    async def open_runs(self) -> list[StoredRun]:
        """All runs that were accepted and have no terminal event."""
        ...

    async def events(self, run: StoredRun, *, after_seq: int = 0, limit: int = 256) -> list[Event]:
        """Up to `limit` events of `run` that come after `after_seq`, in order."""
        ...

    async def seq_of(self, run: StoredRun, event_id: str) -> int | None:
        """The seq of the event with this id within `run`, None if it has none such."""
        ...

    async def earlier_messages(self, run_id: RunId, user_id: UserId, thread_id: ThreadId) -> list[tuple[str, str]]:
        """(message, answer) of this user's runs on the thread before `run_id`, newest first, at most 100."""
        ...
