"""The open connections, by user."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from reference_impl.connection import Connection, Outgoing
from reference_impl.context import UserId
from reference_impl.errors import CloseCode
from reference_impl.events import Event

NOBODY: Mapping[str, Connection] = MappingProxyType({})

log = logging.getLogger(__name__)


class WebSocketManager:
    """Knows which connections are open and whose they are; an event goes to its own user's only (ISO-03)."""

    def __init__(self, *, max_per_user: int) -> None:
        self._max_per_user = max_per_user
        self._by_user: dict[UserId, dict[str, Connection]] = {}
        self._changed = asyncio.Event()
        self.slow_consumers = 0
        self.outgoing = Outgoing()

    def add(self, connection: Connection) -> bool:
        """Have `connection` get its user's events from now on. False if the user has too many open (ISO-12)."""
        of_user = self._by_user.setdefault(connection.user_id, {})
        if len(of_user) >= self._max_per_user:
            return False
        of_user[connection.connection_id] = connection
        return True

    def remove(self, connection: Connection) -> None:
        """Forget `connection` and all that belongs to it (LIF-07)."""
        of_user = self._by_user.get(connection.user_id, {})
        if of_user.pop(connection.connection_id, None) is None:
            return
        if not of_user:
            del self._by_user[connection.user_id]
        if connection.closing is CloseCode.SLOW_CONSUMER:
            self.slow_consumers += 1
        self._changed.set()

    def deliver(self, event: Event) -> None:
        """Send `event` on every connection of its user (DLV-10)."""
        for connection in self.recipients(event):
            try:
                connection.deliver(event)
            except Exception:
                # One that fails must neither keep the event from the others nor miss it unnoticed.
                log.exception("connection %s failed", connection.connection_id)
                connection.close(CloseCode.INTERNAL, "internal error: reconnect and resume")

    def recipients(self, event: Event) -> list[Connection]:
        """The connections that `event` is for."""
        return self.of_user(event.user_id)

    def of_user(self, user_id: UserId) -> list[Connection]:
        """The open connections of a user."""
        return list(self._by_user.get(user_id, NOBODY).values())

    def states(self) -> dict[str, int]:
        """How many connections are open, and how many of those are being closed."""
        closing = sum(connection.closing is not None for connection in self)
        return {"open": len(self) - closing, "closing": closing}

    def users(self) -> int:
        """How many users are connected."""
        return len(self._by_user)

    async def close_all(self, code: CloseCode, reason: str) -> None:
        """Close every connection after what is queued on it, and wait until all are gone."""
        for connection in self:
            connection.close(code, reason)
        await self.wait_empty()

    async def wait_empty(self) -> None:
        """Return once no connection is open."""
        while self._by_user:
            self._changed.clear()
            await self._changed.wait()

    def __iter__(self) -> Iterator[Connection]:
        return iter([connection for of_user in self._by_user.values() for connection in of_user.values()])

    def __len__(self) -> int:
        return sum(len(of_user) for of_user in self._by_user.values())
