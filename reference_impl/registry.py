"""The single source of truth for runs: which are accepted, which are live, whose they are, how far they are told."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from reference_impl.agent import BaseAgent
from reference_impl.agent_classes import AgentClassRegistry
from reference_impl.bridge import AgentWebSocketBridge
from reference_impl.context import (
    RunId,
    ThreadId,
    UserExecutionContext,
    UserId,
    new_id,
    require_immutable,
)
from reference_impl.delivery_tracker import EventDeliveryTracker
from reference_impl.emitter import UserEventEmitter
from reference_impl.errors import EngineError, Refusal
from reference_impl.events import Event, EventType
from reference_impl.execution_tracker import Execution, ExecutionTracker
from reference_impl.journal import Journal
from reference_impl.messages import RequestContext
from reference_impl.recovery import finish_run
from reference_impl.run import AcceptOutcome, ExecutionState, NewRun, StoredRun
from reference_impl.trace import child_of

log = logging.getLogger(__name__)


class Acceptance(NamedTuple):
    """An accepted request: the run that answers it, and that run's one voice; None where it has one already."""

    context: UserExecutionContext
    emitter: UserEventEmitter | None

    @property
    def duplicate(self) -> bool:
        """Whether the same request was accepted before."""
        return self.emitter is None


class RegistryMetrics(msgspec.Struct, frozen=True):
    """What the registry counts. `states` counts live runs, `ended` those that are over, by state."""

    users: int
    states: Mapping[ExecutionState, int]
    ended: Mapping[ExecutionState, int]
    delivered: int
    retried: int
    lost: int


