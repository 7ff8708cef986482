"""The journal of a fleet on several hosts: the same record in PostgreSQL (asyncpg)."""

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import asyncpg

from reference_impl.context import ThreadId, UserId
from reference_impl.errors import JournalFailed
from reference_impl.fleet.journal import SharedJournal
from reference_impl.fleet.messages import EngineId
from reference_impl.group_commit import Batch
from reference_impl.journal import Executes
from reference_impl.run import NewRun

# Text is kept as bytes, UTF-8: PostgreSQL's own text cannot hold U+0000, which users may send.
SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run_id BYTEA NOT NULL UNIQUE, user_id BYTEA NOT NULL,
    thread_id BYTEA NOT NULL, request_id BYTEA NOT NULL, agent_name BYTEA NOT NULL, traceparent BYTEA NOT NULL,
    message BYTEA NOT NULL, ending BYTEA, UNIQUE (user_id, request_id)
);
CREATE INDEX IF NOT EXISTS runs_by_thread ON runs (thread_id, user_id, number);
CREATE INDEX IF NOT EXISTS open_runs ON runs (number) WHERE ending IS NULL;
CREATE TABLE IF NOT EXISTS events (
    run BIGINT NOT NULL, seq BIGINT NOT NULL, lines BYTEA NOT NULL, PRIMARY KEY (run, seq)
);
CREATE TABLE IF NOT EXISTS memory (
    user_id BYTEA NOT NULL, thread_id BYTEA NOT NULL, key BYTEA NOT NULL, value BYTEA NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS memory_by_key ON memory (user_id, thread_id, sha256(key));
CREATE TABLE IF NOT EXISTS engines (engine_id BYTEA PRIMARY KEY, name BYTEA NOT NULL);
CREATE TABLE IF NOT EXISTS owners (run BIGINT PRIMARY KEY, engine_id BYTEA NOT NULL);
"""
# One number for all engines of one database: who holds it decides who is next to accept runs, or to take them over.
DECIDING = 0x61636B
REMEMBER = (
    "INSERT INTO memory VALUES (?, ?, ?, ?)"
    " ON CONFLICT (user_id, thread_id, sha256(key)) DO UPDATE SET value = excluded.value"
)


class _Rows:
    """What a statement gave."""

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self._rows = rows
        self.rowcount = len(rows)
        self.lastrowid = rows[0][0] if rows else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows[0] if self._rows else None


class PostgresConnection:
    """A connection that is spoken to as one of sqlite3 is, from one thread at a time that runs no event loop."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        try:
            self._connection: asyncpg.Connection[asyncpg.Record] = self._loop.run_until_complete(asyncpg.connect(url))
        except BaseException:
            self._loop.close()
            raise
        self._numbered: dict[str, str] = {}

    def execute(self, sql: str, values: Sequence[Any] = ()) -> _Rows:
        """Carry out one statement, with `?` for each value. Raises asyncpg.PostgresError or OSError."""
        rows = self._loop.run_until_complete(self._connection.fetch(self._number(sql), *_encoded(values)))
        return _Rows([tuple(cell.decode() if isinstance(cell, bytes) else cell for cell in row) for row in rows])

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Carry out one statement for each row of values. Raises like `execute`."""
        self._loop.run_until_complete(self._connection.executemany(self._number(sql), [*map(_encoded, rows)]))

    def _number(self, sql: str) -> str:
        """The statement with `$1` for its first `?`, and so on."""
        numbered = self._numbered.get(sql)
        if numbered is None:
            parts = sql.split("?")
            numbered = "".join(f"{part}${number}" for number, part in enumerate(parts[:-1], 1)) + parts[-1]
            self._numbered[sql] = numbered
        return numbered

    def executescript(self, sql: str) -> None:
        """Carry out several statements, one engine at a time."""
        script = f"BEGIN; SELECT pg_advisory_xact_lock({DECIDING}); {sql} COMMIT"
        self._loop.run_until_complete(self._connection.execute(script))

    def close(self) -> None:
        """Close the connection."""
        self._loop.run_until_complete(self._connection.close())
        self._loop.close()

    def __enter__(self) -> "PostgresConnection":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.execute("COMMIT" if kind is None else "ROLLBACK")


def _encoded(values: Sequence[Any]) -> list[Any]:
    return [value.encode() if isinstance(value, str) else value for value in values]


class PostgresJournal(SharedJournal):
    """A journal that engines of several hosts write."""

    def __init__(self, url: str, *, engine_id: EngineId) -> None:
        super().__init__(Path(), engine_id=engine_id)
        self._url = url

    async def open(self) -> None:
        """Connect, make the tables, start the writer. Raises JournalFailed."""
        try:
            self._write_connection = await asyncio.to_thread(self._connect)
            await asyncio.to_thread(self._write_connection.executescript, SCHEMA)
            self._read_connection = await asyncio.to_thread(self._connect)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise JournalFailed(f"{type(error).__name__} when connecting to PostgreSQL") from None

    async def close(self) -> None:
        """Commit what is pending, stop the writer, disconnect."""
        if not self.failed:
            await self.flush()
        self._writer.shutdown()
        self._readers.shutdown()
        for connection in (self._read_connection, self._write_connection):
            await asyncio.to_thread(connection.close)

    async def remember(self, user_id: UserId, thread_id: ThreadId, key: str, value: str) -> None:
        """Keep `value` under `key` in this user's thread."""
        row = (user_id, thread_id, key, value)
        await self.write(lambda connection: connection.execute(REMEMBER, row).rowcount)

    def _connect(self) -> sqlite3.Connection:
        # It has what of sqlite3.Connection is used here, and nothing else.
        return cast(sqlite3.Connection, PostgresConnection(self._url))

    def _checkpoint(self) -> None:
        """PostgreSQL does that by itself."""

    def _commit(self, batch: Batch) -> None:
        self._decides = bool(batch.writes)
        super()._commit(batch)

    def _turn(self) -> AbstractContextManager[None]:
        return nullcontext()

    def _begin(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN")
        if self._decides:
            connection.execute(f"SELECT pg_advisory_xact_lock({DECIDING})")
        # Whoever gives this engine up waits until what it is about to write is written.
        self._check_membership(connection, "SELECT 1 FROM engines WHERE engine_id = ? FOR SHARE")

    def _insert_run(self, connection: Executes, run: NewRun, *, returning: str = "") -> int | None:
        return super()._insert_run(connection, run, returning=" RETURNING number")
