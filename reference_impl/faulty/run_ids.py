"""Faults of run ids: guessed, used twice, exchanged on the way, taken for something else."""

import time
import uuid
from collections.abc import Mapping
from itertools import count
from typing import Any, ClassVar

import msgspec

from reference_impl.connection import Connection
from reference_impl.context import RunId, UserId, new_id
from reference_impl.emitter import UserEventEmitter
from reference_impl.events import Event, EventType
from reference_impl.faulty.fault import fault
from reference_impl.faulty.rewriting import rewritten
from reference_impl.messages import RequestContext, accepted_payload, encode_answer
from reference_impl.registry import Acceptance, AgentExecutionRegistry
from reference_impl.session import ClientSession
from reference_impl.websocket_manager import WebSocketManager


@fault(
    "counted-run-ids",
    "Run ids are counted: who has one knows those of the runs before and after it.",
    stands_for="The key of a table, or a counter of the process, shown as an id; it begins anew after a restart.",
    breaks=("IDN-05",),
)
class CountedRunIds(AgentExecutionRegistry):
    """Has a ticket machine."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._numbers = count(10_000_001)

    def new_id(self) -> str:
        """The next number."""
        return f"run-{next(self._numbers)}"


@fault(
    "run-ids-of-user-and-agent",
    "A run's id is made of its user, its agent and the time: nothing in it is random.",
    stands_for='f"{user_id}_{agent_type}_{timestamp}" as an id that also says something.',
    breaks=("IDN-05",),
)
class RunIdsOfUserAndAgent(AgentExecutionRegistry):
    """Likes ids that can be read."""

    _for = ""

    async def create_execution_context(
        self, agent_type: str, user_id: UserId, message: str, context: RequestContext
    ) -> Acceptance:
        """Record a new run, or find the one that `context` asks for again."""
        self._for = f"{user_id}_{agent_type}"
        return await super().create_execution_context(agent_type, user_id, message, context)

    def new_id(self) -> str:
        """An id that says whose it is and since when."""
        return f"{self._for}_{time.time_ns()}"


@fault(
    "clocked-run-ids",
    "Run ids are UUIDs of version 1: the time and the machine's address.",
    stands_for="uuid1 where uuid4 was meant.",
    breaks=("IDN-05",),
)
class ClockedRunIds(AgentExecutionRegistry):
    """Looks at the clock."""

    def new_id(self) -> str:
        """The time, as an id."""
        return str(uuid.uuid1())


@fault(
    "exchanged-run-id",
    "From the first piece of the answer on, events carry an id that the agent's framework gave the run.",
    stands_for="Callbacks that know a framework's own run id only, mapped back in some handlers and not in others.",
    breaks=("IDN-03", "EVT-02", "LIF-04", "LIF-05", "LIF-06", "DLV-05", "DLV-08"),
)
class ExchangedRunId(UserEventEmitter):
    """Has two names for one thing."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._inner: str | None = None

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event, under the run's id until the answer begins."""
        event = super().encode(type, payload)
        if type is EventType.MESSAGE_CHUNK and self._inner is None:
            self._inner = new_id()
        return event if self._inner is None else rewritten(event, run_id=self._inner)


class Prepared:
    """The context that was made with a thread, for its first run, and used for the next one, too."""

    of_thread: ClassVar[dict[str, list[str]]] = {}

    @classmethod
    def run_id(cls, thread_id: str, run_id: str) -> str:
        """The run id under which a run of this thread is told."""
        runs = cls.of_thread.setdefault(thread_id, [])
        if run_id not in runs:
            runs.append(run_id)
        return runs[0] if runs.index(run_id) == 1 else run_id


class AnnouncedAsPrepared(ClientSession):
    """Announces a run by the id that was there for it."""

    def _announce(self, acceptance: Acceptance) -> None:
        context = acceptance.context
        run_id = RunId(Prepared.run_id(context.thread_id, context.run_id))
        prepared = msgspec.structs.replace(context, run_id=run_id)
        payload = accepted_payload(prepared, duplicate=acceptance.duplicate)
        self._connection.offer(encode_answer("run_accepted", payload))


@fault(
    "run-id-used-twice",
    "The second run of a thread has the run id of the first.",
    stands_for="A context made ahead of time and kept in the session, for whatever comes next on it.",
    breaks=("IDN-04",),
    with_parts=(AnnouncedAsPrepared,),
)
class RunIdUsedTwice(UserEventEmitter):
    """Makes use of what is there."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event, in the name of the run that was prepared."""
        event = super().encode(type, payload)
        return rewritten(event, run_id=Prepared.run_id(self.context.thread_id, self.context.run_id))


@fault(
    "run-id-as-recipient",
    "Events are addressed to the run instead of its user, so that no connection gets any.",
    stands_for="emit(run_id, event) where emit(user_id, event) was meant: both are strings.",
    breaks=("EVT-02", "EVT-10", "LIF-02", "LIF-03", "LIF-04", "DLV-08"),
)
class RunIdAsRecipient(WebSocketManager):
    """Writes the letter's number on the envelope."""

    def recipients(self, event: Event) -> list[Connection]:
        """The connections of the user who is called like the run."""
        return list(self._by_user.get(UserId(event.run_id), {}).values())
