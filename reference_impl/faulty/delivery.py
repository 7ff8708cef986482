"""Faults on the way from the journal to the reader."""

from typing import Any

from reference_impl.connection import Connection
from reference_impl.context import RunId
from reference_impl.events import Event, EventType
from reference_impl.faulty.fault import fault
from reference_impl.websocket_manager import WebSocketManager


@fault(
    "buffered-events",
    "The events of a run are delivered when it ends; before that only its start is.",
    stands_for="A handler that collects events and returns them, or a proxy that buffers the response.",
    breaks=("DLV-03",),
)
class BufferedEvents(WebSocketManager):
    """Waits until the story is complete."""

    def __init__(self, *, max_per_user: int) -> None:
        super().__init__(max_per_user=max_per_user)
        self._kept: dict[RunId, list[Event]] = {}

    def deliver(self, event: Event) -> None:
        """Send `event` if it is the first of its run, and with all before it if it is the last."""
        if event.type is EventType.AGENT_STARTED:
            super().deliver(event)
            return
        self._kept.setdefault(event.run_id, []).append(event)
        if event.type.terminal:
            for kept in self._kept.pop(event.run_id):
                super().deliver(kept)


@fault(
    "doubled-delivery",
    "Each tool_completed event is delivered twice.",
    stands_for="A retry on a time-out without asking whether the first try went through.",
    breaks=("DLV-04",),
)
class DoubledDelivery(WebSocketManager):
    """Says it again, to be sure."""

    def deliver(self, event: Event) -> None:
        """Send `event`, and a tool's completion once more."""
        super().deliver(event)
        if event.type is EventType.TOOL_COMPLETED:
            super().deliver(event)


@fault(
    "swapped-chunks",
    "Pieces of a streamed answer overtake each other: of each two the second is delivered first.",
    stands_for="A task for each send, so that the scheduler decides on the order.",
    breaks=("ORD-02", "DLV-05", "ORD-04"),
)
class SwappedChunks(WebSocketManager):
    """Lets the second go first."""

    def __init__(self, *, max_per_user: int) -> None:
        super().__init__(max_per_user=max_per_user)
        self._waiting: dict[RunId, Event] = {}

    def deliver(self, event: Event) -> None:
        """Send `event`, and before it or after it the piece of the answer that it overtakes."""
        if event.type is EventType.MESSAGE_CHUNK and event.run_id not in self._waiting:
            self._waiting[event.run_id] = event
            return
        waiting = self._waiting.pop(event.run_id, None)
        overtakes = event.type is EventType.MESSAGE_CHUNK
        for each in (event, waiting) if overtakes else (waiting, event):
            if each is not None:
                super().deliver(each)


@fault(
    "one-connection-per-user",
    "Of a user's connections only the one that was opened first receives events.",
    stands_for="A registry that maps each user to one connection.",
    breaks=("DLV-10",),
)
class OneConnectionPerUser(WebSocketManager):
    """Knows each user by one connection."""

    def recipients(self, event: Event) -> list[Connection]:
        """The first connection of the user."""
        return super().recipients(event)[:1]


@fault(
    "silent-drop",
    "What a slow reader has no room for is thrown away, all but a run's end, as if nothing had happened.",
    stands_for="A bounded queue with put_nowait, and an except that passes.",
    breaks=("DLV-01", "DLV-06"),
)
class SilentDrop(Connection):
    """Has little room, and no regrets."""

    def __init__(self, *args: Any, max_bytes: int, **options: Any) -> None:
        super().__init__(*args, max_bytes=max_bytes, **options)
        self._enough_bytes = max_bytes // 8

    def deliver(self, event: Event) -> None:
        """Send a live event if there is room, or if it is the last of its run."""
        if event.type.terminal or self._outbox_bytes < self._enough_bytes:
            super().deliver(event)
