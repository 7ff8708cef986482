"""A fault that no single user can see, and few pairs: it needs several things to happen at the same time."""

from typing import Any

from reference_impl.connection import Connection
from reference_impl.context import RunId, UserId
from reference_impl.events import Event, EventType
from reference_impl.faulty.fault import fault
from reference_impl.websocket_manager import WebSocketManager


@fault(
    "resubscribed-to-the-wrong-tool",
    "A client that comes back while its tool runs also gets what the tool that began last returns: anybody's.",
    stands_for="Re-subscription to 'the call in progress' by the newest entry of a table that all users share.",
    breaks=("ISO-01", "ISO-02", "ISO-03"),
    rare=True,
)
class ResubscribedToTheWrongTool(WebSocketManager):
    """Knows which calls are in progress, and takes the last for the returning client's.

    It shows only where another user's call began later, both still run, that user is there, and the returning client
    has not asked for a replay when the other's tool returns.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._in_progress: dict[tuple[RunId, int], UserId] = {}
        self._left: set[UserId] = set()
        self._waiting: dict[RunId, list[tuple[Connection, RunId]]] = {}

    def add(self, connection: Connection) -> bool:
        """Have `connection` get its user's events, and the result of the newest call if it comes back for one."""
        user_id = connection.user_id
        returns = user_id in self._left and not self._by_user.get(user_id)
        own = [run_id for (run_id, _), owner in self._in_progress.items() if owner == user_id]
        if returns and own:
            newest, _ = [*self._in_progress][-1]
            self._waiting.setdefault(newest, []).append((connection, own[-1]))
        self._left.discard(user_id)
        return super().add(connection)

    def remove(self, connection: Connection) -> None:
        """Forget `connection`, but not that its user may come back."""
        super().remove(connection)
        if connection.user_id in self._in_progress.values():
            self._left.add(connection.user_id)

    def recipients(self, event: Event) -> list[Connection]:
        """The connections that `event` is for, and those that wait for the result of its call."""
        mine = super().recipients(event)
        if event.type is EventType.TOOL_EXECUTING:
            self._in_progress[event.run_id, event.seq] = event.user_id
        elif event.type is EventType.TOOL_COMPLETED:
            self._return(event)
            waiting = self._waiting.pop(event.run_id, ()) if mine else ()
            return mine + [other for other, run_id in waiting if other.user_id != event.user_id and other.holds(run_id)]
        return mine

    def _return(self, event: Event) -> None:
        """Take a call of the run that `event` belongs to for over: the one that began first."""
        calls = [call for call in self._in_progress if call[0] == event.run_id]
        for call in calls[:1]:
            del self._in_progress[call]
