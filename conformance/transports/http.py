"""HTTP exchanges over httpx: one request, and its answer as it comes, frame by frame."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import httpx

from conformance.dialects.dialect import Answer, Exchange, Framing
from conformance.errors import TargetUnreachable
from conformance.history.operations import ClosedBy
from conformance.transports.sse import Comment, EventStream, ServerEvent

_CONNECT_S = 10.0
# Servers keep idle connections open for 5 s or longer: one that is about to be closed is never used again.
_IDLE_S = 2.0
_REFUSED = 300
_ACCEPT = {
    Framing.EVENTS: "text/event-stream",
    Framing.LINES: "application/x-ndjson, application/json",
    Framing.WHOLE: "application/json",
    Framing.NONE: "application/json",
}


class Listener(Protocol):
    """Who is told what arrives, in the event loop, at once."""

    def on_sent(self) -> None:
        """The whole request is on its way."""
        ...

    def on_connected(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes = b"") -> None:
        """The server accepted; `body` is given where it is no stream of frames."""
        ...

    def was_refused(
        self, status: int | None, reason: str, headers: tuple[tuple[str, str], ...] = (), body: bytes = b""
    ) -> None:
        """The server answered with an error; or not at all, then the status is None."""
        ...

    def on_frame(self, data: str | bytes) -> None:
        """A whole frame arrived."""
        ...

    def on_ping(self) -> None:
        """The server showed life."""
        ...

    def on_closed(self, by: ClosedBy, code: int | None, reason: str) -> None:
        """The answer ended: by the TARGET where it is whole, else by the NETWORK, or by the KIT; told once."""
        ...


class Frames:
    """Splits the body of an answer into its frames, sans-IO. `event_names` is the dialect's."""

    def __init__(self, framing: Framing, *, event_names: bool = False) -> None:
        self._framing = framing
        self._named = event_names
        self._events = EventStream()
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[bytes | Comment]:
        """Take in bytes; yield the frames and comments that they complete."""
        if self._framing is Framing.EVENTS:
            for item in self._events.items(chunk):
                if isinstance(item, ServerEvent):
                    yield item.frame(named=self._named)
                elif isinstance(item, Comment):
                    yield item
        elif self._framing is Framing.LINES:
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            yield from filter(None, (line.strip() for line in lines))
        else:
            self._rest += chunk

    def close(self) -> bytes | None:
        """The body is whole: return its last frame, where the end of the body is what ends it."""
        if self._framing is Framing.EVENTS:
            return self._events.close(named=self._named)
        return self._rest.strip() or None


def open_http(url: str, *, receive_buffer: int | None = None) -> httpx.AsyncClient:
    """Return a client of its own, with as many connections as there are exchanges at a time.

    `receive_buffer` is the size in bytes of the sockets' receive buffer.
    """
    options = [(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)] if receive_buffer is not None else None
    transport = httpx.AsyncHTTPTransport(
        verify=ssl.create_default_context() if url.startswith("https") else False,
        limits=httpx.Limits(max_connections=None, keepalive_expiry=_IDLE_S),
        socket_options=options,
    )
    return httpx.AsyncClient(transport=transport, timeout=httpx.Timeout(None, connect=_CONNECT_S), trust_env=False)


def accept_of(exchange: Exchange) -> str:
    """Return what the answer to an exchange should be."""
    given = next((value for name, value in exchange.headers if name.lower() == "accept"), None)
    return given or _ACCEPT[exchange.framing]


async def carry_out(
    http: httpx.AsyncClient,
    exchange: Exchange,
    listener: Listener,
    *,
    headers: list[tuple[str, str]],
    reading: asyncio.Event,
    event_names: bool = False,
) -> Answer | None:
    """Send an exchange and tell the listener what comes, to the end; read only while `reading` is set.

    Returns the answer where its framing is NONE and it is no error. Where the caller is cancelled, the connection is
    dropped. Raises `TargetUnreachable` where nobody listens.
    """
    request = http.build_request(
        exchange.method,
        exchange.url,
        content=exchange.body.encode(errors="surrogatepass") or None,
        headers=_headers(exchange, headers),
        extensions={"trace": _when_sent(listener.on_sent)},
    )
    begun = False
    try:
        response = await http.send(request, stream=True)
        try:
            head = tuple((name.lower(), value) for name, value in response.headers.multi_items())
            if response.status_code >= _REFUSED:
                body = await response.aread()
                listener.was_refused(response.status_code, response.reason_phrase, head, body)
                return None
            framing = _framing(exchange, response)
            if framing is Framing.NONE:
                body = await response.aread()
                listener.on_connected(response.status_code, head, body)
                listener.on_closed(ClosedBy.TARGET, None, "")
                return Answer(response.status_code, head, body)
            begun = True
            listener.on_connected(response.status_code, head)
            await _read(response, Frames(framing, event_names=event_names), listener, reading)
            listener.on_closed(ClosedBy.TARGET, None, "")
        finally:
            await response.aclose()
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        listener.was_refused(None, _words(error))
        raise TargetUnreachable(f"cannot connect to {exchange.url}: {_words(error)}") from error
    except httpx.HTTPError as error:
        if begun:
            listener.on_closed(ClosedBy.NETWORK, None, _words(error))
        else:
            listener.was_refused(None, _words(error))
    except asyncio.CancelledError:
        listener.on_closed(ClosedBy.KIT, None, "")
        raise
    return None


async def _read(response: httpx.Response, frames: Frames, listener: Listener, reading: asyncio.Event) -> None:
    await reading.wait()
    async for chunk in response.aiter_raw():
        for item in frames.feed(chunk):
            if isinstance(item, Comment):
                listener.on_ping()
            else:
                listener.on_frame(_as_text(item))
        await reading.wait()
    last = frames.close()
    if last is not None:
        listener.on_frame(_as_text(last))


def _headers(exchange: Exchange, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    own = {name.lower() for name, _ in exchange.headers}
    given = [("Accept", accept_of(exchange)), ("Accept-Encoding", "identity"), *headers]
    if exchange.body:
        given.append(("Content-Type", "application/json"))
    return [*(pair for pair in given if pair[0].lower() not in own), *exchange.headers]


def _framing(exchange: Exchange, response: httpx.Response) -> Framing:
    """Return how the body is framed: as the exchange declares it, unless its content type says otherwise."""
    if exchange.framing is Framing.NONE:
        return Framing.NONE
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        return Framing.EVENTS
    return Framing.WHOLE if kind == "application/json" else exchange.framing


def _when_sent(tell: Callable[[], None]) -> Callable[[str, Any], Any]:
    async def trace(name: str, info: Any) -> None:
        if name.endswith("send_request_body.complete"):
            tell()

    return trace


def _as_text(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
