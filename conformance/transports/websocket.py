"""WebSocket client connections over asyncio, on the sans-IO protocol of `websockets`.

The sans-IO protocol gives what its ready-made client hides: pings as they come, a peer that does not answer them, a
reader that stops reading, and the whole answer to an upgrade that is refused.
"""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri

from conformance.history.operations import ClosedBy

_MAX_MESSAGE = 64 * 2**20
_DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)


class UpgradeRefused(Exception):
    """The server answered the upgrade with something else than 101. `status` is None where it did not answer."""

    def __init__(self, status: int | None, reason: str, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        super().__init__(f"HTTP {status} {reason}" if status else reason)
        self.status = status
        self.reason = reason
        self.headers = tuple(headers)
        self.body = body


class Listener(Protocol):
    """Who is told what arrives, in the event loop, at once."""

    def on_connected(self, status: int, headers: tuple[tuple[str, str], ...]) -> None:
        """The server accepted the upgrade; header names are in lower case."""
        ...

    def on_frame(self, data: str | bytes) -> None:
        """A whole message arrived."""
        ...

    def on_ping(self) -> None:
        """The server showed life."""
        ...

    def on_closed(self, by: ClosedBy, code: int | None, reason: str) -> None:
        """The connection ended; told once."""
        ...


class WebSocket(asyncio.Protocol):
    """One client connection; `open_websocket` makes one."""

    def __init__(
        self,
        protocol: ClientProtocol,
        listener: Listener,
        *,
        headers: Sequence[tuple[str, str]] = (),
        answers_pings: bool = True,
    ) -> None:
        self._ws = protocol
        self._headers = headers
        self._listener = listener
        self._answers_pings = answers_pings
        self._transport: asyncio.Transport | None = None
        self._fragments: list[bytes] = []
        self._fragments_are_text = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._ended = asyncio.Event()
        self._closing = False
        self.answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    # -- asyncio.Protocol -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the upgrade request."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        request = self._ws.connect()
        for name, value in self._headers:
            request.headers[name] = value
        self._ws.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take in bytes and tell the listener what they make whole."""
        self._ws.receive_data(data)
        self._events()

    def eof_received(self) -> None:
        """The server will send no more."""
        self._ws.receive_eof()
        self._events()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the listener that, and how, the connection ended."""
        if self._ws.state is not State.CLOSED:
            self._ws.receive_eof()
        if not self.answer.done():
            self.answer.set_exception(UpgradeRefused(None, f"connection lost: {error or 'end of stream'}", (), b""))
            self.answer.exception()
        self._writable.set()
        if self._ended.is_set():
            return
        self._ended.set()
        received = self._ws.close_rcvd
        if self._closing:
            self._listener.on_closed(ClosedBy.KIT, received.code if received else None, "")
        elif received is not None:
            self._listener.on_closed(ClosedBy.TARGET, received.code, received.reason)
        else:
            self._listener.on_closed(ClosedBy.TARGET, CloseCode.ABNORMAL_CLOSURE, str(error or "no close frame"))

    def pause_writing(self) -> None:
        """The socket's buffer is full."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The socket's buffer has room."""
        self._writable.set()

    def _events(self) -> None:
        for event in self._ws.events_received():
            if isinstance(event, Response):
                if self._ws.handshake_exc is None:
                    self._listener.on_connected(event.status_code, _lower(event))
                if not self.answer.done():
                    self.answer.set_result(event)
            elif isinstance(event, Frame):
                self._frame(event)
        self._flush()

    def _frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PING:
            self._listener.on_ping()
        elif frame.opcode in _DATA:
            if frame.opcode is not Opcode.CONT:
                self._fragments_are_text = frame.opcode is Opcode.TEXT
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                data = b"".join(self._fragments)
                self._fragments.clear()
                self._listener.on_frame(_as_text(data) if self._fragments_are_text else data)

    def _flush(self) -> None:
        assert self._transport is not None
        for data in self._ws.data_to_send():
            if self._transport.is_closing():
                return
            if data:
                if self._answers_pings or self._ws.state is not State.OPEN or self._closing:
                    self._transport.write(data)
            else:
                self._transport.write_eof() if self._transport.can_write_eof() else self._transport.close()
        if self._ws.close_expected() or self._ws.state is State.CLOSED:
            self._transport.close()

    # -- what the kit does with it ----------------------------------------------------------------------------------

    async def send(self, data: str) -> None:
        """Send a text message; waits while the socket's buffer is full. Does nothing on a closed connection."""
        self.send_now(data)
        await self._writable.wait()

    def send_now(self, data: str) -> None:
        """Send a text message without waiting for room in the socket's buffer. Does nothing on a closed connection."""
        if self._ws.state is not State.OPEN:
            return
        self._ws.send_text(data.encode())
        assert self._transport is not None
        for piece in self._ws.data_to_send():
            self._transport.write(piece)

    async def close(self, *, timeout_s: float = 1.0) -> None:
        """Close with 1000 and wait for the end of the connection, at most `timeout_s`; then abort."""
        if self._ended.is_set() or self._transport is None:
            return
        self._closing = True
        self._transport.resume_reading() if not self._transport.is_reading() else None
        if self._ws.state is State.OPEN:
            self._ws.send_close(CloseCode.NORMAL_CLOSURE)
            self._flush()
        try:
            async with asyncio.timeout(timeout_s):
                await self._ended.wait()
        except TimeoutError:
            self._transport.abort()
            await self._ended.wait()

    def cut(self) -> None:
        """Drop the connection without a word (TCP reset or FIN), as a network that fails does."""
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Stop reading from the socket: its buffers fill, and the server's writes come to a halt."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Go on reading."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    async def ended(self) -> None:
        """Wait until the connection is gone."""
        await self._ended.wait()


def _lower(answer: Response) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), value) for name, value in answer.headers.raw_items())


