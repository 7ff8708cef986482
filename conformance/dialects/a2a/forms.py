"""What the releases of A2A call the same thing, read into one form (A2A 0.3 and 1.0: Task, its updates, Message)."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET

from conformance.dialects.fields import Fields, describe
from conformance.events import Flaw

Kind = Literal["task", "status", "artifact", "message"]
_BY_KIND: dict[str, Kind] = {
    "task": "task",
    "status-update": "status",
    "artifact-update": "artifact",
    "message": "message",
}
_BY_NAME: dict[str, Kind] = {
    "task": "task",
    "statusUpdate": "status",
    "artifactUpdate": "artifact",
    "message": "message",
}
STATES = frozenset(
    {
        "submitted",
        "working",
        "input-required",
        "auth-required",
        "completed",
        "canceled",
        "failed",
        "rejected",
        "unknown",
        "unspecified",
    }
)


class Update(msgspec.Struct, frozen=True):
    """What a result tells. `tagged` is the form of releases before 1.0, where the object itself names its `kind`."""

    kind: Kind
    fields: Fields
    tagged: bool


def is_update(frame: dict[str, Any]) -> bool:
    """Tell whether a frame is a result by itself, as the HTTP+JSON binding of 1.0 sends it."""
    return len(frame) == 1 and not _BY_NAME.keys().isdisjoint(frame)


def read_update(result: dict[str, Any], flaws: list[Flaw]) -> Update | None:
    """Return what a result tells; None, and a flaw, where it is none of what a stream may hold."""
    if "kind" in result:
        kind = _BY_KIND.get(str(result["kind"]))
        if kind is not None:
            return Update(kind, Fields(result, prefix="result."), tagged=True)
        flaws.append(Flaw("SCH-02", "result.kind", " or ".join(_BY_KIND), describe(result["kind"])))
        return None
    for name, kind in _BY_NAME.items():
        body = result.get(name)
        if isinstance(body, dict):
            return Update(kind, Fields(body, prefix=f"result.{name}."), tagged=False)
    flaws.append(Flaw("SCH-02", "result", f"an object with one of {', '.join(_BY_NAME)}", describe(result)))
    return None


def context_of(update: Update) -> str | None:
    """Return the context's id: what 1.0 lets a message and an update leave out, 0.3 does not for a task."""
    value = update.fields.data.get("contextId", UNSET)
    if isinstance(value, str) and value:
        return value
    if value is not UNSET or (update.tagged and update.kind != "message"):
        update.fields.flaws.append(Flaw("SCH-02", "result.contextId", "a non-empty string", describe(value)))
    return None


def state_of(status: Fields) -> str | None:
    """Return a task's state as 0.3 writes it."""
    value = status.data.get("state", UNSET)
    if isinstance(value, str):
        state = value.removeprefix("TASK_STATE_").lower().replace("_", "-").replace("cancelled", "canceled")
        if state in STATES:
            return state
    status.flaws.append(Flaw("SCH-02", "status.state", "a state of A2A, e.g. working", describe(value)))
    return None


def time_of(status: Fields, *, tagged: bool) -> datetime | None:
    """Return when a status was reached. 1.0 writes RFC 3339 with a zone; 0.3 any ISO 8601, of which no zone is none."""
    value = status.data.get("timestamp", UNSET)
    if value is UNSET or value is None:
        return None
    try:
        moment = msgspec.convert(value, datetime) if isinstance(value, str) else None
    except msgspec.ValidationError:
        moment = None
    if moment is None or (moment.tzinfo is None and not tagged):
        status.flaws.append(Flaw("SCH-03", "status.timestamp", "RFC 3339, e.g. 2026-01-31T09:30:00Z", describe(value)))
        return None
    return moment if moment.tzinfo is not None else None


def text_of(holder: Any, flaws: list[Flaw], *, place: str) -> str:
    """Return the text in the `parts` of a message or an artifact; other parts are the application's."""
    parts = holder.get("parts", UNSET) if isinstance(holder, dict) else UNSET
    if not isinstance(parts, list):
        flaws.append(Flaw("SCH-02", f"{place}.parts", "an array", describe(parts)))
        return ""
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "".join(text for text in texts if isinstance(text, str))


def turns_of(history: Any) -> int:
    """Return how often the user has spoken in a task, as far as its history tells."""
    roles = (
        [message.get("role") for message in history if isinstance(message, dict)] if isinstance(history, list) else []
    )
    return sum(role in ("user", "ROLE_USER") for role in roles)
