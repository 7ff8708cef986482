"""What the reference engine costs, five events a run, journal included, beside a bare server that sends the same.

Each server runs in a process of its own and is driven by the same clients; what is compared is the processor time that
the server takes for an event, so a busy machine and slow clients change little.
"""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from websockets.asyncio.client import ClientConnection, connect

from reference_impl.auth import mint_token

_GOAL = 0.5
_ROUNDS = 3
_SECRET = "a secret that only this benchmark knows, of enough bytes"
_SCRIPT = 'script: [{"think": "Let me see."}, {"tool": "echo", "args": {"text": "five events"}}]'
_EVENTS = 5
_BARE = """
import asyncio, sys
from websockets.asyncio.server import serve

frames = [line.rstrip("\\n") for line in sys.stdin]

async def answer(socket):
    async for _ in socket:
        for frame in frames:
            await socket.send(frame)

async def main():
    async with serve(answer, "127.0.0.1", 0, compression=None) as server:
        print(f"ready at {server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()

asyncio.run(main())
"""


def main() -> int:
    """Print both costs and their ratio, a line a round. Returns 1 where the median ratio misses its goal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--connections", type=int, default=50, help="each with a user of its own (default: 50)")
    parser.add_argument("--runs", type=int, default=100, help="runs of each connection, one by one (default: 100)")
    given = parser.parse_args()
    ratios = []
    for _ in range(_ROUNDS):
        with _engine() as (port, process):
            frames = asyncio.run(_example(port))
            engine = _events_per_s(port, process, given.connections, given.runs)
        with _bare(frames) as (port, process):
            bare = _events_per_s(port, process, given.connections, given.runs)
        ratios.append(engine / bare)
        sys.stdout.write(f"engine {engine:8,.0f} events/s   bare server {bare:8,.0f} events/s   {ratios[-1]:.2f}\n")
    median = statistics.median(ratios)
    verdict = "met" if median >= _GOAL else "MISSED"
    sys.stdout.write(f"engine to bare server, one core   median {median:.2f} of {_ROUNDS}   goal {_GOAL}: {verdict}\n")
    return 0 if median >= _GOAL else 1


@contextlib.contextmanager
def _engine() -> Iterator[tuple[int, psutil.Process]]:
    with tempfile.TemporaryDirectory(prefix="engine-bench-") as folder:
        words = ["-m", "reference_impl", "--port", "0", "--journal", str(Path(folder) / "journal.sqlite")]
        with _serving(words, {"JWT_SECRET": _SECRET}, "") as served:
            yield served


def _bare(frames: list[str]) -> "contextlib.AbstractContextManager[tuple[int, psutil.Process]]":
    return _serving(["-c", _BARE], {}, "".join(f"{frame}\n" for frame in frames))


@contextlib.contextmanager
def _serving(words: list[str], more: dict[str, str], given: str) -> Iterator[tuple[int, psutil.Process]]:
    """A server in a process of its own: its port, which ends the first line it prints, and the process."""
    pipe = subprocess.PIPE
    child = subprocess.Popen([sys.executable, *words], stdin=pipe, stdout=pipe, text=True, env={**os.environ, **more})
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(given)
        child.stdin.close()
        line = child.stdout.readline()
        yield int(line.strip().removesuffix("/ws").replace(":", " ").split()[-1]), psutil.Process(child.pid)
    finally:
        child.terminate()
        child.wait()
        child.stdout.close()


async def _example(port: int) -> list[str]:
    """The frames that the engine sends for one run."""
    async with _connect(port, "example") as socket:
        await socket.recv()
        return await _run(socket, "example")


def _connect(port: int, user: str) -> connect:
    headers = {"Authorization": f"Bearer {mint_token(_SECRET, user, lifetime_s=3600)}"}
    return connect(f"ws://127.0.0.1:{port}/ws", additional_headers=headers, compression=None)


async def _run(socket: ClientConnection, request_id: str) -> list[str]:
    payload = {"user_request": _SCRIPT, "request_id": request_id}
    await socket.send(json.dumps({"type": "start_agent", "payload": payload}))
    frames: list[str] = []
    while not frames or '"type":"agent_completed"' not in frames[-1]:
        frame = await socket.recv(decode=True)
        if '"event_id"' in frame:
            frames.append(frame)
    assert len(frames) == _EVENTS
    return frames


def _events_per_s(port: int, process: psutil.Process, connections: int, runs: int) -> float:
    """Events for a second of the server's processor time, all its threads together."""
    return asyncio.run(_drive(port, process, connections, runs))


async def _drive(port: int, process: psutil.Process, connections: int, runs: int) -> float:
    everybody = asyncio.Barrier(connections + 1)

    async def client(number: int) -> None:
        async with _connect(port, f"user-{number}-{time.time_ns()}") as socket:
            await _run(socket, f"warm-{number}")
            await everybody.wait()
            for run in range(runs):
                await _run(socket, f"{number}-{run}")
            await everybody.wait()

    async with asyncio.TaskGroup() as group:
        for number in range(connections):
            group.create_task(client(number))
        await everybody.wait()
        before = _cpu_s(process)
        await everybody.wait()
        used_s = _cpu_s(process) - before
    return connections * runs * _EVENTS / used_s


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    sys.exit(main())
