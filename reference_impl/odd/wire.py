"""Odd ways to cut what is sent: into TCP segments, WebSocket frames and server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

from reference_impl.agui import AguiRoute
from reference_impl.agui_events import AguiTeller
from reference_impl.odd.odd import odd
from reference_impl.run import StoredRun
from reference_impl.uvicorn_protocol import PartingWebSocketProtocol

SEGMENT_BYTES = 5
MOST_SEGMENTS = 200
TOGETHER_S = 0.03
FRAGMENT_BYTES = 7
MOST_FRAGMENTS = 100


class _Transport:
    """A transport that behaves as the one it wraps."""

    def __init__(self, wrapped: asyncio.BaseTransport) -> None:
        # uvloop's is none of asyncio's, but does the same.
        self._wrapped = cast(asyncio.Transport, wrapped)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)


class _InPieces(_Transport):
    def write(self, data: bytes) -> None:
        """Write `data` a few bytes at a time: without Nagle's algorithm, each a segment."""
        size = max(SEGMENT_BYTES, len(data) // MOST_SEGMENTS)
        for start in range(0, len(data), size):
            self._wrapped.write(data[start : start + size])


class _Together(_Transport):
    """Writes what has come up within a while at once."""

    def __init__(self, wrapped: asyncio.BaseTransport) -> None:
        super().__init__(wrapped)
        self._kept: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Write `data` a little later, with what comes until then."""
        if not self._kept:
            asyncio.get_running_loop().call_later(TOGETHER_S, self._flush)
        self._kept.append(data)

    def close(self) -> None:
        """Close, after what is left to write."""
        self._flush()
        self._wrapped.close()

    def _flush(self) -> None:
        kept, self._kept = self._kept, []
        if kept and not self._wrapped.is_closing():
            self._wrapped.write(b"".join(kept))


@odd(
    "frame-in-many-segments",
    "Each frame is written a few bytes at a time, its header, too.",
    legal="RFC 9293: TCP is a stream; its segments mean nothing.",
)
class FrameInManySegments(PartingWebSocketProtocol):
    """Trickles."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Speak through a transport that cuts everything up."""
        super().connection_made(_InPieces(transport))  # type: ignore[arg-type]


@odd(
    "many-frames-in-a-segment",
    "What is sent within 30 ms is written at once, the answer to the handshake, too.",
    legal="RFC 9293: TCP is a stream; 30 ms are well within DLV-02.",
)
class ManyFramesInASegment(PartingWebSocketProtocol):
    """Saves segments."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Speak through a transport that collects."""
        super().connection_made(_Together(transport))  # type: ignore[arg-type]


@odd(
    "fragmented-messages",
    "Each message comes in many frames, cut within characters, some empty, with pings in between.",
    legal="RFC 6455, sections 5.4 and 5.6.",
)
class FragmentedMessages(PartingWebSocketProtocol):
    """Does not finish its"""

    async def send_texts(self, texts: Sequence[str]) -> None:
        """Send text messages, one after the other."""
        for text in texts:
            await self.send({"type": "websocket.send", "text": text})

    async def send(self, message: Any) -> None:
        """Send as ASGI says; a text in fragments."""
        text = message.get("text") if message["type"] == "websocket.send" else None
        if text is None or self.close_sent or self.transport.is_closing():
            await super().send(message)
            return
        await self.writable.wait()
        data: bytes = text.encode()
        size = max(FRAGMENT_BYTES, len(data) // MOST_FRAGMENTS)
        self.conn.send_text(b"", fin=False)
        for start in range(0, len(data), size):
            self.conn.send_continuation(data[start : start + size], fin=False)
        self.conn.send_ping(b"in between")
        self.conn.send_continuation(b"", fin=True)
        self.transport.write(b"".join(self.conn.data_to_send()))


@odd(
    "strange-event-stream",
    "Server-sent events have a byte order mark, names, ids, retry times, comments and all kinds of line ends.",
    legal="HTML, section 9.2.5: the format of event streams; 9.2.6: how it is interpreted.",
)
class StrangeEventStream(AguiRoute):
    """Knows the format well."""

    async def tell(self, run: StoredRun, teller: AguiTeller) -> AsyncIterator[str]:
        """The run's events, in the strangest form."""
        yield "\ufeff:\n:: a comment\r\n\r\n\n"
        number = 0
        async for told in super().tell(run, teller):
            for block in told.split("\n\n"):
                number += 1
                yield _strange(block, number)


def _strange(block: str, number: int) -> str:
    end = ("\n", "\r\n", "\r")[number % 3]
    field, colon, value = block.partition(":")
    if field != "data":
        return f":{colon}{value}{end}{end}" if block else ""
    brace, rest = value.lstrip()[:1], value.lstrip()[1:]
    lines = [f"id:{number}", "retry: 3000", "event", "unknown: field", f"data:{brace}", f"data: {rest}", ": so", "", ""]
    return end.join(lines)
