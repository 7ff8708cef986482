"""The proxy between a client and a target, and what it does to what passes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

import pytest

from conformance.history.operations import FaultBegan, FaultEnded, FaultKind, Operation
from conformance.history.recorder import Clock, Recorder
from conformance.nemesis.faults import Faults
from conformance.nemesis.line import Line


class Ends:
    """Both ends of a connection through a line, and what was recorded of it. `served` is the target's end."""

    def __init__(self) -> None:
        self.recorded: list[Operation] = []
        self.served: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self.opened: list[asyncio.StreamWriter] = []

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened.append(writer)
        self.served.put_nowait((reader, writer))

    async def connect(self, line: Line) -> None:
        port = int(line.url.rpartition(":")[2].partition("/")[0])
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        self.opened.append(self.writer)
        self.far_reader, self.far_writer = await self.served.get()
        self.far_writer.write(b"!")
        assert await self.reader.readexactly(1) == b"!"  # from then on it leads all the way

    @property
    def faults(self) -> list[tuple[str, str]]:
        """What began and ended, and of which kind."""
        kinds: dict[int, FaultKind] = {}
        told = []
        for op in self.recorded:
            if isinstance(op, FaultBegan):
                kinds[op.fault] = op.kind
                told.append(("began", op.kind.value))
                assert op.user == "user-alice"
            elif isinstance(op, FaultEnded):
                told.append(("ended", kinds[op.fault].value))
        return told


@asynccontextmanager
async def through() -> AsyncIterator[tuple[Line, Ends]]:
    ends = Ends()
    server = await asyncio.start_server(ends.take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    faults = Faults(Recorder(Clock(), [ends.recorded.append]))
    async with server, Line(f"ws://127.0.0.1:{port}/ws?x=1", faults, user="user-alice", random=Random(1)) as line:
        assert line.url.endswith("/ws?x=1")
        await ends.connect(line)
        yield line, ends
        for writer in ends.opened:
            writer.close()


def elapsed() -> Callable[[], float]:
    loop = asyncio.get_running_loop()
    began = loop.time()
    return lambda: loop.time() - began


async def test_in_fair_weather_all_passes_both_ways_and_so_does_the_end() -> None:
    async with through() as (line, ends):
        big = bytes(range(256)) * 4_000
        ends.far_writer.write(big)
        ends.writer.write(b"and back")
        assert await ends.reader.readexactly(len(big)) == big
        assert await ends.far_reader.readexactly(8) == b"and back"
        ends.far_writer.close()
        assert await ends.reader.read() == b""
        assert line.breaking() is None
        assert ends.recorded == []


async def test_what_is_delayed_comes_later_in_its_order() -> None:
    async with through() as (line, ends):
        with line.slow(60, jitter_ms=20):
            took = elapsed()
            for number in range(5):
                ends.far_writer.write(b"%d" % number)
            assert await ends.reader.readexactly(5) == b"01234"
            assert took() >= 0.06
    assert ends.faults == [("began", "delay"), ("ended", "delay")]
    (began, _) = ends.recorded
    assert isinstance(began, FaultBegan)
    assert began.detail == "60 ms + 0 to 20 ms"


async def test_over_a_narrow_line_things_come_in_crumbs() -> None:
    async with through() as (line, ends):
        with line.narrow(10_000):
            took = elapsed()
            ends.far_writer.write(b"x" * 1_000)
            first = await ends.reader.read(10_000)
            assert 0 < len(first) <= 256
            await ends.reader.readexactly(1_000 - len(first))
            assert took() >= 0.1
    assert ends.faults == [("began", "throttle"), ("ended", "throttle")]


async def test_while_a_line_is_stalled_nothing_passes_and_the_sender_is_held_back() -> None:
    async with through() as (line, ends):
        total = 0
        with line.stalled():
            ends.far_writer.write(b"held")
            total += 4
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await ends.reader.read(1)
            draining = asyncio.create_task(asyncio.sleep(0))
            await draining
            while draining.done() and total < 100 << 20:  # more than the buffers of any socket hold
                ends.far_writer.write(bytes(1 << 20))
                total += 1 << 20
                draining = asyncio.create_task(ends.far_writer.drain())
                await asyncio.wait({draining}, timeout=0.2)
            assert not draining.done()
        assert await ends.reader.readexactly(4) == b"held"
        await ends.reader.readexactly(total - 4)
        await draining
    assert ends.faults == [("began", "stall"), ("ended", "stall")]


async def test_a_cut_ends_both_sides_in_peace() -> None:
    async with through() as (line, ends):
        line.cut()
        assert await ends.reader.read() == b""
        assert await ends.far_reader.read() == b""
        assert line.breaking() == "the kit's proxy has cut it"
    assert ends.faults == [("began", "cut"), ("ended", "cut")]


async def test_a_reset_ends_both_sides_in_anger() -> None:
    async with through() as (line, ends):
        line.cut(reset=True)
        with pytest.raises(ConnectionResetError):
            await ends.reader.read()
        with pytest.raises(ConnectionResetError):
            await ends.far_reader.read()
    assert ends.faults == [("began", "reset"), ("ended", "reset")]


async def test_after_a_cut_one_can_connect_again() -> None:
    async with through() as (line, ends):
        line.cut()
        await ends.connect(line)
        assert line.breaking() is None
        ends.far_writer.write(b"hello again")
        assert await ends.reader.readexactly(11) == b"hello again"


async def test_a_tear_lets_half_of_the_next_frame_through() -> None:
    async with through() as (line, ends):
        tearing = asyncio.create_task(line.tear(within_s=30))
        await asyncio.sleep(0)
        ends.far_writer.write(b"whole frame!")
        assert await ends.reader.read() == b"whole "
        assert await ends.far_reader.read() == b""
        await tearing
        assert line.breaking() is not None
    assert ends.faults == [("began", "tear"), ("ended", "tear")]


async def test_where_no_frame_comes_a_tear_is_a_cut() -> None:
    async with through() as (line, ends):
        await line.tear(within_s=0.05)
        assert await ends.reader.read() == b""
    assert ends.faults == [("began", "tear"), ("ended", "tear")]


async def test_on_a_half_open_line_neither_side_hears_of_the_other() -> None:
    async with through() as (line, ends):
        with line.half_open():
            ends.far_writer.write(b"lost")
            ends.far_writer.close()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await ends.reader.read(1)
            assert line.breaking() is not None
        assert await ends.reader.read() == b""
    assert ends.faults == [("began", "half_open"), ("ended", "half_open")]


async def test_where_nobody_listens_behind_the_proxy_the_client_is_let_go() -> None:
    faults = Faults(Recorder(Clock(), []))
    async with Line("http://127.0.0.1:1", faults, user="user-alice", random=Random(1)) as line:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(line.url.rpartition(":")[2]))
        assert await reader.read() == b""
        writer.close()
