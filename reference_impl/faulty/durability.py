"""Faults of what should outlast a connection or a process: runs, their places, and what connections leave behind."""

import os
import sqlite3
from typing import Any

from reference_impl.connection import Connection
from reference_impl.context import UserId
from reference_impl.engine import ExecutionEngine
from reference_impl.faulty.fault import fault
from reference_impl.journal import Journal
from reference_impl.registry import AgentExecutionRegistry
from reference_impl.run import StoredRun
from reference_impl.session import ClientSession
from reference_impl.websocket_manager import WebSocketManager

KEPT_BYTES = 192 * 1024


def forget_open_runs(connection: sqlite3.Connection) -> None:
    """Delete every run that has no end, with its events."""
    with connection:
        connection.execute("DELETE FROM events WHERE run IN (SELECT number FROM runs WHERE ending IS NULL)")
        connection.execute("DELETE FROM runs WHERE ending IS NULL")


@fault(
    "crash-loses-runs",
    "After a crash, runs that were under way are not known any more.",
    stands_for="Runs that are kept in memory, and written down when they have ended.",
    breaks=("LIF-06",),
)
class CrashLosesRuns(Journal):
    """Begins each life by forgetting what the last one had not finished."""

    async def open(self) -> None:
        """Open the file, without the runs that have no end."""
        await super().open()
        forget_open_runs(self._write_connection)


@fault(
    "crash-leaves-runs-open",
    "After a crash, runs that were under way stay as they are, and never end.",
    stands_for="A state machine in a database whose worker is gone, and nobody who looks for such rows.",
    breaks=("LIF-06",),
)
class CrashLeavesRunsOpen(Journal):
    """Does not look for what the last life left."""

    async def open_runs(self) -> list[StoredRun]:
        """None."""
        return []


class EndsAtOnce(ExecutionEngine):
    """Does not see to what is running when it ends."""

    async def drain(self, *, grace_s: float) -> None:
        """Accept nothing more."""
        self.draining = True


@fault(
    "shutdown-drops-runs",
    "When the engine is asked to end, it throws away what is running, and forgets it.",
    stands_for="Tasks that are cancelled with the event loop, and a store that is cleaned up on the way out.",
    breaks=("LIF-05",),
    with_parts=(EndsAtOnce,),
)
class ShutdownDropsRuns(Journal):
    """Leaves no open run behind, by leaving no trace of it."""

    async def close(self) -> None:
        """Forget the open runs and close the file."""
        await self.flush()
        self.failed = True  # what the runs still have to say comes too late
        forget_open_runs(self._write_connection)
        await super().close()


class KeepsPlaces(AgentExecutionRegistry):
    """Never gives back what was abandoned: a run's place, its model's and its tools'."""

    PLACES = 4

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._kept: dict[UserId, int] = {}

    def abandon(self, user_id: UserId) -> None:
        """Take note that a user has left."""
        self._kept[user_id] = self._kept.get(user_id, 0) + self.PLACES * len(self.live_runs(user_id))

    def open_runs(self, user_id: UserId | None = None) -> int:
        """How many runs are live, and how many were abandoned."""
        kept = sum(self._kept.values()) if user_id is None else self._kept.get(user_id, 0)
        return super().open_runs(user_id) + kept


@fault(
    "abandoned-runs-keep-places",
    "A run that was under way when its user's connection ended counts as open for ever.",
    stands_for="A counter that goes down in a handler of the connection, which is gone by then.",
    breaks=("LIF-04",),
    with_parts=(KeepsPlaces,),
)
class AbandonedRunsKeepPlaces(ClientSession):
    """Takes what is under way when its socket closes for abandoned."""

    async def serve(self) -> None:
        """Serve until the socket is closed."""
        try:
            await super().serve()
        finally:
            registry = self._replayer._registry
            assert isinstance(registry, KeepsPlaces)
            registry.abandon(self.user_id)


@fault(
    "buffers-kept",
    "What a connection needed is kept when the connection is gone.",
    stands_for="A handler that is registered for each connection and never removed, with all that it refers to.",
    breaks=("LIF-07",),
)
class BuffersKept(WebSocketManager):
    """Remembers everybody."""

    def __init__(self, *, max_per_user: int) -> None:
        super().__init__(max_per_user=max_per_user)
        self._kept: list[bytes] = []

    def remove(self, connection: Connection) -> None:
        """Forget `connection`, but not its buffer."""
        self._kept.append(connection.connection_id.encode() * (KEPT_BYTES // 36))
        super().remove(connection)


@fault(
    "files-kept-open",
    "A file is opened for each connection, and never closed.",
    stands_for="A log file or a database session for each client, that only the garbage collector would close.",
    breaks=("LIF-07",),
)
class FilesKeptOpen(WebSocketManager):
    """Opens, and does not close."""

    def __init__(self, *, max_per_user: int) -> None:
        super().__init__(max_per_user=max_per_user)
        self._files: list[int] = []

    def add(self, connection: Connection) -> bool:
        """Have `connection` get its user's events from now on, and a file."""
        self._files.append(os.open(os.devnull, os.O_RDONLY))
        return super().add(connection)
