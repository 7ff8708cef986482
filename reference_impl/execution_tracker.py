"""Which runs are live, whose they are, and in which state each is."""

import time
from collections import Counter

from reference_impl.context import RunId, ThreadId, UserExecutionContext, UserId
from reference_impl.emitter import UserEventEmitter
from reference_impl.run import ExecutionState, Interruption


class Execution:
    """One live run: from its acceptance until its terminal event is delivered."""

    def __init__(self, context: UserExecutionContext, message: str) -> None:
        self.context = context
        self.message = message
        self.state = ExecutionState.QUEUED
        self.working_since: float | None = None
        """When its agent began (seconds, monotonic); None before and after its work."""
        self.interruption: Interruption | None = None
        self.emitter: UserEventEmitter | None = None

    def enter(self, state: ExecutionState) -> None:
        """Be in `state` from now on."""
        self.state = state

    @property
    def ended(self) -> bool:
        """Whether the terminal event is delivered."""
        return self.state.final


class ExecutionTracker:
    """The live runs of the process, by id and by user. Only `AgentExecutionRegistry` changes it."""

    def __init__(self) -> None:
        self._live: dict[RunId, Execution] = {}
        self._of_user: dict[UserId, dict[RunId, Execution]] = {}
        self.ended: Counter[ExecutionState] = Counter()

    def add(self, execution: Execution) -> None:
        """Begin to track a run."""
        context = execution.context
        self._live[context.run_id] = execution
        self._of_user.setdefault(context.user_id, {})[context.run_id] = execution

    def remove(self, execution: Execution) -> None:
        """Forget a run and all that belongs to it (LIF-07)."""
        context = execution.context
        del self._live[context.run_id]
        of_user = self._of_user[context.user_id]
        del of_user[context.run_id]
        if not of_user:
            del self._of_user[context.user_id]

    def end(self, execution: Execution, state: ExecutionState) -> None:
        """A run has reached its final `state`: forget it but for the count."""
        execution.enter(state)
        self.ended[state] += 1
        self.remove(execution)

    def get(self, run_id: str) -> Execution | None:
        """The live run with this id, None if there is none."""
        return self._live.get(RunId(run_id))

    def of_user(self, user_id: UserId, thread_id: ThreadId | str | None = None) -> list[Execution]:
        """This user's live runs, all or those on one thread."""
        executions = self._of_user.get(user_id, {}).values()
        return [each for each in executions if thread_id in (None, each.context.thread_id)]

    def count(self, user_id: UserId | None = None) -> int:
        """How many runs are live, of one user or of all."""
        return len(self._live) if user_id is None else len(self._of_user.get(user_id, ()))

    def states(self) -> Counter[ExecutionState]:
        """How many live runs are in each state."""
        return Counter(execution.state for execution in self._live.values())

    def users(self) -> int:
        """How many users have live runs."""
        return len(self._of_user)

    def stale(self, *, older_than_s: float) -> list[Execution]:
        """Runs whose agents have been at work for longer than that."""
        before = time.monotonic() - older_than_s
        return [each for each in self._live.values() if each.working_since is not None and each.working_since < before]
