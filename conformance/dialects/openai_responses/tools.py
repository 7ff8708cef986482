"""The tool calls of a response: from the item that makes them to what came of them.

A call is reported as started when its arguments are whole; where it has none in the stream, when its item begins.
Functions are mostly the client's to run, and their results never come in the same response. What has no outcome when
the response ends is deferred. An agent that runs them itself tells of the result by an item `…_call_output`.
"""

from typing import Any

import msgspec
from msgspec import UNSET

from conformance import events
from conformance.dialects.openai_responses import wire as wires
from conformance.dialects.openai_responses.output import Item, Telling
from conformance.dialects.outcome import failure
from conformance.events import ToolError

_WRITTEN = frozenset({"function_call", "custom_tool_call", "mcp_call"})
_CLIENTS = frozenset(
    {"function_call", "custom_tool_call", "computer_call", "local_shell_call", "shell_call", "apply_patch_call"}
)
_RESULTS = ("output", "results", "outputs", "result")


def is_call(item_type: str) -> bool:
    """Tell whether an item of that type is a tool call."""
    return item_type.endswith("_call")


def added(item: Item, told: Telling) -> None:
    """A call begins: one whose arguments are not streamed is under way."""
    told.run.calls.setdefault(item.call_id, item)
    if item.type in _WRITTEN or item.type in _CLIENTS:
        told.other("response.output_item.added")
    else:
        _tell_start(item, told, {})


def written(item: Item, text: str | None, told: Telling) -> None:
    """A call's arguments are whole."""
    whole = text if text is not None else "".join(item.pieces)
    if not item.told:
        _tell_start(item, told, whole if item.type == "custom_tool_call" else _parameters(whole))


def done(item: Item, data: dict[str, Any], told: Telling) -> None:
    """A call's item is whole: what the server has run, it has run by now."""
    arguments = data.get("input" if item.type == "custom_tool_call" else "arguments")
    text = arguments if isinstance(arguments, str) else None
    if item.type in _WRITTEN:
        told.same("item.arguments", item.pieces, text)
    if not item.told:
        written(item, text if item.type in _WRITTEN else "", told)
    elif item.type in _CLIENTS:
        told.other("response.output_item.done")
    if item.type not in _CLIENTS:
        _outcome(item, data, told)


def _outcome(item: Item, data: dict[str, Any], told: Telling) -> None:
    error, status = data.get("error"), data.get("status")
    if error or status in ("failed", "incomplete"):
        message = error if isinstance(error, str) else error.get("message") if isinstance(error, dict) else None
        _complete(item, told, error=message if isinstance(message, str) and message else f"status: {status}")
    else:
        _complete(item, told, result=next((data[name] for name in _RESULTS if name in data), None))


def output(data: dict[str, Any], told: Telling) -> None:
    """An item with the result of a call."""
    call_id = data.get("call_id")
    if not isinstance(call_id, str):
        told.other("response.output_item.done")
        return
    result = data.get("output")
    item = told.run.calls.get(call_id)
    why = failure(result) if isinstance(result, str) else None
    if item is None:
        error = UNSET if why is None else ToolError("tool_error", why)
        payload = events.ToolCompletedPayload(
            "", call_id, "ok" if why is None else "error", result=result if why is None else UNSET, error=error
        )
        told.event(events.ToolCompletedElsewhere, payload)
        return
    if not item.told:
        written(item, None, told)
    if why is None:
        _complete(item, told, result=result)
    else:
        _complete(item, told, error=why)


def _parameters(text: str) -> Any:
    """Return the arguments: what is no JSON for what it is, since models write what they like."""
    try:
        return msgspec.json.decode(text) if text.strip() else {}
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return text


def _tell_start(item: Item, told: Telling, parameters: Any) -> None:
    item.told = True
    told.event(events.ToolStarted, events.ToolStartedPayload(item.name, item.call_id, parameters))


def _complete(item: Item, told: Telling, *, result: Any = UNSET, error: str | None = None) -> None:
    item.over = True
    payload = events.ToolCompletedPayload(
        item.name,
        item.call_id,
        "ok" if error is None else "error",
        result=result,
        error=UNSET if error is None else ToolError("tool_error", error),
    )
    told.event(events.ToolCompleted, payload)


def defer_all(told: Telling) -> None:
    """The response ends: what has no outcome yet has none in it."""
    for item in told.run.calls.values():
        if item.told and not item.over:
            item.over = True
            told.event(events.ToolDeferred, events.ToolDeferredPayload(item.name, item.call_id))


def streamed(event: wires.Wire, item: Item, told: Telling) -> bool:
    """Take in a piece of a call's arguments, or all of them; return whether the event is that."""
    match event:
        case wires.ArgumentsDelta() | wires.McpArgumentsDelta() | wires.InputDelta():
            item.pieces.append(event.delta or "")
            told.other(str(type(event).__struct_config__.tag))
            return True
        case wires.ArgumentsDone() | wires.McpArgumentsDone() | wires.InputDone():
            text = event.input if isinstance(event, wires.InputDone) else event.arguments
            told.same("input" if isinstance(event, wires.InputDone) else "arguments", item.pieces, text)
            written(item, text, told)
            return True
        case _:
            return False
