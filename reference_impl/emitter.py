"""One run's voice: gives each event its place in the run and hands it to the journal."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from reference_impl.context import UserExecutionContext
from reference_impl.events import Event, EventType, RunEvents, format_timestamp
from reference_impl.journal import Journal

_encoder = msgspec.json.Encoder()


class UserEventEmitter:
    """Emits the events of one run, in the run's name only. One per `UserExecutionContext`.

    `seq` and `last_timestamp` (seconds since the epoch) continue a run of which events are in the journal already.
    """

    def __init__(
        self,
        context: UserExecutionContext,
        journal: Journal,
        *,
        seq: int = 0,
        last_timestamp: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.context = context
        self._journal = journal
        self._seq = seq
        self._last_timestamp = last_timestamp
        self._clock = clock
        self._closed = False
        self._events = RunEvents(context)

    def emit(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """Put one event on record. It never waits, so that it also works while the run is being cancelled.

        Readers get the event once it is journaled; `flush` waits for that. Raises JournalFailed.
        """
        event = self.encode(type, payload)
        if not self._closed:
            self._journal.append(event)
        return event

    def close(self) -> None:
        """Tell nothing more: the run was ended for whoever goes on emitting."""
        self._closed = True

    async def flush(self) -> None:
        """Wait until all that was emitted is journaled and handed to the readers. Raises JournalFailed."""
        await self._journal.flush()

    def now(self) -> float:
        """Seconds since the epoch, never less than the time of the run's last event."""
        now = self._clock()
        if now > self._last_timestamp:
            self._last_timestamp = now
        return self._last_timestamp

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event of the run: seq one higher (ORD-01), a time that never goes back (ORD-03)."""
        self._seq += 1
        timestamp = format_timestamp(self.now())
        own = f'"timestamp":"{timestamp}","payload":{_encoder.encode(payload).decode()}'
        return self._events.event(self._seq, type, own)
