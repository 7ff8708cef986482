"""The events of AG-UI as they stand on the wire, one typed struct a type (AG-UI: concepts/events, sdk/js/core/events).

Fields that no schema names are let through, as AG-UI does.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

Absent = UnsetType
"""Beside a type: the field may be absent. Null is no value for it, but where a schema says so."""

Role = Literal["assistant", "user", "system", "developer", "tool"]


class Wire(msgspec.Struct, frozen=True, gc=False, rename="camel", tag_field="type", kw_only=True):
    """Any event. `timestamp` is in ms since 1970."""

    timestamp: int | float | Absent = UNSET
    metadata: dict[str, Any] | Absent = UNSET


class RunStarted(Wire, frozen=True, tag="RUN_STARTED"):
    """`input` is the request that the run answers."""

    run_id: str
    thread_id: str
    parent_run_id: str | Absent = UNSET
    input: dict[str, Any] | Absent = UNSET


class Success(msgspec.Struct, frozen=True, tag_field="type", tag="success", forbid_unknown_fields=True):
    """The outcome of a run that is done."""


class Interrupt(msgspec.Struct, frozen=True, rename="camel"):
    """What a paused run waits for (AG-UI: concepts/interrupts)."""

    id: str
    reason: str
    message: str | Absent = UNSET
    tool_call_id: str | Absent = UNSET
    response_schema: dict[str, Any] | Absent = UNSET
    expires_at: str | Absent = UNSET
    metadata: dict[str, Any] | Absent = UNSET


class Interrupted(msgspec.Struct, frozen=True, tag_field="type", tag="interrupt", forbid_unknown_fields=True):
    """The outcome of a run that is paused."""

    interrupts: Annotated[list[Interrupt], Meta(min_length=1)]


class RunFinished(Wire, frozen=True, tag="RUN_FINISHED"):
    """Releases before the interrupts know no `outcome`, and some write null for it."""

    run_id: str
    thread_id: str
    result: Any = UNSET
    outcome: Success | Interrupted | Absent | None = UNSET


class RunError(Wire, frozen=True, tag="RUN_ERROR"):
    """It need not name its run; some producers do."""

    message: str
    code: str | Absent = UNSET
    run_id: Any = UNSET


class StepStarted(Wire, frozen=True, tag="STEP_STARTED"):
    """A step is known by its name."""

    step_name: str


class StepFinished(Wire, frozen=True, tag="STEP_FINISHED"):
    """Ends the step of that name."""

    step_name: str


class TextStart(Wire, frozen=True, tag="TEXT_MESSAGE_START"):
    """The documents allow the role `tool`, the official client does not: it is let through."""

    message_id: str
    role: Role = "assistant"
    name: str | Absent = UNSET


class TextContent(Wire, frozen=True, tag="TEXT_MESSAGE_CONTENT"):
    """A piece of a message."""

    message_id: str
    delta: str


class TextEnd(Wire, frozen=True, tag="TEXT_MESSAGE_END"):
    """A message is whole."""

    message_id: str


class TextChunk(Wire, frozen=True, tag="TEXT_MESSAGE_CHUNK"):
    """Start, content and end in one; the first names its message."""

    message_id: str | Absent = UNSET
    delta: str | Absent = UNSET
    role: Role | Absent = UNSET
    name: str | Absent = UNSET


class ToolStart(Wire, frozen=True, tag="TOOL_CALL_START"):
    """Some producers write null for a missing `parent_message_id`, and the official client allows it."""

    tool_call_id: str
    tool_call_name: str
    parent_message_id: str | Absent | None = UNSET


class ToolArgs(Wire, frozen=True, tag="TOOL_CALL_ARGS"):
    """A piece of the arguments' JSON."""

    tool_call_id: str
    delta: str


class ToolEnd(Wire, frozen=True, tag="TOOL_CALL_END"):
    """The arguments are whole: the call can run."""

    tool_call_id: str


