"""What one event of a mapping tells: the canonical payload, from the fields that were read."""

from typing import Any

from msgspec import UNSET

from conformance import events
from conformance.dialects.fields import describe, shorten
from conformance.dialects.outcome import failure
from conformance.events import Event, Flaw, ToolError

Read = dict[str, Any]
_ERROR = "an object {code, message}, or a string"


def value(read: Read, name: str) -> Any:
    """Return what was read for a field; None where it is not there."""
    found = read.get(name)
    return None if found is UNSET else found


def control(kind: str, read: Read) -> Event:
    """Return an event that belongs to no run."""
    match kind:
        case "ready":
            named = value(read, "capabilities")
            given = {name: value(read, name) for name in read if name != "capabilities"}
            capabilities = None if named is None else tuple(c for c in named if isinstance(c, str))
            return events.Ready(**given, capabilities=capabilities)
        case "accepted":
            run_id, thread_id, request_id = (value(read, name) for name in ("run_id", "thread_id", "request_id"))
            return events.Accepted(run_id, thread_id, request_id, value(read, "duplicate") is True)
        case "refusal":
            code = value(read, "code") if "code" in read else "error"
            return events.Refusal(code, value(read, "message"), value(read, "request_id"))
        case "pong":
            return events.Pong(value(read, "correlation_id"))
        case _:
            return events.Heartbeat()


def failed(read: Read) -> events.FailedPayload:
    """Return why a run failed: a protocol that has no codes is not asked for one."""
    code = value(read, "code") if "code" in read else "error"
    return events.FailedPayload(code, value(read, "message"), value(read, "retryable"))


def tool_completed(read: Read, name: str, flaws: list[Flaw]) -> events.ToolCompletedPayload:
    """Return what came of a call, as far as the protocol has places for it.

    Where it has none for the status, that follows from the error, or from what the result looks like; where it has
    none for the error, the result of a call that failed says it.
    """
    result, error = read.get("result", UNSET), _error(read, flaws)
    status = value(read, "status")
    says_error = "error" in read or "error_message" in read
    if "status" not in read:
        why = (
            None if says_error or result is UNSET else failure(result if isinstance(result, str) else describe(result))
        )
        error = ToolError("tool_error", shorten(why)) if why is not None else error
        status = "ok" if error is UNSET else "error"
    elif status == "error" and not says_error and result is not UNSET:
        error = ToolError("tool_error", shorten(result if isinstance(result, str) else describe(result)))
    if status == "ok" and "result" not in read and error is UNSET:
        result = None
    if error is not UNSET and not says_error:
        result = UNSET
    return events.ToolCompletedPayload(
        name, value(read, "tool_call_id"), status, result, error, value(read, "duration_ms")
    )


def _error(read: Read, flaws: list[Flaw]) -> Any:
    message = read.get("error_message", UNSET)
    if message is not UNSET:
        return ToolError(value(read, "error_code") or "tool_error", message or "")
    came = read.get("error", UNSET)
    if came is UNSET or came is None:
        return UNSET
    if isinstance(came, str):
        return ToolError("tool_error", came)
    if isinstance(came, dict) and isinstance(came.get("message"), str):
        code = came.get("code", "tool_error")
        if isinstance(code, str):
            return ToolError(code, came["message"])
    flaws.append(Flaw("SCH-02", "error", _ERROR, describe(came)))
    return ToolError("", shorten(came))
