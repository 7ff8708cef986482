"""The way in for requests, to whichever engine of a fleet they come."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Coroutine

from redis import RedisError

from reference_impl.context import UserId
from reference_impl.engine import ExecutionEngine
from reference_impl.errors import JournalFailed, Refusal
from reference_impl.fleet.companions import Companions
from reference_impl.fleet.messages import (
    Accepted,
    Answer,
    Done,
    EngineId,
    Leaving,
    Moved,
    Question,
    Refused,
    StartRun,
    StopRun,
)
from reference_impl.messages import RunRequest
from reference_impl.registry import Acceptance

log = logging.getLogger(__name__)

Announce = Callable[[Acceptance], None]


class AcceptedElsewhere(Acceptance):
    """A run that is new, and speaks at another engine."""

    @property
    def duplicate(self) -> bool:
        """It was not accepted before."""
        return False


class FleetEngine(ExecutionEngine):
    """All open runs of a user are at one engine, the user's home, which keeps order and limits as if it were alone.

    The home of a user is the engine that was asked first, until no run of the user is open. The others pass on to it
    what they are asked. `join` before use.
    """

    def join(self, companions: Companions) -> None:
        """Be one of several."""
        self._companions = companions
        self._starts: Counter[UserId] = Counter()
        self._background: set[asyncio.Task[None]] = set()
        self._starting: set[asyncio.Future[None]] = set()

    async def start(self, user_id: UserId, request: RunRequest, *, announce: Announce) -> Acceptance:
        """Accept `request` here or elsewhere, which takes a while: `drain` waits for it. Raises Refusal."""
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._starting.add(started)
        try:
            return await super().start(user_id, request, announce=announce)
        finally:
            self._starting.discard(started)
            started.set_result(None)

    async def _start(self, user_id: UserId, request: RunRequest, announce: Announce) -> Acceptance:
        try:
            acceptance: Acceptance | None = None
            while acceptance is None:
                home, acceptance = await self._start_here(user_id, request, announce)
                if acceptance is None:
                    acceptance = await self._start_there(home, user_id, request, announce)
        except RedisError:
            raise Refusal.restarting() from None
        return acceptance

    async def _start_here(
        self, user_id: UserId, request: RunRequest, announce: Announce
    ) -> tuple[EngineId, Acceptance | None]:
        """The user's home, and what it answers if that is this engine. Raises Refusal and RedisError."""
        bus = self._companions.bus
        self._starts[user_id] += 1
        try:
            # Where runs of the user are open, the user is this engine's already.
            home = bus.engine_id if user_id in self._users else await bus.claim(user_id)
            return home, await super()._start(user_id, request, announce) if home == bus.engine_id else None
        finally:
            self._starts[user_id] -= 1
            self._release_if_idle(user_id)

    async def _start_there(
        self, home: EngineId, user_id: UserId, request: RunRequest, announce: Announce
    ) -> Acceptance | None:
        """What another engine answers, None if the user's home has moved meanwhile. Raises Refusal."""

        def on_answer(answer: Answer) -> None:
            if isinstance(answer, Accepted):
                announce(acceptance_of(answer))

        me = self._companions.bus.engine_id
        answer = await self._companions.courier.ask(
            home, lambda number: StartRun(number, me, user_id, request), on_answer
        )
        match answer:
            case Accepted():
                return acceptance_of(answer)
            case Refused():
                raise answer.refusal
            case Leaving():
                await self._companions.members.departure(home)
        return None

    async def stop(self, user_id: UserId, run_id: str) -> None:
        """End this user's run, wherever it is (LIF-02). Raises Refusal `not_found`.

        A run whose engine is gone is ended by whoever takes it over.
        """
        run = await self._registry.find(user_id, run_id)
        companions = self._companions
        me = companions.bus.engine_id
        owner = await companions.journal.owner_of(run)
        if run.ending is not None or owner == me:
            await super().stop(user_id, run_id)
        if run.ending is not None or owner in (None, me):
            return
        assert owner is not None
        answer = await companions.courier.ask(
            owner, lambda number: StopRun(number, me, user_id, run_id), lambda answer: None
        )
        if isinstance(answer, Refused):
            raise answer.refusal

    async def claim_again(self) -> None:
        """Be the home of whose runs are open here, after Redis has forgotten it. Raises RedisError."""
        for user_id in list(self._users):
            await self._companions.bus.claim(user_id)

    def serve(self, question: Question) -> None:
        """Do what another engine asks for, and answer it."""
        self._in_background(self._serve(question))

    async def _serve(self, question: Question) -> None:
        answer: Answer = Done(question.ask)
        try:
            if isinstance(question, StopRun):
                await super().stop(question.user_id, question.run_id)
            else:
                answer = Leaving(question.ask) if self.draining else await self._start_for(question)
        except RedisError:
            answer = Moved(question.ask)
        except Refusal as refusal:
            answer = Refused(question.ask, refusal.code, refusal.message)
        except Exception:
            log.exception("what another engine asked for failed in a way of its own")
            sorry = Refusal.restarting()
            answer = Refused(question.ask, sorry.code, sorry.message)
        if not isinstance(answer, Accepted):
            self._companions.courier.send(question.sender, answer)

    async def _start_for(self, question: StartRun) -> Answer:
        """Start a run for another engine; `Accepted` is on its way before the run's first event is."""

        def announce(acceptance: Acceptance) -> None:
            accepted = Accepted(question.ask, acceptance.context, acceptance.duplicate)
            self._companions.courier.send(question.sender, accepted)

        _, acceptance = await self._start_here(question.user_id, question.request, announce)
        if acceptance is None:
            return Moved(question.ask)
        return Accepted(question.ask, acceptance.context, acceptance.duplicate)

    def _tasks(self) -> "list[asyncio.Future[None]]":
        return [*self._starting, *super()._tasks()]

    def _forget(self, user_id: UserId) -> None:
        super()._forget(user_id)
        self._release_if_idle(user_id)

    def _release_if_idle(self, user_id: UserId) -> None:
        if self._starts[user_id] == 0:
            del self._starts[user_id]
            if user_id not in self._users:
                self._in_background(self._release(user_id))

    async def _release(self, user_id: UserId) -> None:
        # First how the user's runs have ended is on record. Where that fails, or Redis cannot be reached, the user
        # stays this engine's, which others go on to ask.
        with contextlib.suppress(RedisError, JournalFailed):
            await self._companions.journal.flush()
            if self._starts[user_id] == 0 and user_id not in self._users:
                await self._companions.bus.release(user_id)

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def acceptance_of(answer: Accepted) -> Acceptance:
    """What another engine's answer says."""
    return (Acceptance if answer.duplicate else AcceptedElsewhere)(answer.context, None)
