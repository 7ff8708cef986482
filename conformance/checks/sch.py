"""SCH: every frame is well formed. The dialect's decoder finds what is wrong with the form (`Flaw`)."""

import re
from typing import Any

from conformance.checks.check import Evidence, Unconcerned, on
from conformance.dialects.fields import shorten
from conformance.events import Flaw, Kind, Refusal, RunEvent, Unknown
from conformance.history import operations as ops
from conformance.history.operations import Action
from conformance.recent import Recent
from conformance.story import Connection, Notice, Passage, Sighting

_NAMESPACED = re.compile(r"\w[.:/]\w")
_LEAKS = (
    (
        "a stack trace",
        re.compile(r"Traceback \(most recent call|\bat [\w$.<>]+\([\w./]+:\d+\)|File \"[^\"]+\", line \d+"),
    ),
    (  # not the path of a URL, which has a host before it
        "a source path",
        re.compile(
            r"(?:(?<![\w.~/-])|(?<=file://))(?:/[\w.-]+){2,}\.(?:py|js|ts|go|rs|java|rb|so)\b|[A-Z]:\\[\w\\. -]+\\"
        ),
    ),
    (  # "Bearer authentication required" shows none
        "a token",
        re.compile(
            r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|\bBearer\s+(?=[\w.-]*\d)[\w.-]{12,}|\bsk-[A-Za-z0-9]{16,}",
        ),
    ),
    (  # nor does "password: required"
        "a secret",
        re.compile(
            r"secret~of~[^~]*~|(?i:password|secret|api[_-]?key)\s*(?:=|:(?=\s*[^\s,;\"'}]*\d))\s*[^\s,;\"'}]{6,}",
        ),
    ),
)


class Form(Unconcerned):
    """Frames and events have the form that the dialect gives them."""

    decides = ("SCH-01", "SCH-02", "SCH-04")

    @on(ops.Received)
    def frame(self, op: ops.Received) -> None:
        """A binary frame has no place in a dialect of text frames."""
        if op.binary is not None and self.world.dialect.transport == "websocket":
            self.fail(
                "SCH-01",
                "a binary frame",
                expected="a text frame with a JSON object in UTF-8",
                actual=f"{len(op.binary)} bytes of binary data",
                witnesses=[self.here(op)],
            )

    @on(Flaw)
    def flaw(self, notice: Notice) -> None:
        """Report what the decoder found."""
        flaw = notice.event
        assert isinstance(flaw, Flaw)
        if flaw.requirement not in ("SCH-01", "SCH-02") or _reads_others(notice.connection):
            return
        what = "is not well formed" if flaw.requirement == "SCH-01" else f"has a bad field {flaw.field!r}"
        self.fail(
            flaw.requirement,
            f"a frame {what}",
            expected=f"{flaw.field}: {flaw.expected}" if flaw.requirement == "SCH-02" else flaw.expected,
            actual=flaw.actual,
            witnesses=[notice],
        )

    @on(Kind.OTHER)
    def unknown_run_event(self, seen: Sighting) -> None:
        """An event of a run whose type the dialect does not know."""
        if not _reads_others(seen.connection):
            self._unknown(getattr(seen.event, "type", None), seen)

    @on(Unknown)
    def unknown(self, notice: Notice) -> None:
        """A frame whose type the dialect does not know."""
        if not _reads_others(notice.connection):
            self._unknown(getattr(notice.event, "type", None), notice)

    def _unknown(self, name: str | None, evidence: Evidence) -> None:
        self.exercised["SCH-04"] += 1
        if name is not None and not _NAMESPACED.search(name):
            self.fail(
                "SCH-04",
                f"an event of the unknown type {shorten(name, 60)!r}",
                expected="a type of the dialect, or a namespaced one such as acme.progress",
                actual=shorten(name, 60),
                witnesses=[evidence],
            )

    def finish(self) -> None:
        """Every event was held against its type; that none was of an unknown type is the usual case."""
        self.exercised["SCH-01"] = self.world.frames
        self.exercised["SCH-02"] = self.world.events
        self.exercised["SCH-04"] = self.exercised["SCH-04"] or self.world.events


