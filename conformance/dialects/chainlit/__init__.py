"""Chainlit: socket.io over a WebSocket, as its own web page speaks it (https://docs.chainlit.io)."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from conformance.dialects.chainlit.decoder import ChainlitDecoder
from conformance.dialects.chainlit.ids import made_up, message_id
from conformance.dialects.chainlit.packets import packet
from conformance.dialects.dialect import Decoder, Dialect, Guest, Headers
from conformance.history.operations import Action, Asked


class Chainlit(Dialect):
    """The dialect `chainlit`. The target's URL is that of the server; a user's token is the cookie `access_token`.

    A connection is a session, and a session a thread, which the server names. A stop ends the newest task of the
    session, whichever it is.
    """

    name = "chainlit"
    transport = "websocket"
    intrinsic = frozenset({"run_ids"})
    implied = frozenset({"stop"})
    greets = True
    answers_unknown = False

    def decoder(self) -> Decoder:
        """Return a decoder for a new connection."""
        return ChainlitDecoder()

    def address(self, url: str, guest: Guest) -> tuple[str, Headers]:
        """Return the URL of the server's socket.io endpoint, and the cookie."""
        parts = urlsplit(url)
        path = parts.path
        if "socket.io" not in path:
            path = f"{path.rstrip('/').removesuffix('/ws')}/ws/socket.io/"
        query = dict(parse_qsl(parts.query)) | {"EIO": "4", "transport": "websocket"}
        scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        cookie = (("Cookie", f"access_token={guest.token}"),) if guest.token is not None else ()
        return urlunsplit((scheme, parts.netloc, path, urlencode(query), "")), cookie

    def replies(self, raw: bytes, guest: Guest) -> tuple[str, ...]:
        """Connect to the namespace, say that the page is there, and answer pings."""
        if raw == b"2":
            return ("3",)
        if raw.startswith(b"0{"):
            session = {"sessionId": made_up(f"{guest.user}/{guest.number}"), "clientType": "webapp", "userEnv": "{}"}
            return (f"40{msgspec.json.encode(session).decode()}",)
        return (packet("connection_successful"),) if raw.startswith(b"40") else ()

    def lets_in(self, raw: bytes) -> bool | None:
        """0 opens the transport; credentials are looked at when a client connects to the namespace: 44 refuses that."""
        return None if raw[:1] != b"4" else not raw.startswith(b"44")

    def request(self, asked: Asked, text: str) -> str:
        """Return the event that says something to the agent, or stops its task."""
        match asked.action:
            case Action.START | Action.CONTINUE:
                planted = {**(asked.planted or {}), **({"user_id": asked.impersonates} if asked.impersonates else {})}
                message = {
                    "id": message_id(asked.request_id or ""),
                    "name": asked.user,
                    "type": "user_message",
                    "output": text,
                    "createdAt": "2026-01-31T09:30:00.000Z",
                    "metadata": planted,
                }
                return packet("client_message", {"message": message, "fileReferences": []})
            case Action.STOP:
                return packet("stop")
            case Action.RESUME | Action.PING | Action.READ:
                return packet("fetch_favorites")
            case _:
                return text


DIALECT = Chainlit()
