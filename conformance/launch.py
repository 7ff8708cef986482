"""Starting and stopping a target's process: a free port, a readiness probe, captured output, no survivors."""

import asyncio
import contextlib
import os
import random
import shlex
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import httpx

from conformance.errors import TargetUnreachable, UsageError

_READY_S = 30.0
_GRACE_S = 5.0
_EVERY_S = 0.05
_TRIES = 100
_NO_CLIENTS = range(10_000, 32_000)
"""Clients get ports from 32,768 on (Linux), or from 49,152 on (macOS, Windows)."""


def free_port() -> int:
    """Return a port of the loopback interface that nobody uses, and that systems by default give to no client.

    A client that has the very port at which it knocks is connected with itself. Raises `UsageError` where none is free.
    """
    for port in random.sample(_NO_CLIENTS, _TRIES):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise UsageError(f"no free port on 127.0.0.1: {_TRIES} from {_NO_CLIENTS[0]} to {_NO_CLIENTS[-1]} were tried")


class Launched:
    """A target's process, in a process group of its own. Use as an asynchronous context manager.

    Its output goes to the file `output`. On exit it gets SIGTERM, and SIGKILL after a grace of 5 s. In between it can
    be ended and started again, with the same words, environment and folder; its output then goes on in the same file.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        url: str,
        health: str | None,
        output: Path,
        directory: Path,
        environment: Mapping[str, str],
        ready_s: float = _READY_S,
    ) -> None:
        self.words = list(words)
        self.output = output
        self._url = url
        self._health = health
        self._directory = directory
        self._environment = {**os.environ, **environment}
        self._ready_s = ready_s
        self._process: asyncio.subprocess.Process | None = None
        self._file: IO[bytes] | None = None

    async def __aenter__(self) -> "Launched":
        self._file = self.output.open("wb")
        try:
            await self.start()
        except BaseException:
            self._file.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def exited(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.returncode if self._process else None

    @property
    def pid(self) -> int:
        """The id of its process, which is its process group's, too."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start it, and wait until it is ready. Raises `UsageError` or `TargetUnreachable` where it does not get so."""
        assert self._file is not None
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.words,
                cwd=self._directory,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=self._file,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise UsageError(f"[target] command: cannot run {self.words[0]!r}: {error.strerror}") from error
        try:
            await self._ready()
        except BaseException:
            await self.end()
            raise

    async def _ready(self) -> None:
        deadline = time.monotonic() + self._ready_s
        async with httpx.AsyncClient(timeout=2.0, trust_env=False) as http:
            while True:
                if self.exited is not None:
                    raise TargetUnreachable(
                        f"the target exited with {self.exited} before it was ready: {shlex.join(self.words)}"
                        f"{self.last_words()}"
                    )
                if await self._probe(http):
                    return
                if time.monotonic() > deadline:
                    probe = self._health or self._url
                    raise TargetUnreachable(
                        f"the target was not ready within {self._ready_s:g} s (probed {probe}){self.last_words()}"
                    )
                await asyncio.sleep(_EVERY_S)

    async def _probe(self, http: httpx.AsyncClient) -> bool:
        if self._health:
            with contextlib.suppress(httpx.HTTPError):
                return (await http.get(self._health)).status_code < 400
            return False
        return await accepts_connections(self._url)

    def last_words(self) -> str:
        """Return the end of its output, for an error message."""
        text = self.output.read_bytes()[-1500:].decode(errors="replace").strip() if self.output.exists() else ""
        return f"\nits last output ({self.output}):\n{text}" if text else f"\nit printed nothing ({self.output})"

    async def stop(self) -> None:
        """End the process and whatever it started, for good; waits until it is gone."""
        await self.end()
        if self._file is not None:
            self._file.close()

    async def end(self, *, grace_s: float = _GRACE_S) -> bool:
        """Ask the process to end (SIGTERM), and after `grace_s` make it; waits until it is gone, its children too.

        Returns whether it ended by itself.
        """
        process = self._process
        if process is None:
            return True
        willing = process.returncode is not None
        if not willing:
            self._signal(signal.SIGCONT)  # a frozen process hears of nothing
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), grace_s)
                willing = True
        await self.kill()
        return willing

    async def kill(self) -> None:
        """End the process and whatever it started at once (SIGKILL); waits until it is gone."""
        assert self._process is not None
        self._signal(signal.SIGKILL)
        await self._process.wait()

    def freeze(self) -> None:
        """Stop the process and whatever it started where they are (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


async def accepts_connections(url: str, *, timeout_s: float = 5.0) -> bool:
    """Tell whether something listens where a URL points to."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme in ("wss", "https") else 80)
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except (OSError, TimeoutError):
        return False
    # where nobody listens, the system may connect a socket with itself: if it happens to give it the very port
    others: bool = writer.get_extra_info("sockname") != writer.get_extra_info("peername")
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return others
