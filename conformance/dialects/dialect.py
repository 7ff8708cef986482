"""What a dialect is: requests out, canonical events in, no sockets and no clock.

A dialect is a class that inherits from `Dialect` and says what its protocol has; all else has a default. Over a
WebSocket a question is one frame (`request`). Over HTTP it is one or several exchanges (`exchanges`), the answer to
the last of which is a stream of frames. Both drivers, asyncio and Locust, send what the dialect yields.
"""

from collections.abc import Generator, Mapping, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import Any, ClassVar, Literal

import msgspec

from conformance.events import Event, Refusal, TextDelta
from conformance.history.operations import Action, Asked

Headers = tuple[tuple[str, str], ...]


class Decoder:
    """Decodes the frames of one connection (a WebSocket, or the answer to one HTTP exchange), in order."""

    def decode(self, raw: bytes) -> Sequence[Event]:
        """Return the frame's canonical events, and what is wrong with its form (`Flaw`). Never raises."""
        raise NotImplementedError

    def joined(self, raws: Sequence[bytes]) -> TextDelta | None:
        """Return what consecutive frames tell together, where each is but the next piece of one text; else None.

        The event's timestamp is that of the last. The frames are taken in by `join` only, or by being decoded.
        """
        return None

    def join(self, text: TextDelta) -> None:
        """Take in the frames that `joined` has just returned as one."""
        raise NotImplementedError

    def closed(self) -> Sequence[Event]:
        """Return what it means that the target has ended the connection, whole: for protocols where that ends a run."""
        return ()


