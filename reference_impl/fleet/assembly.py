"""What is wired to what in an engine that is one of several."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import msgspec
from redis import RedisError
from starlette.websockets import WebSocket

from reference_impl.agent import BaseAgent
from reference_impl.app import Assembly, Parts
from reference_impl.auth import Identity
from reference_impl.context import UserId, new_id
from reference_impl.errors import JournalFailed
from reference_impl.events import Event
from reference_impl.fleet.companions import Companions
from reference_impl.fleet.courier import Courier
from reference_impl.fleet.engine import FleetEngine
from reference_impl.fleet.journal import SharedJournal
from reference_impl.fleet.members import Members
from reference_impl.fleet.messages import EngineId, Told
from reference_impl.fleet.readers import FleetReplayer, FleetSession
from reference_impl.fleet.redis_bus import RedisBus
from reference_impl.fleet.registry import FleetRegistry
from reference_impl.fleet.watches import Watches
from reference_impl.operations.observer import Totals
from reference_impl.recovery import finish_run
from reference_impl.run import StoredRun
from reference_impl.session import ClientSession
from reference_impl.settings import Settings

log = logging.getLogger(__name__)

LEAVE_S = 2.0


class FleetAssembly(Assembly):
    """The parts of one engine of a fleet."""

    def __init__(
        self,
        settings: Settings,
        parts: Parts,
        journal: SharedJournal,
        agents: Mapping[str, type[BaseAgent]],
        bus: RedisBus,
    ) -> None:
        parts = replace(parts, engine=FleetEngine, registry=FleetRegistry, replayer=FleetReplayer, session=FleetSession)
        super().__init__(settings, parts, journal, agents)
        assert isinstance(self.engine, FleetEngine)
        assert isinstance(self.registry, FleetRegistry)
        assert isinstance(self.replayer, FleetReplayer)
        self.bus = bus
        self.courier = Courier(bus, on_told=self.take, on_question=self.engine.serve)
        self.watches = Watches(bus, journal, self.registry, deliver=self.deliver_told)
        self.members = Members(
            bus,
            journal,
            name=settings.engine_name or bus.engine_id,
            lease_s=settings.lease_s,
            asked=self.courier.asked,
            finish=self.finish,
            on_gone=self.note_gone,
            renew=self.renew,
        )
        self.engine.join(Companions(bus, journal, self.courier, self.members, self.watches))
        self.replayer.watches = self.watches
        journal.subscribe(self.publish)
        self._tasks: list[asyncio.Task[None]] = []
        self._leaving = False

    def create_session(self, websocket: WebSocket, identity: Identity) -> ClientSession:
        """The parts that one connection has to itself."""
        session = super().create_session(websocket, identity)
        assert isinstance(session, FleetSession)
        session.watches = self.watches
        return session

    def publish(self, events: Sequence[Event]) -> None:
        """Tell the other engines where their user is of journaled events."""
        by_user: dict[UserId, list[Event]] = {}
        for event in events:
            by_user.setdefault(event.user_id, []).append(event)
        for user_id, of_user in by_user.items():
            self.courier.tell(user_id, of_user)

    def deliver_told(self, events: Sequence[Event]) -> None:
        """Bring events of another engine to their readers here."""
        self.bridge.deliver(events)
        self.operations.observer.measure(events)

    def healthy(self) -> bool:
        """Whether runs are accepted."""
        return super().healthy() and self.courier.reachable and not self.doomed

    def totals(self) -> Totals:
        """The state of the engine in numbers."""
        return msgspec.structs.replace(super().totals(), engines=len(self.members))

    async def take(self, told: Told) -> None:
        """Deliver here what another engine tells."""
        await self.watches.take(told)

    async def finish(self, runs: Sequence[StoredRun]) -> None:
        """End runs whose engine is gone; first their readers here get what it did not live to tell (LIF-06)."""
        if runs:
            await self.watches.catch_up()
            for run in runs:
                await finish_run(self.journal, run, self.bridge)
            await self.journal.flush()

    async def note_gone(self, engines: set[EngineId]) -> None:
        """Expect nothing more of these engines, and look for what they did not live to tell."""
        self.courier.give_up(engines)
        await self.watches.catch_up()

    async def renew(self) -> None:
        """Have again what Redis has lost of the users here; and what was not told meanwhile."""
        assert isinstance(self.engine, FleetEngine)
        await self.engine.claim_again()
        await self.watches.renew()

    async def join(self) -> None:
        """Become one of the fleet. Raises RedisError and JournalFailed."""
        await self.members.join()
        courier, members = self.courier, self.members
        for work in (courier.send_all(), courier.receive_all(), members.keep(), members.look_after()):
            task = asyncio.create_task(work)
            task.add_done_callback(self._note_end)
            self._tasks.append(task)

    async def leave(self) -> None:
        """Tell what there is to tell, then be one of the fleet no more; no step of it waits for long."""
        self._leaving = True
        async with within(LEAVE_S):
            await self.courier.flush()
        async with within(LEAVE_S):
            while pending := [task for task in self._tasks if not task.done()]:
                for task in pending:
                    task.cancel()
                # Again, if need be: redis-py 8.1 was seen to swallow a cancellation.
                await asyncio.wait(pending, timeout=0.2)
        async with within(LEAVE_S):
            await self.members.leave()
        async with within(LEAVE_S):
            await self.bus.close()

    def _note_end(self, task: asyncio.Task[None]) -> None:
        """Without any of its tasks an engine is of no use to the others, nor they to it."""
        if self._leaving:
            return
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("This engine cannot be part of its fleet any more; it ends.", exc_info=error)
        self.close_failed()

    def close_failed(self) -> None:
        """The journal cannot write, or the others have given this engine up: it must end."""
        super().close_failed()
        self.doomed = True


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Give up after so long, and where Redis or the journal cannot be used any more: what is left, others see to."""
    with contextlib.suppress(TimeoutError, RedisError, JournalFailed):
        async with asyncio.timeout(seconds):
            yield


