"""How it is on the way: what every piece of data meets that passes the proxy."""

import asyncio
from dataclasses import dataclass, field
from random import Random

PIECE = 16_384
_CRUMB = 128


@dataclass
class Weather:
    """The state of one way, which all its connections share.

    `delay_ms`, and up to `jitter_ms` more, is what a piece waits, `bytes_per_s` what gets through at most; None sets no
    limit. While `flowing` is clear nothing is read at all, so that the buffers on both sides fill. `lost` tells that
    everything is taken and nothing arrives.
    """

    random: Random
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    bytes_per_s: float | None = None
    lost: bool = False
    flowing: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.flowing.set()

    @property
    def piece(self) -> int:
        """The most bytes that are passed on at a time: few where little gets through, so that frames come apart."""
        return PIECE if self.bytes_per_s is None else _CRUMB

    async def holds(self, size: int) -> None:
        """Wait as long as a piece of `size` bytes is kept."""
        wait_s = (self.delay_ms + self.random.random() * self.jitter_ms) / 1000
        wait_s += size / self.bytes_per_s if self.bytes_per_s is not None else 0.0
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        await self.flowing.wait()
