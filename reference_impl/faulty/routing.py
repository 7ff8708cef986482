"""Faults of routing: what is one user's, and goes to another."""

import logging
from typing import Any, ClassVar

from reference_impl.connection import Connection
from reference_impl.context import RunId, UserId
from reference_impl.events import Event, EventType
from reference_impl.faulty.fault import fault
from reference_impl.websocket_manager import WebSocketManager

log = logging.getLogger(__name__)


class KnowsWhoCameLast(WebSocketManager):
    """Remembers which user began a run last."""

    current: UserId | None = None

    def deliver(self, event: Event) -> None:
        """Send `event`."""
        if event.type is EventType.AGENT_STARTED:
            self.current = event.user_id
        super().deliver(event)

    def of_current(self) -> list[Connection]:
        """The connections of the user who began a run last."""
        return list(self._by_user.get(self.current, {}).values()) if self.current is not None else []


@fault(
    "last-connection-gets-everything",
    "The end of every run goes to the connection that was opened last, besides to its user's.",
    stands_for="self.websocket = websocket on an object that all share.",
    breaks=("ISO-01", "ISO-02", "ISO-03", "ISO-10"),
)
class LastConnectionGetsEverything(WebSocketManager):
    """Knows one address."""

    _last: Connection | None = None

    def add(self, connection: Connection) -> bool:
        """Have `connection` get its user's events from now on, and more."""
        self._last = connection
        return super().add(connection)

    def recipients(self, event: Event) -> list[Connection]:
        """The user's connections, and for an end the last one."""
        own = super().recipients(event)
        if event.type.terminal and self._last is not None and self._last not in own:
            return [*own, self._last]
        return own


@fault(
    "guard-that-only-logs",
    "A run's end goes to who began a run last, besides to its user; a guard notices that, logs it and delivers.",
    stands_for="A check for contamination that was to be strict once all callers were mended.",
    breaks=("ISO-01", "ISO-02", "ISO-03", "ISO-10"),
)
class GuardThatOnlyLogs(KnowsWhoCameLast):
    """Has seen it coming."""

    def recipients(self, event: Event) -> list[Connection]:
        """The user's connections, and for an end those of whoever is taken for the user."""
        found = {id(each): each for each in super().recipients(event)}
        if event.type.terminal:
            found.update({id(each): each for each in self.of_current()})
        for connection in found.values():
            if connection.user_id != event.user_id:
                log.warning("contamination: an event of another user goes to connection %s", connection.connection_id)
        return [*found.values()]


@fault(
    "tool-events-misrouted",
    "With several users at work, the results of slow tools go to who began last.",
    stands_for="A callback for tools that was registered with the context of the latest run.",
    breaks=("ISO-01", "ISO-02", "ISO-03", "ISO-10", "ORD-01", "DLV-01", "DLV-08"),
    perhaps=("DLV-05", "DLV-06"),  # of a run that was resumed, or whose reader is slow, if it was still under way
)
class ToolEventsMisrouted(KnowsWhoCameLast):
    """Calls back whoever is there."""

    def recipients(self, event: Event) -> list[Connection]:
        """The user's connections; for a tool's completion those of whoever is taken for the user."""
        return self.of_current() if event.type is EventType.TOOL_COMPLETED else super().recipients(event)


@fault(
    "handlers-pile-up",
    "Each time a user connects again, one handler more sends the results of tools to the user's connections.",
    stands_for="A listener added when a client connects and not removed when it leaves.",
    breaks=("DLV-04",),
)
class HandlersPileUp(WebSocketManager):
    """Never unsubscribes."""

    def __init__(self, *, max_per_user: int) -> None:
        super().__init__(max_per_user=max_per_user)
        self._handlers: dict[UserId, int] = {}

    def add(self, connection: Connection) -> bool:
        """Have `connection` get its user's events from now on, by a handler more."""
        if not self._by_user.get(connection.user_id):
            self._handlers[connection.user_id] = self._handlers.get(connection.user_id, 0) + 1
        return super().add(connection)

    def deliver(self, event: Event) -> None:
        """Send `event`, by each handler."""
        times = self._handlers.get(event.user_id, 1) if event.type is EventType.TOOL_COMPLETED else 1
        for _ in range(times):
            super().deliver(event)


@fault(
    "sent-three-times",
    "The answer's end is sent three times.",
    stands_for="A retry until the sender reports success, of a sender that returns None.",
    breaks=("DLV-04",),
)
class SentThreeTimes(WebSocketManager):
    """Waits for a yes."""

    def deliver(self, event: Event) -> None:
        """Send `event`; an end until it is tired."""
        for _ in range(3 if event.type.terminal else 1):
            super().deliver(event)


@fault(
    "second-window-out-of-order",
    "On a user's second connection pieces of the answer overtake each other.",
    stands_for="A mirror of the first connection's events with a task for each send.",
    breaks=("ORD-02", "ORD-05"),
)
class SecondWindowOutOfOrder(WebSocketManager):
    """Is careless with copies."""

    def __init__(self, *, max_per_user: int) -> None:
        super().__init__(max_per_user=max_per_user)
        self._waiting: dict[RunId, Event] = {}

    def deliver(self, event: Event) -> None:
        """Send `event`; on further connections after its successor, if that is a piece of the answer, too."""
        connections = super().recipients(event)
        for connection in connections[:1]:
            connection.deliver(event)
        chunk = event.type is EventType.MESSAGE_CHUNK
        waiting = self._waiting.pop(event.run_id, None)
        if chunk and waiting is None and connections[1:]:
            self._waiting[event.run_id] = event
            return
        for each in (event, waiting) if chunk else (waiting, event):
            if each is not None:
                for connection in connections[1:]:
                    connection.deliver(each)


@fault(
    "connection-id-reused",
    "A new connection gets the id of the one that was closed last, be it another user's.",
    stands_for="Connections in a pool, known by their place in it.",
    breaks=("ISO-02", "ISO-10"),
)
class ConnectionIdReused(Connection):
    """Keeps what is still good."""

    _free: ClassVar[list[str]] = []

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self._free:
            self.connection_id = self._free.pop()

    async def send_all(self) -> None:
        """Send what is queued until the connection is closed, and give its id back."""
        try:
            await super().send_all()
        finally:
            self._free.append(self.connection_id)
