"""One client's conversation over a WebSocket: reads its frames and has them answered (WIRE.md)."""

import asyncio
import logging
import time

from starlette.websockets import WebSocket

from reference_impl.auth import Identity
from reference_impl.connection import Connection
from reference_impl.context import RunId, UserId
from reference_impl.engine import ExecutionEngine
from reference_impl.errors import CloseCode, ErrorCode, Refusal
from reference_impl.messages import (
    ClientMessage,
    Ping,
    Resume,
    RunRequest,
    StartAgent,
    StopAgent,
    UserMessage,
    accepted_payload,
    decode_message,
    encode_answer,
    encode_error,
    encode_established,
    request_id_of,
    server_time,
)
from reference_impl.registry import Acceptance
from reference_impl.replay import Replayer
from reference_impl.settings import Settings
from reference_impl.uvicorn_protocol import RECEIVE
from reference_impl.websocket_manager import WebSocketManager

log = logging.getLogger(__name__)


class ClientSession:
    """Serves one accepted WebSocket until either side closes it. A disconnect ends no run (LIF-04)."""

    def __init__(
        self,
        websocket: WebSocket,
        identity: Identity,
        connection: Connection,
        *,
        engine: ExecutionEngine,
        manager: WebSocketManager,
        replayer: Replayer,
        settings: Settings,
    ) -> None:
        self._receive = websocket.scope.get("extensions", {}).get(RECEIVE, websocket.receive)
        self._identity = identity
        self._connection = connection
        self._engine = engine
        self._manager = manager
        self._replayer = replayer
        self._settings = settings
        self._traceparent = websocket.headers.get("traceparent")
        self._handling = False
        self._over = False
        self._resumes: asyncio.Queue[Resume] = asyncio.Queue(maxsize=settings.max_replays_per_connection)

    @property
    def user_id(self) -> UserId:
        """The authenticated user; what a payload says of a user is never looked at (ACC-03)."""
        return self._identity.user_id

    async def serve(self) -> None:
        """Serve until the socket is closed, then leave nothing behind (LIF-07)."""
        connection = self._connection
        if self._engine.draining:
            connection.close(CloseCode.RESTART, "restarting")
        elif not self._manager.add(connection):
            connection.close(CloseCode.OVERLOADED, "too many connections")
        joined = self._replayer.hold_live_runs(connection)
        connection.offer(encode_established(connection.connection_id, self.user_id, self._settings))
        loop = asyncio.get_running_loop()
        lifetime_s = max(0.0, self._identity.expires_at - time.time())
        expiry = loop.call_later(lifetime_s, connection.close, CloseCode.CREDENTIALS, "the token has expired")
        sending, reading, *others = tasks = [
            asyncio.create_task(part)
            for part in (connection.send_all(), self._read(), self._send_replays(joined), self._send_heartbeats())
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self._report_crash([reading, *others])
            if connection.closing is not None:
                await asyncio.wait({sending})
        finally:
            expiry.cancel()
            self._manager.remove(connection)
            self._over = True
            for task in tasks:
                # What was asked for before the client left is seen to (LIF-04).
                if task is not reading or not self._handling:
                    task.cancel()
            await asyncio.wait(tasks)
        self._report_crash([sending])

    def _report_crash(self, tasks: "list[asyncio.Task[None]]") -> None:
        for task in tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                log.error("connection %s failed", self._connection.connection_id, exc_info=error)
                self._connection.close(CloseCode.INTERNAL, "internal error")

    async def _read(self) -> None:
        while self._connection.closing is None and not self._over:
            frame = await self._receive()
            if frame["type"] == "websocket.disconnect":
                return
            self._handling = True
            try:
                await self._take(frame.get("text"), frame.get("bytes"))
            except Refusal as refusal:
                self._connection.offer(encode_error(refusal))
                if refusal.code is ErrorCode.TOO_LARGE:
                    self._connection.close(CloseCode.TOO_LARGE, "message too large")
            finally:
                self._handling = False

    async def _take(self, text: str | None, data: bytes | None) -> None:
        limit = self._settings.max_message_bytes
        size = len(data or b"") if text is None else len(text)
        if size > limit or (text is not None and size * 4 > limit and len(text.encode()) > limit):
            raise Refusal(ErrorCode.TOO_LARGE, f"A message may have at most {limit} bytes.")
        if text is None:
            raise Refusal.bad_message("Binary frames are not understood: send JSON as a text frame.")
        message = decode_message(text)
        try:
            await self.handle(message)
        except Refusal as refusal:
            refusal.request_id = request_id_of(message)
            raise

    async def handle(self, message: ClientMessage) -> None:
        """Do what `message` asks for. Raises Refusal."""
        if isinstance(message, (StartAgent, UserMessage)):
            request = RunRequest.of(message, traceparent=self._traceparent)
            await self._engine.start(self.user_id, request, announce=self._announce)
        elif isinstance(message, StopAgent):
            await self._engine.stop(self.user_id, message.run_id)
        elif isinstance(message, Resume):
            try:
                self._resumes.put_nowait(message)
            except asyncio.QueueFull:
                waiting = self._resumes.maxsize
                raise Refusal.rate_limited(f"{waiting} resumes wait on this connection already.") from None
        elif isinstance(message, Ping):
            payload = {} if message.correlation_id is None else {"correlation_id": message.correlation_id}
            self._connection.offer(encode_answer("pong", payload))

    def _announce(self, acceptance: Acceptance) -> None:
        payload = accepted_payload(acceptance.context, duplicate=acceptance.duplicate)
        self._connection.offer(encode_answer("run_accepted", payload))

    async def _send_replays(self, joined: list[RunId]) -> None:
        join_until: float | None = asyncio.get_running_loop().time() + self._settings.join_grace_s
        while True:
            try:
                async with asyncio.timeout_at(join_until):
                    resume = await self._resumes.get()
            except TimeoutError:
                join_until = None
                await self._replayer.let_through(self._connection, joined)
                continue
            try:
                await self._replayer.resume(self._connection, resume)
            except Refusal as refusal:
                refusal.request_id = request_id_of(resume)
                self._connection.offer(encode_error(refusal))

    async def _send_heartbeats(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_s)
            self._connection.offer(encode_answer("heartbeat", {"server_time": server_time()}))