@asynccontextmanager
async def assemble_fleet(
    settings: Settings, parts: Parts, agents: Mapping[str, type[BaseAgent]]
) -> AsyncIterator[Assembly]:
    """A running engine of a fleet: joined, everything wired; drained, gone from it and closed on the way out."""
    assert settings.bus is not None
    engine_id = EngineId(f"{settings.engine_name or 'engine'}-{new_id()}")
    async with AsyncExitStack() as stack:
        journal = shared_journal(settings, engine_id)
        await journal.open()
        stack.push_async_callback(journal.close)
        bus = RedisBus(settings.bus, engine_id, lease_s=settings.lease_s)
        assembly = FleetAssembly(settings, parts, journal, agents, bus)
        stack.callback(assembly.operations.close)
        stack.push_async_callback(assembly.outside.aclose)
        await assembly.join()
        stack.push_async_callback(assembly.leave)
        stack.push_async_callback(assembly.drain)
        cleaning = asyncio.create_task(assembly.clean_up())
        stack.callback(cleaning.cancel)
        yield assembly


async def fleet_problem(settings: Settings) -> str | None:
    """Why an engine cannot become one of the fleet, None if it can. Names no URL, for there may be a password in it."""
    assert settings.bus is not None
    bus = RedisBus(settings.bus, EngineId(new_id()), lease_s=1.0)
    try:
        await bus.ping()
    except RedisError as error:
        return f"cannot reach the Redis of --bus: {type(error).__name__}; start it, or give its URL"
    finally:
        await bus.close()
    journal = shared_journal(settings, EngineId(new_id()))
    try:
        await journal.open()
        await journal.close()
    except sqlite3.Error as error:
        advice = "give a SQLite file that only engines with --bus use, in a folder that can be written"
        return f"cannot use {settings.journal} as the journal: {error}; {advice}"
    except JournalFailed as error:
        return f"cannot use the database as the journal: {error}; start it, or give its URL"
    return None


def shared_journal(settings: Settings, engine_id: EngineId) -> SharedJournal:
    """The journal that the settings name: a file, or a database, which needs the extra `postgres`."""
    if settings.journal_url is None:
        assert settings.journal is not None
        return SharedJournal(settings.journal, engine_id=engine_id)
    from reference_impl.fleet.postgres import PostgresJournal

    return PostgresJournal(settings.journal_url, engine_id=engine_id)
