"""How long somebody waits for news of turns."""

import asyncio
from collections.abc import Callable
from math import inf

from load.turn import Turn


class Patience:
    """Waits for turns, each for so long. One timer serves all: when it goes off it is set anew, if it was too early."""

    def __init__(self) -> None:
        self._until: dict[Turn, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._goes_off = inf

    async def came(self, turn: Turn, seconds: float, predicate: Callable[[], bool]) -> bool:
        """Wait until `predicate` holds of a turn, at most so long; return whether it does."""
        loop = asyncio.get_running_loop()
        until = self._until[turn] = loop.time() + seconds
        if until < self._goes_off:
            self._set(loop, until)
        try:
            while not predicate() and turn in self._until:
                turn.changed = turn.changed or loop.create_future()
                await turn.changed
        finally:
            self._until.pop(turn, None)
        return predicate()

    def _set(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._goes_off = at
        self._timer = loop.call_at(at, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake those who have waited long enough."""
        now = loop.time()
        for turn in [turn for turn, until in self._until.items() if until <= now]:
            del self._until[turn]
            turn.tell()
        self._timer, self._goes_off = None, inf
        if self._until:
            self._set(loop, min(self._until.values()))
