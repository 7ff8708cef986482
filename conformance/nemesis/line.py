"""A user's way to the target through a proxy of the kit's, and what can happen on it."""

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from urllib.parse import urlsplit, urlunsplit

from conformance.history.operations import FaultKind
from conformance.nemesis.faults import Faults
from conformance.nemesis.link import Link
from conformance.nemesis.weather import Weather

PLAIN = frozenset({"ws", "http"})
"""The schemes of URLs that the proxy can stand in for: it can read, and so tear, nothing that is encrypted."""
CUTS = (FaultKind.CUT, FaultKind.RESET, FaultKind.TEAR, FaultKind.HALF_OPEN)


class Line:
    """A TCP proxy on a port of its own, for the connections of one user. Use as an asynchronous context manager.

    Its faults hit every connection that leads through it, and are recorded as that user's.
    """

    def __init__(self, url: str, faults: Faults, *, user: str, random: Random) -> None:
        self._parts = urlsplit(url)
        self._faults = faults
        self._user = user
        self._weather = Weather(random)
        self._links: set[Link] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._broken: str | None = None
        self._cuts = 0
        self.url = ""

    async def __aenter__(self) -> "Line":
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = urlunsplit(self._parts._replace(netloc=f"127.0.0.1:{port}"))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self._break("the kit's proxy has closed")
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._server.wait_closed()

    def breaking(self) -> str | None:
        """Return how the kit has broken the connection that was the last to be opened; None where it has not."""
        return self._broken

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._broken = None
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cuts = self._cuts
        host, port = self._parts.hostname or "127.0.0.1", self._parts.port or 80
        try:
            target = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        link = Link(self._weather, (reader, writer), target)
        if cuts != self._cuts:
            link.cut()
            return
        self._links.add(link)
        try:
            await link.serve()
        finally:
            self._links.discard(link)

    def _break(self, how: str, *, reset: bool = False) -> None:
        self._broken = how
        self._cuts += 1
        for link in list(self._links):
            link.cut(reset=reset)

    # -- faults -----------------------------------------------------------------------------------------------------

    @contextmanager
    def slow(self, delay_ms: float, *, jitter_ms: float = 0.0) -> Iterator[None]:
        """Let everything take longer, by a delay that may vary: with jitter no two pieces take as long."""
        with self._faults.during(FaultKind.DELAY, user=self._user, detail=f"{delay_ms:g} ms + 0 to {jitter_ms:g} ms"):
            self._weather.delay_ms, self._weather.jitter_ms = delay_ms, jitter_ms
            try:
                yield
            finally:
                self._weather.delay_ms = self._weather.jitter_ms = 0.0

    @contextmanager
    def narrow(self, bytes_per_s: float) -> Iterator[None]:
        """Let no more than so many bytes a second pass in either direction."""
        with self._faults.during(FaultKind.THROTTLE, user=self._user, detail=f"{bytes_per_s:,.0f} bytes/s"):
            self._weather.bytes_per_s = bytes_per_s
            try:
                yield
            finally:
                self._weather.bytes_per_s = None

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Let nothing pass, until the block is left: what comes waits in the buffers on the way."""
        with self._faults.during(FaultKind.STALL, user=self._user):
            self._weather.flowing.clear()
            try:
                yield
            finally:
                self._weather.flowing.set()

    @contextmanager
    def half_open(self) -> Iterator[None]:
        """Take everything and pass on nothing, telling neither side; at the end of the block all is cut."""
        with self._faults.during(FaultKind.HALF_OPEN, user=self._user):
            self._weather.lost = True
            self._broken = "the kit's proxy lets nothing through"
            try:
                yield
            finally:
                self._break("the kit's proxy has cut it")
                self._weather.lost = False

    def cut(self, *, reset: bool = False) -> None:
        """Cut every connection: with FIN, or with RST."""
        with self._faults.during(FaultKind.RESET if reset else FaultKind.CUT, user=self._user):
            self._break("the kit's proxy has cut it", reset=reset)

    async def tear(self, *, within_s: float) -> None:
        """Cut every connection in the middle of the next frame from the target; without one, after `within_s`."""
        with self._faults.during(FaultKind.TEAR, user=self._user):
            self._broken = "the kit's proxy has cut it within a frame"
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await asyncio.gather(*(link.tear() for link in self._links))
            self._break("the kit's proxy has cut it within a frame")
