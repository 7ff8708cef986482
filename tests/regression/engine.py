"""The reference engine, sending in beats: python -m tests.regression.engine BEAT_MS [options of the engine]."""

import asyncio
import sys

from reference_impl import server
from reference_impl.app import Parts
from reference_impl.events import Event
from reference_impl.websocket_manager import WebSocketManager


class Beats(WebSocketManager):
    """Holds events back until the next beat, so that the p95 of their way is nearly a beat and grows with it."""

    beat_s = 0.0

    def __init__(self, *, max_per_user: int) -> None:
        super().__init__(max_per_user=max_per_user)
        self._held: list[Event] = []

    def deliver(self, event: Event) -> None:
        """Send `event` with the next beat."""
        if not self._held:
            loop = asyncio.get_running_loop()
            loop.call_at((loop.time() // self.beat_s + 1) * self.beat_s, self._flush)
        self._held.append(event)

    def _flush(self) -> None:
        held, self._held = self._held, []
        for event in held:
            super().deliver(event)


def main() -> int:
    """Serve the engine with that beat."""
    beat_ms, *rest = sys.argv[1:]
    beats = type("Beat", (Beats,), {"beat_s": float(beat_ms) / 1000})
    return server.main(rest, parts=Parts(manager=beats))


if __name__ == "__main__":
    sys.exit(main())
