"""The reference engine with a rare defect: python -m tests.load.rare_engine DEFECT SHARE [options of the engine].

`SHARE` is the share of events that are mishandled; of an engine that stalls, that of the time.
"""

import asyncio
import sys
import time
from collections import deque

from reference_impl import server
from reference_impl.app import Parts
from reference_impl.connection import Connection
from reference_impl.context import UserId
from reference_impl.events import Event
from reference_impl.websocket_manager import WebSocketManager

LATE_S = 0.6
STALL_S = 2.0


class Rare(WebSocketManager):
    """Does something else with every so many events, as `share` says."""

    share = 1.0
    _count = 0

    def deliver(self, event: Event) -> None:
        """Send `event`, but for a few."""
        self._count += 1
        if self._count % round(1 / self.share):
            super().deliver(event)
        else:
            self.mishandle(event)

    def mishandle(self, event: Event) -> None:
        """Do it wrong."""
        raise NotImplementedError


class Drops(Rare):
    """Does not send it."""

    def mishandle(self, event: Event) -> None:
        """Forget it."""


class Delays(Rare):
    """Sends it late, and so what follows to the same user before that: the order is kept.

    It takes the ends of runs, which little follows: so the share is that of the late events in any load.
    """

    def __init__(self, *, max_per_user: int) -> None:
        super().__init__(max_per_user=max_per_user)
        self._held: dict[UserId, deque[tuple[Event, list[Connection]]]] = {}
        self._late = 0

    def deliver(self, event: Event) -> None:
        """Send `event` now or later, to who is connected now."""
        recipients = self.recipients(event)
        self._count += bool(recipients)
        due = event.type.terminal and self._late < self.share * self._count
        if recipients and (due or event.user_id in self._held):
            self._late += 1
            self._held.setdefault(event.user_id, deque()).append((event, recipients))
            asyncio.get_running_loop().call_later(LATE_S, self._release, event.user_id)
        else:
            WebSocketManager.deliver(self, event)

    def _release(self, user: UserId) -> None:
        held = self._held[user]
        event, recipients = held.popleft()
        for connection in recipients:
            connection.deliver(event)
        if not held:
            del self._held[user]


class Doubles(Rare):
    """Sends it twice."""

    def mishandle(self, event: Event) -> None:
        """Send it, and again."""
        WebSocketManager.deliver(self, event)
        WebSocketManager.deliver(self, event)


class Leaks(Rare):
    """Sends it to somebody else, too."""

    def mishandle(self, event: Event) -> None:
        """Send it to its user and to the next one."""
        WebSocketManager.deliver(self, event)
        stranger: Connection | None = next((each for each in self if each.user_id != event.user_id), None)
        if stranger is not None:
            stranger.deliver(event)


class Stalls(Rare):
    """Does nothing at all for a while, again and again, like a process that collects its garbage."""

    _began = False

    def deliver(self, event: Event) -> None:
        """Send `event`; with the first one the stalls begin."""
        if not self._began:
            self._began = True
            self._later()
        WebSocketManager.deliver(self, event)

    def _later(self) -> None:
        asyncio.get_running_loop().call_later(STALL_S / self.share - STALL_S, self._stall)

    def _stall(self) -> None:
        time.sleep(STALL_S)
        self._later()


DEFECTS: dict[str, type[Rare]] = {
    "drops": Drops,
    "delays": Delays,
    "doubles": Doubles,
    "leaks": Leaks,
    "stalls": Stalls,
}


def parts(defect: str, share: float) -> Parts:
    """The engine's parts with that defect, in that share of events."""
    return Parts(manager=type(defect.title(), (DEFECTS[defect],), {"share": share}))


def main() -> int:
    """Serve the engine with the defect."""
    defect, share, *rest = sys.argv[1:]
    return server.main(rest, parts=parts(defect, float(share)))


if __name__ == "__main__":
    sys.exit(main())
