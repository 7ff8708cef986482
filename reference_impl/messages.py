"""The frames that are not run events: what clients send, decoded; what the engine answers, encoded (WIRE.md)."""

import contextlib
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from reference_impl.context import UserExecutionContext, require_id
from reference_impl.errors import ErrorCode, InvalidIdentity, Refusal
from reference_impl.events import format_timestamp
from reference_impl.settings import Settings

T = TypeVar("T")

PROTOCOL = "five-events/1"
CAPABILITIES = ("resume", "stop", "threads", "multi_connection", "text_stream", "memory")


_encoder = msgspec.json.Encoder()


class StartAgent(msgspec.Struct, frozen=True):
    """`start_agent`: a run on a thread of the client's choice, or on a new one."""

    user_request: str
    request_id: str
    thread_id: str | None = None
    agent: str | None = None
    context: dict[str, Any] | None = None
    settings: dict[str, Any] | None = None


class UserMessage(msgspec.Struct, frozen=True):
    """`user_message`: the next run of a thread that exists."""

    content: str
    request_id: str
    thread_id: str


class StopAgent(msgspec.Struct, frozen=True):
    """`stop_agent`: end a run."""

    run_id: str
    request_id: str | None = None


class Resume(msgspec.Struct, frozen=True):
    """`resume`: what was missed of a run or of a thread, then what is live."""

    run_id: str | None = None
    thread_id: str | None = None
    after_seq: int | None = None
    last_event_id: str | None = None
    request_id: str | None = None

    def __post_init__(self) -> None:
        if (self.run_id is None) == (self.thread_id is None):
            raise ValueError("give either run_id or thread_id")
        if self.after_seq is not None and self.last_event_id is not None:
            raise ValueError("give either after_seq or last_event_id, or neither for everything")
        if self.after_seq is not None and not 0 <= self.after_seq < 2**63:
            raise ValueError(f"after_seq must be 0 or more, not {self.after_seq}")


class Ping(msgspec.Struct, frozen=True):
    """`ping`: answered by `pong` with the same correlation_id."""

    correlation_id: str | int | None = None


class HeartbeatAck(msgspec.Struct, frozen=True):
    """`heartbeat_ack`: not answered."""

    correlation_id: str | int | None = None


ClientMessage = StartAgent | UserMessage | StopAgent | Resume | Ping | HeartbeatAck


class RequestContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says beside its message. Raises InvalidIdentity on ids that are empty or placeholders."""

    request_id: str
    thread_id: str | None = None
    thread_must_exist: bool = False
    owns_thread: bool = False
    """Whether the thread's id is refused where it is somebody else's, rather than one of the user's own."""
    traceparent: str | None = None
    """The caller's W3C trace context."""
    details: str | None = None
    """JSON text that the client sent along for the agent."""

    def __post_init__(self) -> None:
        require_id(self.request_id, "request_id")
        if self.thread_id is not None:
            require_id(self.thread_id, "thread_id")


class RunRequest(msgspec.Struct, frozen=True):
    """A wish for a run, wherever it came from; `agent` is None where any will do."""

    message: str
    agent: str | None
    context: RequestContext

    @classmethod
    def of(cls, message: StartAgent | UserMessage, *, traceparent: str | None = None) -> "RunRequest":
        """What `message` asks for. Raises Refusal `bad_message` on ids that are empty or placeholders."""
        if isinstance(message, UserMessage):
            text, agent, more = message.content, None, None
        else:
            text, agent, more = message.user_request, message.agent, message.context
        try:
            if agent is not None:
                require_id(agent, "agent")
            context = RequestContext(
                request_id=message.request_id,
                thread_id=message.thread_id,
                thread_must_exist=isinstance(message, UserMessage),
                traceparent=traceparent,
                details=_encoder.encode(more).decode() if more else None,
            )
            return cls(text, agent, context)
        except InvalidIdentity as error:
            raise Refusal.bad_message(f"payload.{error}") from None


class _Frame(msgspec.Struct):
    type: str
    payload: msgspec.Raw = msgspec.Raw(b"{}")


class _RequestId(msgspec.Struct):
    request_id: str | None = None


