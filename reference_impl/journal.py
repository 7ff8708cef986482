"""The record of runs, events and what threads remember: SQLite in WAL mode, in one file."""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec

from reference_impl.context import RunId, ThreadId, UserId
from reference_impl.errors import JournalFailed
from reference_impl.events import Event, RunEvents
from reference_impl.group_commit import Batch, GroupCommit
from reference_impl.run import AcceptOutcome, NewRun, StoredRun

T = TypeVar("T")
Executes = sqlite3.Connection | sqlite3.Cursor
"""What carries out a statement: a cursor that is kept takes less time than a connection, which makes one each time."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    number INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL, thread_id TEXT NOT NULL,
    request_id TEXT NOT NULL, agent_name TEXT NOT NULL, traceparent TEXT NOT NULL, message TEXT NOT NULL,
    ending TEXT, UNIQUE (user_id, request_id)
);
CREATE INDEX IF NOT EXISTS runs_by_thread ON runs (thread_id, user_id, number);
CREATE INDEX IF NOT EXISTS open_runs ON runs (number) WHERE ending IS NULL;
CREATE TABLE IF NOT EXISTS events (run INTEGER NOT NULL, seq INTEGER NOT NULL, lines TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS events_of_run ON events (run, seq);
CREATE TABLE IF NOT EXISTS memory (
    user_id TEXT NOT NULL, thread_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (user_id, thread_id, key)
) WITHOUT ROWID;
"""
RUN_COLUMNS = "number, run_id, user_id, thread_id, request_id, agent_name, traceparent, ending"
CHECKPOINT_EVENTS = 16_384
# A row has what was committed together of a run: a line for each event, and the seq of the last.
INSERT_EVENTS = "INSERT INTO events VALUES (?, ?, ?)"
END_RUN = "UPDATE runs SET ending = ? WHERE number = ?"
INSERT_RUN = (
    "INSERT INTO runs (run_id, user_id, thread_id, request_id, agent_name, traceparent, message)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (user_id, request_id) DO NOTHING"
)


class _Answer(msgspec.Struct):
    final_response: str | None = None


class _Ending(msgspec.Struct):
    payload: _Answer


_endings = msgspec.json.Decoder(_Ending)


