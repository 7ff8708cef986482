"""Who is in the fleet: this engine stays in it by renewing its lease, and ends the runs of those that did not."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from redis import RedisError

from reference_impl.errors import JournalFailed
from reference_impl.fleet.journal import SharedJournal
from reference_impl.fleet.messages import EngineId
from reference_impl.fleet.redis_bus import RedisBus
from reference_impl.run import StoredRun

log = logging.getLogger(__name__)

BEATS_PER_LEASE = 4


class Members:
    """Looks after the leases.

    `finish` ends runs whose engine is gone, `on_gone` is told of engines that are, `renew` brings back what Redis has
    lost of this engine.
    """

    def __init__(
        self,
        bus: RedisBus,
        journal: SharedJournal,
        *,
        name: str,
        lease_s: float,
        finish: Callable[[Sequence[StoredRun]], Awaitable[None]],
        on_gone: Callable[[set[EngineId]], Awaitable[None]],
        renew: Callable[[], Awaitable[None]],
    ) -> None:
        self._bus = bus
        self._journal = journal
        self._name = name
        self._lease_s = lease_s
        self._finish = finish
        self._on_gone = on_gone
        self._renew = renew
        self._others: set[EngineId] = set()
        self._calm_from = 0.0
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """How many engines there are, this one included."""
        return 1 + len(self._others)

    async def join(self) -> None:
        """Become one of the fleet, and end what runs nobody owns. Raises RedisError and JournalFailed."""
        await self._bus.open()
        await self._finish(await self._journal.join(self._name))
        # Whoever is not heard of from now on for a whole lease is dead, also where Redis was only just started.
        self._calm_from = asyncio.get_running_loop().time() + self._lease_s

    async def leave(self) -> None:
        """Be one of the fleet no more."""
        await self._journal.leave()
        await self._bus.leave()

    async def departure(self, engine: EngineId) -> None:
        """Return once `engine` is none of the fleet."""
        while engine in self._others:
            self._changed.clear()
            await self._changed.wait()

    async def keep(self) -> None:
        """Renew the lease and look after the others', for ever; returns if this engine was given up."""
        while True:
            try:
                if not await self._look():
                    return
            except RedisError:
                self._calm_from = asyncio.get_running_loop().time() + self._lease_s
            except JournalFailed:
                return
            await asyncio.sleep(self._lease_s / BEATS_PER_LEASE)

    async def _look(self) -> bool:
        renewed = await self._bus.beat()
        engines = await self._journal.engines()
        if self._bus.engine_id not in engines:
            log.critical("The other engines took this one for dead and have ended its runs; it ends, too.")
            return False
        if not renewed:
            log.warning("this engine's lease had run out, or Redis has lost it; it is renewed")
            await self._bus.open()
            await self._renew()
            self._calm_from = asyncio.get_running_loop().time() + self._lease_s
        others = engines - {self._bus.engine_id}
        dead = set() if self._early() else others - await self._bus.alive(others)
        gone = (self._others - others) | dead
        if dead:
            log.warning("engines %s are dead; their runs are ended here, or by another one", ", ".join(sorted(dead)))
            await self._finish(await self._journal.take_over(dead))
        self._others = others - dead
        if gone:
            self._changed.set()
            await self._on_gone(gone)
        return True

    def _early(self) -> bool:
        return asyncio.get_running_loop().time() < self._calm_from
