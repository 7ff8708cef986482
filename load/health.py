"""How well the generator itself does: how late its loop is, how busy its process."""

import asyncio
import time

import psutil

from load.sketch import Sketch

_TICK_S = 0.01


class Health:
    """`lateness` holds by how much the loop came too late to its ticks, `arrivals` by how much runs began too late."""

    def __init__(self) -> None:
        self.lateness = Sketch()
        self.arrivals = Sketch()
        self.cpu_percent: list[float] = []
        self.peak_mb = 0.0
        self._process = psutil.Process()
        self._process.cpu_percent()

    async def watch(self) -> None:
        """Look in short intervals, until cancelled."""
        kept: list[int] = []
        looked = time.monotonic()
        while True:
            due = time.monotonic() + _TICK_S
            await asyncio.sleep(_TICK_S)
            now = time.monotonic()
            kept.append(round((now - due) * 1e6))
            if now - looked >= 1:
                looked = now
                self.lateness.add_all(kept)
                kept.clear()
                self.cpu_percent.append(self._process.cpu_percent())
                self.peak_mb = max(self.peak_mb, self._process.memory_info().rss / 1e6)
