"""The reference engine with a rare defect: python -m tests.load.rare_engine DEFECT EVERY [options of the engine]."""

import asyncio
import sys
from typing import Any

from reference_impl import server
from reference_impl.app import Parts
from reference_impl.connection import Connection
from reference_impl.context import UserId
from reference_impl.events import Event
from reference_impl.settings import Settings
from reference_impl.websocket_manager import WebSocketManager

_LATE_S = 0.6


class Rare(WebSocketManager):
    """Does something else with one event in `every`."""

    every = 1
    _count = 0

    def deliver(self, event: Event) -> None:
        """Send `event`, but for a few."""
        self._count += 1
        if self._count % self.every:
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
    """Sends it late, and what follows to the same user after it."""

    def __init__(self, *, max_per_user: int) -> None:
        super().__init__(max_per_user=max_per_user)
        self._held: dict[UserId, list[Event]] = {}

    def deliver(self, event: Event) -> None:
        """Send `event`, unless something is held back."""
        if event.user_id in self._held:
            self._held[event.user_id].append(event)
        else:
            super().deliver(event)

    def mishandle(self, event: Event) -> None:
        """Hold it back for a while."""
        self._held[event.user_id] = [event]
        asyncio.get_running_loop().call_later(_LATE_S, self._release, event.user_id)

    def _release(self, user: UserId) -> None:
        for event in self._held.pop(user):
            WebSocketManager.deliver(self, event)


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


DEFECTS: dict[str, type[Rare]] = {"drops": Drops, "delays": Delays, "doubles": Doubles, "leaks": Leaks}


def parts(defect: str, every: int) -> Parts:
    """The engine's parts with that defect, in one event of `every`."""
    return Parts(manager=type(defect.title(), (DEFECTS[defect],), {"every": every}))


def main() -> int:
    """Serve the engine with the defect."""
    defect, every, *rest = sys.argv[1:]
    made, serve = parts(defect, int(every)), server.serve

    def serve_it(settings: Settings, **options: Any) -> int:
        return serve(settings, **(options | {"parts": made}))

    server.serve = serve_it
    return server.main(rest)


if __name__ == "__main__":
    sys.exit(main())