_frames = msgspec.json.Decoder(_Frame)
_request_ids = msgspec.json.Decoder(_RequestId)
_payloads: dict[str, msgspec.json.Decoder[ClientMessage]] = {
    "start_agent": msgspec.json.Decoder(StartAgent),
    "user_message": msgspec.json.Decoder(UserMessage),
    "stop_agent": msgspec.json.Decoder(StopAgent),
    "resume": msgspec.json.Decoder(Resume),
    "ping": msgspec.json.Decoder(Ping),
    "heartbeat_ack": msgspec.json.Decoder(HeartbeatAck),
}


def decode_message(text: str | bytes) -> ClientMessage:
    """What a client's frame says. Raises Refusal `bad_json`, `bad_message` or `unknown_type` (LIF-08, LIF-09)."""
    frame = _decode(_frames, text, "frame")
    decoder = _payloads.get(frame.type)
    if decoder is None:
        known = ", ".join(_payloads)
        raise Refusal(ErrorCode.UNKNOWN_TYPE, f"Unknown type {frame.type[:64]!r}: expected one of {known}.")
    return decode_payload(bytes(frame.payload), decoder)


def decode_start(body: bytes) -> StartAgent:
    """The body of `POST /runs`. Raises Refusal like `decode_message`."""
    message = decode_payload(body, _payloads["start_agent"])
    assert isinstance(message, StartAgent)
    return message


def decode_body(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    """Decode the body of a request. Raises Refusal `bad_json` or `bad_message`."""
    return _decode(decoder, body, "body")


def decode_payload(payload: bytes, decoder: msgspec.json.Decoder[ClientMessage]) -> ClientMessage:
    """Decode one payload. The Refusal it raises carries the request_id if the payload has a readable one."""
    try:
        return _decode(decoder, payload, "payload")
    except Refusal as refusal:
        with contextlib.suppress(Refusal):
            refusal.request_id = request_id_of(_decode(_request_ids, payload, "payload"))
        raise


def request_id_of(message: object) -> str | None:
    """The request_id that an error about `message` names; none if that itself is what is wrong (IDN-02)."""
    try:
        return require_id(getattr(message, "request_id", None), "request_id")
    except InvalidIdentity:
        return None


def _decode(decoder: "msgspec.json.Decoder[T]", data: str | bytes, name: str) -> T:
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        # msgspec says where: "Expected `str`, got `int` - at `$.request_id`".
        what, _, where = str(error).partition(" - at ")
        raise Refusal.bad_message(f"{name}{where.strip('`').removeprefix('$')}: {what}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(ErrorCode.BAD_JSON, f"The {name} is not JSON: {error}.") from None
    except RecursionError:
        raise Refusal(ErrorCode.BAD_JSON, f"The {name} is nested too deeply.") from None


def encode_established(connection_id: str, user_id: str, settings: Settings) -> str:
    """The first frame on every connection (WIRE.md, Connect); `limits` is extra information."""
    frame = {
        "type": "connection_established",
        "protocol": PROTOCOL,
        "connection_id": connection_id,
        "user_id": user_id,
        "server_time": server_time(),
        "heartbeat_s": settings.heartbeat_s,
        "capabilities": CAPABILITIES,
        "limits": {"run_s": settings.run_limit_s, "message_bytes": settings.max_message_bytes},
    }
    return _encoder.encode(frame).decode()


def accepted_payload(context: UserExecutionContext, *, duplicate: bool) -> dict[str, Any]:
    """The ids of an accepted run: payload of `run_accepted`, body of the answer to `POST /runs`."""
    ids = {"request_id": context.request_id, "run_id": context.run_id, "thread_id": context.thread_id}
    return {**ids, "duplicate": duplicate}


def encode_answer(type: str, payload: dict[str, Any]) -> str:
    """`run_accepted`, `pong` or `heartbeat`."""
    return _encoder.encode({"type": type, "payload": payload}).decode()


def error_body(refusal: Refusal) -> dict[str, Any]:
    """An `error` frame, also the body of an HTTP error."""
    body: dict[str, Any] = {"type": "error", "code": refusal.code, "message": refusal.message}
    if refusal.request_id is not None:
        body["request_id"] = refusal.request_id
    return body


def encode_error(refusal: Refusal) -> str:
    """An `error` frame (WIRE.md, Errors and closing)."""
    return _encoder.encode(error_body(refusal)).decode()


def server_time() -> str:
    """The present time as events give it."""
    return format_timestamp(datetime.now(UTC).timestamp())
