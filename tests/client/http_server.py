"""A raw HTTP server whose answers a test writes byte by byte."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass
class Call:
    """One request as it came, and where to write the answer. `gone` is set when the client has left."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    transport: asyncio.Transport
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self, head: bytes = HEAD) -> None:
        self.transport.write(head)

    def chunk(self, data: bytes) -> None:
        self.transport.write(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self) -> None:
        self.transport.write(b"0\r\n\r\n")

    def answer(self, status: str, body: bytes = b"") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)

    def cut(self) -> None:
        """Break off, after what was written."""
        self.transport.close()


Serve = Callable[[Call], Awaitable[None]]


class _Connection(asyncio.Protocol):
    """One connection: each request that is whole is served in a task of its own."""

    def __init__(self, serve: Serve, tasks: set[asyncio.Task[None]]) -> None:
        self._serve = serve
        self._tasks = tasks
        self._rest = b""
        self._calls: list[Call] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._rest += data
        head, end, rest = self._rest.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        size = int(headers.get("content-length", 0))
        if not end or len(rest) < size:
            return
        self._rest = rest[size:]
        method, path, _ = first.split()
        call = Call(method, path, headers, rest[:size], self._transport)
        self._calls.append(call)
        self._tasks.add(asyncio.ensure_future(self._serve(call)))

    def connection_lost(self, error: Exception | None) -> None:
        for call in self._calls:
            call.gone.set()


@asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[str]:
    """Serve each request with `serve`; give the URL. What goes wrong in `serve` is raised."""
    tasks: set[asyncio.Task[None]] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(serve, tasks), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/agent"
    finally:
        server.close()
        await asyncio.gather(*tasks)