def _reads_others(connection: Connection) -> bool:
    """Tell whether an exchange was made to read what is another user's: its answer need not be a dialect's stream."""
    return any(request.asked.action is Action.READ for request in connection.unanswered)


class Planted(Unconcerned):
    """What a client puts into a request's payload never turns up as an envelope field."""

    decides = ("SCH-05",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._planted: Recent[str, ops.Asked] = Recent(1_024)
        self._tried = False

    @on(ops.Asked)
    def asked(self, op: ops.Asked) -> None:
        """Remember what was planted: values that no honest envelope holds."""
        for value in (op.planted or {}).values():
            self._planted.add(value, op)
            self._tried = True

    @on(Passage)
    def passage(self, passage: Passage) -> None:
        """Hold the envelopes of a run's events against what its request planted."""
        if not self._tried:
            return
        request = passage.story.request
        planted = request is not None and request.asked.planted is not None
        if planted or passage.sightings[0].event.kind is Kind.OTHER:
            for seen in passage.sightings:
                self._event(seen)

    def _event(self, seen: Sighting) -> None:
        event: RunEvent = seen.event
        self.exercised["SCH-05"] += 1
        envelope = {
            "type": getattr(event, "type", None),
            "run_id": event.run_id,
            "thread_id": event.thread_id,
            "user_id": event.user_id,
            "event_id": event.event_id,
            "agent_name": event.agent_name,
        }
        for field, value in envelope.items():
            op = self._planted.get(value) if value else None
            if op is not None and field in (op.planted or {}):
                self.fail(
                    "SCH-05",
                    f"a payload field replaced the envelope's {field}",
                    expected=f"{field} as the engine sets it",
                    actual=f"{value}, which the client put into its request",
                    witnesses=[seen],
                    run=seen.story,
                )


class Errors(Unconcerned):
    """Error frames say what went wrong, and nothing that helps an attacker."""

    decides = ("SCH-06",)

    @on(Refusal)
    def refusal(self, notice: Notice) -> None:
        """Judge an error frame that belongs to no run."""
        event = notice.event
        assert isinstance(event, Refusal)
        self._judge(event.code, event.message, notice)

    @on(Kind.FAILED)
    def failed(self, seen: Sighting) -> None:
        """Judge a run's error event."""
        self._judge(seen.event.payload.code, seen.event.payload.message, seen)

    def _judge(self, code: str | None, message: str | None, evidence: Evidence) -> None:
        self.exercised["SCH-06"] += 1
        if not code or not message:
            self.fail(
                "SCH-06",
                "an error without code or message",
                expected="a code and a message",
                actual=f"code {code!r}, message {message!r}",
                witnesses=[evidence],
            )
        for what, pattern in _LEAKS:
            leak = pattern.search(message or "")
            if leak:
                self.fail(
                    "SCH-06",
                    f"an error shows {what}",
                    expected="a message without stack trace, file path, secret or token",
                    actual=shorten(leak[0], 80),
                    witnesses=[evidence],
                )


class EventStreamHeaders(Unconcerned):
    """An SSE response says that it is one, and one to GET that it must not be cached."""

    decides = ("SCH-07",)

    @on(ops.Connected)
    def connected(self, op: ops.Connected) -> None:
        """Judge the headers of an event stream that the kit asked for."""
        connection = self.world.connections[op.conn]
        if connection.op.method == "websocket" or "text/event-stream" not in connection.op.accept:
            return
        headers = dict(op.headers)
        kind, caching = headers.get("content-type", ""), headers.get("cache-control", "")
        if kind.startswith("application/json") and "json_answers" in self.world.capabilities:
            return
        self.exercised["SCH-07"] += 1
        storable = connection.op.method == "GET"  # an answer to POST is stored only where it asks for that
        if not kind.startswith("text/event-stream") or (storable and not re.search("no-(store|cache)", caching)):
            wanted = ", cache-control: no-store or no-cache" if storable else ""
            self.fail(
                "SCH-07",
                "an event stream with the wrong headers",
                expected=f"content-type: text/event-stream{wanted}",
                actual=f"content-type: {kind or 'none'}, cache-control: {caching or 'none'}",
                witnesses=[self.here(op)],
            )
