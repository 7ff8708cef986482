"""The operations that a history is made of.

`at` is the time of an operation in microseconds since the history began, from a monotonic clock; the header says when
that was. `conn` numbers a connection (a WebSocket, or one HTTP exchange) and is never reused within a history.
"""

from enum import StrEnum
from typing import Any

import msgspec

from conformance.bounds import Bounds

FORMAT = 1


class Header(msgspec.Struct, frozen=True, tag_field="op", tag="history"):
    """The first line: everything that judging needs besides the operations.

    `began_us` is wall-clock time in microseconds since 1970. `capabilities` is None where the target file declares
    none: then what the target announces counts, else what the dialect implies. `granted` are capabilities that come
    from how the kit drives the target (jwt, managed). Not `timed` is what was recorded without the times of arrival.
    `mapping` is the mapping file's text where that is what describes the dialect.
    """

    format: int
    kit: str
    catalogue: int
    began_us: int
    target: str
    dialect: str
    seed: int | None = None
    command: str = "verify"
    profile: str | None = None
    capabilities: tuple[str, ...] | None = None
    granted: tuple[str, ...] = ()
    bounds: Bounds = Bounds()
    same_clock: bool = False
    timed: bool = True
    repeat: str | None = None
    only: tuple[str, ...] = ()
    mapping: str | None = None


class Operation(msgspec.Struct, frozen=True, gc=False, tag_field="op", omit_defaults=True):
    """Something that happened, at `at` microseconds since the history began."""

    at: int


class ScenarioBegan(Operation, frozen=True, tag="scenario_began"):
    """The kit begins to drive a scenario."""

    scenario: str
    title: str = ""


class ScenarioEnded(Operation, frozen=True, tag="scenario_ended"):
    """`problem` says why the kit could not drive the scenario to its end, if so."""

    scenario: str
    problem: str | None = None


class UserJoined(Operation, frozen=True, tag="user_joined"):
    """A fresh user of the kit's: `user` is the kit's name for it and, where the kit mints tokens, the token's `sub`."""

    user: str
    scenario: str | None = None


class Credentials(StrEnum):
    """What a connection shows of itself."""

    VALID = "valid"
    NONE = "none"
    GARBAGE = "garbage"
    EXPIRED = "expired"
    FORGED = "forged"
    UNSIGNED = "unsigned"
    SHORT_LIVED = "short_lived"


class Connecting(Operation, frozen=True, tag="connecting"):
    """The kit opens a connection. `url` holds no secret. `expires_at` (µs) is when short-lived credentials end.

    `proxied` where it leads through the kit's own proxy, whose delays are no fault of the target's.
    """

    conn: int
    user: str | None
    url: str
    method: str = "websocket"
    accept: str = ""
    credentials: Credentials = Credentials.VALID
    origin: str | None = None
    expires_at: int | None = None
    ask: int | None = None
    answers_pings: bool = True
    scenario: str | None = None
    proxied: bool = False


class Connected(Operation, frozen=True, tag="connected"):
    """The target accepted: HTTP status 101, or the response's status. Header names are in lower case.

    `body` is what an HTTP response holds, where it is no stream of events (at most 64 KiB).
    """

    conn: int
    status: int = 101
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


class Refused(Operation, frozen=True, tag="refused"):
    """The target answered an upgrade or exchange with an HTTP error (status), or not at all (status None)."""

    conn: int
    status: int | None
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""

    @property
    def raw(self) -> bytes:
        """What the target said: the body, or else the status line."""
        return (self.body or f"HTTP {self.status} {self.reason}".rstrip()).encode()


class ClosedBy(StrEnum):
    """Who ended a connection. What a fault of the kit's broke, in its proxy or in the target's process, is the KIT."""

    KIT = "kit"
    TARGET = "target"
    NETWORK = "network"


TAKEN_FOR_DEAD = frozenset({1006, 1011})
"""Close codes of a connection that answered no ping: none, or "keepalive ping timeout"."""


