"""The five-event protocol: what a client may say, and the frames that tell of a run."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

MESSAGE_BYTES = 65_536
_ID_CHARS = 200
Frame = dict[str, Any]


class Refused(Exception):
    """A client's frame that is not understood, or asks for what is not there."""

    def __init__(self, code: str, message: str, request_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.request_id = request_id


def now() -> str:
    """Return the time as RFC 3339 in UTC, with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read(raw: str) -> tuple[str, dict[str, Any]]:
    """Return type and payload of a client's frame. Raises `Refused`."""
    try:
        frame = json.loads(raw)
    except (ValueError, RecursionError):
        raise Refused("bad_json", "the frame is not JSON") from None
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise Refused("bad_message", "a frame is an object with a type")
    payload = frame.get("payload", {})
    if not isinstance(payload, dict):
        raise Refused("bad_message", "payload must be an object")
    return frame["type"], payload


def text(payload: dict[str, Any], key: str, *, most: int = _ID_CHARS) -> str:
    """Return a field that must be a text. Raises `Refused`."""
    value = payload.get(key)
    if not isinstance(value, str) or not value or len(value) > most or not _is_unicode(value):
        raise Refused("bad_message", f"{key} must be a text of 1 to {most} characters")
    return value


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass
class Story:
    """The events of one run, numbered, told to whom it belongs."""

    user_id: str
    request_id: str
    tell: Callable[[Frame], None]
    run_id: str = field(default_factory=lambda: str(uuid4()))
    thread_id: str = field(default_factory=lambda: str(uuid4()))
    seq: int = 0
    over: bool = False

    def event(self, kind: str, **payload: object) -> None:
        """Tell the next event of this run. What comes after its end is dropped."""
        if self.over:
            return
        self.seq += 1
        self.over = kind in ("agent_completed", "agent_error", "agent_stopped")
        self.tell(
            {
                "type": kind,
                "event_id": str(uuid4()),
                "run_id": self.run_id,
                "thread_id": self.thread_id,
                "user_id": self.user_id,
                "seq": self.seq,
                "timestamp": now(),
                "agent_name": "assistant",
                "payload": payload,
            }
        )

    def accepted(self, *, duplicate: bool) -> Frame:
        """Return the answer to the request that began this run."""
        ids = {"request_id": self.request_id, "run_id": self.run_id, "thread_id": self.thread_id}
        return {"type": "run_accepted", **ids, "duplicate": duplicate}
