"""What one run tells on one connection, for decoders of protocols that neither number nor pair their events."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET

from conformance import events
from conformance.dialects.fields import decode_json, shorten
from conformance.events import Event, Flaw, ToolError


def read_object(raw: bytes | str, told: list[Event]) -> dict[str, Any] | None:
    """Return the JSON object that a frame is; None, and a flaw, where it is none."""
    value = read_json(raw, told)
    if value is UNSET or isinstance(value, dict):
        return None if value is UNSET else value
    told.append(Flaw("SCH-01", "frame", "a JSON object", shorten(raw)))
    return None


def read_json(raw: bytes | str, told: list[Event]) -> Any:
    """Return the JSON value that a frame is; UNSET, and a flaw, where it is none."""
    try:
        return decode_json(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        told.append(Flaw("SCH-01", "frame", "JSON in UTF-8", f"{error}: {shorten(raw)}"))
        return UNSET


class Teller:
    """Makes the canonical events of one run, into `told`; `prefix` names the protocol where an event is all its own.

    `stamp` is the time of the events to come. `pieces` are what the agent has said, `calls` the names of its tool
    calls by id, `waiting` those of them without an outcome. `begun` and `ended` tell how far the run is.
    """

    def __init__(self, told: list[Event], prefix: str, run_id: str | None, thread_id: str | None = None) -> None:
        self.told = told
        self.run_id = run_id
        self.thread_id = thread_id
        self.stamp: datetime | None = None
        self.pieces: list[str] = []
        self.calls: dict[str, str] = {}
        self.waiting: set[str] = set()
        self.ended = False
        self._prefix = prefix

    def start(self, request_id: str | None = None) -> None:
        """The run begins."""
        self._tell(events.RunStarted, events.StartedPayload(request_id))

    def text(self, text: str) -> None:
        """The answer goes on."""
        if text:
            self.pieces.append(text)
            self._tell(events.TextDelta, events.TextPayload(text))

    def thought(self, text: str, step: str | None = None) -> None:
        """The agent shows its reasoning, or what it is about to do."""
        if text.strip():
            self._tell(events.Thinking, events.ThinkingPayload(text, step))

    def call(self, call_id: str, name: str, parameters: Any) -> None:
        """A tool is about to run."""
        self.calls[call_id] = name
        self.waiting.add(call_id)
        self._tell(events.ToolStarted, events.ToolStartedPayload(name, call_id, parameters))

    def outcome(self, call_id: str, name: str | None, *, result: Any = UNSET, error: str | None = None) -> None:
        """A tool has ended, well or with an error. A call that is not known was made elsewhere."""
        known = call_id in self.calls
        self.waiting.discard(call_id)
        name = name or self.calls.get(call_id, "")
        if error is None:
            payload = events.ToolCompletedPayload(name, call_id, "ok", result=result)
        else:
            payload = events.ToolCompletedPayload(name, call_id, "error", error=ToolError("tool_error", error))
        self._tell(events.ToolCompleted if known else events.ToolCompletedElsewhere, payload)

    def defer(self, call_id: str) -> None:
        """What comes of a call belongs to another run."""
        self.waiting.discard(call_id)
        self._tell(events.ToolDeferred, events.ToolDeferredPayload(self.calls[call_id], call_id))

    def other(self, name: str) -> None:
        """Something that has no canonical form."""
        self._tell(events.OtherRunEvent, f"{self._prefix}:{name}")

    def complete(self, answer: str | None = None) -> None:
        """The run has succeeded with this answer, or with what it said."""
        said = "".join(self.pieces) if answer is None else answer
        self.end(events.RunCompleted, events.CompletedPayload(said if said.strip() else UNSET))

    def fail(self, code: str | None, message: str | None) -> None:
        """The run has failed."""
        self.end(events.RunFailed, events.FailedPayload(code, message))

    def stop(self, reason: str) -> None:
        """The run was stopped, or waits for its client."""
        self.end(events.RunStopped, events.StoppedPayload(reason))

    def end(self, make: Any, payload: Any) -> None:
        """The run ends so."""
        self.ended = True
        self._tell(make, payload)

    def _tell(self, make: Any, content: Any) -> None:
        self.told.append(make(None, self.run_id, self.thread_id, None, None, self.stamp, None, content))
