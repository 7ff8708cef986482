"""What the witness adds to a history: each call of the model and of a tool, from its beginning to its end.

An end is recorded before the last bytes of the answer are sent: whatever the target does because of it comes later.
"""

from enum import StrEnum
from typing import Any

import msgspec

from conformance.history.operations import Operation


class CallEnd(StrEnum):
    """How a call ended. A client is gone when it closed the connection, or cancelled the call, before the answer."""

    COMPLETED = "completed"
    FAILED = "failed"
    CLIENT_GONE = "client_gone"
    SHUT_DOWN = "shut_down"


class SeenText(msgspec.Struct, frozen=True, gc=False):
    """One message as the model was shown it; the `role` of anything else is the name of its field or item type."""

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