class AgentExecutionRegistry:
    """All runs of the process. Created first in the ASGI lifespan; nothing else keeps track of runs."""

    def __init__(self, journal: Journal, delivery: EventDeliveryTracker, *, max_open_per_user: int) -> None:
        self._journal = journal
        self._max_open_per_user = max_open_per_user
        self._executions = ExecutionTracker()
        self._bridge: AgentWebSocketBridge | None = None
        self._classes: AgentClassRegistry | None = None
        self.delivery = delivery
        delivery.on_ended.append(self.note_end)

    # Startup: connections, then agents.

    def connect(self, bridge: AgentWebSocketBridge) -> None:
        """Have runs speak through `bridge`."""
        self._bridge = bridge

    def setup_agent_websocket_integration(self, supervisor: type[BaseAgent], registry: AgentClassRegistry) -> None:
        """Have `supervisor` do what no agent of `registry` is asked for by name, and seal `registry`.

        From now on every agent that runs is one of these, made for one run, and speaks through that run's emitter.
        """
        if self._bridge is None:
            raise EngineError("Runs have no voice yet: call connect(bridge) before agents are set up.")
        registry.seal(supervisor)
        self._classes = registry

    # A run, from its acceptance to its end.

    async def create_execution_context(
        self, agent_type: str, user_id: UserId, message: str, context: RequestContext
    ) -> Acceptance:
        """Accept a new run of the agent called `agent_type`, or find the one that `context` asks for again (LIF-01).

        It is on record when `recorded` returns, or calls back; nobody is told of it before.
        Raises Refusal: `not_found` if the thread must exist and does not, `rate_limited` if the user has too many
        open runs (ISO-12); SharedState if `context` could be changed meanwhile; and JournalFailed.
        """
        if self._bridge is None or self._classes is None:
            raise EngineError("There are no agents: call setup_agent_websocket_integration first.")
        if type(context) is not RequestContext:
            require_immutable(context, "context")
        execution = Execution(self._context(agent_type, user_id, context), message)
        may_insert = self.open_runs(user_id) < self._max_open_per_user
        self._executions.add(execution)
        outcome = None
        try:
            outcome, accepted = await self._journal.accept(
                NewRun(execution.context, message),
                may_insert=may_insert,
                thread_must_exist=context.thread_must_exist,
                owns_thread=context.owns_thread,
            )
        finally:
            if outcome is not AcceptOutcome.NEW:
                self._executions.remove(execution)
        if outcome is AcceptOutcome.NEW:
            self.delivery.track(execution.context.run_id)
            execution.emitter = self._bridge.create_user_emitter(execution.context)
            return Acceptance(execution.context, execution.emitter)
        if outcome is AcceptOutcome.DUPLICATE:
            return Acceptance(accepted.context, None)
        if outcome is AcceptOutcome.NO_THREAD:
            raise Refusal.not_found()
        raise Refusal.rate_limited(f"You have {self._max_open_per_user} open runs: wait until one has ended.")

    def when_recorded(self, callback: Callable[[], None]) -> None:
        """Have `callback` called once what was accepted so far is on record, before what comes after. JournalFailed."""
        self._journal.when_recorded(callback)

    async def recorded(self) -> None:
        """Wait until what was accepted so far is on record. Raises JournalFailed."""
        await self._journal.flush()

    def _context(self, agent_type: str, user_id: UserId, context: RequestContext) -> UserExecutionContext:
        return UserExecutionContext(
            user_id=user_id,
            thread_id=ThreadId(context.thread_id or self.new_thread_id()),
            run_id=RunId(self.new_id()),
            request_id=context.request_id,
            agent_name=agent_type,
            traceparent=child_of(context.traceparent),
            details=context.details,
        )

    async def ensure_event_delivery(
        self, context: UserExecutionContext, event_type: EventType, payload: Mapping[str, Any]
    ) -> Event:
        """Emit one event of a live run and return it once it is on record and every reader there is was handed it.

        Handing over is tried again where it fails; who is not there, or is given up, finds the event in the journal.
        Raises Refusal `not_found` if the run is not live, and JournalFailed.
        """
        execution = self.get(context.user_id, context.run_id)
        if execution is None or execution.emitter is None:
            raise Refusal.not_found()
        event = execution.emitter.emit(event_type, payload)
        await execution.emitter.flush()
        await self.delivery.wait_beyond(context.run_id, event.seq - 1)
        return event

    def note_end(self, event: Event) -> None:
        """The readers have the terminal `event`, which completes its run."""
        if (execution := self._executions.get(event.run_id)) is not None:
            self.complete_execution(execution.context, ExecutionState.of_ending(event.type))

    def complete_execution(self, context: UserExecutionContext, state: ExecutionState) -> None:
        """The run has reached its final `state` and everybody was told: forget it (LIF-07)."""
        execution = self._executions.get(context.run_id)
        if execution is not None:
            self._executions.end(execution, state)
            self.delivery.forget(context.run_id)

    async def cleanup_stale_contexts(self, *, older_than_s: float) -> list[RunId]:
        """End runs that have been at work for longer than that, which a time limit should have ended: their ids.

        What such a run still has to say, should it ever go on, is not told.
        """
        stale = self._executions.stale(older_than_s=older_than_s)
        for execution in stale:
            context = execution.context
            log.error("run %s goes on though it was to end; it is ended for it", context.run_id)
            assert execution.emitter is not None
            assert self._bridge is not None
            execution.emitter.close()
            await self._journal.flush()
            await finish_run(self._journal, await self.find(context.user_id, context.run_id), self._bridge)
        await self._journal.flush()
        return [execution.context.run_id for execution in stale]

    # What is known of runs.

    def new_id(self) -> str:
        """The id of a new run."""
        return new_id()

    def new_thread_id(self) -> str:
        """The id of a new thread."""
        return new_id()

    def get(self, user_id: UserId, run_id: str) -> Execution | None:
        """The live run of this user with this id; None also if it is somebody else's (ACC-04)."""
        execution = self._executions.get(run_id)
        return execution if execution is not None and execution.context.user_id == user_id else None

    def live_runs(self, user_id: UserId, thread_id: str | None = None) -> list[RunId]:
        """The ids of this user's live runs, of all or on one thread."""
        return [execution.context.run_id for execution in self._executions.of_user(user_id, thread_id)]

    async def find(self, user_id: UserId, run_id: str) -> StoredRun:
        """The run of this user with this id, live or ended. Raises Refusal `not_found` (ACC-04)."""
        run = await self._journal.find_run(user_id, run_id)
        if run is None:
            raise Refusal.not_found()
        return run

    def open_runs(self, user_id: UserId | None = None) -> int:
        """How many runs are live, of one user or of all."""
        return self._executions.count(user_id)

    def health(self) -> bool:
        """Whether runs are accepted."""
        return self._classes is not None and not self._journal.failed

    def metrics(self) -> RegistryMetrics:
        """What there is to measure."""
        runs, delivery = self._executions, self.delivery
        return RegistryMetrics(
            runs.users(), runs.states(), runs.ended, delivery.delivered, delivery.retried, delivery.lost
        )
