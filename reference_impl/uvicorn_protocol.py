"""uvicorn's WebSocket protocol, made to part with peers that do not read or do not answer.

Stock uvicorn 0.54 waits for the write buffer before it sends a close frame, and for ever for a buffer to empty
before it closes the transport. A reader that has stopped would so never be closed with 4408 and never be freed.
"""

from asyncio import AbstractEventLoop, Future, Queue, TimerHandle
from collections.abc import Awaitable, Sequence
from struct import Struct
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import OPEN

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

SEND_TEXTS = "reference_impl.send_texts"
"""The ASGI extension that sends a list of texts: a system call for a batch of events instead of one for each."""
RECEIVE = "reference_impl.receive"
"""The ASGI extension that receives a message without the checks of each layer between."""
UNREAD_MESSAGES = 4
ABORT_AFTER_S = 10.0
DISCARD_FOR_S = 2.0
MEDIUM, LONG = Struct("!BBH"), Struct("!BBQ")


class Inbox(Queue[Any]):
    """asyncio's queue without what that does for several readers, and for a bound: here is one reader, and none."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        super().__init__()
        self._reading = loop
        self._reader: Future[None] | None = None

    def put_nowait(self, item: Any) -> None:
        """Put in `item`."""
        self._put(item)
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)

    async def get(self) -> Any:
        """The next item, once there is one."""
        while self.empty():
            self._reader = self._reading.create_future()
            await self._reader
        return self._get()


class PartingWebSocketProtocol(WebSocketsSansIOProtocol):
    """Sends a close frame right away, and aborts the transport if the peer does not take it."""

    abort_timer: TimerHandle | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.queue = Inbox(self.loop)

    async def send(self, message: Any) -> None:
        """Send as ASGI says; a close does not wait for what the peer has not read."""
        if message["type"] == "websocket.send" and self.transport.is_closing():
            # asyncio would only log that each write is in vain.
            raise ClientDisconnected
        closing = message["type"] == "websocket.close"
        if closing and self.handshake_complete:
            # Bounded: one small frame behind at most the high-water mark.
            self.writable.set()
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and self.close_sent:
            # A refused upgrade is complete; stock uvicorn logs it as an error of the application.
            self.handshake_complete = True
        if closing:
            self.abort_later()

    async def run_asgi(self) -> None:
        """Run the application, which is told how it may send several texts at once, and receive."""
        extensions: dict[str, Any] = self.scope["extensions"]
        extensions[SEND_TEXTS] = self.send_texts
        extensions[RECEIVE] = self.receive
        try:
            await super().run_asgi()
        finally:
            # Each holds this object, which holds them: such a ring would be freed by the collector only.
            extensions.clear()

    def send_texts(self, texts: Sequence[str]) -> Awaitable[None] | None:
        """Send text messages in their order, with one write for all of them. Raises ClientDisconnected.

        None where they are sent; else what to wait for until the peer has taken enough of what came before.
        """
        if not self.writable.is_set():
            return self._send_when_writable(texts)
        if self.disconnected or self.close_sent or self.transport.is_closing():
            raise ClientDisconnected
        self.transport.write(b"".join([text_frame(text) for text in texts]))
        return None

    async def _send_when_writable(self, texts: Sequence[str]) -> None:
        await self.writable.wait()
        if (unsent := self.send_texts(texts)) is not None:
            await unsent

    def send_receive_event_to_app(self) -> None:
        """Hand a message to the application; stop reading only where some wait already.

        Stock uvicorn stops after each message and goes on when it is taken: two system calls a message.
        """
        paused = self.read_paused
        self.read_paused = paused or self.queue.qsize() < UNREAD_MESSAGES
        super().send_receive_event_to_app()
        if not paused and self.queue.qsize() <= UNREAD_MESSAGES:
            self.read_paused = False

    def keepalive_timeout(self) -> None:
        """The peer did not answer a ping: close, and do not wait for it to take the close frame (DLV-07)."""
        super().keepalive_timeout()
        self.abort_later(after_s=1.0)

    def shutdown(self) -> None:
        """Close with 1012, within bounds."""
        super().shutdown()
        self.abort_later(after_s=1.0)

    def data_received(self, data: bytes) -> None:
        """Read; after an error of the peer, only to throw away what it still sends."""
        conn = self.conn
        if conn.parser_exc is not None:
            return
        # The most usual by far, and nothing is begun: without the parser, which takes as long as an event takes.
        text = whole_text(data) if conn.state is OPEN and not conn.reader.buffer and not self.frames else None
        if text is None:
            super().data_received(data)
        elif not self.close_sent:
            self.queue.put_nowait({"type": "websocket.receive", "text": text})
            if self.queue.qsize() > UNREAD_MESSAGES and not self.read_paused:
                self.read_paused = True
                self.transport.pause_reading()

    def handle_parser_exception(self) -> None:
        """Close with the code of the error, such as 1009.

        Stock uvicorn closes the transport with data unread; the reset that follows can destroy the close frame on
        its way. So reading goes on for a moment, into nothing.
        """
        close = self.conn.close_sent
        if close is None:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(DISCARD_FOR_S, self.transport.close)
        self.abort_later()

    def abort_later(self, *, after_s: float = ABORT_AFTER_S) -> None:
        """Abort the transport in `after_s` seconds, unless it is closed or to be aborted before."""
        when = self.loop.time() + after_s
        if self.disconnected or (self.abort_timer is not None and self.abort_timer.when() <= when):
            return
        if self.abort_timer is not None:
            self.abort_timer.cancel()
        self.abort_timer = self.loop.call_at(when, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is closed: nothing is read any more, so the parser need not hold on to its connection."""
        if self.abort_timer is not None:
            self.abort_timer.cancel()
        super().connection_lost(exc)
        self.conn.parser.close()


def whole_text(data: bytes) -> str | None:
    """The text of a client's frame (RFC 6455, section 5.2) if that is all of `data` and below 64 KiB, else None."""
    if len(data) < 8 or data[0] != 0x81:
        return None
    size, start = data[1] & 0x7F, 2
    if size == 126:
        size, start = int.from_bytes(data[2:4]), 4
    payload = start + 4
    if data[1] < 0x80 or size == 127 or len(data) != payload + size:
        return None
    try:
        return apply_mask(data[payload:], data[start:payload]).decode()
    except UnicodeDecodeError:
        return None


def text_frame(text: str) -> bytes:
    """`text` as one unmasked WebSocket frame (RFC 6455, section 5.2); there are no extensions."""
    data = text.encode()
    size = len(data)
    if size < 126:
        return b"\x81" + size.to_bytes(1) + data
    if size < 65_536:
        return MEDIUM.pack(0x81, 126, size) + data
    return LONG.pack(0x81, 127, size) + data
