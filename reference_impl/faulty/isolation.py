"""Faults of isolation: what belongs to one user, or to each, and is shared by all."""

from collections.abc import Mapping
from typing import Any, ClassVar

from reference_impl.agent import ModelAgent
from reference_impl.agent_run import AgentRun
from reference_impl.connection import Connection
from reference_impl.context import RunId, ThreadId, UserId
from reference_impl.emitter import UserEventEmitter
from reference_impl.events import Event, EventType
from reference_impl.execution_tracker import Execution
from reference_impl.faulty.fault import fault
from reference_impl.journal import Journal
from reference_impl.model import Prompt
from reference_impl.registry import AgentExecutionRegistry
from reference_impl.run import AcceptOutcome, NewRun
from reference_impl.websocket_manager import WebSocketManager


@fault(
    "cross-user-leak",
    "All runs gather their answer in one buffer: with two at once, one user's answer holds the other's text.",
    stands_for="One agent object for all users, made at start, that keeps the answer so far on itself.",
    breaks=("ISO-01", "ISO-10", "EVT-15"),
)
class CrossUserLeak(UserEventEmitter):
    """One of many who write into the same buffer."""

    answer: ClassVar[list[str]] = []

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event; a completion carries what is in the buffer."""
        if type is EventType.AGENT_STARTED:
            self.answer.clear()
        elif type is EventType.MESSAGE_CHUNK:
            self.answer.append(payload["text"])
        elif type is EventType.AGENT_COMPLETED:
            payload = {**payload, "final_response": "".join(self.answer)}
        return super().encode(type, payload)


@fault(
    "broadcast",
    "Every event goes to every connection, whoever's it is.",
    stands_for="A broadcast helper used as the way to send, with the filter by user left to the client.",
    breaks=("ISO-01", "ISO-02", "ISO-03", "ISO-10"),
)
class Broadcast(WebSocketManager):
    """Tells everybody everything."""

    def recipients(self, event: Event) -> list[Connection]:
        """All connections."""
        return list(self)


@fault(
    "thread-without-user",
    "A thread is looked up by its id alone: who names another user's thread gets into it.",
    stands_for="A cache or query keyed by thread_id, since thread ids are unique anyway.",
    breaks=("ISO-01", "ISO-07"),
)
class ThreadWithoutUser(Journal):
    """Asks which thread, not whose."""

    async def accept(
        self, run: NewRun, *, may_insert: bool, thread_must_exist: bool, owns_thread: bool = False
    ) -> tuple[AcceptOutcome, NewRun]:
        """Record an accepted run, on any thread."""
        return await super().accept(run, may_insert=may_insert, thread_must_exist=False)

    async def earlier_messages(self, run_id: RunId, user_id: UserId, thread_id: ThreadId) -> list[tuple[str, str]]:
        """(message, answer) of the runs of anybody on the thread before `run_id`, newest first."""
        return await self._earlier(run_id, "thread_id = ?", thread_id)


@fault(
    "shared-run-limit",
    "The limit of open runs is that of the process: one user who uses it up locks all others out.",
    stands_for="A semaphore or counter for the whole process where one for each user is meant.",
    breaks=("ISO-12",),
)
class SharedRunLimit(AgentExecutionRegistry):
    """Counts everybody's runs against each."""

    def open_runs(self, user_id: UserId | None = None) -> int:
        """How many runs are live, of all users."""
        return super().open_runs()


@fault(
    "memory-without-user",
    "What an agent is told to remember is kept by its key alone: every agent recalls what any was told.",
    stands_for="A cache of the session without the user in its key.",
    breaks=("ISO-01", "ISO-04"),
)
class MemoryWithoutUser(Journal):
    """Asks what, not whose."""

    _kept: ClassVar[dict[str, str]] = {}

    async def remember(self, user_id: UserId, thread_id: ThreadId, key: str, value: str) -> None:
        """Keep `value` under `key`."""
        self._kept.setdefault(key, value)

    async def recall(self, user_id: UserId, thread_id: ThreadId, key: str) -> str | None:
        """What anybody was told under `key`."""
        return self._kept.get(key)


class NotesWhatComes(AgentRun):
    """Keeps the newest message of each thread, from before its run begins."""

    newest: ClassVar[dict[ThreadId, str]] = {}

    def __init__(self, execution: Execution, *args: Any, **options: Any) -> None:
        super().__init__(execution, *args, **options)
        self.newest[execution.context.thread_id] = execution.message


@fault(
    "queue-shown",
    "An agent is shown the messages that wait on its thread, and answers them, too.",
    stands_for="A prompt made of all messages that the thread has when the model is called.",
    breaks=("ISO-05",),
    with_parts=(NotesWhatComes,),
)
class QueueShown(ModelAgent):
    """Reads ahead."""

    async def run(self, prompt: Prompt) -> str:
        """Follow the model, then look what has come meanwhile."""
        answer = await super().run(prompt)
        newest = NotesWhatComes.newest[prompt.context.thread_id]
        if newest != prompt.message:
            self.think(f"There is more to do: {newest}")
        return answer


@fault(
    "last-error-shown",
    "The error of a run that fails names the run that failed before it, and its user.",
    stands_for="An error kept on an object that all share, and shown whole.",
    breaks=("ISO-11", "ISO-02", "ISO-10"),
)
class LastErrorShown(UserEventEmitter):
    """Compares notes."""

    _before: ClassVar[list[str]] = []

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event; an error with the one before it."""
        if type is EventType.AGENT_ERROR:
            payload = {**payload, "message": "; after ".join([payload["message"], *self._before])}
            self._before[:] = [f"run {self.context.run_id} of {self.context.user_id}"]
        return super().encode(type, payload)
