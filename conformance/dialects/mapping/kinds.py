"""What a frame can mean: the kinds of event that a mapping names, and the fields that each has."""

from typing import Any

import msgspec

ID = "a run's id"
TIME = "a time"
TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "object": dict[str, Any],
    "array": list[Any],
    "any": Any,
}
_STEP = int | str


class Kind(msgspec.Struct, frozen=True):
    """One kind: its fields and their types, and those of them that a mapping must place."""

    fields: dict[str, Any]
    needs: tuple[str, ...] = ()
    of_run: bool = True


# the envelope: what every event of a run may have; [fields] says where, an event may say otherwise
ENVELOPE: dict[str, Any] = {
    "event_id": str,
    "run_id": ID,
    "thread_id": str,
    "user_id": str,
    "seq": int,
    "timestamp": TIME,
    "agent_name": str,
    "traceparent": str,
}
KINDS: dict[str, Kind] = {
    "run_started": Kind({"request_id": str}),
    "thinking": Kind({"thought": str, "step": _STEP}, ("thought",)),
    "text": Kind({"text": str, "message_id": str}, ("text",)),
    "tool_arguments": Kind({"tool_call_id": str, "tool_name": str, "arguments": str}, ("tool_call_id", "arguments")),
    "tool_started": Kind({"tool_name": str, "tool_call_id": str, "parameters": Any}, ("tool_call_id",)),
    "tool_completed": Kind(
        {
            "tool_name": str,
            "tool_call_id": str,
            "status": str,
            "result": Any,
            "error": Any,
            "error_code": str,
            "error_message": str,
            "duration_ms": float,
        },
        ("tool_call_id",),
    ),
    "tool_deferred": Kind({"tool_name": str, "tool_call_id": str}, ("tool_call_id",)),
    "run_completed": Kind({"final_response": str, "duration_ms": float}),
    "run_failed": Kind({"code": str, "message": str, "retryable": bool}, ("message",)),
    "run_stopped": Kind({"reason": str}),
    "other": Kind({}),
    "ready": Kind(
        {
            "connection_id": str,
            "user_id": str,
            "protocol": str,
            "server_time": TIME,
            "heartbeat_s": float,
            "capabilities": list[Any],
            "run_limit_s": float,
            "message_bytes": int,
        },
        of_run=False,
    ),
    "accepted": Kind({"run_id": str, "thread_id": str, "request_id": str, "duplicate": bool}, of_run=False),
    "refusal": Kind({"code": str, "message": str, "request_id": str}, ("message",), of_run=False),
    "pong": Kind({"correlation_id": str}, of_run=False),
    "heartbeat": Kind({}, of_run=False),
}
TERMINAL = frozenset({"run_completed", "run_failed", "run_stopped"})
