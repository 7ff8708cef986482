"""One timer for all that is due after the same time."""

import asyncio
from collections.abc import Callable

Callback = Callable[[], None]


class Deadlines:
    """Calls each callback `limit_s` seconds after it was added, unless it was discarded before.

    What is added first is due first, so the event loop keeps a timer for that one only, rather than one for each run.
    """

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._due: dict[Callback, float] = {}
        self._running = False

    def add(self, callback: Callback) -> None:
        """Have `callback` called when its time has come."""
        loop = asyncio.get_running_loop()
        self._due[callback] = loop.time() + self.limit_s
        if not self._running:
            self._running = True
            loop.call_later(self.limit_s, self._ring)

    def discard(self, callback: Callback) -> None:
        """Do not call `callback`, if it has not been called."""
        self._due.pop(callback, None)

    def _ring(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for callback, due in [*self._due.items()]:
            if due > now:
                break
            del self._due[callback]
            callback()
        self._running = bool(self._due)
        if self._running:
            loop.call_at(next(iter(self._due.values())), self._ring)
