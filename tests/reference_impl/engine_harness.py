"""A running engine and a client for it: what the tests of this folder talk to and talk with."""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from reference_impl.agent import BaseAgent
from reference_impl.app import NO_AGENTS, Assembly, Parts, create_app
from reference_impl.auth import mint_token
from reference_impl.server import EngineServer, bind
from reference_impl.settings import Settings

SECRET = "a secret for tests, of more than 64 bytes so that HS512 is content, too: 0123456789"
TERMINAL = ("agent_completed", "agent_error", "agent_stopped")
PATIENCE_S = 10.0

Frame = dict[str, Any]


def token(user: str, *, lifetime_s: float = 600.0) -> str:
    return mint_token(SECRET, user, lifetime_s=lifetime_s)


def bearer(user: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(user)}"}


def script(*steps: Frame) -> str:
    return "script: " + json.dumps(steps)


def say(text: str) -> Frame:
    return {"say": text}


def tool(name: str, **args: Any) -> Frame:
    return {"tool": name, "args": args}


class Client:
    """One WebSocket of one user; keeps every frame that came."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.seen: list[Frame] = []

    async def send(self, type: str, **payload: Any) -> None:
        await self.socket.send(json.dumps({"type": type, "payload": payload}))

    async def receive(self) -> Frame:
        async with asyncio.timeout(PATIENCE_S):
            frame: Frame = json.loads(await self.socket.recv())
        if frame["type"] != "heartbeat":
            self.seen.append(frame)
        return frame

    async def until(self, wanted: Callable[[Frame], bool]) -> Frame:
        """The next frame that is wanted; those before it are kept in `seen`."""
        while True:
            frame = await self.receive()
            if wanted(frame):
                return frame

    async def next(self, type: str) -> Frame:
        return await self.until(lambda frame: frame["type"] == type)

    async def have(self, count: int, type: str) -> list[Frame]:
        """The frames of this type among all that came, once there are `count`."""
        while len(found := [frame for frame in self.seen if frame["type"] == type]) < count:
            await self.receive()
        return found

    async def start(self, message: str, **more: Any) -> Frame:
        """Start a run; the payload of its run_accepted."""
        payload = {"user_request": message, "request_id": str(uuid4()), **more}
        await self.send("start_agent", **payload)
        accepted: Frame = (await self.next("run_accepted"))["payload"]
        assert accepted["request_id"] == payload["request_id"]
        return accepted

    async def follow(self, run_id: str) -> list[Frame]:
        """All events of the run that this connection got, once the terminal one is there."""
        while not any(frame["type"] in TERMINAL for frame in self.events(run_id)):
            await self.receive()
        return self.events(run_id)

    async def run(self, message: str, **more: Any) -> list[Frame]:
        """Start a run and follow it to its end."""
        return await self.follow((await self.start(message, **more))["run_id"])

    def events(self, run_id: str) -> list[Frame]:
        return [frame for frame in self.seen if frame.get("run_id") == run_id]

    async def closed(self) -> int:
        """The code with which the server closes, after all frames were read."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self.receive()
        assert self.socket.close_code is not None
        return self.socket.close_code

    async def nothing_more(self) -> None:
        """Assert that nothing was on its way to this connection before a ping sent now is answered."""
        mark = str(uuid4())
        before = len(self.seen)
        await self.send("ping", correlation_id=mark)
        await self.until(lambda frame: frame["type"] == "pong" and frame["payload"]["correlation_id"] == mark)
        assert self.seen[before:-1] == []


