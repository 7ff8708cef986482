"""The parts of the UI message stream as they stand on the wire, one typed struct a type.

Source: AI SDK 6, ai-sdk.dev/docs/ai-sdk-ui/stream-protocol and `uiMessageChunkSchema` of the package `ai`. Where a
field may be absent, null is no value for it: the official client rejects the part. Other fields are let through.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

Absent = UnsetType
Metadata = dict[str, dict[str, Any]] | Absent


class Part(msgspec.Struct, frozen=True, gc=False, rename="camel", tag_field="type", kw_only=True):
    """Any part of the stream."""


class Start(Part, frozen=True, tag="start"):
    """A message begins; its id is the server's to give, or not."""

    message_id: str | Absent = UNSET
    message_metadata: Any = UNSET


class StartStep(Part, frozen=True, tag="start-step"):
    """A call of the model begins."""


class FinishStep(Part, frozen=True, tag="finish-step"):
    """A call of the model, with its tools, is over: what was open of its text and reasoning is closed."""


class Finish(Part, frozen=True, tag="finish"):
    """The message is complete."""

    finish_reason: Literal["stop", "length", "content-filter", "tool-calls", "error", "other"] | Absent = UNSET
    message_metadata: Any = UNSET


class Abort(Part, frozen=True, tag="abort"):
    """The message was aborted."""

    reason: str | Absent = UNSET


class Error(Part, frozen=True, tag="error"):
    """Something failed. What is open may still come to its end."""

    error_text: str


class MessageMetadata(Part, frozen=True, tag="message-metadata"):
    """What the application tells of the message."""

    message_metadata: Any = UNSET


class TextStart(Part, frozen=True, tag="text-start"):
    """A text begins. Its id is new in its step only."""

    id: str
    provider_metadata: Metadata = UNSET


class TextDelta(Part, frozen=True, tag="text-delta"):
    """A piece of text."""

    id: str
    delta: str
    provider_metadata: Metadata = UNSET


class TextEnd(Part, frozen=True, tag="text-end"):
    """A text is whole."""

    id: str
    provider_metadata: Metadata = UNSET


class ReasoningStart(Part, frozen=True, tag="reasoning-start"):
    """A piece of reasoning begins."""

    id: str
    provider_metadata: Metadata = UNSET


class ReasoningDelta(Part, frozen=True, tag="reasoning-delta"):
    """It goes on."""

    id: str
    delta: str
    provider_metadata: Metadata = UNSET


class ReasoningEnd(Part, frozen=True, tag="reasoning-end"):
    """It is whole."""

    id: str
    provider_metadata: Metadata = UNSET


class _Call(Part, frozen=True, kw_only=True):
    tool_call_id: str
    provider_executed: bool | Absent = UNSET
    provider_metadata: Metadata = UNSET
    tool_metadata: dict[str, Any] | Absent = UNSET
    dynamic: bool | Absent = UNSET


class ToolInputStart(_Call, frozen=True, kw_only=True, tag="tool-input-start"):
    """The model begins to write a call."""

    tool_name: str
    input_encoding: Literal["json", "text"] | Absent = UNSET
    title: str | Absent = UNSET


class ToolInputDelta(Part, frozen=True, tag="tool-input-delta"):
    """A piece of a call's input."""

    tool_call_id: str
    input_text_delta: str


class ToolInputAvailable(_Call, frozen=True, kw_only=True, tag="tool-input-available"):
    """A call's input is whole: the tool can run."""

    tool_name: str
    input: Any = UNSET
    title: str | Absent = UNSET


class ToolInputError(_Call, frozen=True, kw_only=True, tag="tool-input-error"):
    """A call's input is none that the tool takes: it does not run. Some servers tell it as an output error as well."""

    tool_name: str
    error_text: str
    input: Any = UNSET
    title: str | Absent = UNSET


class ToolApprovalRequest(Part, frozen=True, tag="tool-approval-request"):
    """A call waits for the user's approval."""

    approval_id: str
    tool_call_id: str


class ToolOutputAvailable(_Call, frozen=True, kw_only=True, tag="tool-output-available"):
    """What a tool returned; one that is preliminary is followed by others."""

    output: Any = UNSET
    preliminary: bool | Absent = UNSET


class ToolOutputError(_Call, frozen=True, kw_only=True, tag="tool-output-error"):
    """Why a tool failed."""

    error_text: str


class ToolOutputDenied(Part, frozen=True, tag="tool-output-denied"):
    """The user did not approve of a call."""

    tool_call_id: str


class SourceUrl(Part, frozen=True, tag="source-url"):
    """A page that the answer rests on."""

    source_id: str
    url: str
    title: str | Absent = UNSET
    provider_metadata: Metadata = UNSET


class SourceDocument(Part, frozen=True, tag="source-document"):
    """A document that the answer rests on."""

    source_id: str
    media_type: str
    title: str
    filename: str | Absent = UNSET
    provider_metadata: Metadata = UNSET


class File(Part, frozen=True, tag="file"):
    """A file that the model made."""

    url: str
    media_type: str
    provider_metadata: Metadata = UNSET


class Data(Part, frozen=True, tag="data-"):
    """Data of the application's own: the type goes on with their name."""

    id: str | Absent = UNSET
    data: Any = UNSET
    transient: bool | Absent = UNSET


def _kinds(base: type[Part]) -> list[type[Part]]:
    return [kind for child in base.__subclasses__() for kind in (_kinds(child) or [child])]


DATA = str(Data.__struct_config__.tag)
TYPES: dict[str, type[Part]] = {str(kind.__struct_config__.tag): kind for kind in _kinds(Part) if kind is not Data}
