"""A chat backend: users with tokens, one agent, and a WebSocket on which each is told what the agent does for them."""

import asyncio
import base64
import binascii
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import uuid4

import jwt
from agent import Agent
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from starlette.responses import JSONResponse
from wire import MESSAGE_BYTES, Frame, Refused, Story, now, read, text

HEARTBEAT_S = float(os.environ.get("HEARTBEAT_S", "20"))  # uvicorn pings as often: --ws-ping-interval
ORIGINS = os.environ.get("ORIGINS", "").split()  # of the pages that may connect
RUN_LIMIT_S = float(os.environ.get("RUN_LIMIT_S", "60"))
_MOST_FRAMES = 1_000
_RUNS_AT_ONCE = 8
_SLOW = 4408
_RESTART = 1012
_SECRET = os.environ["JWT_SECRET"]


@dataclass(eq=False)
class Connection:
    """A user's connection. Frames wait in its own queue, so that a slow reader delays nobody else.

    Of its runs only some take their turn at once: one who begins hundreds waits for his own, and nobody waits for him.
    """

    socket: WebSocket
    user_id: str
    frames: asyncio.Queue[Frame] = field(default_factory=lambda: asyncio.Queue(_MOST_FRAMES))
    runs: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_RUNS_AT_ONCE))
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    code: int = 1000

    def send(self, frame: Frame) -> None:
        """Queue a frame; a reader that lets too many wait is sent away."""
        try:
            self.frames.put_nowait(frame)
        except asyncio.QueueFull:
            self.close(_SLOW)

    def close(self, code: int) -> None:
        """Have the connection closed once, with this code."""
        if not self.closing.is_set():
            self.code = code
            self.closing.set()

    async def write(self) -> None:
        """Send frame after frame."""
        while True:
            await self.socket.send_text(json.dumps(await self.frames.get(), ensure_ascii=False))
            self.frames.task_done()