class Journal(GroupCommit):
    """Runs, events and thread memory, on record. `open` and `close` it within the event loop.

    An event is on record before anybody is shown it, so what a client saw is still there after a crash (LIF-06).
    `durable` makes commits survive the process being killed at any time; without it they only survive its end
    (for a temporary file).
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        super().__init__()
        self._path = path
        self._durable = durable
        self._numbers: dict[RunId, int] = {}
        self._checkpoint_at = CHECKPOINT_EVENTS
        self._readers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal-reader")

    async def open(self) -> None:
        """Open or create the file. Raises sqlite3.Error if it cannot be used."""
        self._lock = self._claim()
        self._write_connection = self._connect()
        require_format(self._write_connection)
        self._write_connection.executescript(SCHEMA)
        self._accepting = self._write_connection.cursor()
        self._read_connection = self._connect()
        for row in self._write_connection.execute("SELECT run_id, number FROM runs WHERE ending IS NULL"):
            self._numbers[row[0]] = row[1]

    async def close(self) -> None:
        """Commit what is pending, then let go of the file."""
        if not self.failed:
            await self.flush()
        self._readers.shutdown()
        self._read_connection.close()
        self._write_connection.close()
        self._lock.close()

    # Writing.

    async def accept(
        self, run: NewRun, *, may_insert: bool, thread_must_exist: bool, owns_thread: bool = False
    ) -> tuple[AcceptOutcome, NewRun]:
        """Decide on a run, to be on record with the next commit; or find that of the same user and request id (LIF-01).

        `may_insert` is false if the user may have no more runs, but may still ask for an earlier one. `owns_thread`
        tells that the thread may not be one of somebody else's. Raises JournalFailed.
        """
        self._begin_soon()
        try:
            self._begin(self._write_connection)
            options = {"thread_must_exist": thread_must_exist, "owns_thread": owns_thread}
            return self._accept(self._accepting, run, may_insert=may_insert, **options)
        except sqlite3.Error as error:
            self._fail(Batch(), error)
            raise JournalFailed("The journal cannot write.") from None

    def _accept(
        self,
        connection: Executes,
        run: NewRun,
        *,
        may_insert: bool,
        thread_must_exist: bool,
        owns_thread: bool,
    ) -> tuple[AcceptOutcome, NewRun]:
        context = run.context
        user_id, thread_id = context.user_id, context.thread_id
        if may_insert and not thread_must_exist and not owns_thread and self._insert_run(connection, run):
            return AcceptOutcome.NEW, run
        same = _find_run(connection, "user_id = ? AND request_id = ?", user_id, context.request_id)
        if same is not None:
            return AcceptOutcome.DUPLICATE, NewRun(same.context, run.message)
        if thread_must_exist and not _find_run(connection, "user_id = ? AND thread_id = ?", user_id, thread_id):
            return AcceptOutcome.NO_THREAD, run
        if owns_thread and _find_run(connection, "thread_id = ? AND user_id != ?", thread_id, user_id):
            return AcceptOutcome.NO_THREAD, run
        if not may_insert:
            return AcceptOutcome.LIMIT, run
        self._insert_run(connection, run)
        return AcceptOutcome.NEW, run

    async def remember(self, user_id: UserId, thread_id: ThreadId, key: str, value: str) -> None:
        """Keep `value` under `key` in this user's thread."""
        row = (user_id, thread_id, key, value)
        sql = "REPLACE INTO memory VALUES (?, ?, ?, ?)"
        await self.write(lambda connection: connection.execute(sql, row).rowcount)

    def _commit(self, batch: Batch) -> None:
        connection = self._write_connection
        with connection:
            self._begin(connection)
            for write in batch.writes:
                write.result = write.apply(connection)
            self._insert_events(connection, batch.events)

    def _deliver(self, events: list[Event]) -> None:
        super()._deliver(events)
        if self.events_written >= self._checkpoint_at:
            self._checkpoint_at += CHECKPOINT_EVENTS
            self._readers.submit(self._checkpoint)

    def _checkpoint(self) -> None:
        """In the readers' thread: move what is written from the log to the database, which takes a while."""
        self._read_connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _begin(self, connection: sqlite3.Connection) -> None:
        if not connection.in_transaction:
            connection.execute("BEGIN IMMEDIATE")

    def _insert_run(self, connection: Executes, run: NewRun, *, returning: str = "") -> int | None:
        """The number of the new run, None where its user has one for the same request."""
        context = run.context
        ids = (context.run_id, context.user_id, context.thread_id, context.request_id)
        cursor = connection.execute(
            INSERT_RUN + returning, (*ids, context.agent_name, context.traceparent, run.message)
        )
        if cursor.rowcount < 1:
            return None
        assert cursor.lastrowid is not None
        self._numbers[context.run_id] = cursor.lastrowid
        return cursor.lastrowid

    def _insert_events(self, connection: sqlite3.Connection, events: list[Event]) -> None:
        lines: defaultdict[RunId, list[str]] = defaultdict(list)
        last: dict[RunId, int] = {}
        for event in events:
            lines[event.run_id].append(event.line)
            last[event.run_id] = event.seq
        rows = [(self._numbers[run_id], last[run_id], "\n".join(of_run)) for run_id, of_run in lines.items()]
        connection.executemany(INSERT_EVENTS, rows)
        ends = [(event.type._value_, self._numbers.pop(event.run_id)) for event in events if event.type.terminal]
        if ends:
            connection.executemany(END_RUN, ends)

    # Reading.

    async def find_run(self, user_id: UserId, run_id: str) -> StoredRun | None:
        """The run of this user with this id; None also if it is somebody else's (ACC-04)."""
        return await self._read(lambda connection: _find_run(connection, "user_id = ? AND run_id = ?", user_id, run_id))

    async def runs_of_thread(self, user_id: UserId, thread_id: str) -> list[StoredRun]:
        """All runs of this user's thread, oldest first; empty if the user has no such thread (ISO-07)."""
        where = "user_id = ? AND thread_id = ? ORDER BY number"
        return await self._read(lambda connection: _find_runs(connection, where, user_id, thread_id))

    async def open_runs(self) -> list[StoredRun]:
        """All runs that were accepted and have no terminal event."""
        return await self._read(lambda connection: _find_runs(connection, "ending IS NULL ORDER BY number"))

    async def events(self, run: StoredRun, *, after_seq: int = 0, limit: int = 256) -> list[Event]:
        """Up to `limit` events of `run` that come after `after_seq`, in order."""

        def select(connection: sqlite3.Connection) -> list[Event]:
            sql = "SELECT lines FROM events WHERE run = ? AND seq > ? ORDER BY seq LIMIT ?"
            rows = connection.execute(sql, (run.number, after_seq, limit)).fetchall()
            return list(islice((event for event in _events(run, rows) if event.seq > after_seq), limit))

        return await self._read(select)

    async def seq_of(self, run: StoredRun, event_id: str) -> int | None:
        """The seq of the event with this id within `run`, None if it has none such."""

        def select(connection: sqlite3.Connection) -> int | None:
            rows = connection.execute("SELECT lines FROM events WHERE run = ? ORDER BY seq", (run.number,)).fetchall()
            return next((event.seq for event in _events(run, rows) if event.event_id == event_id), None)

        return await self._read(select)

    async def earlier_messages(self, run_id: RunId, user_id: UserId, thread_id: ThreadId) -> list[tuple[str, str]]:
        """(message, answer) of this user's runs on the thread before `run_id`, newest first, at most 100."""
        return await self._earlier(run_id, "user_id = ? AND thread_id = ?", user_id, thread_id)

    async def _earlier(self, run_id: RunId, where: str, *values: str) -> list[tuple[str, str]]:
        sql = (
            f"SELECT {RUN_COLUMNS}, message, (SELECT lines FROM events WHERE run = number ORDER BY seq DESC LIMIT 1)"
            f" FROM runs WHERE {where} AND number < (SELECT number FROM runs WHERE run_id = ?)"
            " ORDER BY number DESC LIMIT 100"
        )

        def select(connection: sqlite3.Connection) -> list[tuple[str, str]]:
            rows = connection.execute(sql, (*values, run_id)).fetchall()
            return [(message, _answer(StoredRun.from_row(run), lines)) for *run, message, lines in rows]

        return await self._read(select)

    async def recall(self, user_id: UserId, thread_id: ThreadId, key: str) -> str | None:
        """What this user's thread remembers under `key`, None if nothing."""
        sql = "SELECT value FROM memory WHERE user_id = ? AND thread_id = ? AND key = ?"
        row = await self._read(lambda connection: connection.execute(sql, (user_id, thread_id, key)).fetchone())
        return None if row is None else str(row[0])

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        if not self.failed:
            await self.flush()
        return await asyncio.get_running_loop().run_in_executor(self._readers, query, self._read_connection)

    def _claim(self) -> sqlite3.Connection:
        return lock_journal(self._path)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, cached_statements=64, timeout=10.0
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'NORMAL' if self._durable else 'OFF'}")
        # Seldom, and little then is left to do: `_checkpoint` has done the most of it.
        connection.execute("PRAGMA wal_autocheckpoint = 16000")
        return connection