class Closed(Operation, frozen=True, tag="closed"):
    """A connection ended; `code` is the WebSocket close code."""

    conn: int
    by: ClosedBy
    code: int | None = None
    reason: str = ""

    @property
    def raw(self) -> bytes:
        """Nothing: where a dialect has the end of a connection end a run, no frame says so."""
        return b""


class Frame(Operation, frozen=True):
    """A frame as it was on the wire, byte for byte (but for the kit's own secrets, which are replaced by a marker).

    A frame that is one line of JSON stands in the history as it is (`frame`); any other text as a string (`text`),
    anything else as base64 (`binary`).
    """

    conn: int
    frame: msgspec.Raw = msgspec.Raw(b"")
    text: str | None = None
    binary: bytes | None = None

    @property
    def raw(self) -> bytes:
        """The frame's bytes."""
        if self.text is not None:
            return self.text.encode()
        if self.binary is not None:
            return self.binary
        return bytes(self.frame)


class Sent(Frame, frozen=True, tag="sent"):
    """A frame to the target."""


class Received(Frame, frozen=True, tag="received"):
    """A frame from the target."""


class Pinged(Operation, frozen=True, tag="pinged"):
    """The target showed life at the transport's level: a WebSocket ping, or an SSE comment."""

    conn: int


class Action(StrEnum):
    """What the kit asks the target to do."""

    START = "start"
    CONTINUE = "continue"
    STOP = "stop"
    RESUME = "resume"
    READ = "read"
    PING = "ping"
    GARBAGE = "garbage"
    UNKNOWN_TYPE = "unknown_type"
    OVERSIZE = "oversize"


class Asked(Operation, frozen=True, tag="asked"):
    """What the kit asked for, in the kit's own terms; the frame that says it to the target follows as `Sent`.

    `ask` numbers the question. `script` is what the model was told to do (five-events/1, The script), None where the
    target's model is not scripted. `owner` is the user whose thread or run is named, where that is not the asker;
    the empty string means that what is named does not exist. `planted` are fields put into the payload that no envelope
    may take over, `impersonates` a user id put there. `due` is when it should have been asked, where that is earlier:
    under load users come when they are due, but a connection must be open first.
    """

    ask: int
    conn: int
    user: str
    action: Action
    request_id: str | None = None
    thread_id: str | None = None
    run_id: str | None = None
    after_seq: int | None = None
    canary: str | None = None
    behaviour: str | None = None
    script: list[dict[str, Any]] | None = None
    owner: str | None = None
    planted: dict[str, str] | None = None
    impersonates: str | None = None
    due: int | None = None


class Awaited(StrEnum):
    """What the kit was waiting for."""

    ANSWER = "answer"
    STARTED = "started"
    TERMINAL = "terminal"
    REFUSAL = "refusal"
    READY = "ready"
    HEARTBEAT = "heartbeat"
    CLOSE = "close"


class GaveUp(Operation, frozen=True, tag="gave_up"):
    """The kit stopped waiting.

    `late` if that says nothing of the target: the kit's own event loop had been late meanwhile, or it waited only a
    moment, for what had not come before.
    """

    conn: int
    awaited: Awaited
    waited_ms: int
    ask: int | None = None
    run_id: str | None = None
    late: bool = False


class Reading(Operation, frozen=True, tag="reading"):
    """The kit stopped (`paused`) or went on reading from a connection."""

    conn: int
    paused: bool


class Lagged(Operation, frozen=True, tag="lagged"):
    """The kit's own event loop was late by `by_ms`: times seen in that stretch say nothing of the target."""

    by_ms: float


class FaultKind(StrEnum):
    """What the kit does to the network between a user and the target; or (TERMINATE and below) to its process."""

    DELAY = "delay"
    THROTTLE = "throttle"
    STALL = "stall"
    CUT = "cut"
    RESET = "reset"
    TEAR = "tear"
    HALF_OPEN = "half_open"
    TERMINATE = "terminate"
    KILL = "kill"
    FREEZE = "freeze"


PROCESS_FAULTS = frozenset({FaultKind.TERMINATE, FaultKind.KILL, FaultKind.FREEZE})


