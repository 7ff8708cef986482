"""Serving the witness: within a running event loop, or alone until a signal comes."""

import asyncio
import os
import shlex
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from conformance.errors import HarnessError, UsageError
from conformance.history.recorder import Clock
from conformance.witness.caller import HEADERS
from conformance.witness.gate import Gate
from conformance.witness.ledger import Ledger, Now, Record
from conformance.witness.lines import Lines
from conformance.witness.model import ModelWitness
from conformance.witness.tools import ToolWitness
from conformance.witness.writer import api_error

KEY = "any-key-will-do"
_GRACE_S = 3


@dataclass(frozen=True)
class Witness:
    """A witness that is being served. `url` is its root; a part that is not served has no URL."""

    url: str
    model_url: str | None
    tools_url: str | None
    mcp_url: str | None
    ledger: Ledger

    @property
    def open_calls(self) -> int:
        """How many calls of model and tools are under way."""
        return self.ledger.open_calls

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables by which a target finds it."""
        found = {name: _beside_proxies(name, urlsplit(self.url).hostname or "") for name in ("NO_PROXY", "no_proxy")}
        if self.model_url is not None:
            found |= {"OPENAI_BASE_URL": self.model_url, "OPENAI_API_KEY": KEY, "CONFORMANCE_MODEL_URL": self.model_url}
        if self.tools_url is not None and self.mcp_url is not None:
            found |= {"CONFORMANCE_TOOLS_URL": self.tools_url, "CONFORMANCE_MCP_URL": self.mcp_url}
            found["CONFORMANCE_TOOL_HEADERS"] = ",".join(HEADERS)
        return found


@asynccontextmanager
async def witness(
    record: Record,
    clock: Now,
    *,
    model: bool = True,
    tools: bool = True,
    host: str = "127.0.0.1",
    port: int = 0,
    redact: Callable[[str], str] | None = None,
) -> AsyncIterator[Witness]:
    """Serve the model witness, the tool witness or both on one port; port 0 takes a free one.

    `record` is given each operation (see `conformance.history.operations`), with the time by `clock` in µs; `redact`
    replaces secrets in it. On leaving, what is under way is ended, and recorded as such. Raises `UsageError` where it
    cannot listen there.
    """
    ledger = Ledger(record, clock, redact=redact)
    routes: list[BaseRoute] = []
    mcp: AbstractAsyncContextManager[None] = nullcontext()
    if model:
        routes += ModelWitness(ledger).routes
    if tools:
        box = ToolWitness(ledger)
        routes += box.routes
        mcp = box.serving_mcp()
    listener = listen(host, port)
    address, number = listener.getsockname()[:2]
    root = f"http://[{address}]:{number}" if ":" in address else f"http://{address}:{number}"
    gate = Gate(Starlette(routes=routes, exception_handlers={HTTPException: _unknown}))
    ready, leave = asyncio.Event(), asyncio.Event()
    # A task of its own, because a task group, such as MCP's, must be left by the task that entered it.
    hosting = asyncio.create_task(_host(gate, listener, ledger, mcp, ready, leave))
    try:
        await _first(ready, hosting)
        yield Witness(
            url=root,
            model_url=f"{root}/v1" if model else None,
            tools_url=f"{root}/tools" if tools else None,
            mcp_url=f"{root}/mcp" if tools else None,
            ledger=ledger,
        )
    finally:
        leave.set()
        await hosting


async def _host(
    gate: Gate,
    listener: socket.socket,
    ledger: Ledger,
    mcp: AbstractAsyncContextManager[None],
    ready: asyncio.Event,
    leave: asyncio.Event,
) -> None:
    server = _Server(gate)
    before = asyncio.all_tasks()
    with listener:
        async with mcp:
            await server.begin(listener)
            ready.set()
            await leave.wait()
            ledger.close()
        await gate.close()
        await server.shutdown(sockets=[listener])
    await _end_watchers(asyncio.all_tasks() - before)


async def _end_watchers(tasks: set[asyncio.Task[Any]]) -> None:
    """End what sse-starlette, by which the MCP SDK streams, would leave polling for as long as the event loop runs."""
    left = [task for task in tasks if getattr(task.get_coro(), "__name__", "") == "_shutdown_watcher"]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def _first(ready: asyncio.Event, hosting: asyncio.Task[None]) -> None:
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({waiting, hosting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if hosting.done():
        await hosting
        raise HarnessError("the witness ended before it was ready")


class _Server(uvicorn.Server):
    """uvicorn without signal handlers, start-up messages and main loop: whoever uses the event loop has those."""

    def __init__(self, app: Gate) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                date_header=False,
                server_header=False,
                # A client that reuses a connection just when it is closed would see a fault that is not its own.
                timeout_keep_alive=3600,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )

    async def begin(self, listener: socket.socket) -> None:
        """Begin to answer."""
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.startup(sockets=[listener])


def _beside_proxies(name: str, host: str) -> str:
    """Return a variable that names the hosts not to be reached through a proxy, with the witness' own."""
    return ",".join(dict.fromkeys([*filter(None, os.environ.get(name, "").split(",")), host, "localhost"]))


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address; port 0 takes a free one. Raises `UsageError`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        advice = "end what listens there (`agent-conformance witness`? `verify` serves it itself) or take another port"
        raise UsageError(f"the witness cannot listen on {host}:{port}: {error.strerror}; {advice}") from error
    return bound


async def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"{error.detail}: {request.method} {request.url.path}"
    return JSONResponse(api_error(message, error.status_code), error.status_code)


def run(*, say: Callable[[str], None], host: str, port: int, model: bool = True, tools: bool = True) -> None:
    """Serve until SIGINT or SIGTERM. `say` is given the variables to export, and a line for each call that ended."""
    asyncio.run(_run(say, host, port, model=model, tools=tools))


async def _run(say: Callable[[str], None], host: str, port: int, *, model: bool, tools: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with witness(Lines(say), Clock(), model=model, tools=tools, host=host, port=port) as site:
        for name, value in site.environment.items():
            say(f"export {name}={shlex.quote(value)}")
        await stop.wait()
