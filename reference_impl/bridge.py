"""Between runs and connections: who runs speak through, and how what they said gets to its readers."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from reference_impl.context import UserExecutionContext
from reference_impl.delivery_tracker import EventDeliveryTracker
from reference_impl.emitter import UserEventEmitter
from reference_impl.errors import CloseCode
from reference_impl.events import Event
from reference_impl.journal import Journal
from reference_impl.reliability import RetryHandler
from reference_impl.run import StoredRun
from reference_impl.websocket_manager import WebSocketManager

log = logging.getLogger(__name__)


class AgentWebSocketBridge:
    """Makes the emitter of each run, and hands journaled events to the connections of their user, in order."""

    def __init__(
        self,
        journal: Journal,
        manager: WebSocketManager,
        tracker: EventDeliveryTracker,
        retry: RetryHandler,
        *,
        emitter: type[UserEventEmitter] = UserEventEmitter,
    ) -> None:
        self._journal = journal
        self._manager = manager
        self._tracker = tracker
        self._retry = retry
        self._emitter = emitter
        self._retries: set[asyncio.Task[None]] = set()

    def create_user_emitter(
        self, context: UserExecutionContext, *, seq: int = 0, last_timestamp: float = 0.0
    ) -> UserEventEmitter:
        """The one voice of one run, for its user only.

        `seq` and `last_timestamp` (seconds since the epoch) continue a run that has events already.
        """
        return self._emitter(context, self._journal, seq=seq, last_timestamp=last_timestamp)

    def deliver(self, events: Sequence[Event]) -> None:
        """Bring journaled events to their readers. The one way from the journal to anybody."""
        tracker, hand_over = self._tracker, self._manager.deliver
        for event in events:
            if event.run_id in tracker.retrying:
                continue
            try:
                hand_over(event)
            except Exception:
                log.exception("event %s could not be handed over; it is tried again", event.event_id)
                tracker.note_retry(event)
                self._retries.add(task := asyncio.create_task(self._catch_up(event)))
                task.add_done_callback(self._retries.discard)
            else:
                tracker.acknowledge(event)

    async def _catch_up(self, failed: Event) -> None:
        """Hand over `failed` and what came after it, from the journal; if that fails, too, its user has to resume."""
        run = await self._journal.find_run(failed.user_id, failed.run_id)
        assert run is not None
        try:
            await self._retry.call(lambda: self._hand_over(run, failed, self._manager.deliver), on=(Exception,))
        except Exception:
            log.exception("event %s could not be handed over; its user has to resume", failed.event_id)
            self._tracker.note_lost(failed)
            for connection in self._manager.of_user(failed.user_id):
                connection.close(CloseCode.INTERNAL, "internal error: reconnect and resume")
            await self._hand_over(run, failed, lambda event: None)
        self._tracker.retrying.discard(failed.run_id)

    async def _hand_over(self, run: StoredRun, failed: Event, deliver: Callable[[Event], None]) -> None:
        after_seq = max(failed.seq - 1, self._tracker.acknowledged_seq(failed.run_id))
        while page := await self._journal.events(run, after_seq=after_seq):
            for event in page:
                deliver(event)
                self._tracker.acknowledge(event)
                after_seq = event.seq
