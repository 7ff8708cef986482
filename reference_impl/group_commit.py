"""Many small writes, few commits: what comes up in a few turns of the event loop is committed together, then told."""

import asyncio
import logging
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from reference_impl.errors import JournalFailed
from reference_impl.events import Event

T = TypeVar("T")
Apply = Callable[[sqlite3.Connection], T]
Subscriber = Callable[[Sequence[Event]], None]
Callback = Callable[[], None]

log = logging.getLogger(__name__)

# How long a commit waits for what else comes up: four turns are enough for a run that was accepted to tell its first
# events, and a dozen make larger groups. A turn in which nothing comes up takes a hundredth of what a commit takes.
GROUP_TURNS = 12


class Write:
    """Something other than an event: a function of the connection, and who waits for its result."""

    __slots__ = ("apply", "future", "result")

    def __init__(self, apply: Apply[Any], future: "asyncio.Future[Any]") -> None:
        self.apply = apply
        self.future = future
        self.result: Any = None


class Batch:
    """What is committed together, each kind in its order: `writes`, then `events`.

    Told are first who is in `recorded`, then the readers of the events, then who is `waiting` for that.
    """

    __slots__ = ("events", "recorded", "waiting", "writes")

    def __init__(self) -> None:
        self.writes: list[Write] = []
        self.recorded: list[Callback] = []
        self.events: list[Event] = []
        self.waiting: list[asyncio.Future[None]] = []


class GroupCommit(ABC):
    """Takes events and other writes, commits them in order, in groups, and then hands the events to the subscribers.

    Under load each turn of the loop brings more, so groups grow and commits do not. A commit only hands pages to the
    operating system, which takes less than to have another thread do it; `_write` is where a subclass may differ.
    """

    def __init__(self) -> None:
        self._pending = Batch()
        self._busy = False
        self._turns_left = 0
        self._subscribers: list[Subscriber] = []
        self._failure_callbacks: list[Callback] = []
        self.failed = False
        """Whether a write has failed for good; none is tried after that."""
        self.commits = 0
        self.events_written = 0

    def subscribe(self, subscriber: Subscriber) -> None:
        """Have `subscriber` called with each group of events once it is on record, in order."""
        self._subscribers.append(subscriber)

    def on_failure(self, callback: Callback) -> None:
        """Have `callback` called if a write fails for good."""
        self._failure_callbacks.append(callback)

    def append(self, event: Event) -> None:
        """Take `event` for the next commit, without waiting. Raises JournalFailed if there will be none."""
        if not self._busy:
            self._begin_soon()
        self._pending.events.append(event)

    def when_recorded(self, callback: Callback) -> None:
        """Have `callback` called when what was taken so far is on record, before its events are delivered.

        Raises JournalFailed.
        """
        self._begin_soon()
        self._pending.recorded.append(callback)

    async def write(self, apply: Apply[T]) -> T:
        """The result of `apply`, once it is committed. Raises JournalFailed."""
        self._begin_soon()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending.writes.append(Write(apply, future))
        return await future

    async def flush(self) -> None:
        """Wait until all that was appended so far is on record and the subscribers have it. Raises JournalFailed."""
        if self._busy or self.failed:
            self._begin_soon()
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._pending.waiting.append(future)
            await future

    @abstractmethod
    def _commit(self, batch: Batch) -> None:
        """Put `batch` on record: all of it, or nothing and an exception."""

    def _begin_soon(self) -> None:
        """Have a commit soon. Raises JournalFailed if there will be none."""
        if self.failed:
            raise JournalFailed("The journal cannot write.")
        if not self._busy:
            self._busy = True
            self._turns_left = GROUP_TURNS
            asyncio.get_running_loop().call_soon(self._begin_group)

    def _begin_group(self) -> None:
        self._turns_left -= 1
        if self._turns_left:
            asyncio.get_running_loop().call_soon(self._begin_group)
        elif not self.failed:
            batch, self._pending = self._pending, Batch()
            self._write(batch)

    def _write(self, batch: Batch) -> None:
        """Commit `batch`, then call `_note_written`."""
        try:
            self._commit(batch)
        except Exception as error:
            self._note_written(batch, error)
        else:
            self._note_written(batch, None)

    def _note_written(self, batch: Batch, error: BaseException | None) -> None:
        if error is not None:
            self._fail(batch, error)
            return
        self.commits += 1
        self._busy = False
        pending = self._pending
        if pending.events or pending.writes or pending.recorded or pending.waiting:
            self._begin_soon()
        for callback in batch.recorded:
            callback()
        if batch.events:
            self._deliver(batch.events)
        for write in batch.writes:
            if not write.future.done():
                write.future.set_result(write.result)
        for future in batch.waiting:
            if not future.done():
                future.set_result(None)

    def _deliver(self, events: list[Event]) -> None:
        self.events_written += len(events)
        for subscriber in self._subscribers:
            subscriber(events)

    def _fail(self, batch: Batch, error: BaseException) -> None:
        log.critical("The journal cannot write; nothing more is accepted until a restart.", exc_info=error)
        self.failed = True
        self._busy = False
        for failed in (batch, self._pending):
            for future in (*(write.future for write in failed.writes), *failed.waiting):
                if not future.done():
                    future.set_exception(JournalFailed("The journal cannot write."))
        self._pending = Batch()
        for callback in self._failure_callbacks:
            callback()