class Framing(StrEnum):
    """What a frame is in the body of an HTTP answer.

    EVENTS: a server-sent event. LINES: a line that is not empty (NDJSON). WHOLE: all of it; so it is taken, whatever
    was declared, where its content type is JSON. NONE: nothing; the body stays with the answer.
    """

    EVENTS = "events"
    LINES = "lines"
    WHOLE = "whole"
    NONE = "none"


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request to send.

    The driver adds the user's credentials (`Authorization: Bearer …`), `Content-Type: application/json` where there is
    a body, and `Accept` as the framing has it; `headers` come on top of that and win.
    """

    url: str
    method: str = "POST"
    body: str = ""
    headers: Headers = ()
    framing: Framing = Framing.EVENTS


class Answer(msgspec.Struct, frozen=True):
    """The answer to an exchange that prepares a question: its status (below 400), headers in lower case, whole body."""

    status: int
    headers: Headers = ()
    body: bytes = b""


# What asks for a run streams: exchanges of a START or CONTINUE whose framing is NONE only prepare it, and their `yield`
# gives their answer. One with another framing puts the question; its `yield` gives nothing back, it must be the last.
Exchanges = Generator[Exchange, Answer, None]


class Turn(msgspec.Struct, frozen=True):
    """An earlier run of the same client on the same thread: what was said, and the frames of the answer so far."""

    asked: Asked
    text: str
    frames: Sequence[bytes] = ()


class Guest(msgspec.Struct, frozen=True):
    """Who opens a WebSocket: `token` is None where no credentials are shown, `number` is new for each connection."""

    user: str
    token: str | None
    number: int


class Dialect:
    """A protocol that targets speak. Sans-IO and without state: a new connection gets a new decoder.

    `tells_tool_failures` is whether a tool's completion has a field that says that the tool failed.
    `intrinsic` are the capabilities that every target of this dialect has; `implied` those that it is taken to have
    where it announces none. Some are facts of a protocol: seq (events are numbered), run_ids (the target names runs,
    not the client), user_ids (events name their user), run_access (a run can be read, resumed or stopped by its id),
    json_answers (what is no stream is answered as a JSON object, a refusal with status 200).
    `greets` tells that a target of this dialect says something (`Ready`) to a new WebSocket before it is asked.
    `event_names` tells that the name of a server-sent event matters: then its frame is b"event: NAME\\ndata: DATA",
    else the data alone. `answers_unknown` tells that the protocol answers a message of a type that it does not know:
    else it drops it. `malformed` are requests, by what is wrong with them, that every target must refuse. `piece`
    stands near the beginning of a frame that may be one of many pieces of a text (`Decoder.joined`). `source` is the
    text that describes a dialect that is not built in: histories hold it.
    """

    name: str
    source: str | None = None
    transport: Literal["websocket", "http"] = "websocket"
    intrinsic: frozenset[str] = frozenset()
    tells_tool_failures: bool = True
    implied: frozenset[str] = frozenset()
    greets: bool = False
    event_names: bool = False
    piece: str = ""
    answers_unknown: bool = True
    malformed: ClassVar[Mapping[str, str]] = {
        "not JSON": "{not json",
        "an array": "[1, 2, 3]",
        "a bare string": '"hello"',
        "null": "null",
        "an empty object": "{}",
    }

    def decoder(self) -> Decoder:
        """Return a decoder for a new connection."""
        raise NotImplementedError

    def request(self, asked: Asked, text: str) -> str:
        """Return the frame, or the body, that asks for `asked`; `text` is what the user says.

        For bad input (`GARBAGE`, `UNKNOWN_TYPE`, `OVERSIZE`) `text` is the frame itself.
        """
        raise NotImplementedError

    def required(self, frame: str) -> Sequence[tuple[str, ...]]:
        """Return where a request of this protocol, a JSON object, must hold a text that is not there by default.

        Each is a path of keys. Without that text, or with anything else there, every target must refuse the request.
        """
        return ()

    def new_thread(self, request_id: str) -> str | None:
        """Return the id of the thread that a run begins, where it is the client who names threads.

        It comes back as `Asked.thread_id` of that START and of every CONTINUE on the thread.
        """
        return None

    # -- over HTTP --------------------------------------------------------------------------------------------------

    def exchanges(self, url: str, asked: Asked, text: str, earlier: Sequence[Turn] = ()) -> Exchanges:
        """Yield the exchanges that carry out what is asked; `url` is the target's.

        `earlier` holds the turns of `asked.thread_id` of this client: for protocols whose clients send the whole
        conversation each time. The default is one POST of the `request` to the target's URL for everything that asks
        for a run, or is bad input, and nothing for the rest: STOP, RESUME, READ and PING are for dialects that have
        such a thing (and name it in `implied` or `intrinsic`: stop, resume; READ is asked of all).
        """
        if asked.action in (Action.START, Action.CONTINUE, Action.GARBAGE, Action.UNKNOWN_TYPE, Action.OVERSIZE):
            yield Exchange(url=url, body=self.request(asked, text))

    def refusal(self, status: int, body: bytes) -> Refusal:
        """Return what an HTTP error says: by default its status, or `code` and `message` where they are there.

        They are looked for at the top level of a JSON object, and in an object `error` or `detail` within it.
        """
        return _plain_refusal(status, body)

    # -- over a WebSocket -------------------------------------------------------------------------------------------

    def address(self, url: str, guest: Guest) -> tuple[str, Headers]:
        """Return the URL to connect to, and headers beyond the credentials."""
        return url, ()

    def replies(self, raw: bytes, guest: Guest) -> Sequence[str]:
        """Return the frames to send at once when a frame has come: a handshake, or pings of the protocol's own.

        For example socket.io: "40{auth}" after "0{…}", and "3" after "2".
        """
        return ()

    def lets_in(self, raw: bytes) -> bool | None:
        """Tell whether the first frame that says so lets in who has connected; None where a frame does not say.

        For example socket.io: not yet with "0{…}", no with "44{…}".
        """
        return True


def _plain_refusal(status: int, body: bytes) -> Refusal:
    try:
        told: Any = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        told = None
    places = [told, *(told.get(name) for name in ("error", "detail"))] if isinstance(told, dict) else []
    found: dict[str, str | None] = {"code": None, "message": None}
    for place in places:
        if isinstance(place, str):
            found["message"] = found["message"] or place
        elif isinstance(place, dict):
            for name, value in found.items():
                other = place.get(name)
                found[name] = value or (str(other) if isinstance(other, str | int) else None)
    return Refusal(found["code"] or f"http-{status}", found["message"] or _phrase(status))


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else f"HTTP {status}"
