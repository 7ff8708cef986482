"""The single source of truth for runs: which are accepted, which are live, whose they are."""

import asyncio

import msgspec

from reference_impl.context import RunId, ThreadId, UserExecutionContext, UserId, new_id, new_traceparent
from reference_impl.errors import Refusal
from reference_impl.events import Event
from reference_impl.journal import Journal
from reference_impl.messages import RunRequest
from reference_impl.run import AcceptOutcome, ExecutionState, Interruption, NewRun, StoredRun


class RunRecord:
    """One live run: from its acceptance until its terminal event is delivered."""

    def __init__(self, context: UserExecutionContext, message: str) -> None:
        self.context = context
        self.message = message
        self.state = ExecutionState.QUEUED
        self.interruption: Interruption | None = None
        self.delivered_seq = 0
        self._followers: list[asyncio.Future[None]] = []

    @property
    def ended(self) -> bool:
        """Whether the terminal event is journaled."""
        return self.state not in (ExecutionState.QUEUED, ExecutionState.RUNNING)

    async def wait_beyond(self, seq: int) -> None:
        """Return once an event after `seq` is journaled, or the run has ended."""
        while self.delivered_seq <= seq and not self.ended:
            follower: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._followers.append(follower)
            await follower

    def note_delivered(self, event: Event) -> None:
        """Take note that `event` is journaled and wake who waits for it."""
        self.delivered_seq = event.seq
        if event.type.terminal:
            self.state = ExecutionState.of_ending(event.type)
        followers, self._followers = self._followers, []
        for follower in followers:
            if not follower.done():
                follower.set_result(None)


class Acceptance(msgspec.Struct, frozen=True):
    """An accepted request: the run that answers it, and whether it was accepted before."""

    context: UserExecutionContext
    duplicate: bool
    record: RunRecord | None
    """Only for a run that is new."""


class AgentExecutionRegistry:
    """All runs of the process. Created in the ASGI lifespan; nothing else keeps track of runs."""

    def __init__(self, journal: Journal, *, max_open_per_user: int) -> None:
        self._journal = journal
        self._max_open_per_user = max_open_per_user
        self._live: dict[RunId, RunRecord] = {}
        self._live_of_user: dict[UserId, set[RunId]] = {}

    async def accept(self, user_id: UserId, request: RunRequest, *, agent_name: str) -> Acceptance:
        """Record a new run for `request`, or find the run that it has already (LIF-01).

        Raises Refusal: `not_found` if the thread must exist and does not, `rate_limited` if the user has too many
        open runs (ISO-12), and JournalFailed.
        """
        context = UserExecutionContext(
            user_id=user_id,
            thread_id=ThreadId(request.thread_id or self.new_id()),
            run_id=RunId(self.new_id()),
            request_id=request.request_id,
            agent_name=request.agent or agent_name,
            traceparent=new_traceparent(),
        )
        record = RunRecord(context, request.message)
        may_insert = self.open_runs(user_id) < self._max_open_per_user
        self._add(record)
        outcome = None
        try:
            outcome, accepted = await self._journal.accept(
                NewRun(context, request.message),
                may_insert=may_insert,
                thread_must_exist=request.thread_must_exist,
                owns_thread=request.owns_thread,
            )
        finally:
            if outcome is not AcceptOutcome.NEW:
                self._remove(record)
        if outcome is AcceptOutcome.NO_THREAD:
            raise Refusal.not_found()
        if outcome is AcceptOutcome.LIMIT:
            raise Refusal.rate_limited(f"You have {self._max_open_per_user} open runs: wait until one has ended.")
        if outcome is AcceptOutcome.DUPLICATE:
            return Acceptance(accepted.context, True, None)
        return Acceptance(context, False, record)

    def new_id(self) -> str:
        """The id of a new run or thread."""
        return new_id()

    def get(self, user_id: UserId, run_id: str) -> RunRecord | None:
        """The live run of this user with this id; None also if it is somebody else's (ACC-04)."""
        record = self._live.get(RunId(run_id))
        return record if record is not None and record.context.user_id == user_id else None

    def live_runs(self, user_id: UserId, thread_id: str | None = None) -> list[RunId]:
        """The ids of this user's live runs, of all or on one thread."""
        of_user = self._live_of_user.get(user_id, ())
        return [run_id for run_id in of_user if thread_id in (None, self._live[run_id].context.thread_id)]

    async def find(self, user_id: UserId, run_id: str) -> StoredRun:
        """The run of this user with this id, live or ended. Raises Refusal `not_found` (ACC-04)."""
        run = await self._journal.find_run(user_id, run_id)
        if run is None:
            raise Refusal.not_found()
        return run

    def open_runs(self, user_id: UserId | None = None) -> int:
        """How many runs are live, of one user or of all."""
        return len(self._live) if user_id is None else len(self._live_of_user.get(user_id, ()))

    def note_delivered(self, event: Event) -> None:
        """Take note that the readers have `event`; forget the run after its last one (LIF-07)."""
        record = self._live.get(event.run_id)
        if record is None:
            return
        record.note_delivered(event)
        if event.type.terminal:
            self._remove(record)

    def _add(self, record: RunRecord) -> None:
        self._live[record.context.run_id] = record
        self._live_of_user.setdefault(record.context.user_id, set()).add(record.context.run_id)

    def _remove(self, record: RunRecord) -> None:
        user_id, run_id = record.context.user_id, record.context.run_id
        del self._live[run_id]
        self._live_of_user[user_id].discard(run_id)
        if not self._live_of_user[user_id]:
            del self._live_of_user[user_id]
