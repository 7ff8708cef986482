"""One run's voice: gives each event its place in the run and hands it to the journal."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from reference_impl.context import UserExecutionContext, new_id
from reference_impl.events import Event, EventType, format_timestamp
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
        # The end of each of the run's envelopes (`events.Envelope`), encoded once.
        fixed = {
            "run_id": context.run_id,
            "thread_id": context.thread_id,
            "user_id": context.user_id,
            "agent_name": context.agent_name,
            "traceparent": context.traceparent,
        }
        self._fixed = _encoder.encode(fixed).decode().removeprefix("{")
        self._event_ids = new_id()

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
        event_id = f"{self._event_ids}-{self._seq}"
        text = (
            f'{{"type":"{type._value_}","event_id":"{event_id}","seq":{self._seq},'
            f'"timestamp":"{format_timestamp(self.now())}","payload":{_encoder.encode(payload).decode()},{self._fixed}'
        )
        return Event(self.context.user_id, self.context.run_id, self._seq, event_id, type, text)