class Address:
    """Where an engine listens."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"ws://127.0.0.1:{port}/ws"
        self.http = f"http://127.0.0.1:{port}"

    @contextlib.asynccontextmanager
    async def client(self, user: str, **options: Any) -> AsyncIterator[Client]:
        """A connection whose connection_established has been read."""
        headers = options.pop("headers", bearer(user))
        async with connect(self.url, additional_headers=headers, close_timeout=1, **options) as socket:
            client = Client(socket)
            assert (await client.receive())["type"] == "connection_established"
            yield client

    @contextlib.asynccontextmanager
    async def web(self, user: str | None) -> AsyncIterator[httpx.AsyncClient]:
        headers = {} if user is None else bearer(user)
        async with httpx.AsyncClient(base_url=self.http, headers=headers, timeout=PATIENCE_S) as web:
            yield web


class PromptServer(EngineServer):
    """Ends when told, without the tenth of a second that uvicorn takes to look."""

    def __init__(self, app: Starlette, settings: Settings) -> None:
        super().__init__(app, settings, handle_signals=False)
        self.told_to_end = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.told_to_end.wait()


class Engine(Address):
    """An engine in this process."""

    def __init__(self, port: int, assembly: Assembly) -> None:
        super().__init__(port)
        self.assembly = assembly


@contextlib.asynccontextmanager
async def engine(
    *, parts: Parts | None = None, agents: Mapping[str, type[BaseAgent]] = NO_AGENTS, **options: Any
) -> AsyncIterator[Engine]:
    settings = Settings(**{"secret": SECRET, "drain_s": 0.0, "close_grace_s": 1.0, **options})
    app = create_app(settings, parts=parts, agents=agents)
    server = PromptServer(app, settings)
    with bind("127.0.0.1", 0) as bound:
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        async with asyncio.timeout(PATIENCE_S):
            await server.ready.wait()
        try:
            yield Engine(bound.getsockname()[1], app.state.assembly)
        finally:
            server.told_to_end.set()
            async with asyncio.timeout(PATIENCE_S):
                await serving


class Process(Address):
    """An engine in a process of its own, with what it printed before it was ready."""

    def __init__(self, port: int, process: asyncio.subprocess.Process, lines: list[str]) -> None:
        super().__init__(port)
        self.process = process
        self.lines = lines

    async def end(self, number: int) -> tuple[int, str]:
        """Send a signal; the exit code and stderr."""
        self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE_S):
            _, errors = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, errors.decode()


async def spawn(*arguments: str, secret: str | None = SECRET) -> asyncio.subprocess.Process:
    environment = {name: value for name, value in os.environ.items() if name != "JWT_SECRET"}
    if secret is not None:
        environment["JWT_SECRET"] = secret
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "reference_impl", *arguments)
    root = Path(__file__).parents[2]
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=environment, cwd=root)


@contextlib.asynccontextmanager
async def process(*arguments: str, secret: str | None = SECRET) -> AsyncIterator[Process]:
    child = await spawn("--port", "0", *arguments, secret=secret)
    assert child.stdout is not None
    lines: list[str] = []
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not lines or "ready at ws://" not in lines[-1]:
                line = await child.stdout.readline()
                assert line, f"the engine ended before it was ready, after {lines}"
                lines.append(line.decode().rstrip())
        yield Process(int(lines[-1].rpartition(":")[2].removesuffix("/ws")), child, lines)
    finally:
        if child.returncode is None:
            # Not killed, so that its temporary journal goes with it.
            child.terminate()
            async with asyncio.timeout(PATIENCE_S):
                await child.communicate()


def types(events: Iterable[Frame]) -> list[str]:
    return [event["type"] for event in events]


def check_story(events: list[Frame]) -> None:
    """Assert what holds for the events of every run that is over (EVT-01 to EVT-09, ORD-01, ORD-03, IDN-03)."""
    kinds = types(events)
    assert kinds[0] == "agent_started"
    assert [kind for kind in kinds if kind in TERMINAL] == kinds[-1:]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    stamps = [event["timestamp"] for event in events]
    assert stamps == sorted(stamps)
    for name in ("run_id", "thread_id", "user_id", "agent_name", "traceparent"):
        assert len({event[name] for event in events}) == 1
    assert len({event["event_id"] for event in events}) == len(events)
    thought = kinds.index("agent_thinking")
    assert "tool_executing" not in kinds[:thought]
    open_tools: set[str] = set()
    for event in events:
        if event["type"] == "tool_executing":
            assert event["payload"]["tool_call_id"] not in open_tools
            open_tools.add(event["payload"]["tool_call_id"])
        if event["type"] == "tool_completed":
            open_tools.remove(event["payload"]["tool_call_id"])
            assert ("result" in event["payload"]) == (event["payload"]["status"] == "ok")
            assert ("error" in event["payload"]) == (event["payload"]["status"] == "error")
    assert open_tools == set()
    if kinds[-1] == "agent_completed":
        text = "".join(event["payload"]["text"] for event in events if event["type"] == "message_chunk")
        assert events[-1]["payload"]["final_response"] == text


def small_receive_buffer() -> socket.socket:
    """A socket whose reader falls behind soon."""
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.setblocking(False)
    return small