def _as_text(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


async def open_websocket(
    url: str,
    listener: Listener,
    *,
    headers: Sequence[tuple[str, str]] = (),
    subprotocols: Sequence[str] = (),
    origin: str | None = None,
    answers_pings: bool = True,
    receive_buffer: int | None = None,
    timeout_s: float = 10.0,
) -> WebSocket:
    """Connect and upgrade; return the open connection.

    `receive_buffer` is the size in bytes of the socket's receive buffer. Raises `UpgradeRefused`, or `OSError` where
    there is no server.
    """
    uri = parse_uri(url)
    protocol = ClientProtocol(
        uri,
        origin=Origin(origin) if origin is not None else None,
        subprotocols=[Subprotocol(name) for name in subprotocols] or None,
        max_size=_MAX_MESSAGE,
    )
    loop = asyncio.get_running_loop()
    raw = await _connect(uri.host, uri.port, receive_buffer, timeout_s)
    context = ssl.create_default_context() if uri.secure else None
    _, websocket = await loop.create_connection(
        lambda: WebSocket(protocol, listener, headers=headers, answers_pings=answers_pings),
        sock=raw,
        ssl=context,
        server_hostname=urlsplit(url).hostname if context else None,
    )
    try:
        async with asyncio.timeout(timeout_s):
            answer = await websocket.answer
    except TimeoutError:
        websocket.cut()
        raise UpgradeRefused(None, f"no answer to the upgrade within {timeout_s:g} s", (), b"") from None
    except BaseException:
        websocket.cut()
        raise
    if protocol.handshake_exc is not None or answer.status_code != 101:
        error = protocol.handshake_exc
        websocket.cut()
        reason = str(error) if isinstance(error, InvalidHandshake) and answer.status_code == 101 else ""
        raise UpgradeRefused(
            answer.status_code, reason or answer.reason_phrase, _lower(answer), bytes(answer.body or b"")
        )
    return websocket


async def _connect(host: str, port: int, receive_buffer: int | None, timeout_s: float) -> socket.socket:
    loop = asyncio.get_running_loop()
    error: OSError = OSError(f"{host} has no address")
    for family, kind, proto, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        raw = socket.socket(family, kind, proto)
        raw.setblocking(False)
        try:
            if receive_buffer is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            async with asyncio.timeout(timeout_s):
                await loop.sock_connect(raw, address)
        except (OSError, TimeoutError) as failed:
            raw.close()
            error = failed if isinstance(failed, OSError) else OSError(f"no connection within {timeout_s:g} s")
        else:
            return raw
    raise error
