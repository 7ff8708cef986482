"""Many small writes, few commits: one thread writes whatever has come up since its last commit."""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from reference_impl.errors import JournalFailed
from reference_impl.events import Event

T = TypeVar("T")
Apply = Callable[[sqlite3.Connection], T]

log = logging.getLogger(__name__)

MAX_BATCH = 1_024


class Write:
    """A write other than an event: a function of the writer's connection, and who waits for its result."""

    __slots__ = ("apply", "future", "result")

    def __init__(self, apply: Apply[Any], future: "asyncio.Future[Any]") -> None:
        self.apply = apply
        self.future = future
        self.result: Any = None


Batch = list[Event | Write]


class GroupCommitter:
    """Takes events and other writes in the event loop and commits them in order, in groups, in its own thread.

    While one group is being written the next one gathers, so under load groups grow and commits do not. `commit`
    runs in the thread; `deliver` (committed events, in order) and `on_failure` in the event loop.
    """

    def __init__(
        self,
        commit: Callable[[Batch], None],
        *,
        deliver: Callable[[list[Event]], None],
        on_failure: Callable[[], None],
    ) -> None:
        self._commit = commit
        self._deliver = deliver
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._pending: Batch = []
        self._batches: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._writing = False
        self._scheduled = False
        self._appended = 0
        self._committed = 0
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.failed = False
        self.commits = 0
        self._thread = threading.Thread(target=self._write_batches, name="journal-writer", daemon=True)
        self._thread.start()

    def append(self, item: Event | Write) -> None:
        """Take `item` for the next commit. Raises JournalFailed if there will be none."""
        if self.failed:
            raise JournalFailed("The journal cannot write.")
        self._appended += 1
        self._pending.append(item)
        if not self._writing and not self._scheduled:
            # At the end of this turn of the loop, so that what else comes up in it is in the same commit.
            self._scheduled = True
            self._loop.call_soon(self._hand_over)

    async def write(self, apply: Apply[T]) -> T:
        """The result of `apply`, once it is committed. Raises JournalFailed."""
        future: asyncio.Future[T] = self._loop.create_future()
        self.append(Write(apply, future))
        return await future

    async def flush(self) -> None:
        """Wait until everything appended so far is committed and delivered. Raises JournalFailed."""
        if self.failed:
            raise JournalFailed("The journal cannot write.")
        if self._committed < self._appended:
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._waiters.append((self._appended, waiter))
            await waiter

    async def close(self) -> None:
        """Commit what is pending and end the thread."""
        if not self.failed:
            await self.flush()
        self._batches.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    def _hand_over(self) -> None:
        self._scheduled = False
        if self._writing or not self._pending:
            return
        batch, self._pending = self._pending[:MAX_BATCH], self._pending[MAX_BATCH:]
        self._writing = True
        self._batches.put(batch)

    def _note_committed(self, batch: Batch) -> None:
        self._writing = False
        self._hand_over()
        self._committed += len(batch)
        self.commits += 1
        if events := [item for item in batch if isinstance(item, Event)]:
            self._deliver(events)
        for item in batch:
            if isinstance(item, Write) and not item.future.done():
                item.future.set_result(item.result)
        while self._waiters and self._waiters[0][0] <= self._committed:
            waiter = self._waiters.popleft()[1]
            if not waiter.done():
                waiter.set_result(None)

    def _note_failed(self, batch: Batch, error: Exception) -> None:
        log.critical("The journal cannot write; nothing more is accepted until a restart.", exc_info=error)
        self.failed = True
        futures = [item.future for item in (*batch, *self._pending) if isinstance(item, Write)]
        futures += [waiter for _, waiter in self._waiters]
        self._pending.clear()
        self._waiters.clear()
        for future in futures:
            if not future.done():
                future.set_exception(JournalFailed("The journal cannot write."))
        self._on_failure()

    def _write_batches(self) -> None:
        while (batch := self._batches.get()) is not None:
            try:
                self._commit(batch)
            except Exception as error:
                self._loop.call_soon_threadsafe(self._note_failed, batch, error)
                return
            self._loop.call_soon_threadsafe(self._note_committed, batch)
