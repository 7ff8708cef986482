"""What the kit does to the process of a target that it started."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil

from conformance.history.operations import FaultBegan, FaultEnded, Footprint, Operation
from conformance.history.recorder import Clock, Recorder
from conformance.launch import Launched, free_port
from conformance.nemesis.faults import Faults
from conformance.nemesis.process import Process

SERVER = """
import http.server, os, pathlib, signal, sys
port, manner = int(sys.argv[1]), sys.argv[2]
lives = pathlib.Path("lives")
lives.write_text((lives.read_text() if lives.exists() else "") + f"{os.getpid()} {os.environ['MARK']}\\n")
print("life", lives.read_text().count("\\n"), flush=True)
if manner == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if manner == "once" and lives.read_text().count("\\n") > 1:
    raise SystemExit("only once")
http.server.test(http.server.SimpleHTTPRequestHandler, port=port, bind="127.0.0.1")
"""


@asynccontextmanager
async def running(folder: Path, manner: str = "good", *, grace_s: float = 10.0) -> AsyncIterator["Watched"]:
    port = free_port()
    launched = Launched(
        [sys.executable, "-c", SERVER, str(port), manner],
        url=f"ws://127.0.0.1:{port}/",
        health=f"http://127.0.0.1:{port}/",
        output=folder / "output.log",
        directory=folder,
        environment={"MARK": "mine"},
    )
    async with launched:
        yield Watched(launched, folder, f"http://127.0.0.1:{port}/", grace_s)


async def answers(url: str, *, within_s: float = 30.0) -> bool:
    async with httpx.AsyncClient(timeout=within_s) as http:
        try:
            return (await http.get(url)).status_code == 200
        except httpx.ReadTimeout:
            return False


class Watched:
    """A process, and what was recorded of it."""

    def __init__(self, launched: Launched, folder: Path, url: str, grace_s: float) -> None:
        self.launched, self.folder, self.url = launched, folder, url
        self.recorded: list[Operation] = []
        self.process = Process(launched, Faults(Recorder(Clock(), [self.recorded.append])), grace_s=grace_s)

    @property
    def faults(self) -> list[tuple[str, str | None]]:
        """What began, and how it ended."""
        began = [op.kind.value for op in self.recorded if isinstance(op, FaultBegan)]
        ended = [op.problem for op in self.recorded if isinstance(op, FaultEnded)]
        return list(zip(began, ended, strict=True))

    @property
    def lives(self) -> list[str]:
        """The environment of each of its lives: it finds again what the one before wrote."""
        return [line.split()[1] for line in (self.folder / "lives").read_text().splitlines()]


async def test_a_killed_process_is_back_where_it_was_with_what_it_had(tmp_path: Path) -> None:
    async with running(tmp_path) as target:
        before = target.launched.pid
        async with target.process.killed():
            assert not psutil.pid_exists(before)
            assert target.process.breaking() == "the kit killed the target"
        assert await answers(target.url)
        assert target.process.breaking() is None
        assert target.lives == ["mine", "mine"]
        assert (tmp_path / "output.log").read_text().count("life") == 2
    assert target.faults == [("kill", None)]


async def test_a_process_that_is_asked_to_end_is_back_afterwards(tmp_path: Path) -> None:
    async with running(tmp_path) as target:
        async with target.process.terminated():
            assert target.launched.exited is not None
        assert await answers(target.url)
        assert target.lives == ["mine", "mine"]
    assert target.faults == [("terminate", None)]


async def test_a_process_that_does_not_want_to_end_is_killed_and_that_is_told(tmp_path: Path) -> None:
    async with running(tmp_path, "stubborn", grace_s=0.1) as target:
        async with target.process.terminated():
            pass
        assert target.process.gone is None
    assert target.faults == [("terminate", "it had not ended 0.1 s after SIGTERM, and was killed")]


async def test_a_process_that_does_not_come_back_is_gone(tmp_path: Path) -> None:
    async with running(tmp_path, "once") as target:
        async with target.process.killed():
            pass
        assert target.process.gone is not None
        assert "only once" in target.process.gone
        assert target.process.descriptors() == 0
    ((kind, problem),) = target.faults
    assert (kind, (problem or "").partition(":")[0]) == ("kill", "it did not come back")


async def test_a_frozen_process_answers_when_it_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path) as target:
        with target.process.frozen():
            assert not await answers(target.url, within_s=0.2)
        assert await answers(target.url)
    assert target.faults == [("freeze", None)]


async def test_a_frozen_process_can_be_ended(tmp_path: Path) -> None:
    async with running(tmp_path) as target:
        with target.process.frozen():
            assert await target.launched.end()
    assert target.launched.exited is not None


async def test_what_a_process_holds_is_seen_from_outside(tmp_path: Path) -> None:
    async with running(tmp_path) as target:
        at_first = target.process.footprint(memory=True)
        _, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(target.url).port)
        while target.process.descriptors() <= at_first.descriptors:  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.01)
        writer.close()
        await target.process.settles(at_first.descriptors, within_s=10)
        target.process.footprint(memory=False)
    first, second = (op for op in target.recorded if isinstance(op, Footprint))
    assert first == at_first
    assert first.memory_kib is not None
    assert first.memory_kib > 1_000
    assert (second.descriptors, second.memory_kib) == (first.descriptors, None)
