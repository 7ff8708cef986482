"""The events of a streamed response as they stand on the wire, one typed struct a type that says something of the run.

Source: OpenAI, API reference, Responses, streaming events; the types of the official package `openai`. Fields that are
not named here are let through; so are types that begin with `response.` and are not named: hosted tools have many.
"""

from typing import Any, Literal

import msgspec


class Wire(msgspec.Struct, frozen=True, gc=False, tag_field="type", kw_only=True):
    """Any event."""

    sequence_number: int


class Failure(msgspec.Struct, frozen=True):
    """Why a response failed."""

    code: str | None = None
    message: str | None = None


class Details(msgspec.Struct, frozen=True):
    """Why a response is incomplete."""

    reason: str | None = None


class Conversation(msgspec.Struct, frozen=True):
    """The conversation that a response belongs to."""

    id: str


class Response(msgspec.Struct, frozen=True):
    """The response as far as it has come."""

    id: str
    status: Literal["completed", "failed", "in_progress", "cancelled", "queued", "incomplete"] | None = None
    output: list[dict[str, Any]] | None = None
    error: Failure | None = None
    incomplete_details: Details | None = None
    conversation: Conversation | None = None


class _OfResponse(Wire, frozen=True, kw_only=True):
    response: Response


class Created(_OfResponse, frozen=True, tag="response.created"):
    """It begins."""


class Queued(_OfResponse, frozen=True, tag="response.queued"):
    """It waits."""


class InProgress(_OfResponse, frozen=True, tag="response.in_progress"):
    """It is being worked on."""


class Completed(_OfResponse, frozen=True, tag="response.completed"):
    """It is there."""


class Failed(_OfResponse, frozen=True, tag="response.failed"):
    """It will not come."""


class Incomplete(_OfResponse, frozen=True, tag="response.incomplete"):
    """It was cut short."""


class Error(Wire, frozen=True, kw_only=True, tag="error"):
    """Something failed."""

    message: str
    code: str | None = None


class _OfItem(Wire, frozen=True, kw_only=True):
    output_index: int
    item: dict[str, Any]


class ItemAdded(_OfItem, frozen=True, tag="response.output_item.added"):
    """An item of the output begins."""


class ItemDone(_OfItem, frozen=True, tag="response.output_item.done"):
    """An item of the output is whole."""


class Inside(Wire, frozen=True, kw_only=True):
    """What belongs to an item."""

    output_index: int
    item_id: str


class _OfPart(Inside, frozen=True, kw_only=True):
    content_index: int
    part: dict[str, Any]


class PartAdded(_OfPart, frozen=True, tag="response.content_part.added"):
    """A part of a message begins."""


class PartDone(_OfPart, frozen=True, tag="response.content_part.done"):
    """A part of a message is whole."""


class TextDelta(Inside, frozen=True, kw_only=True, tag="response.output_text.delta"):
    """A piece of text."""

    content_index: int
    delta: str


class TextDone(Inside, frozen=True, kw_only=True, tag="response.output_text.done"):
    """The text of a part."""

    content_index: int
    text: str


class RefusalDelta(Inside, frozen=True, kw_only=True, tag="response.refusal.delta"):
    """A piece of what the model says instead of an answer."""

    content_index: int
    delta: str


class RefusalDone(Inside, frozen=True, kw_only=True, tag="response.refusal.done"):
    """What the model says instead of an answer."""

    content_index: int
    refusal: str


class ArgumentsDelta(Inside, frozen=True, kw_only=True, tag="response.function_call_arguments.delta"):
    """A piece of a call's arguments."""

    delta: str


class ArgumentsDone(Inside, frozen=True, kw_only=True, tag="response.function_call_arguments.done"):
    """A call's arguments."""

    arguments: str


class McpArgumentsDelta(Inside, frozen=True, kw_only=True, tag="response.mcp_call_arguments.delta"):
    """A piece of the arguments of a call that the server makes."""

    delta: str


class McpArgumentsDone(Inside, frozen=True, kw_only=True, tag="response.mcp_call_arguments.done"):
    """The arguments of a call that the server makes."""

    arguments: str


class InputDelta(Inside, frozen=True, kw_only=True, tag="response.custom_tool_call_input.delta"):
    """A piece of the input of a tool that takes text."""

    delta: str


class InputDone(Inside, frozen=True, kw_only=True, tag="response.custom_tool_call_input.done"):
    """The input of a tool that takes text."""

    input: str


class SummaryDelta(Inside, frozen=True, kw_only=True, tag="response.reasoning_summary_text.delta"):
    """A piece of a summary of the reasoning."""

    summary_index: int
    delta: str


class SummaryDone(Inside, frozen=True, kw_only=True, tag="response.reasoning_summary_text.done"):
    """A summary of the reasoning."""

    summary_index: int
    text: str


class ReasoningDelta(Inside, frozen=True, kw_only=True, tag="response.reasoning_text.delta"):
    """A piece of the reasoning."""

    content_index: int
    delta: str


class ReasoningDone(Inside, frozen=True, kw_only=True, tag="response.reasoning_text.done"):
    """The reasoning."""

    content_index: int
    text: str


def _kinds(base: type[Wire]) -> list[type[Wire]]:
    return [kind for child in base.__subclasses__() for kind in (_kinds(child) or [child])]


TYPES: dict[str, type[Wire]] = {str(kind.__struct_config__.tag): kind for kind in _kinds(Wire)}
ARGUMENTS = ArgumentsDelta | McpArgumentsDelta | InputDelta
WHOLE_ARGUMENTS = ArgumentsDone | McpArgumentsDone | InputDone
TEXT = TextDelta | RefusalDelta
WHOLE_TEXT = TextDone | RefusalDone
THOUGHT = SummaryDelta | ReasoningDelta
WHOLE_THOUGHT = SummaryDone | ReasoningDone
