"""Starting and stopping a target's process."""

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from conformance.errors import TargetUnreachable, UsageError
from conformance.launch import Launched, accepts_connections, free_port

SERVER = """
import http.server, signal, subprocess, sys
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind="127.0.0.1")
"""


def launched(folder: Path, *words: str, ready_s: float = 30.0, health: str | None = None) -> Launched:
    port = free_port()
    return Launched(
        [sys.executable, "-c", SERVER, str(port), *words],
        url=f"ws://127.0.0.1:{port}/",
        health=health.replace("{port}", str(port)) if health else None,
        output=folder / "output.log",
        directory=folder,
        environment={"PYTHONUNBUFFERED": "1"},
        ready_s=ready_s,
    )


@pytest.mark.parametrize("words", [(), ("stubborn",)])
async def test_nothing_survives_not_even_its_children(words: tuple[str, ...], tmp_path: Path) -> None:
    async with launched(tmp_path, *words, health="http://127.0.0.1:{port}/") as target:
        child = psutil.Process(int((tmp_path / "output.log").read_text().split()[1]))
        assert child.is_running()
        before = target.exited
    assert (before, target.exited is None) == (None, False)
    psutil.wait_procs([child])
    assert not child.is_running()


async def test_a_target_that_dies_is_told_with_its_last_words(tmp_path: Path) -> None:
    target = Launched(
        [sys.executable, "-c", "raise SystemExit('no database')"],
        url=f"ws://127.0.0.1:{free_port()}/",
        health=None,
        output=tmp_path / "output.log",
        directory=tmp_path,
        environment={},
    )
    with pytest.raises(TargetUnreachable, match=r"exited with 1 before it was ready(.|\n)*no database"):
        await target.__aenter__()


async def test_a_target_that_never_gets_ready_is_stopped(tmp_path: Path) -> None:
    target = launched(tmp_path, ready_s=0.2, health="http://127.0.0.1:9/never")
    with pytest.raises(TargetUnreachable, match=r"not ready within 0.2 s \(probed http://127.0.0.1:9/never\)"):
        await target.__aenter__()
    assert target.exited is not None


async def test_a_command_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    target = Launched(
        ["/no/such/program"],
        url="ws://127.0.0.1:9/",
        health=None,
        output=tmp_path / "output.log",
        directory=tmp_path,
        environment={},
    )
    with pytest.raises(UsageError, match="cannot run '/no/such/program'"):
        await target.__aenter__()


async def test_a_socket_that_is_connected_with_itself_is_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    port, connected = free_port(), []
    knock = asyncio.open_connection

    async def knock_from_there(host: str, port: int) -> Any:
        streams = await knock(host, port, local_addr=(host, port))
        connected.append(port)
        return streams

    monkeypatch.setattr(asyncio, "open_connection", knock_from_there)
    assert not await accepts_connections(f"ws://127.0.0.1:{port}/")
    assert connected == [port]


def test_a_free_port_is_none_that_a_client_may_get() -> None:
    with socket.socket() as client:
        client.bind(("127.0.0.1", 0))
        given = client.getsockname()[1]
    assert all(port < 32_768 <= given for port in {free_port() for _ in range(100)})


async def test_accepts_connections_tells_a_server_from_none(tmp_path: Path) -> None:
    assert not await accepts_connections(f"http://127.0.0.1:{free_port()}/")
    async with launched(tmp_path) as target:
        assert await accepts_connections(f"ws://127.0.0.1:{target.words[3]}/")
