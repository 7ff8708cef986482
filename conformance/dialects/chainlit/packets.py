"""The packets of socket.io 5 over engine.io 4 (their protocols' versions), as text frames of a WebSocket."""

from typing import Any

import msgspec
from msgspec import UNSET

from conformance.dialects.fields import describe, shorten
from conformance.dialects.telling import read_json
from conformance.events import Event, Flaw, Heartbeat, Refusal, Unknown

OPEN = "engine.io:open"
_NAMED = {"1": "close", "3": "pong", "5": "upgrade", "6": "noop"}


class Emitted(msgspec.Struct, frozen=True):
    """An event that the server emits, with its first argument; or what it says of itself when it opens (`OPEN`)."""

    name: str
    data: Any


def read_packet(raw: bytes, told: list[Event]) -> Emitted | None:
    """Return the event that a frame holds, if it holds one; else tell what it is, or what is wrong with it."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        told.append(Flaw("SCH-01", "frame", "a packet of engine.io in UTF-8", f"{error}: {shorten(raw)}"))
        return None
    kind, rest = text[:1], text[1:]
    if kind == "4":
        return _message(rest, told)
    if kind == "2":
        told.append(Heartbeat())
    elif kind == "0":
        opened = read_json(rest, told)
        if isinstance(opened, dict):
            return Emitted(OPEN, opened)
    elif kind in _NAMED:
        told.append(Unknown(f"engine.io:{_NAMED[kind]}"))
    else:
        told.append(Flaw("SCH-01", "frame", "a packet of engine.io, which begins with 0 to 6", shorten(text)))
    return None


def _message(text: str, told: list[Event]) -> Emitted | None:
    """A packet of socket.io: its type, a namespace and an id where it has them, and JSON."""
    kind, rest = text[:1], text[1:]
    if rest.startswith("/"):
        rest = rest.partition(",")[2]
    body = rest.lstrip("0123456789")
    match kind:
        case "2":
            return _event(body, told)
        case "0":
            if not body or isinstance(read_json(body, told), dict):
                told.append(Unknown("socket.io:connect"))
        case "4":
            told.append(_refused(read_json(body, told) if body else None))
        case "1" | "3" | "5" | "6":
            told.append(Unknown(f"socket.io:{kind}"))
        case _:
            told.append(
                Flaw("SCH-01", "frame", "a packet of socket.io, which begins with 40 to 46", shorten(f"4{text}"))
            )
    return None


def _event(body: str, told: list[Event]) -> Emitted | None:
    value = read_json(body, told)
    if value is UNSET:
        return None
    if not isinstance(value, list) or not value or not isinstance(value[0], str):
        told.append(Flaw("SCH-02", "event", "an array that begins with the event's name", describe(value)))
        return None
    return Emitted(value[0], value[1] if len(value) > 1 else None)


def _refused(reason: Any) -> Refusal:
    message = reason.get("message") if isinstance(reason, dict) else reason
    return Refusal("connect_error", message if isinstance(message, str) else None)


def packet(name: str, *arguments: Any) -> str:
    """Return the frame that emits an event."""
    return "42" + msgspec.json.encode([name, *arguments]).decode()
