"""Canonical events: what every dialect's frames are decoded into, and all that checks look at.

A run event is an envelope and a payload, as in the native protocol (five-events/1, Run events). A dialect that
has no such field leaves it None. Times are aware `datetime`s; what a field holds on the wire is the dialect's matter.
"""

from datetime import datetime
from enum import IntEnum, auto
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType


class Kind(IntEnum):
    """What a run event tells."""

    STARTED = auto()
    THINKING = auto()
    TOOL_STARTED = auto()
    TOOL_COMPLETED = auto()
    TEXT = auto()
    COMPLETED = auto()
    FAILED = auto()
    STOPPED = auto()
    OTHER = auto()
    TOOL_DEFERRED = auto()


class Struct(msgspec.Struct, frozen=True, gc=False):
    """Frozen data; free of reference cycles, so the garbage collector need not look at it."""


class StartedPayload(Struct, frozen=True):
    """`request_id` is the client's."""

    request_id: str | None


class ThinkingPayload(Struct, frozen=True):
    """What the agent says of its reasoning."""

    thought: str
    step: Any = None


class ToolStartedPayload(Struct, frozen=True):
    """A call about to run; `announced` where an earlier frame said that it comes, before its parameters were whole."""

    tool_name: str
    tool_call_id: str
    parameters: Any = None
    announced: bool = False


class ToolError(Struct, frozen=True):
    """Why a tool failed."""

    code: str
    message: str


class ToolCompletedPayload(Struct, frozen=True):
    """`result` and `error` are UNSET where the frame has no such field: a result may be null."""

    tool_name: str
    tool_call_id: str
    status: str | None = None
    result: Any = UNSET
    error: ToolError | UnsetType = UNSET
    duration_ms: float | None = None


class TextPayload(Struct, frozen=True):
    """A piece of the streamed answer."""

    text: str


class CompletedPayload(Struct, frozen=True):
    """The whole answer; UNSET where the dialect has no field for it, and nothing was said."""

    final_response: str | UnsetType | None
    duration_ms: float | None = None


class FailedPayload(Struct, frozen=True):
    """Why the run failed."""

    code: str | None
    message: str | None
    retryable: bool | None = None


class StoppedPayload(Struct, frozen=True):
    """Why the run was stopped."""

    reason: str | None = None


class RunEvent(Struct, frozen=True):
    """One event of one run.

    `terminal` tells whether it ends the run; `exact` whether its fields are all that its frame holds.
    """

    kind: ClassVar[Kind]
    terminal: ClassVar[bool] = False
    exact: ClassVar[bool] = False

    event_id: str | None
    run_id: str | None
    thread_id: str | None
    user_id: str | None
    seq: int | None
    timestamp: datetime | None
    agent_name: str | None

    if TYPE_CHECKING:

        @property
        def payload(self) -> Any:
            """What the kind of event carries; typed by each subclass."""

        @property
        def traceparent(self) -> str | None:
            """The W3C trace context, where the frame has one."""


class RunStarted(RunEvent, frozen=True):
    """A run began."""

    kind = Kind.STARTED
    payload: StartedPayload
    traceparent: str | None = None


class Thinking(RunEvent, frozen=True):
    """The agent reasons."""

    kind = Kind.THINKING
    payload: ThinkingPayload
    traceparent: str | None = None


class ToolStarted(RunEvent, frozen=True):
    """A tool is about to run."""

    kind = Kind.TOOL_STARTED
    payload: ToolStartedPayload
    traceparent: str | None = None


class ToolCompleted(RunEvent, frozen=True):
    """A tool ended, well or not."""

    kind = Kind.TOOL_COMPLETED
    payload: ToolCompletedPayload
    traceparent: str | None = None


class ToolCompletedElsewhere(ToolCompleted, frozen=True):
    """A tool ended whose call may have been made by an earlier run, which was not seen."""


class TextDelta(RunEvent, frozen=True):
    """The answer goes on."""

    kind = Kind.TEXT
    payload: TextPayload
    traceparent: str | None = None


class RunCompleted(RunEvent, frozen=True):
    """Terminal: the run succeeded."""

    kind = Kind.COMPLETED
    terminal = True
    payload: CompletedPayload
    traceparent: str | None = None


class RunFailed(RunEvent, frozen=True):
    """Terminal: the run failed."""

    kind = Kind.FAILED
    terminal = True
    payload: FailedPayload
    traceparent: str | None = None


class RunStopped(RunEvent, frozen=True):
    """Terminal: the run was stopped."""

    kind = Kind.STOPPED
    terminal = True
    payload: StoppedPayload
    traceparent: str | None = None


class OtherRunEvent(RunEvent, frozen=True):
    """A run's event whose type the dialect does not know: legal where its name is namespaced."""

    kind = Kind.OTHER
    type: str
    traceparent: str | None = None


class ToolDeferredPayload(Struct, frozen=True):
    """A call that is the client's to run, or to allow."""

    tool_name: str
    tool_call_id: str


class ToolDeferred(RunEvent, frozen=True):
    """The run ends before this call is run: what comes of it belongs to another run."""

    kind = Kind.TOOL_DEFERRED
    payload: ToolDeferredPayload
    traceparent: str | None = None


class Ready(Struct, frozen=True):
    """The server's greeting on a new connection, with what it announces."""

    connection_id: str | None = None
    user_id: str | None = None
    protocol: str | None = None
    server_time: datetime | None = None
    heartbeat_s: float | None = None
    capabilities: tuple[str, ...] | None = None
    run_limit_s: float | None = None
    message_bytes: int | None = None


class Accepted(Struct, frozen=True):
    """The answer to a request to run. `exact` tells whether its fields are all that its frame holds."""

    exact: ClassVar[bool] = False

    run_id: str | None
    thread_id: str | None
    request_id: str | None
    duplicate: bool = False


class Refusal(Struct, frozen=True):
    """The answer to a request that is not carried out."""

    code: str | None
    message: str | None
    request_id: str | None = None


class Pong(Struct, frozen=True):
    """The answer to a ping."""

    correlation_id: str | None = None


class Heartbeat(Struct, frozen=True):
    """A frame that only shows that the peer is alive."""


class Unknown(Struct, frozen=True):
    """A frame of a type that the dialect does not know and that belongs to no run."""

    type: str | None


class Flaw(Struct, frozen=True):
    """What a decoder found wrong with a frame's form; decided under `requirement` (a SCH or IDN id)."""

    requirement: Literal["SCH-01", "SCH-02", "SCH-03", "IDN-01"]
    field: str
    expected: str
    actual: str


class Violation(Struct, frozen=True):
    """A rule of the dialect's own that a frame breaks, found by its decoder: a finding but for its evidence."""

    requirement: str
    message: str
    expected: str
    actual: str
    run_id: str | None = None


Event = RunEvent | Ready | Accepted | Refusal | Pong | Heartbeat | Unknown | Flaw | Violation
