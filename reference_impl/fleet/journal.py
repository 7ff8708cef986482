"""The journal of a fleet: the same tables, who owns which run, and nothing from an engine that was given up."""

import asyncio
import fcntl
import sqlite3
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from reference_impl.context import UserId
from reference_impl.errors import EngineError
from reference_impl.fleet.messages import EngineId
from reference_impl.group_commit import Batch
from reference_impl.journal import RUN_COLUMNS, Executes, Journal
from reference_impl.run import AcceptOutcome, NewRun, StoredRun

OWNERS = """
CREATE TABLE IF NOT EXISTS engines (engine_id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS owners (run INTEGER NOT NULL PRIMARY KEY, engine_id TEXT NOT NULL);
"""
ORPHANS = (
    f"SELECT {RUN_COLUMNS} FROM runs WHERE ending IS NULL AND NOT EXISTS"
    " (SELECT 1 FROM owners JOIN engines USING (engine_id) WHERE owners.run = runs.number) ORDER BY number"
)


class GivenUp(EngineError):
    """The others took this engine for dead and have ended its runs: it may write nothing more."""


class SharedJournal(Journal):
    """A SQLite journal that several engines of one host write.

    Each commit first makes sure that the others have not given this engine up; so a run has one voice, also where its
    engine only stood still for a while. An engine without fleet keeps off, and is kept off.
    """

    def __init__(self, path: Path, *, engine_id: EngineId, durable: bool = True) -> None:
        super().__init__(path, durable=durable)
        self.engine_id = engine_id
        self._member = False
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal-writer")

    async def open(self) -> None:
        """Open or create the file and start the writer. Raises sqlite3.Error if the file cannot be used."""
        await super().open()
        self._numbers.clear()
        self._turns = self._path.with_name(self._path.name + ".turns").open("wb")

    async def close(self) -> None:
        """Commit what is pending, stop the writer, close the file."""
        await super().close()
        self._writer.shutdown()
        self._turns.close()

    async def join(self, name: str) -> list[StoredRun]:
        """Become one of the engines; an earlier one of this `name` is given up. Returns the runs that nobody owns."""

        def apply(connection: sqlite3.Connection) -> list[StoredRun]:
            connection.execute("DELETE FROM engines WHERE name = ?", (name,))
            connection.execute("INSERT INTO engines VALUES (?, ?)", (self.engine_id, name))
            self._member = True
            return self._take_orphans(connection)

        return await self.write(apply)

    async def leave(self) -> None:
        """Be one of the engines no more; what runs it still has are for the others to end."""

        def apply(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM engines WHERE engine_id = ?", (self.engine_id,))
            self._member = False

        await self.write(apply)

    async def take_over(self, dead: Iterable[EngineId]) -> list[StoredRun]:
        """Give up the `dead` engines and own what nobody owns now: those runs are returned, to each run one engine."""
        gone = list(dead)

        def apply(connection: sqlite3.Connection) -> list[StoredRun]:
            for engine_id in gone:
                connection.execute("DELETE FROM engines WHERE engine_id = ?", (engine_id,))
            return self._take_orphans(connection)

        return await self.write(apply)

    async def accept(
        self, run: NewRun, *, may_insert: bool, thread_must_exist: bool, owns_thread: bool = False
    ) -> tuple[AcceptOutcome, NewRun]:
        """Record an accepted run, or find the one that there is; on record when decided, for others may decide, too."""
        options = {"may_insert": may_insert, "thread_must_exist": thread_must_exist, "owns_thread": owns_thread}
        return await self.write(lambda connection: self._accept(connection, run, **options))

    async def engines(self) -> set[EngineId]:
        """The engines that have joined and were neither given up nor have left."""
        rows = await self._read(lambda connection: connection.execute("SELECT engine_id FROM engines").fetchall())
        return {EngineId(row[0]) for row in rows}

    async def owner_of(self, run: StoredRun) -> EngineId | None:
        """The engine whose run it is, None if that is one no more."""
        sql = "SELECT engine_id FROM owners JOIN engines USING (engine_id) WHERE run = ?"
        row = await self._read(lambda connection: connection.execute(sql, (run.number,)).fetchone())
        return None if row is None else EngineId(row[0])

    async def open_runs_of(self, user_id: UserId) -> list[tuple[StoredRun, int]]:
        """This user's runs that have no terminal event, each with the seq of its last event, 0 if it has none."""
        sql = (
            f"SELECT {RUN_COLUMNS}, (SELECT coalesce(max(seq), 0) FROM events WHERE run = runs.number)"
            " FROM runs WHERE ending IS NULL AND user_id = ? ORDER BY number"
        )
        rows = await self._read(lambda connection: connection.execute(sql, (user_id,)).fetchall())
        return [(StoredRun.from_row(row[:-1]), row[-1]) for row in rows]

    def _take_orphans(self, connection: sqlite3.Connection) -> list[StoredRun]:
        runs = [StoredRun.from_row(row) for row in connection.execute(ORPHANS).fetchall()]
        for run in runs:
            connection.execute("DELETE FROM owners WHERE run = ?", (run.number,))
            connection.execute("INSERT INTO owners VALUES (?, ?)", (run.number, self.engine_id))
            self._numbers[run.context.run_id] = run.number
        return runs

    def _write(self, batch: Batch) -> None:
        """In a thread, for the others may have the file, and the event loop must not wait for them."""

        def written(result: "asyncio.Future[None]") -> None:
            self._note_written(batch, result.exception())

        asyncio.get_running_loop().run_in_executor(self._writer, self._commit, batch).add_done_callback(written)

    def _commit(self, batch: Batch) -> None:
        with self._turn():
            super()._commit(batch)

    def _turn(self) -> AbstractContextManager[None]:
        return self._flocked()

    @contextmanager
    def _flocked(self) -> Iterator[None]:
        # SQLite waits for its turn by sleeping, longer each time; the kernel wakes who waits.
        fcntl.flock(self._turns, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._turns, fcntl.LOCK_UN)

    def _begin(self, connection: sqlite3.Connection) -> None:
        super()._begin(connection)
        self._check_membership(connection, "SELECT 1 FROM engines WHERE engine_id = ?")

    def _check_membership(self, connection: sqlite3.Connection, sql: str) -> None:
        if self._member and connection.execute(sql, (self.engine_id,)).fetchone() is None:
            raise GivenUp("The other engines took this one for dead and have ended its runs.")

    def _insert_run(self, connection: Executes, run: NewRun, *, returning: str = "") -> int | None:
        number = super()._insert_run(connection, run, returning=returning)
        if number is not None:
            connection.execute("INSERT INTO owners VALUES (?, ?)", (number, self.engine_id))
        return number

    def _connect(self) -> sqlite3.Connection:
        connection = super()._connect()
        connection.executescript(OWNERS)
        return connection

    def _claim(self) -> sqlite3.Connection:
        lock = sqlite3.connect(self._path.with_name(self._path.name + ".lock"), isolation_level=None, timeout=0.0)
        try:
            lock.execute("BEGIN")
            lock.execute("SELECT 1 FROM sqlite_master").fetchall()
        except sqlite3.OperationalError:
            lock.close()
            raise
        return lock
