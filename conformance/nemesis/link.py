"""One TCP connection through the proxy: a socket on either side, and what goes back and forth between them."""

import asyncio
import contextlib
import socket
import struct
from asyncio import StreamReader, StreamWriter

from conformance.nemesis.weather import PIECE, Weather

_ABORTS = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 s: closing sends RST


class Link:
    """Passes on what comes from either side, through the `weather`; `serve` does so until both are closed or cut."""

    def __init__(
        self, weather: Weather, client: tuple[StreamReader, StreamWriter], target: tuple[StreamReader, StreamWriter]
    ) -> None:
        self._weather = weather
        self._client = client
        self._target = target
        self._tear: asyncio.Future[None] | None = None
        self._pumps: list[asyncio.Task[None]] = []
        self.over = False

    async def serve(self) -> None:
        """Pass on until the connection is over."""
        self._pumps = [
            asyncio.create_task(self._pass_on(self._client[0], self._target[1])),
            asyncio.create_task(self._pass_on(self._target[0], self._client[1], may_tear=True)),
        ]
        try:
            await asyncio.wait(self._pumps)
        finally:
            self.cut()

    async def _pass_on(self, source: StreamReader, sink: StreamWriter, *, may_tear: bool = False) -> None:
        weather = self._weather
        with contextlib.suppress(OSError):
            while True:
                await weather.flowing.wait()
                data = await source.read(PIECE)
                while data:
                    size = weather.piece
                    piece, data = data[:size], data[size:]
                    await weather.holds(len(piece))
                    if may_tear and self._tear is not None:
                        sink.write(piece[: len(piece) // 2])
                        self.cut()
                        return
                    if not weather.lost:
                        sink.write(piece)
                        await sink.drain()
                if source.at_eof():
                    break
            await weather.holds(0)
            if weather.lost:
                await asyncio.Event().wait()  # the end gets lost, too: until the link is cut
            if sink.can_write_eof() and not sink.is_closing():
                sink.write_eof()

    def cut(self, *, reset: bool = False) -> None:
        """Close both sides at once: with FIN, or with RST."""
        if self.over:
            return
        self.over = True
        for _, writer in (self._client, self._target):
            raw: socket.socket | None = writer.get_extra_info("socket")
            if reset and raw is not None and not writer.is_closing():
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORTS)
                writer.transport.abort()
            else:
                writer.close()
        for pump in self._pumps:
            pump.cancel()
        if self._tear is not None and not self._tear.done():
            self._tear.set_result(None)

    async def tear(self) -> None:
        """Cut the connection in the middle of the next piece that the target sends; wait until that has happened."""
        if not self.over:
            self._tear = self._tear or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._tear)
