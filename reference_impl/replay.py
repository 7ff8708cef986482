"""Events again: what a reader missed, from the journal, joined without seam to what is live."""

import asyncio
from collections.abc import AsyncIterator

import msgspec

from reference_impl.connection import Connection
from reference_impl.context import RunId, UserId
from reference_impl.errors import Refusal
from reference_impl.events import Event
from reference_impl.journal import Journal
from reference_impl.messages import Resume
from reference_impl.registry import AgentExecutionRegistry
from reference_impl.run import StoredRun

PAGE = 256


class ReplayPart(msgspec.Struct, frozen=True):
    """The events of one run after `after_seq`."""

    run: StoredRun
    after_seq: int


class Replayer:
    """Answers `resume` on sockets and follows runs for HTTP (DLV-05)."""

    def __init__(self, journal: Journal, registry: AgentExecutionRegistry) -> None:
        self._journal = journal
        self._registry = registry

    async def resume(self, connection: Connection, resume: Resume) -> None:
        """Send what `resume` asks for, then let live events through again: none missing, none doubled.

        From the first moment live events of the runs concerned are held back on this connection. They are in the
        journal before they are live, so the replay finds all of them. A run that begins meanwhile comes live only.
        Raises Refusal.
        """
        with connection.noting_begun() as begun:
            await self._resume(connection, resume, begun)

    async def _resume(self, connection: Connection, resume: Resume, begun: set[str]) -> None:
        user_id = connection.user_id
        if resume.run_id is not None:
            held = [resume.run_id] if self._may_be_live(user_id, resume.run_id) else []
        else:
            held = list(self._registry.live_runs(user_id, resume.thread_id or ""))
        for run_id in held:
            connection.hold(run_id)
        try:
            parts = await self._plan(user_id, resume)
        except Refusal:
            for run_id in held:
                await self._catch_up(connection, run_id)
            raise
        for part in parts:
            if part.run.context.run_id not in begun:
                await self.replay(connection, part)
        for run_id in set(held).difference(part.run.context.run_id for part in parts):
            await self._catch_up(connection, run_id)

    def hold_live_runs(self, connection: Connection) -> list[RunId]:
        """Keep back what the user's runs under way will tell, until `resume` or `let_through`.

        A client that comes back would else get a live event or two before its `resume` is read, out of order.
        """
        run_ids = self._registry.live_runs(connection.user_id)
        for run_id in run_ids:
            connection.hold(run_id)
        return run_ids

    async def let_through(self, connection: Connection, run_ids: list[RunId]) -> None:
        """Bring what was kept back of these runs and not asked for since, then let them through live."""
        for run_id in run_ids:
            if connection.holds(run_id):
                await self._catch_up(connection, run_id)

    async def replay(self, connection: Connection, part: ReplayPart) -> None:
        """Send one run's events after `part.after_seq`, up to the live ones."""
        context = part.run.context
        hold = connection.hold(context.run_id)
        seq = part.after_seq
        while connection.closing is None:
            page = await self._journal.events(part.run, after_seq=seq, limit=PAGE)
            for event in page:
                await connection.offer_when_room(event.text)
                seq = event.seq
            # No wait between this look and the release: an event is either in the page or comes live afterwards.
            if len(page) < PAGE and hold.last_seq <= seq:
                live = self._may_be_live(context.user_id, context.run_id)
                connection.release(context.run_id, replayed_seq=seq, live=live)
                return

    async def follow(self, run: StoredRun, *, after_seq: int, idle_s: float) -> AsyncIterator[Event | None]:
        """The events of `run` after `after_seq`, live ones as they come, until its terminal event.

        None stands for `idle_s` seconds without an event.
        """
        record = self._registry.get(run.context.user_id, run.context.run_id)
        seq = after_seq
        while True:
            ended = record is None or record.ended
            page = await self._journal.events(run, after_seq=seq, limit=PAGE)
            for event in page:
                yield event
                seq = event.seq
            if len(page) == PAGE:
                continue
            if record is None or ended:
                return
            try:
                async with asyncio.timeout(idle_s):
                    await self._registry.delivery.wait_beyond(run.context.run_id, seq)
            except TimeoutError:
                yield None

    async def so_far(self, run: StoredRun, *, after_seq: int) -> list[Event]:
        """The events of `run` after `after_seq` that there are now."""
        events: list[Event] = []
        while page := await self._journal.events(run, after_seq=after_seq, limit=PAGE):
            events += page
            after_seq = page[-1].seq
        return events

    async def cursor(self, run: StoredRun, event_id: str) -> int:
        """The seq of an event of `run`. Raises Refusal `not_found`."""
        seq = await self._journal.seq_of(run, event_id)
        if seq is None:
            raise Refusal.not_found()
        return seq

    def _may_be_live(self, user_id: UserId, run_id: str) -> bool:
        return self._registry.get(user_id, run_id) is not None

    async def _plan(self, user_id: UserId, resume: Resume) -> list[ReplayPart]:
        if resume.run_id is not None:
            run = await self._registry.find(user_id, resume.run_id)
            if resume.last_event_id is None:
                return [ReplayPart(run, resume.after_seq or 0)]
            return [ReplayPart(run, await self.cursor(run, resume.last_event_id))]
        runs = await self._journal.runs_of_thread(user_id, resume.thread_id or "")
        if not runs:
            raise Refusal.not_found()
        if resume.last_event_id is not None:
            return await self._plan_after_event(runs, resume.last_event_id)
        if resume.after_seq and len(runs) > 1:
            raise Refusal.bad_message(
                f"payload.after_seq counts within one run, and this thread has {len(runs)}:"
                " give run_id instead of thread_id, or last_event_id instead of after_seq."
            )
        return [ReplayPart(run, resume.after_seq or 0) for run in runs]

    async def _plan_after_event(self, runs: list[StoredRun], event_id: str) -> list[ReplayPart]:
        for index in reversed(range(len(runs))):
            seq = await self._journal.seq_of(runs[index], event_id)
            if seq is not None:
                later = [ReplayPart(run, 0) for run in runs[index + 1 :]]
                return [ReplayPart(runs[index], seq), *later]
        raise Refusal.not_found()

    async def _catch_up(self, connection: Connection, run_id: str) -> None:
        """Undo a hold for which there is no replay: bring what came live in the meantime."""
        hold = connection.hold(run_id)
        if not hold.first_seq:
            connection.release(run_id, replayed_seq=0, live=False)
            return
        run = await self._registry.find(connection.user_id, run_id)
        await self.replay(connection, ReplayPart(run, hold.first_seq - 1))
