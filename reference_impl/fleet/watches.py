"""Users who are connected here, and the events of their runs elsewhere: every one once, in order."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from redis import RedisError

from reference_impl.context import RunId, ThreadId, UserExecutionContext, UserId
from reference_impl.events import Event, decode_event
from reference_impl.fleet.journal import SharedJournal
from reference_impl.fleet.messages import Told
from reference_impl.fleet.redis_bus import RedisBus
from reference_impl.fleet.registry import FleetRegistry, RunElsewhere

PAGE = 256


class Watch:
    """What is known of one user who is connected here."""

    def __init__(self) -> None:
        self.readers = 0
        self.connections = 0
        self.loaded = False
        self.early: list[Event] = []


class Watches:
    """Delivers here what other engines tell. What they did not tell, because they crashed, is in the journal."""

    def __init__(
        self,
        bus: RedisBus,
        journal: SharedJournal,
        registry: FleetRegistry,
        *,
        deliver: Callable[[Sequence[Event]], None],
    ) -> None:
        self._bus = bus
        self._journal = journal
        self._registry = registry
        self._deliver = deliver
        self._watches: dict[UserId, Watch] = {}
        self._loading: dict[UserId, asyncio.Task[None]] = {}
        self._order = asyncio.Lock()

    @asynccontextmanager
    async def watching(self, user_id: UserId, *, connections: int) -> AsyncIterator[int]:
        """While in the block, this user's events come here; gives how many connections the user has in the fleet.

        `connections` is how many of them this is. Raises RedisError.
        """
        watch = self._watches.get(user_id)
        if watch is None:
            watch = self._watches[user_id] = Watch()
        watch.readers += 1
        watch.connections += connections
        try:
            total = await self._bus.watch(user_id, connections=watch.connections)
            if user_id not in self._loading:
                self._loading[user_id] = asyncio.create_task(self._load(user_id, watch))
            await asyncio.shield(self._loading[user_id])
            yield total
        finally:
            watch.readers -= 1
            watch.connections -= connections
            # What Redis then still believes does no harm: what comes for nobody is dropped.
            with contextlib.suppress(RedisError):
                if watch.readers == 0:
                    self._forget(user_id)
                    await self._bus.unwatch(user_id)
                elif connections:
                    await self._bus.watch(user_id, connections=watch.connections)

    async def take(self, told: Told) -> None:
        """Deliver what another engine tells, and before it what is missing."""
        watch = self._watches.get(told.user_id)
        if watch is None:
            return
        async with self._order:
            if not watch.loaded:
                watch.early += told.events
                return
            for event in told.events:
                await self._take(event)

    async def renew(self) -> None:
        """Watch all users again, after Redis has forgotten that this engine does. Raises RedisError.

        Their readers get all of the runs that have begun meanwhile and are open.
        """
        for user_id, watch in list(self._watches.items()):
            await self._bus.watch(user_id, connections=watch.connections)
            for run, _ in await self._journal.open_runs_of(user_id):
                if not self._registry.own(run.context.run_id):
                    self._registry.elsewhere.adopt(run.context, seq=0)
        await self.catch_up()

    async def catch_up(self) -> None:
        """Deliver what is in the journal of all runs elsewhere and has not come: their engines may have crashed."""
        async with self._order:
            for run in self._registry.elsewhere:
                await self._fill(run, before=None)

    def _forget(self, user_id: UserId) -> None:
        del self._watches[user_id]
        self._registry.elsewhere.unwatch(user_id)
        if loading := self._loading.pop(user_id, None):
            loading.cancel()

    async def _load(self, user_id: UserId, watch: Watch) -> None:
        """Know the runs that are under way, then take what came meanwhile."""
        self._registry.elsewhere.watch(user_id)
        runs = await self._journal.open_runs_of(user_id)
        async with self._order:
            for run, seq in runs:
                if not self._registry.own(run.context.run_id):
                    self._registry.elsewhere.adopt(run.context, seq=seq)
            for event in watch.early:
                await self._take(event)
            watch.early.clear()
            watch.loaded = True

    async def _take(self, event: Event) -> None:
        run = self._registry.elsewhere.get(event.user_id, event.run_id)
        if run is None and event.seq == 1 and not self._registry.own(event.run_id):
            run = self._registry.elsewhere.adopt(context_of(event), seq=0)
        if run is None:
            # Late: everybody here has its end, or came after it.
            if event.type.terminal:
                self._registry.elsewhere.note_ended(event.run_id)
            return
        if event.seq > run.told_seq + 1:
            await self._fill(run, before=event.seq)
        if event.seq == run.told_seq + 1:
            self._tell(run, event)

    async def _fill(self, run: RunElsewhere, *, before: int | None) -> None:
        stored = await self._journal.find_run(run.context.user_id, run.context.run_id)
        while stored is not None:
            page = await self._journal.events(stored, after_seq=run.told_seq, limit=PAGE)
            wanted = [event for event in page if before is None or event.seq < before]
            for event in wanted:
                self._tell(run, event)
            if len(wanted) < PAGE:
                return

    def _tell(self, run: RunElsewhere, event: Event) -> None:
        run.told_seq = event.seq
        self._deliver([event])


def context_of(event: Event) -> UserExecutionContext:
    """The context of the run that `event` begins."""
    envelope = decode_event(event)
    return UserExecutionContext(
        user_id=event.user_id,
        thread_id=ThreadId(envelope.thread_id),
        run_id=RunId(event.run_id),
        request_id=envelope.payload["request_id"],
        agent_name=envelope.agent_name,
        traceparent=envelope.traceparent,
    )
