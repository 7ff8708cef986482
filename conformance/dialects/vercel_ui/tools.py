"""The tool calls of the stream: from their input to what came of them.

A call is reported as started when its input is whole. The stream does not say who runs it: many tools are the
client's, or wait for the user. What has no outcome when the message ends is deferred.
"""

from typing import Any

import msgspec
from msgspec import UNSET

from conformance import events
from conformance.dialects.vercel_ui import wire as wires
from conformance.dialects.vercel_ui.message import Call, Telling
from conformance.events import ToolError


def read(part: wires.Part, told: Telling) -> bool:
    """Take in a part that concerns a tool call; return whether it is one. One that names no call tells nothing."""
    if getattr(part, "tool_call_id", "") is None:
        told.aside(str(type(part).__struct_config__.tag))
        return True
    match part:
        case wires.ToolInputStart():
            _input_start(part, told)
        case wires.ToolInputDelta():
            _input_delta(part, told)
        case wires.ToolInputAvailable():
            _input(part, told)
        case wires.ToolInputError():
            _input_error(part, told)
        case wires.ToolOutputAvailable():
            _output(part, told)
        case wires.ToolOutputError():
            _output_error(part, told)
        case wires.ToolOutputDenied() | wires.ToolApprovalRequest():
            _waits(part, told)
        case _:
            return False
    return True


def _input_start(part: wires.ToolInputStart, told: Telling) -> None:
    call = told.message.calls.get(part.tool_call_id)
    if call is None or call.told:
        told.message.calls[part.tool_call_id] = Call(part.tool_call_id, part.tool_name or "")
    told.aside("tool-input-start")


def _input_delta(part: wires.ToolInputDelta, told: Telling) -> None:
    call = told.message.calls.get(part.tool_call_id)
    if call is None:
        told.dangling("toolCallId", part.tool_call_id, "the toolCallId of a tool-input-start before it")
    else:
        call.pieces.append(part.input_text_delta or "")
    told.aside("tool-input-delta")


def _input(part: wires.ToolInputAvailable | wires.ToolInputError, told: Telling) -> Call:
    """The input of a call is known."""
    known = told.message.calls.get(part.tool_call_id)
    call = known if known is not None and not known.told else Call(part.tool_call_id, "")
    call.name = part.tool_name or call.name
    told.message.calls[part.tool_call_id] = call
    _tell_start(call, {} if part.input is UNSET else part.input, told)
    return call


def _input_error(part: wires.ToolInputError, told: Telling) -> None:
    known = told.message.calls.get(part.tool_call_id)
    call = known if known is not None and known.told else _input(part, told)
    _complete(call, told, error=part.error_text)
    call.refused = True


def _output(part: wires.ToolOutputAvailable, told: Telling) -> None:
    if part.preliminary is True:
        told.aside("tool-output-available")
        return
    call = _called(part, told)
    if call is not None:
        # JSON has no `undefined`: a tool that returns nothing has no output on the wire
        _complete(call, told, result=None if part.output is UNSET else part.output)


def _output_error(part: wires.ToolOutputError, told: Telling) -> None:
    call = _called(part, told)
    if call is not None and call.refused:
        told.aside("tool-output-error")  # as its tool-input-error has said already
    elif call is not None:
        _complete(call, told, error=part.error_text)


def _called(part: wires.ToolOutputAvailable | wires.ToolOutputError, told: Telling) -> Call | None:
    """Return the call that an outcome belongs to; one of an earlier message is not known here."""
    call = told.message.calls.get(part.tool_call_id)
    if call is None:
        payload: dict[str, Any] = {"status": "ok", "result": getattr(part, "output", None)}
        if isinstance(part, wires.ToolOutputError):
            payload = {"status": "error", "error": _error(part.error_text)}
        told.event(
            events.ToolCompletedElsewhere,
            events.ToolCompletedPayload(tool_name="", tool_call_id=part.tool_call_id, **payload),
        )
    elif not call.told:
        _tell_start(call, _arguments(call), told)
    return call


def _waits(part: wires.ToolOutputDenied | wires.ToolApprovalRequest, told: Telling) -> None:
    call = told.message.calls.get(part.tool_call_id)
    if call is not None and isinstance(part, wires.ToolOutputDenied):
        _defer(call, told)
    told.aside(str(type(part).__struct_config__.tag))


def _arguments(call: Call) -> Any:
    """Return the input as far as it came in pieces: what is no JSON for what it is."""
    text = "".join(call.pieces)
    try:
        return msgspec.json.decode(text) if text.strip() else {}
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return text


def _tell_start(call: Call, parameters: Any, told: Telling) -> None:
    call.told = True
    told.event(events.ToolStarted, events.ToolStartedPayload(call.name, call.call_id, parameters))


def _error(text: str | None) -> ToolError:
    return ToolError("tool_error", text or "")


def _complete(call: Call, told: Telling, *, result: Any = UNSET, error: Any = UNSET) -> None:
    payload = events.ToolCompletedPayload(
        call.name,
        call.call_id,
        "ok" if error is UNSET else "error",
        result=result,
        error=UNSET if error is UNSET else _error(error),
    )
    told.event(events.ToolCompleted, payload)
    call.over = True


def _defer(call: Call, told: Telling) -> None:
    if call.told and not call.over:
        told.event(events.ToolDeferred, events.ToolDeferredPayload(call.name, call.call_id))
    call.over = True


def defer_all(told: Telling) -> None:
    """The message ends: what has no outcome yet has none in it."""
    for call in told.message.calls.values():
        _defer(call, told)
