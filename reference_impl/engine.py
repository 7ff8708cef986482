"""Starts, queues, limits and ends runs."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from reference_impl.agent_run import AgentRun
from reference_impl.context import ThreadId, UserId
from reference_impl.errors import JournalFailed, Refusal
from reference_impl.execution_tracker import Execution
from reference_impl.messages import RunRequest
from reference_impl.registry import Acceptance, AgentExecutionRegistry
from reference_impl.reliability import ReliabilityManager
from reference_impl.run import Interruption

log = logging.getLogger(__name__)

# A tool that does not let a cancellation pass must not keep the engine from ending; its run is ended at the next start.
END_WITHIN_S = 2.0

RunFactory = Callable[[Execution], AgentRun]


class UserExecutionEngine:
    """The runs of one user: one at a time on a thread, a limited number at once, in the order they came (ISO-05).

    It lives as long as its user has open runs; `on_idle` is called when there are none.
    """

    def __init__(self, *, max_running: int, on_idle: Callable[[], None]) -> None:
        self._max_running = max_running
        self._on_idle = on_idle
        self._queue: deque[AgentRun] = deque()
        self._running: dict[AgentRun, asyncio.Task[None]] = {}
        self._busy_threads: set[ThreadId] = set()

    def submit(self, run: AgentRun) -> None:
        """Start `run` as soon as its thread is free and the user has fewer than `max_running` at work."""
        if self._free(run):
            self._begin(run)
        else:
            self._queue.append(run)

    def interrupt(self, run_id: str, reason: Interruption) -> bool:
        """End the run with this id, at work or queued. False if there is none."""
        for run in (*self._running, *self._queue):
            if run.execution.context.run_id == run_id:
                run.interrupt(reason)
                self._start_ready()
                return True
        return False

    def interrupt_all(self, reason: Interruption) -> None:
        """End every run, at work or queued."""
        for run in (*self._running, *self._queue):
            run.interrupt(reason)
        self._start_ready()

    @property
    def running(self) -> int:
        """How many runs are at work."""
        return len(self._running)

    def tasks(self) -> list[asyncio.Task[None]]:
        """The tasks of the runs at work."""
        return list(self._running.values())

    def _start_ready(self) -> None:
        waiting: deque[AgentRun] = deque()
        while self._queue:
            run = self._queue.popleft()
            if self._free(run):
                self._begin(run)
            else:
                waiting.append(run)
        self._queue = waiting

    def _free(self, run: AgentRun) -> bool:
        """Whether `run` may begin. One that was interrupted only tells its end: it needs no place."""
        thread_free = run.execution.context.thread_id not in self._busy_threads
        return (thread_free and len(self._running) < self._max_running) or run.interruption is not None

    def _begin(self, run: AgentRun) -> None:
        holds_thread = run.interruption is None
        if holds_thread:
            self._busy_threads.add(run.execution.context.thread_id)
        self._running[run] = asyncio.create_task(self._execute(run, holds_thread=holds_thread))

    async def _execute(self, run: AgentRun, *, holds_thread: bool) -> None:
        try:
            await run.execute()
        except JournalFailed:
            log.error("run %s has no end on record; it gets one at the next start", run.execution.context.run_id)
        finally:
            self._leave(run, holds_thread=holds_thread)

    def abandon(self, run_id: str) -> None:
        """Give away the place of a run that was ended for it and still goes on."""
        for run in [*self._running]:
            if run.execution.context.run_id == run_id:
                self._leave(run, holds_thread=True)

    def _leave(self, run: AgentRun, *, holds_thread: bool) -> None:
        if self._running.pop(run, None) is None:
            return
        if holds_thread:
            self._busy_threads.discard(run.execution.context.thread_id)
        if self._queue:
            self._start_ready()
        elif not self._running:
            self._on_idle()


class ExecutionEngine:
    """The way in for every request that concerns a run, whether from a socket or over HTTP."""

    def __init__(
        self,
        registry: AgentExecutionRegistry,
        create_run: RunFactory,
        reliability: ReliabilityManager,
        *,
        max_running_per_user: int,
        agent_name: str,
    ) -> None:
        self._registry = registry
        self._create_run = create_run
        self.reliability = reliability
        self._max_running_per_user = max_running_per_user
        self._agent_name = agent_name
        self._users: dict[UserId, UserExecutionEngine] = {}
        self.draining = False

    async def start(
        self, user_id: UserId, request: RunRequest, *, announce: Callable[[Acceptance], None]
    ) -> Acceptance:
        """Accept `request` and start its run, or find the run that it has (LIF-01).

        `announce` is called when it is on record, before the run's first event is told. Raises Refusal. Not to be
        cancelled: once asked for, a run is started even if who asked is gone (LIF-04).
        """
        if self.draining:
            raise Refusal.restarting()
        return await self._start(user_id, request, announce)

    async def _start(self, user_id: UserId, request: RunRequest, announce: Callable[[Acceptance], None]) -> Acceptance:
        try:
            acceptance = await self._registry.create_execution_context(
                request.agent or self._agent_name, user_id, request.message, request.context
            )
            self._registry.when_recorded(lambda: announce(acceptance))
        except JournalFailed:
            raise Refusal.restarting() from None
        execution = None if acceptance.duplicate else self._registry.get(user_id, acceptance.context.run_id)
        if execution is not None:
            run = self._create_run(execution)
            if self.draining:
                run.interrupt(Interruption.SHUTDOWN)
            self._engine_of(user_id).submit(run)
        return acceptance

    async def stop(self, user_id: UserId, run_id: str) -> None:
        """End this user's run (LIF-02). Raises Refusal `not_found` if the user has none such at work or queued."""
        if self._registry.get(user_id, run_id) is None:
            await self._registry.find(user_id, run_id)
            raise Refusal.already_ended()
        engine = self._users.get(user_id)
        if engine is None or not engine.interrupt(run_id, Interruption.STOPPED):
            raise Refusal.already_ended()

    async def cleanup(self, *, older_than_s: float) -> None:
        """End what goes on for longer than that though it was to end, such as a tool that swallows cancellation."""
        for run_id in await self._registry.cleanup_stale_contexts(older_than_s=older_than_s):
            for engine in list(self._users.values()):
                engine.abandon(run_id)

    async def drain(self, *, grace_s: float) -> None:
        """Accept nothing more, let runs go on for `grace_s` seconds, then end those that are left (LIF-05)."""
        self.draining = True
        if tasks := self._tasks():
            await asyncio.wait(tasks, timeout=grace_s)
        for engine in list(self._users.values()):
            engine.interrupt_all(Interruption.SHUTDOWN)
        deadline = asyncio.get_running_loop().time() + END_WITHIN_S
        while (tasks := self._tasks()) and (left_s := deadline - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(tasks, timeout=left_s)

    @property
    def running(self) -> int:
        """How many runs are at work, of all users."""
        return sum(engine.running for engine in self._users.values())

    @property
    def users(self) -> int:
        """How many users have open runs."""
        return len(self._users)

    def _tasks(self) -> "list[asyncio.Future[None]]":
        return [task for engine in self._users.values() for task in engine.tasks()]

    def _engine_of(self, user_id: UserId) -> UserExecutionEngine:
        engine = self._users.get(user_id)
        if engine is None:
            engine = UserExecutionEngine(max_running=self._max_running_per_user, on_idle=lambda: self._forget(user_id))
            self._users[user_id] = engine
        return engine

    def _forget(self, user_id: UserId) -> None:
        del self._users[user_id]