def require_format(connection: sqlite3.Connection) -> None:
    """Raise sqlite3.DatabaseError if the file is the journal of an engine that kept events in another form."""
    columns = [row[1] for row in connection.execute("PRAGMA table_info(events)")]
    if columns and "lines" not in columns:
        raise sqlite3.DatabaseError("an earlier engine wrote it in another form")


def lock_journal(path: Path) -> sqlite3.Connection:
    """Claim the journal for this process until the connection is closed; the end of the process closes it, too.

    A second engine would take the runs of the first for interrupted and end them. Raises sqlite3.OperationalError if
    the journal is in use, or its folder cannot be written.
    """
    lock = sqlite3.connect(path.with_name(path.name + ".lock"), isolation_level=None, timeout=0.0)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        lock.close()
        raise
    return lock


def _find_run(connection: Executes, where: str, *values: str) -> StoredRun | None:
    return next(iter(_find_runs(connection, f"{where} LIMIT 1", *values)), None)


def _find_runs(connection: Executes, where: str, *values: str) -> list[StoredRun]:
    rows = connection.execute(f"SELECT {RUN_COLUMNS} FROM runs WHERE {where}", values).fetchall()
    return [StoredRun.from_row(row) for row in rows]


def _events(run: StoredRun, rows: Iterable[tuple[str]]) -> Iterator[Event]:
    events = RunEvents(run.context)
    return (event for (lines,) in rows for event in events.read(lines))


def _answer(run: StoredRun, lines: str | None) -> str:
    """What `run` answered, by the last of its rows; empty where it has no answer."""
    if run.ending is None or lines is None:
        return ""
    endings = [event for event in RunEvents(run.context).read(lines) if event.type.terminal]
    # Not json_extract, which cuts a text at U+0000.
    return _endings.decode(endings[-1].text).payload.final_response or "" if endings else ""