class FaultBegan(Operation, frozen=True, tag="fault_began"):
    """The kit begins to disturb `user`'s connections through its proxy, or the target's process.

    `fault` numbers the faults. `detail` says how much, in words. A cut with FIN is a CUT, one with RST a RESET, one in
    the middle of a frame a TEAR. Of a HALF_OPEN connection neither end is told, and nothing passes any more.
    """

    fault: int
    kind: FaultKind
    user: str | None = None
    detail: str = ""


class FaultEnded(Operation, frozen=True, tag="fault_ended"):
    """The disturbance is over: what it cut stays cut, a process that was ended is ready again.

    `problem` says what did not go as it should: the process had to be killed, or did not come back.
    """

    fault: int
    problem: str | None = None


class Footprint(Operation, frozen=True, tag="footprint"):
    """What the target's processes hold when no connection of the kit's is open.

    `descriptors` are their open files and sockets, `memory_kib` is their resident memory; None where the connections
    before left something that may be kept.
    """

    descriptors: int
    memory_kib: int | None = None


class CallEnd(StrEnum):
    """How a call ended. A client is gone when it closed the connection, or cancelled the call, before the answer."""

    COMPLETED = "completed"
    FAILED = "failed"
    CLIENT_GONE = "client_gone"
    SHUT_DOWN = "shut_down"


class SeenText(msgspec.Struct, frozen=True, gc=False):
    """One message as the model was shown it; the `role` of anything else is the name of its field or item type.

    Of a long one only the beginning is kept, and every canary in it.
    """

    role: str
    text: str


class EmittedCall(msgspec.Struct, frozen=True, gc=False):
    """A tool call that the model asked for. `arguments` is JSON as it was emitted, on purpose not always valid."""

    id: str
    name: str
    arguments: str


class ModelCallBegan(Operation, frozen=True, tag="model_call_began"):
    """The target asked its model.

    `call` numbers model and tool calls together. `seen` is all that the model was shown, `newest` the index in it of
    the message that it obeys and `canary` the canary of that. `offered` names the tools. `user`, `run_id` and
    `thread_id` are what the target calls them, where it says so (fields of the request, or X-… headers).
    """

    call: int
    endpoint: str
    model: str = ""
    stream: bool = False
    seen: tuple[SeenText, ...] = ()
    newest: int | None = None
    canary: str | None = None
    offered: tuple[str, ...] = ()
    user: str | None = None
    run_id: str | None = None
    thread_id: str | None = None


class ModelCallEnded(Operation, frozen=True, tag="model_call_ended"):
    """The model's answer. `steps` are the indices, from 0, of the steps of the script that it answered or began to.

    `thoughts`, `text` and `tool_calls` are what was emitted, also by a call that did not complete. `status` is the
    HTTP status of the answer, `error` why the call failed: because the script says so, or because of the request.
    """

    call: int
    end: CallEnd
    steps: tuple[int, ...] = ()
    thoughts: tuple[str, ...] = ()
    text: str = ""
    tool_calls: tuple[EmittedCall, ...] = ()
    status: int = 200
    error: str | None = None


class ToolCallBegan(Operation, frozen=True, tag="tool_call_began"):
    """The target called a tool, by `via` ("http" or "mcp"), with these `arguments`: an object, or what came instead."""

    call: int
    tool: str
    arguments: Any = None
    via: str = "http"
    user: str | None = None
    run_id: str | None = None
    thread_id: str | None = None
    tool_call_id: str | None = None


class ToolCallEnded(Operation, frozen=True, tag="tool_call_ended"):
    """What the tool returned (`result`), or why it failed (`error`)."""

    call: int
    end: CallEnd
    result: str | None = None
    error: str | None = None


AnyOperation = (
    ScenarioBegan
    | ScenarioEnded
    | UserJoined
    | Connecting
    | Connected
    | Refused
    | Closed
    | Sent
    | Received
    | Pinged
    | Asked
    | GaveUp
    | Reading
    | Lagged
    | FaultBegan
    | FaultEnded
    | Footprint
    | ModelCallBegan
    | ModelCallEnded
    | ToolCallBegan
    | ToolCallEnded
)
