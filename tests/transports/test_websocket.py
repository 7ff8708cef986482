"""The WebSocket client, against a real server of another make."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from conformance.history.operations import ClosedBy
from conformance.transports.websocket import UpgradeRefused, open_websocket

Handler = Callable[[ServerConnection], Awaitable[None]]


class Ear:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.frames: list[str | bytes] = []
        self.pings = 0
        self.status: int | None = None
        self.closed: tuple[ClosedBy, int | None, str] | None = None
        self.changed = asyncio.Event()

    def on_connected(self, status: int, headers: tuple[tuple[str, str], ...]) -> None:
        assert not self.frames
        self.status = status

    def on_frame(self, data: str | bytes) -> None:
        self.frames.append(data)
        self.changed.set()

    def on_ping(self) -> None:
        self.pings += 1
        self.changed.set()

    def on_closed(self, by: ClosedBy, code: int | None, reason: str) -> None:
        assert self.closed is None
        self.closed = (by, code, reason)
        self.changed.set()

    async def until(self, predicate: Callable[[], bool]) -> None:
        while not predicate():
            self.changed.clear()
            await self.changed.wait()


@asynccontextmanager
async def server(handler: Handler, **options: object) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0, **options) as running:  # type: ignore[arg-type]
        port = next(iter(running.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/ws"


async def test_text_binary_and_fragments_arrive_whole() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.send('{"a":1}')
        await connection.send(b"\x00\xff")
        await connection.send(["frag", "ment", "ed"])
        await connection.wait_closed()

    ear = Ear()
    async with server(talk) as url:
        websocket = await open_websocket(url, ear)
        await ear.until(lambda: len(ear.frames) == 3)
        await websocket.close()
    assert ear.status == 101
    assert ear.frames == ['{"a":1}', b"\x00\xff", "fragmented"]
    assert ear.closed is not None
    assert ear.closed[0] is ClosedBy.KIT


async def test_what_is_sent_arrives_and_a_close_of_the_server_is_told() -> None:
    async def echo_and_close(connection: ServerConnection) -> None:
        await connection.send(await connection.recv())
        await connection.close(4408, "too slow")

    ear = Ear()
    async with server(echo_and_close) as url:
        websocket = await open_websocket(url, ear)
        await websocket.send("héllo")
        await ear.until(lambda: ear.closed is not None)
        await websocket.send("after the end")
    assert ear.frames == ["héllo"]
    assert ear.closed == (ClosedBy.TARGET, 4408, "too slow")


async def test_a_lost_connection_is_told_as_the_targets() -> None:
    async def drop(connection: ServerConnection) -> None:
        connection.transport.abort()

    ear = Ear()
    async with server(drop) as url:
        await open_websocket(url, ear)
        await ear.until(lambda: ear.closed is not None)
    assert ear.closed is not None
    assert ear.closed[:2] == (ClosedBy.TARGET, 1006)


async def test_a_refused_upgrade_gives_status_headers_and_body() -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        response = connection.respond(401, "who are you?\n")
        response.headers["WWW-Authenticate"] = "Bearer"
        return response

    async def never(connection: ServerConnection) -> None:
        raise AssertionError

    async with server(never, process_request=refuse) as url:
        with pytest.raises(UpgradeRefused) as refused:
            await open_websocket(url, Ear(), headers=[("Authorization", "Bearer x")])
    assert refused.value.status == 401
    assert ("www-authenticate", "Bearer") in refused.value.headers
    assert refused.value.body == b"who are you?\n"


async def test_headers_subprotocols_and_origin_are_sent() -> None:
    seen: list[Request] = []

    async def note(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(connection.request)
        await connection.wait_closed()

    async with server(note, subprotocols=["jwt-auth"]) as url:
        ear = Ear()
        websocket = await open_websocket(
            url, ear, headers=[("X-A", "b")], subprotocols=["jwt-auth", "jwt.xyz"], origin="https://a.example"
        )
        await websocket.close()
    assert seen[0].headers["X-A"] == "b"
    assert seen[0].headers["Origin"] == "https://a.example"
    assert seen[0].headers["Sec-WebSocket-Protocol"] == "jwt-auth, jwt.xyz"


async def test_a_peer_that_answers_no_ping_is_dropped_and_one_that_does_is_not() -> None:
    async def stay(connection: ServerConnection) -> None:
        await connection.wait_closed()

    dead, alive = Ear(), Ear()
    async with server(stay, ping_interval=0.05, ping_timeout=0.1) as url:
        await open_websocket(url, dead, answers_pings=False)
        websocket = await open_websocket(url, alive)
        await dead.until(lambda: dead.closed is not None)
        await alive.until(lambda: alive.pings > 3)
        assert alive.closed is None
        await websocket.close()
    assert dead.pings > 0
    assert dead.closed is not None
    assert dead.closed[0] is ClosedBy.TARGET


async def test_a_paused_reader_gets_everything_after_it_goes_on() -> None:
    messages = 300

    async def flood(connection: ServerConnection) -> None:
        for number in range(messages):
            await connection.send(f"{number} {'x' * 20_000}")
        await connection.wait_closed()

    ear = Ear()
    async with server(flood) as url:
        websocket = await open_websocket(url, ear, receive_buffer=4096)
        websocket.pause()
        before = len(ear.frames)
        websocket.resume()
        await ear.until(lambda: len(ear.frames) == messages)
        await websocket.close()
    assert before < messages
    assert [str(frame).split()[0] for frame in ear.frames] == [str(number) for number in range(messages)]


async def test_nobody_there_is_an_os_error() -> None:
    with pytest.raises(OSError, match="Connect call failed"):
        await open_websocket("ws://127.0.0.1:9/ws", Ear())
