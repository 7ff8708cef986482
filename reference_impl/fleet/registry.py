"""The runs that this engine knows of: its own, and those elsewhere of users who are connected here."""

from collections.abc import Iterator

from reference_impl.context import RunId, UserExecutionContext, UserId
from reference_impl.delivery_tracker import EventDeliveryTracker
from reference_impl.events import Event
from reference_impl.execution_tracker import Execution
from reference_impl.journal import Journal
from reference_impl.registry import AgentExecutionRegistry
from reference_impl.run import ExecutionState, StoredRun

ENDED_KEPT = 4_096


class RunElsewhere(Execution):
    """A live run of another engine, and how far it was told here."""

    def __init__(self, context: UserExecutionContext, *, told_seq: int) -> None:
        super().__init__(context, "")
        self.told_seq = told_seq


class Elsewhere:
    """Live runs of other engines, of the users that are watched here, each until its terminal event came here."""

    def __init__(self, delivery: EventDeliveryTracker) -> None:
        self._delivery = delivery
        self._of_user: dict[UserId, dict[RunId, RunElsewhere]] = {}
        self._ended: dict[RunId, None] = {}

    def watch(self, user_id: UserId) -> None:
        """Know this user's runs from now on."""
        self._of_user.setdefault(user_id, {})

    def unwatch(self, user_id: UserId) -> None:
        """Forget this user's runs."""
        for run_id in self._of_user.pop(user_id, {}):
            self._delivery.forget(run_id)

    def get(self, user_id: UserId, run_id: str) -> RunElsewhere | None:
        """The run of this user with this id."""
        return self._of_user.get(user_id, {}).get(RunId(run_id))

    def of_user(self, user_id: UserId) -> Iterator[RunElsewhere]:
        """This user's runs."""
        return iter(list(self._of_user.get(user_id, {}).values()))

    def adopt(self, context: UserExecutionContext, *, seq: int) -> RunElsewhere | None:
        """Know a run from its event after `seq` on; None if its user is not watched, or its end came here before."""
        of_user = self._of_user.get(context.user_id)
        if of_user is None or context.run_id in self._ended:
            return None
        if context.run_id not in of_user:
            of_user[context.run_id] = RunElsewhere(context, told_seq=seq)
            self._delivery.track(context.run_id)
        return of_user[context.run_id]

    def note_end(self, event: Event) -> None:
        """The readers here have the terminal `event`: forget its run."""
        self.note_ended(event.run_id)
        if run := self._of_user.get(event.user_id, {}).pop(event.run_id, None):
            run.enter(ExecutionState.of_ending(event.type))
            self._delivery.forget(event.run_id)

    def note_ended(self, run_id: RunId) -> None:
        """Remember for a while that a run is over, so that what comes late of it is known to be late."""
        self._ended[run_id] = None
        if len(self._ended) > ENDED_KEPT:
            del self._ended[next(iter(self._ended))]

    def __iter__(self) -> Iterator[RunElsewhere]:
        return iter([record for of_user in self._of_user.values() for record in of_user.values()])


class FleetRegistry(AgentExecutionRegistry):
    """A registry that also finds the runs elsewhere; limits count its own, which are all that a user has."""

    def __init__(self, journal: Journal, delivery: EventDeliveryTracker, *, max_open_per_user: int) -> None:
        super().__init__(journal, delivery, max_open_per_user=max_open_per_user)
        self.elsewhere = Elsewhere(delivery)

    def own(self, run_id: RunId) -> bool:
        """Whether the run is live in this process."""
        return self._executions.get(run_id) is not None

    def get(self, user_id: UserId, run_id: str) -> Execution | None:
        """The live run of this user with this id, here or elsewhere (ACC-04)."""
        return super().get(user_id, run_id) or self.elsewhere.get(user_id, run_id)

    def live_runs(self, user_id: UserId, thread_id: str | None = None) -> list[RunId]:
        """The ids of this user's live runs, here and elsewhere, of all or on one thread."""
        contexts = [run.context for run in self.elsewhere.of_user(user_id)]
        elsewhere = [context.run_id for context in contexts if thread_id in (None, context.thread_id)]
        return super().live_runs(user_id, thread_id) + elsewhere

    async def find(self, user_id: UserId, run_id: str) -> StoredRun:
        """The run of this user with this id, live or ended. Raises Refusal `not_found` (ACC-04).

        One that is open, and of which nothing has come here yet, is live from now on.
        """
        run = await super().find(user_id, run_id)
        if run.ending is None and not self.own(run.context.run_id):
            self.elsewhere.adopt(run.context, seq=0)
        return run

    def note_end(self, event: Event) -> None:
        """The readers here have the terminal `event` (LIF-07)."""
        super().note_end(event)
        self.elsewhere.note_end(event)