class ToolResult(Wire, frozen=True, tag="TOOL_CALL_RESULT"):
    """What came of a call."""

    tool_call_id: str
    message_id: str
    content: str
    role: Literal["tool"] | Absent = UNSET


class ToolChunk(Wire, frozen=True, tag="TOOL_CALL_CHUNK"):
    """Start, arguments and end in one; the first names its call and tool."""

    tool_call_id: str | Absent = UNSET
    tool_call_name: str | Absent = UNSET
    delta: str | Absent = UNSET
    parent_message_id: str | Absent | None = UNSET


class ReasoningStart(Wire, frozen=True, tag="REASONING_START"):
    """A phase of reasoning."""

    message_id: str


class ReasoningEnd(Wire, frozen=True, tag="REASONING_END"):
    """Ends the phase."""

    message_id: str


class ReasoningMessageStart(Wire, frozen=True, tag="REASONING_MESSAGE_START"):
    """The first release of these events said `assistant`."""

    message_id: str
    role: Literal["reasoning", "assistant"]


class ReasoningContent(Wire, frozen=True, tag="REASONING_MESSAGE_CONTENT"):
    """A piece of what the agent shows of its reasoning."""

    message_id: str
    delta: str


class ReasoningMessageEnd(Wire, frozen=True, tag="REASONING_MESSAGE_END"):
    """A piece of reasoning is whole."""

    message_id: str


class ReasoningChunk(Wire, frozen=True, tag="REASONING_MESSAGE_CHUNK"):
    """Start, content and end in one; the first names its message."""

    message_id: str | Absent = UNSET
    delta: str | Absent = UNSET


class ReasoningEncrypted(Wire, frozen=True, tag="REASONING_ENCRYPTED_VALUE"):
    """Reasoning that only the agent can read."""

    entity_id: str
    subtype: Literal["tool-call", "message"]
    encrypted_value: str


class ThinkingStart(Wire, frozen=True, tag="THINKING_START"):
    """As `ReasoningStart`, in releases before 1.0: there is one phase at a time."""

    title: str | Absent = UNSET


class ThinkingEnd(Wire, frozen=True, tag="THINKING_END"):
    """Ends the phase."""


class ThinkingMessageStart(Wire, frozen=True, tag="THINKING_TEXT_MESSAGE_START"):
    """As `ReasoningMessageStart`: there is one message at a time."""


class ThinkingContent(Wire, frozen=True, tag="THINKING_TEXT_MESSAGE_CONTENT"):
    """As `ReasoningContent`."""

    delta: str


class ThinkingMessageEnd(Wire, frozen=True, tag="THINKING_TEXT_MESSAGE_END"):
    """As `ReasoningMessageEnd`."""


class StateSnapshot(Wire, frozen=True, tag="STATE_SNAPSHOT"):
    """The whole state; producers that leave out null leave out a state of null."""

    snapshot: Any = UNSET


class StateDelta(Wire, frozen=True, tag="STATE_DELTA"):
    """A JSON Patch (RFC 6902) of the state."""

    delta: list[Any]


class MessagesSnapshot(Wire, frozen=True, tag="MESSAGES_SNAPSHOT"):
    """All messages of the thread."""

    messages: list[dict[str, Any]]


class ActivitySnapshot(Wire, frozen=True, tag="ACTIVITY_SNAPSHOT"):
    """The whole of an activity's content."""

    message_id: str
    activity_type: str
    content: dict[str, Any]
    replace: bool = True


class ActivityDelta(Wire, frozen=True, tag="ACTIVITY_DELTA"):
    """A JSON Patch (RFC 6902) of an activity's content."""

    message_id: str
    activity_type: str
    patch: list[Any]


class Raw(Wire, frozen=True, tag="RAW"):
    """An event of another system."""

    event: Any = UNSET
    source: str | Absent = UNSET


class Custom(Wire, frozen=True, tag="CUSTOM"):
    """An event of the application's own."""

    name: str
    value: Any = UNSET


TYPES: dict[str, type[Wire]] = {str(kind.__struct_config__.tag): kind for kind in Wire.__subclasses__()}
