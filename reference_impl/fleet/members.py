"""Who is in the fleet: this engine stays in it by renewing its lease, and ends the runs of those that did not."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence

from redis import RedisError

from reference_impl.fleet.journal import SharedJournal
from reference_impl.fleet.messages import EngineId
from reference_impl.fleet.redis_bus import RedisBus
from reference_impl.run import StoredRun

log = logging.getLogger(__name__)

BEATS_PER_LEASE = 4


class Members:
    """Looks after the leases.

    `asked` says of which engines an answer is awaited, `finish` ends runs whose engine is gone, `on_gone` is told of
    engines that are, `renew` brings back what Redis has lost of this engine.
    """

    def __init__(
        self,
        bus: RedisBus,
        journal: SharedJournal,
        *,
        name: str,
        lease_s: float,
        asked: Callable[[], set[EngineId]],
        finish: Callable[[Sequence[StoredRun]], Awaitable[None]],
        on_gone: Callable[[set[EngineId]], Awaitable[None]],
        renew: Callable[[], Awaitable[None]],
    ) -> None:
        self._bus = bus
        self._journal = journal
        self._name = name
        self._lease_s = lease_s
        self._asked = asked
        self._finish = finish
        self._on_gone = on_gone
        self._renew = renew
        self._others: set[EngineId] = set()
        self._calm_until = 0.0
        self._looked_at = 0.0
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """How many engines there are, this one included."""
        return 1 + len(self._others)

    async def join(self) -> None:
        """Become one of the fleet, and end what runs nobody owns. Raises RedisError and JournalFailed."""
        await self._bus.open()
        await self._finish(await self._journal.join(self._name))
        self._be_calm()

    async def leave(self) -> None:
        """Be one of the fleet no more. Raises RedisError and JournalFailed."""
        try:
            await self._journal.leave()
        finally:
            await self._bus.leave()

    async def departure(self, engine: EngineId) -> None:
        """Return once `engine` is none of the fleet."""
        while engine in self._others:
            self._changed.clear()
            await self._changed.wait()

    async def keep(self) -> None:
        """Renew the lease, for ever; returns if this engine was given up."""
        while True:
            try:
                renewed = await self._bus.beat()
                if self._bus.engine_id not in await self._journal.engines():
                    log.critical("The other engines took this one for dead and have ended its runs; it ends, too.")
                    return
                if not renewed:
                    log.warning("This engine's lease had run out, or Redis has lost it; it is renewed.")
                    self._be_calm()
                    await self._bus.open()
                    await self._renew()
            except RedisError:
                self._be_calm()
            await asyncio.sleep(self._lease_s / BEATS_PER_LEASE)

    async def look_after(self) -> None:
        """End, for ever, the runs of engines whose lease has run out."""
        while True:
            with contextlib.suppress(RedisError):
                await self._look()
            await asyncio.sleep(self._lease_s / BEATS_PER_LEASE)

    async def _look(self) -> None:
        others = await self._journal.engines() - {self._bus.engine_id}
        suspects = others | self._asked()
        silent = suspects - await self._bus.alive(suspects)
        now = asyncio.get_running_loop().time()
        if now - self._looked_at > self._lease_s / 2:
            # Redis, or this engine, stood still: perhaps so did everybody.
            self._be_calm()
        self._looked_at = now
        dead = silent & others if now >= self._calm_until else set()
        gone = (self._others - others) | dead | (silent - others)
        self._others = others - dead
        if dead:
            log.warning("Engines %s are dead; their runs are ended here, or by another one.", ", ".join(sorted(dead)))
            orphans = await self._journal.take_over(dead)
            await self._bus.bury(dead)
            await self._finish(orphans)
        if gone:
            self._changed.set()
            await self._on_gone(gone)

    def _be_calm(self) -> None:
        """Take nobody for dead before a whole lease is over: they may have been cut off, too, or Redis was."""
        self._calm_until = asyncio.get_running_loop().time() + self._lease_s
