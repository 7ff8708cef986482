"""A history in which one user's answer reaches another user, and the verdict on it."""

import io
import json
from pathlib import Path

from conformance.catalogue import load
from conformance.rejudge import judge_recording
from conformance.verdict import Verdict

OWNER, OTHER = "user-ann", "user-bob"
CANARY = "cnry~00112233445566778899~"
_HEADER = {
    "op": "history",
    "format": 1,
    "kit": "0.1.0",
    "catalogue": 1,
    "began_us": 1_767_225_600_000_000,
    "target": "a leaking engine",
    "dialect": "five-events",
    "seed": 5,
    "same_clock": True,
    "repeat": "agent-conformance verify --target t.toml --seed 5",
}


def _event(kind: str, seq: int, payload: object, at_ms: int) -> dict[str, object]:
    return {
        "type": kind,
        "event_id": f"6f0a4ad1-2e5c-4a58-9df0-0000000000{seq:02}",
        "run_id": "9b2f8a34-52a7-4e37-8bb4-5a8f0c7f3a11",
        "thread_id": "0c9ee0f5-94a5-4d3e-9a52-7f2b7ed3b0aa",
        "user_id": OWNER,
        "seq": seq,
        "timestamp": f"2026-01-01T00:00:00.{at_ms:03}Z",
        "agent_name": "agent",
        "payload": payload,
    }


_Line = dict[str, object]


def leaking(evil: str = "") -> bytes:
    """A history: Ann asks, her run calls a tool that is never completed, and its end goes to Bob, too."""
    tool = {"tool_name": "echo", "tool_call_id": "3d7c2c1e-43f0-4e5e-8e4f-1d2f3a4b5c6d", "parameters": {"text": evil}}
    answer = {"final_response": f"for {CANARY} {evil}", "duration_ms": 90}
    start = {"type": "agent_started", "request_id": "r-1"}
    ends = _event("agent_completed", 4, answer, 300)
    connecting: list[_Line] = [
        {"op": "connecting", "at": 1000, "conn": n, "user": user, "url": "ws://t"}
        for n, user in ((1, OWNER), (2, OTHER))
    ]
    operations: list[_Line] = [
        {"op": "scenario_began", "scenario": "leak", "at": 0},
        *connecting,
        {"op": "connected", "at": 2000, "conn": 1},
        {"op": "connected", "at": 2000, "conn": 2},
        {
            "op": "asked",
            "at": 3000,
            "ask": 1,
            "conn": 1,
            "user": OWNER,
            "action": "start",
            "request_id": "r-1",
            "canary": CANARY,
        },
        {"op": "fault_began", "at": 90_000, "fault": 1, "kind": "delay", "user": OTHER, "detail": evil},
        {"op": "received", "at": 100_000, "conn": 1, "frame": _event("agent_started", 1, start, 99)},
        {"op": "received", "at": 150_000, "conn": 1, "frame": _event("thinking", 2, {"thought": evil}, 149)},
        {"op": "received", "at": 200_000, "conn": 1, "frame": _event("tool_executing", 3, tool, 199)},
        {"op": "model_call_began", "at": 201_000, "call": 1, "endpoint": "chat", "canary": CANARY},
        {"op": "model_call_ended", "at": 240_000, "call": 1, "end": "completed"},
        {"op": "fault_ended", "at": 250_000, "fault": 1},
        {"op": "received", "at": 301_000, "conn": 1, "frame": ends},
        {"op": "received", "at": 302_000, "conn": 2, "frame": ends},
        {"op": "closed", "at": 900_000, "conn": 2, "by": "kit"},
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in (_HEADER, *operations))


def judged(history: bytes, path: Path) -> Verdict:
    """Write a history to a file, and judge it."""
    path.write_bytes(history)
    return judge_recording(io.BytesIO(history), name=path.name, catalogue=load())
