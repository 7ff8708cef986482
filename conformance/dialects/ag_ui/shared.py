"""What an agent of AG-UI and its client share beside the run: state, activities, and the thread's messages."""

from typing import Any, get_args

from msgspec import UNSET

from conformance.dialects.ag_ui import json_patch, tools
from conformance.dialects.ag_ui import wire as wires
from conformance.dialects.ag_ui.run import Run, Telling
from conformance.dialects.fields import describe, shorten
from conformance.events import Flaw

_ROLES = (*get_args(wires.Role), "activity", "reasoning")


class Shared:
    """What the client holds, as far as the stream tells: `state` is UNSET until a snapshot gives it."""

    def __init__(self) -> None:
        self.state: Any = UNSET
        self._activities: dict[str, Any] = {}

    def state_snapshot(self, run: Run, wire: wires.StateSnapshot, told: Telling) -> None:
        """The state is this."""
        self.state = None if wire.snapshot is UNSET else wire.snapshot
        told.other(run, "STATE_SNAPSHOT")

    def state_delta(self, run: Run, wire: wires.StateDelta, told: Telling) -> None:
        """The state changes."""
        self.state = _patched(run, "STATE_DELTA", self.state, wire.delta, told)
        told.other(run, "STATE_DELTA")

    def activity_snapshot(self, run: Run, wire: wires.ActivitySnapshot, told: Telling) -> None:
        """An activity is this, unless it is there already and is not to be replaced."""
        told.identify(run, "messageId", wire.message_id)
        if wire.message_id is not None and (wire.replace is not False or wire.message_id not in self._activities):
            self._activities[wire.message_id] = UNSET if wire.content is None else wire.content
        told.other(run, "ACTIVITY_SNAPSHOT")

    def activity_delta(self, run: Run, wire: wires.ActivityDelta, told: Telling) -> None:
        """An activity changes."""
        told.identify(run, "messageId", wire.message_id)
        known = self._activities.get(wire.message_id, UNSET)
        changed = _patched(run, "ACTIVITY_DELTA", known, wire.patch, told)
        if known is not UNSET:
            self._activities[wire.message_id] = changed
        told.other(run, "ACTIVITY_DELTA")

    def messages_snapshot(self, run: Run, wire: wires.MessagesSnapshot, told: Telling) -> None:
        """All messages of the thread, with the results of its tools, and its activities if any."""
        messages = wire.messages or []
        activities = {m["id"]: m.get("content") for m in messages if m.get("role") == "activity" and _has_id(m)}
        if activities:
            self._activities = activities
        told.other(run, "MESSAGES_SNAPSHOT")
        run.shown = ""
        run.history = True
        for number, message in enumerate(messages):
            _message(run, f"messages[{number}]", message, told)


def _has_id(message: dict[str, Any]) -> bool:
    return isinstance(message.get("id"), str)


def _patched(run: Run, wire_type: str, document: Any, patch: list[Any] | None, told: Telling) -> Any:
    """Return the document with a patch applied: as it was where that cannot be done, or where it is not known."""
    if patch is None:
        return document
    problem = json_patch.malformed(patch)
    if problem:
        told.violates(
            "AGU-19",
            f"{wire_type} is no JSON Patch",
            expected="operations as in RFC 6902",
            actual=shorten(problem),
            run=run,
        )
        return document
    if document is UNSET:
        return document
    try:
        return json_patch.apply(document, patch)
    except json_patch.PatchError as error:
        told.violates(
            "AGU-20",
            f"{wire_type} does not apply",
            expected="operations that fit what the client holds",
            actual=shorten(error),
            run=run,
        )
        return document


def _message(run: Run, place: str, message: dict[str, Any], told: Telling) -> None:
    role, identifier, content = message.get("role"), message.get("id"), message.get("content")
    for name, value, words in (("id", identifier, "a string"), ("role", role, f"one of {', '.join(_ROLES)}")):
        if not isinstance(value, str) or (name == "role" and value not in _ROLES):
            told.events.append(Flaw("SCH-02", f"{place}.{name}", words, describe(message.get(name, UNSET))))
    if role == "user":
        run.shown = ""
    elif role == "tool":
        call_id, error = message.get("toolCallId"), message.get("error")
        if isinstance(call_id, str):
            text = content if isinstance(content, str) else ""
            tools.result_in_snapshot(run, call_id, text, error if isinstance(error, str) else None, told)
    elif role == "assistant":
        mention_calls(run, message)
        if isinstance(content, str) and content:
            run.shown = content
            _streamed(run, identifier, content, told)


def mention_calls(run: Run, message: dict[str, Any]) -> None:
    """Remember the calls that a message of the assistant holds."""
    calls = message.get("toolCalls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict) and isinstance(call.get("id"), str):
            tools.mention(run, call["id"])


def _streamed(run: Run, identifier: Any, content: str, told: Telling) -> None:
    """A message that was streamed in this run, and is whole, is the same in a snapshot."""
    message = run.said.get(identifier) if isinstance(identifier, str) else None
    if message is None or identifier in run.texts or message is run.chunk:
        return
    streamed = "".join(message.pieces)
    if streamed.strip() != content.strip():
        told.violates(
            "AGU-23",
            f"message {identifier} was streamed with another text than the snapshot's",
            expected=shorten(content),
            actual=shorten(streamed),
            run=run,
        )
