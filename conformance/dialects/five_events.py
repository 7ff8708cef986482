"""The native protocol: five events over WebSocket (WIRE.md, five-events/1). Sans-IO.

Frames that keep the protocol to the letter are decoded in one step into typed structs. Anything else goes the slow
way: what can be read is read, and each deviation is a `Flaw`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Union
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec
from msgspec import UNSET, Meta, UnsetType

from conformance import events
from conformance.dialects.dialect import Decoder, Dialect, Exchange, Exchanges, Framing, Turn
from conformance.dialects.fields import Fields, decode_json, describe, number, shorten, well_stamped
from conformance.events import Event, Flaw, RunEvent, ToolError
from conformance.history.operations import Action, Asked

_ENVELOPE: list[tuple[str, Any]] = [
    ("event_id", str),
    ("run_id", str),
    ("thread_id", str),
    ("user_id", str),
    ("seq", int),
    ("timestamp", Annotated[datetime, Meta(tz=True)]),
    ("agent_name", str),
]
# type on the wire -> canonical event, and what its payload must hold
_RUN_EVENTS: dict[str, tuple[type[RunEvent], type[msgspec.Struct], dict[str, Any]]] = {
    "agent_started": (events.RunStarted, events.StartedPayload, {"request_id": str}),
    "agent_thinking": (events.Thinking, events.ThinkingPayload, {"thought": str, "step": int | str}),
    "tool_executing": (
        events.ToolStarted,
        events.ToolStartedPayload,
        {"tool_name": str, "tool_call_id": str, "parameters": dict[str, Any]},
    ),
    "tool_completed": (
        events.ToolCompleted,
        events.ToolCompletedPayload,
        {"tool_name": str, "tool_call_id": str, "status": Literal["ok", "error"], "duration_ms": float},
    ),
    "message_chunk": (events.TextDelta, events.TextPayload, {"text": str}),
    "agent_completed": (events.RunCompleted, events.CompletedPayload, {"final_response": str, "duration_ms": float}),
    "agent_error": (events.RunFailed, events.FailedPayload, {"code": str, "message": str, "retryable": bool}),
    "agent_stopped": (events.RunStopped, events.StoppedPayload, {"reason": str}),
}
_OPTIONAL: dict[str, list[tuple[str, Any, Any]]] = {
    "tool_completed": [("result", Any, UNSET), ("error", ToolError | UnsetType, UNSET)],
}


def _strict(wire_type: str) -> type[msgspec.Struct]:
    """Make the struct that a frame of this type must fit: every field required, of its type, and no others."""
    event, payload, fields = _RUN_EVENTS[wire_type]
    exact_payload = msgspec.defstruct(
        f"{payload.__name__}OnWire",
        [*fields.items(), *_OPTIONAL.get(wire_type, [])],
        bases=(payload,),
        forbid_unknown_fields=True,
        frozen=True,
        kw_only=True,
        gc=False,
    )
    return msgspec.defstruct(
        f"{event.__name__}OnWire",
        [*_ENVELOPE, ("payload", exact_payload), ("traceparent", str | None, None)],
        bases=(event,),
        namespace={"exact": True},
        tag_field="type",
        tag=wire_type,
        forbid_unknown_fields=True,
        frozen=True,
        kw_only=True,
        gc=False,
    )


class _Accepted(events.Accepted, frozen=True, forbid_unknown_fields=True):
    exact = True

    run_id: str
    thread_id: str
    request_id: str


class _AcceptedFrame(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="run_accepted"):
    run_id: ClassVar[None] = None
    payload: _Accepted


_STRICT = {wire_type: _strict(wire_type) for wire_type in _RUN_EVENTS}
_Union = Union[(_AcceptedFrame, *_STRICT.values())]  # type: ignore[valid-type]
_REQUIRED = {
    "start_agent": ("user_request", "request_id"),
    "user_message": ("content", "request_id", "thread_id"),
    "stop_agent": ("run_id",),
}
_TROUBLED = ("agent_error", "agent_stopped")


class FiveEventsDecoder(Decoder):
    """Decodes frames of five-events; keeps no state."""

    def __init__(self) -> None:
        self._decode_exact = msgspec.json.Decoder(_Union).decode

    def decode(self, raw: bytes) -> Sequence[Event]:
        """Return the frame's event, preceded by what is wrong with its form."""
        try:
            event = self._decode_exact(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return _decode_loosely(raw)
        if event.__class__ is _AcceptedFrame:
            return (event.payload,)
        return (event,) if well_stamped(event.timestamp, raw) else _decode_loosely(raw)


def _decode_loosely(raw: bytes) -> Sequence[Event]:
    try:
        frame = decode_json(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return (Flaw("SCH-01", "frame", "a JSON object in UTF-8", f"{error}: {shorten(raw)}"),)
    if not isinstance(frame, dict):
        return (Flaw("SCH-01", "frame", "a JSON object", shorten(raw)),)
    wire_type = frame.get("type")
    if not isinstance(wire_type, str) or not wire_type:
        flaw = Flaw("SCH-02", "type", "a non-empty string", describe(wire_type))
        return (flaw, _other(Fields(frame), "")) if "run_id" in frame else (flaw, events.Unknown(None))
    if wire_type in _RUN_EVENTS:
        return _run_event(wire_type, frame)
    if wire_type in _CONTROL:
        fields = Fields(frame)
        payload = frame.get("payload")
        # WIRE.md writes the answers' fields without a payload; engines that wrap them as requests are read as well
        control = _CONTROL[wire_type](Fields({**frame, **payload}) if isinstance(payload, dict) else fields, fields)
        return (*fields.flaws, control)
    if "run_id" in frame:
        fields = Fields(frame)
        event = _other(fields, wire_type)
        return (*fields.flaws, event)
    return (events.Unknown(wire_type),)


def _run_event(wire_type: str, frame: dict[str, Any]) -> Sequence[Event]:
    kind, payload_kind, payload_fields = _RUN_EVENTS[wire_type]
    envelope = Fields(frame)
    values = _envelope(envelope)
    payload = Fields(envelope.take("payload", dict, "an object") or {}, prefix="payload.")
    content: dict[str, Any] = {}
    for name, expected in payload_fields.items():
        content[name] = payload.typed(name, expected)
    for name, _, _ in _OPTIONAL.get(wire_type, []):
        value = payload.data.get(name, UNSET)
        content[name] = value if name == "result" or value is UNSET else payload.tool_error(name)
    make: Any = kind
    trace = frame.get("traceparent")
    event = make(*values, payload=payload_kind(**content), traceparent=trace if isinstance(trace, str) else None)
    return (*envelope.flaws, *payload.flaws, event)


def _other(fields: Fields, wire_type: str) -> RunEvent:
    make: Any = events.OtherRunEvent
    event: RunEvent = make(*_envelope(fields), wire_type)
    return event


def _envelope(fields: Fields) -> tuple[Any, ...]:
    return (
        fields.typed("event_id", str),
        fields.run_id(),
        fields.typed("thread_id", str),
        fields.typed("user_id", str),
        fields.typed("seq", int),
        fields.timestamp("timestamp"),
        fields.typed("agent_name", str),
    )


def _ready(fields: Fields, top: Fields) -> Event:
    capabilities = fields.data.get("capabilities")
    limits = fields.data.get("limits")
    known = limits if isinstance(limits, dict) else {}
    return events.Ready(
        connection_id=fields.typed("connection_id", str, into=top),
        user_id=fields.typed("user_id", str, into=top),
        protocol=fields.typed("protocol", str, into=top),
        server_time=fields.timestamp("server_time", into=top),
        heartbeat_s=fields.typed("heartbeat_s", float, into=top),
        capabilities=tuple(c for c in capabilities if isinstance(c, str)) if isinstance(capabilities, list) else None,
        run_limit_s=number(known.get("run_s")),
        message_bytes=int(known["message_bytes"]) if number(known.get("message_bytes")) else None,
    )


def _accepted(fields: Fields, top: Fields) -> Event:
    return events.Accepted(
        run_id=fields.typed("run_id", str, into=top),
        thread_id=fields.typed("thread_id", str, into=top),
        request_id=fields.typed("request_id", str, into=top),
        duplicate=fields.data.get("duplicate") is True,
    )


def _refusal(fields: Fields, top: Fields) -> Event:
    request_id = fields.data.get("request_id")
    return events.Refusal(
        code=fields.typed("code", str, into=top),
        message=fields.typed("message", str, into=top),
        request_id=request_id if isinstance(request_id, str) else None,
    )


def _pong(fields: Fields, top: Fields) -> Event:
    correlation_id = fields.data.get("correlation_id")
    return events.Pong(correlation_id if isinstance(correlation_id, str) else None)


def _heartbeat(fields: Fields, top: Fields) -> Event:
    return events.Heartbeat()


_CONTROL: dict[str, Callable[[Fields, Fields], Event]] = {
    "connection_established": _ready,
    "run_accepted": _accepted,
    "error": _refusal,
    "pong": _pong,
    "ping": _heartbeat,
    "heartbeat": _heartbeat,
}


class FiveEvents(Dialect):
    """The dialect `five-events`."""

    plain_frames: Any = Union[(_AcceptedFrame, *(_STRICT[t] for t in _STRICT if t not in _TROUBLED))]
    acceptance = _AcceptedFrame
    name = "five-events"
    transport = "websocket"
    greets = True
    malformed: ClassVar[Mapping[str, str]] = {
        "not JSON": "{not json",
        "an array": "[1, 2, 3]",
        "a bare string": '"hello"',
        "null": "null",
        "no type": '{"payload": {}}',
        "a type that is no string": '{"type": 7, "payload": {}}',
        "no payload": '{"type": "start_agent"}',
        "a payload that is no object": '{"type": "start_agent", "payload": "run"}',
        "fields of wrong types": '{"type": "start_agent", "payload": {"user_request": 1, "request_id": {}}}',
        "a stop without a run": '{"type": "stop_agent", "payload": {}}',
        "deep nesting": '{"type": "start_agent", "payload": ' + "[" * 2000 + "]" * 2000 + "}",
        "lone surrogates": '{"type": "start_agent", "payload": {"user_request": "\\ud800", "request_id": 4}}',
    }
    intrinsic = frozenset(
        {"thinking", "seq", "idempotency", "heartbeat", "durable", "run_access", "run_ids", "user_ids"}
    )
    implied = frozenset({"resume", "stop", "threads", "multi_connection", "text_stream", "memory"})

    def decoder(self) -> Decoder:
        """Return a decoder."""
        return FiveEventsDecoder()

    def request(self, asked: Asked, text: str) -> str:
        """Return the frame for a request (five-events/1, Client to server)."""
        payload: dict[str, Any]
        match asked.action:
            case Action.START:
                payload = {"user_request": text, "request_id": asked.request_id, "thread_id": asked.thread_id}
                payload |= {**asked.planted, "context": asked.planted} if asked.planted else {}
                return _frame("start_agent", payload | {"user_id": asked.impersonates})
            case Action.CONTINUE:
                payload = {"content": text, "request_id": asked.request_id, "thread_id": asked.thread_id}
                return _frame("user_message", payload)
            case Action.STOP:
                return _frame("stop_agent", {"run_id": asked.run_id})
            case Action.RESUME:
                payload = {"run_id": asked.run_id, "thread_id": asked.thread_id, "after_seq": asked.after_seq}
                return _frame("resume", payload)
            case Action.PING:
                return _frame("ping", {"correlation_id": asked.request_id})
            case _:
                return text

    def required(self, frame: str) -> Sequence[tuple[str, ...]]:
        """Return where a request must hold a text (five-events/1, Client to server)."""
        wire_type = msgspec.json.decode(frame)["type"]
        return [("type",), *(("payload", name) for name in _REQUIRED.get(wire_type, ()))]

    def exchanges(self, url: str, asked: Asked, text: str, earlier: Sequence[Turn] = ()) -> Exchanges:
        """Yield the exchange that reads a run's events over HTTP; all else goes over the WebSocket."""
        if asked.action in (Action.READ, Action.RESUME) and asked.run_id:
            yield Exchange(url=_events_url(url, asked.run_id), method="GET", framing=Framing.EVENTS)


def _events_url(url: str, run_id: str) -> str:
    """Return the URL under which a run's events can be read (five-events/1, HTTP)."""
    parts = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return urlunsplit((scheme, parts.netloc, f"/runs/{quote(run_id, safe='')}/events", "", ""))


def _frame(wire_type: str, payload: dict[str, Any]) -> str:
    present = {name: value for name, value in payload.items() if value is not None}
    return msgspec.json.encode({"type": wire_type, "payload": present}).decode()


DIALECT = FiveEvents()
