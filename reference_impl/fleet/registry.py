"""The runs that this engine knows of: its own, and those elsewhere of users who are connected here."""

from collections.abc import Iterator

from reference_impl.context import RunId, UserExecutionContext, UserId
from reference_impl.events import Event
from reference_impl.journal import Journal
from reference_impl.registry import AgentExecutionRegistry, RunRecord
from reference_impl.run import StoredRun

ENDED_KEPT = 4_096


class Elsewhere:
    """Live runs of other engines, of the users that are watched here, each until its terminal event came here."""

    def __init__(self) -> None:
        self._of_user: dict[UserId, dict[RunId, RunRecord]] = {}
        self._ended: dict[RunId, None] = {}

    def watch(self, user_id: UserId) -> None:
        """Know this user's runs from now on."""
        self._of_user.setdefault(user_id, {})

    def unwatch(self, user_id: UserId) -> None:
        """Forget this user's runs."""
        self._of_user.pop(user_id, None)

    def get(self, user_id: UserId, run_id: str) -> RunRecord | None:
        """The run of this user with this id."""
        return self._of_user.get(user_id, {}).get(RunId(run_id))

    def of_user(self, user_id: UserId) -> Iterator[RunRecord]:
        """This user's runs."""
        return iter(list(self._of_user.get(user_id, {}).values()))

    def adopt(self, context: UserExecutionContext, *, seq: int) -> RunRecord | None:
        """Know a run from its event after `seq` on; None if its user is not watched, or its end came here before."""
        of_user = self._of_user.get(context.user_id)
        if of_user is None or context.run_id in self._ended:
            return None
        if context.run_id not in of_user:
            record = of_user[context.run_id] = RunRecord(context, "")
            record.delivered_seq = seq
        return of_user[context.run_id]

    def note_delivered(self, event: Event) -> None:
        """Take note that the readers here have `event`; forget the run after its last one."""
        if record := self.get(event.user_id, event.run_id):
            record.note_delivered(event)
        if event.type.terminal:
            self.note_ended(event.run_id)
            self._of_user.get(event.user_id, {}).pop(event.run_id, None)

    def note_ended(self, run_id: RunId) -> None:
        """Remember for a while that a run is over, so that what comes late of it is known to be late."""
        self._ended[run_id] = None
        if len(self._ended) > ENDED_KEPT:
            del self._ended[next(iter(self._ended))]

    def __iter__(self) -> Iterator[RunRecord]:
        return iter([record for of_user in self._of_user.values() for record in of_user.values()])


class FleetRegistry(AgentExecutionRegistry):
    """A registry that also finds the runs elsewhere; limits count its own, which are all that a user has."""

    def __init__(self, journal: Journal, *, max_open_per_user: int) -> None:
        super().__init__(journal, max_open_per_user=max_open_per_user)
        self.elsewhere = Elsewhere()

    def own(self, run_id: RunId) -> bool:
        """Whether the run is live in this process."""
        return run_id in self._live

    def get(self, user_id: UserId, run_id: str) -> RunRecord | None:
        """The live run of this user with this id, here or elsewhere (ACC-04)."""
        return super().get(user_id, run_id) or self.elsewhere.get(user_id, run_id)

    def live_runs(self, user_id: UserId, thread_id: str | None = None) -> list[RunId]:
        """The ids of this user's live runs, here and elsewhere, of all or on one thread."""
        contexts = [record.context for record in self.elsewhere.of_user(user_id)]
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

    def note_delivered(self, event: Event) -> None:
        """Take note that the readers here have `event` (LIF-07)."""
        super().note_delivered(event)
        self.elsewhere.note_delivered(event)