@dataclass
class Backend:
    """What all connections share: the agent, and which run a user's request began (a real one forgets after a day)."""

    agent: Agent
    requests: dict[tuple[str, str], Story] = field(default_factory=dict)
    runs: dict[str, Story] = field(default_factory=dict)
    connections: set[Connection] = field(default_factory=set)

    def handle(self, connection: Connection, raw: str) -> None:
        """Do what a client's frame asks for, or tell it why not."""
        try:
            kind, payload = read(raw)
            match kind:
                case "start_agent" | "user_message":
                    self._start(connection, kind, payload)
                case "stop_agent":
                    self._stop(connection, text(payload, "run_id"))
                case "ping":
                    correlation = {k: v for k, v in payload.items() if k == "correlation_id"}
                    connection.send({"type": "pong", **correlation})
                case "heartbeat_ack":
                    pass
                case _:
                    raise Refused("unknown_type", "this type is not known")
        except Refused as refused:
            error = {"type": "error", "code": refused.code, "message": str(refused)}
            connection.send(error | ({"request_id": refused.request_id} if refused.request_id else {}))

    def _start(self, connection: Connection, kind: str, payload: dict[str, object]) -> None:
        request_id = text(payload, "request_id")
        known = self.requests.get((connection.user_id, request_id))
        if known is not None:
            connection.send(known.accepted(duplicate=True))
            return
        try:
            request = text(payload, "user_request" if kind == "start_agent" else "content", most=MESSAGE_BYTES)
        except Refused as refused:
            raise Refused(refused.code, str(refused), request_id) from None
        if kind == "user_message" or payload.get("thread_id") is not None:
            raise Refused("not_found", "no such thread", request_id)  # a conversation is one run here
        story = Story(connection.user_id, request_id, connection.send)
        self.requests[connection.user_id, request_id] = story
        connection.send(story.accepted(duplicate=False))
        story.event("agent_started", request_id=request_id)
        task = asyncio.create_task(self._run(connection, story, request))
        self.runs[story.run_id] = story
        connection.runs[story.run_id] = task

        def end(_: asyncio.Task[None]) -> None:
            del connection.runs[story.run_id]
            if not story.over:  # it was stopped before its turn came
                story.event("agent_stopped", reason="stopped")

        task.add_done_callback(end)

    async def _run(self, connection: Connection, story: Story, request: str) -> None:
        async with connection.turns:
            await self.agent.run(story, request, limit_s=RUN_LIMIT_S)

    def _stop(self, connection: Connection, run_id: str) -> None:
        """Stop a run of this user's; one that is over stays as it is."""
        story = self.runs.get(run_id)
        if story is None or story.user_id != connection.user_id:
            raise Refused("not_found", "no such run")
        task = connection.runs.get(run_id)
        if task is not None:
            task.cancel()

    async def shut_down(self) -> None:
        """End every run and tell its user, then close the connections."""
        for connection in list(self.connections):
            runs = list(connection.runs.values())
            for run in runs:
                run.cancel()
            await asyncio.gather(*runs, return_exceptions=True)
            connection.close(_RESTART)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Make the agent; it needs OPENAI_API_KEY and TOOLS_URL. When the server is to end, users hear of it first."""
    backend = app.state.backend = Backend(Agent())
    ends_server = signal.getsignal(signal.SIGTERM)

    async def end() -> None:
        await backend.shut_down()
        if callable(ends_server):
            ends_server(signal.SIGTERM, None)

    ending: list[asyncio.Task[None]] = []
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: ending.append(asyncio.create_task(end())))
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health() -> str:
    """Say that it is up."""
    return "ok"


@app.websocket("/ws")
async def serve(socket: WebSocket) -> None:
    """Talk with one client until it goes, or its token expires."""
    if socket.headers.get("Origin") not in (None, *ORIGINS):
        await socket.send_denial_response(JSONResponse({"error": "forbidden"}, 403))
        return
    try:
        token, subprotocol = _token(socket)
        claims = jwt.decode(token, _SECRET, algorithms=["HS256"], options={"require": ["sub", "exp"]})
    except jwt.InvalidTokenError:
        refusal = JSONResponse({"error": "unauthorized"}, 401, {"WWW-Authenticate": "Bearer"})
        await socket.send_denial_response(refusal)
        return
    await socket.accept(subprotocol)
    backend: Backend = socket.app.state.backend
    connection = Connection(socket, claims["sub"])
    connection.send(
        {
            "type": "connection_established",
            "protocol": "five-events/1",
            "connection_id": str(uuid4()),
            "user_id": connection.user_id,
            "server_time": now(),
            "heartbeat_s": HEARTBEAT_S,
            "capabilities": ["stop", "text_stream"],
        }
    )
    expiry = asyncio.get_running_loop().call_later(max(0.0, claims["exp"] - time.time()), connection.close, 1008)
    backend.connections.add(connection)
    try:
        await _converse(connection, backend)
    finally:
        backend.connections.discard(connection)
        expiry.cancel()


async def _converse(connection: Connection, backend: Backend) -> None:
    """Read and write until the client goes or must go; then end its runs."""
    reading = asyncio.create_task(_read(backend, connection))
    writing = asyncio.create_task(connection.write())
    closing = asyncio.create_task(connection.closing.wait())
    tasks = (reading, writing, closing)
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    if connection.code == _RESTART:
        await asyncio.wait(
            [asyncio.create_task(connection.frames.join()), reading], return_when=asyncio.FIRST_COMPLETED
        )
    runs = list(connection.runs.values())
    for task in (*runs, *tasks):
        task.cancel()
    await asyncio.gather(*runs, *tasks, return_exceptions=True)
    with suppress(RuntimeError, WebSocketDisconnect):  # it may have gone
        await connection.socket.close(connection.code)


async def _read(backend: Backend, connection: Connection) -> None:
    while True:
        message = await connection.socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        if message.get("text") is None:
            connection.send({"type": "error", "code": "bad_message", "message": "only text frames are understood"})
        else:
            backend.handle(connection, message["text"])


def _token(socket: WebSocket) -> tuple[str, str | None]:
    """Return the token that a client shows, and the subprotocol to select. Browsers can only show it as one."""
    offered = socket.scope["subprotocols"]
    coded = next((name[4:] for name in offered if name.startswith("jwt.")), None)
    if coded is None or "jwt-auth" not in offered:
        scheme, _, token = socket.headers.get("Authorization", "").partition(" ")
        return (token if scheme.lower() == "bearer" else ""), None
    try:
        return base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode(), "jwt-auth"
    except (binascii.Error, UnicodeDecodeError):
        raise jwt.InvalidTokenError("not base64") from None
