"""Readers, on sockets and over HTTP, of runs that may be at any engine of the fleet."""

from collections.abc import AsyncIterator

from redis import RedisError

from reference_impl.context import UserId
from reference_impl.errors import CloseCode
from reference_impl.events import Event
from reference_impl.fleet.watches import Watches
from reference_impl.replay import Replayer
from reference_impl.run import StoredRun
from reference_impl.session import ClientSession


class FleetSession(ClientSession):
    """A session whose user's events come from all engines. `watches` is set before it serves."""

    watches: Watches

    async def serve(self) -> None:
        """Serve until the socket is closed; a user has no more connections in the fleet than one engine allows."""
        try:
            async with self.watches.watching(self.user_id, connections=1) as connections:
                if connections > self._settings.max_connections_per_user:
                    self._connection.close(CloseCode.OVERLOADED, "too many connections")
                await super().serve()
        except RedisError:
            self._connection.close(CloseCode.OVERLOADED, "try again later")
            await super().serve()


class FleetReplayer(Replayer):
    """A replayer that also follows runs elsewhere. `watches` is set before it does."""

    watches: Watches

    async def follow(self, run: StoredRun, *, after_seq: int, idle_s: float) -> AsyncIterator[Event | None]:
        """The events of `run`, as `Replayer.follow` tells them, wherever it is."""
        async with self.watches.watching(run.context.user_id, connections=0):
            run = await self._registry.find(run.context.user_id, run.context.run_id)
            async for event in super().follow(run, after_seq=after_seq, idle_s=idle_s):
                yield event

    def _may_be_live(self, user_id: UserId, run_id: str) -> bool:
        return True
