"""What a run is: its state, what was asked, and what the journal knows of it."""

from collections.abc import Sequence
from enum import Enum, StrEnum, auto
from typing import Any

import msgspec

from reference_impl.context import UserExecutionContext
from reference_impl.events import EventType


class ExecutionState(StrEnum):
    """The life of a run. Each state but the first two is final."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def final(self) -> bool:
        """Whether the run is over."""
        return self not in (ExecutionState.QUEUED, ExecutionState.RUNNING)

    @classmethod
    def of_ending(cls, type: EventType) -> "ExecutionState":
        """The state that a terminal event of `type` brings."""
        return _ENDINGS[type]


_ENDINGS = {
    EventType.AGENT_COMPLETED: ExecutionState.COMPLETED,
    EventType.AGENT_ERROR: ExecutionState.FAILED,
    EventType.AGENT_STOPPED: ExecutionState.STOPPED,
}


class Interruption(StrEnum):
    """Why a run is ended from outside. The value is the error code that its open tools get (EVT-05)."""

    STOPPED = "stopped"
    TIMEOUT = "timeout"
    SHUTDOWN = "shutdown"


class AcceptOutcome(Enum):
    """What became of a request to run."""

    NEW = auto()
    DUPLICATE = auto()
    NO_THREAD = auto()
    LIMIT = auto()


class NewRun(msgspec.Struct, frozen=True):
    """A run as it is accepted."""

    context: UserExecutionContext
    message: str


class StoredRun(msgspec.Struct, frozen=True):
    """A run as the journal has it. `number` orders runs by when they were accepted; `ending` is None while open."""

    number: int
    context: UserExecutionContext
    ending: EventType | None

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> "StoredRun":
        """From (number, run_id, user_id, thread_id, request_id, agent_name, traceparent, ending)."""
        number, run_id, user_id, thread_id, request_id, agent_name, traceparent, ending = row
        context = UserExecutionContext(
            user_id=user_id,
            thread_id=thread_id,
            run_id=run_id,
            request_id=request_id,
            agent_name=agent_name,
            traceparent=traceparent,
        )
        return cls(number, context, None if ending is None else EventType(ending))
