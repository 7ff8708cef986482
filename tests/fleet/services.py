"""What stands around several engines: a Redis of their own, and a balancer before them."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path

from conformance.launch import free_port
from tests.debian import program


@contextlib.asynccontextmanager
async def redis_server(folder: Path, port: int | None = None) -> AsyncIterator[str]:
    """The URL of a Redis that keeps nothing on disk and is gone after the block."""
    port = port or free_port()
    words = [program("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1"]
    words += ["--save", "", "--appendonly", "no", "--dir", str(folder)]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            if b"Ready to accept connections" in line:
                break
        else:
            raise AssertionError("redis-server did not start")
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.communicate()


class RoundRobin:
    """A TCP proxy that gives each connection to the next of its `ports` that takes it; bytes go through unchanged."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.ports = list(ports)
        self.port = 0
        self._turn = count()
        self._pipes: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator["RoundRobin"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for pipe in self._pipes:
                pipe.cancel()
            await asyncio.gather(*self._pipes, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pipes.add(task)
        task.add_done_callback(self._pipes.discard)
        turn = next(self._turn)
        try:
            for number in range(len(self.ports)):
                port = self.ports[(turn + number) % len(self.ports)]
                with contextlib.suppress(OSError):
                    await self._join(reader, writer, *await asyncio.open_connection("127.0.0.1", port))
                    return
        finally:
            await _abort(writer)

    async def _join(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        back_reader: asyncio.StreamReader,
        back_writer: asyncio.StreamWriter,
    ) -> None:
        try:
            await asyncio.gather(_pipe(reader, back_writer), _pipe(back_reader, writer))
        finally:
            await _abort(back_writer)


async def _abort(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes, and then the end: a reset as a reset."""
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


@contextlib.contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a database of a PostgreSQL that is gone after the block. It will not run as root."""
    initdb = program("initdb", "postgresql", folders="usr/lib/postgresql/*/bin")
    account = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder = Path(name)
        if account is not None:
            shutil.chown(folder, account)
        data, port = folder / "data", free_port()
        run = partial(subprocess.run, user=account, cwd=folder, stdout=subprocess.DEVNULL, check=True)
        run([initdb, "-D", data, "-A", "trust", "-U", "engine", "--no-sync"])
        pg_ctl = str(Path(initdb).with_name("pg_ctl"))
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        run([pg_ctl, "-D", data, "-l", folder / "log", "-o", options, "-w", "start"])
        try:
            yield f"postgresql://engine@127.0.0.1:{port}/postgres"
        finally:
            run([pg_ctl, "-D", data, "-m", "immediate", "stop"])
