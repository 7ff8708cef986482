"""One client's socket: what is to be sent on it, in order, and never more than its bounds."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
from starlette.websockets import WebSocketDisconnect

from reference_impl.context import UserId, new_id
from reference_impl.errors import CloseCode
from reference_impl.events import Event

log = logging.getLogger(__name__)

BATCH_FRAMES = 64
BATCH_BYTES = 16_384
# How many replayed runs are remembered that may be live elsewhere.
MAX_FLOORS = 4_096


class Transport(msgspec.Struct, frozen=True):
    """How to send text frames and how to close; both raise OSError or WebSocketDisconnect where the peer is gone.

    `send_texts` sends at once and gives None, or gives what to wait for until they are sent.
    """

    send_texts: Callable[[Sequence[str]], Awaitable[None] | None]
    close: Callable[[int, str], Awaitable[None]]


class Hold(msgspec.Struct):
    """A run whose live events wait because a replay will bring them: the first and last that came meanwhile."""

    first_seq: int = 0
    last_seq: int = 0


class Outgoing:
    """The connections that have something to send: each is served at the end of the turn of the loop.

    So what else comes up in that turn is in the same write.
    """

    def __init__(self) -> None:
        self._connections: list[Connection] = []

    def add(self, connection: "Connection") -> None:
        """Have `connection` send a batch soon."""
        if not self._connections:
            asyncio.get_running_loop().call_soon(self._send)
        self._connections.append(connection)

    def _send(self) -> None:
        connections, self._connections = self._connections, []
        for connection in connections:
            connection.send_batch()


class Connection:
    """The outbound side of one socket, bounded in frames and bytes.

    A reader that falls behind by more than the bounds is closed with 4408: it never misses a frame in between
    (DLV-06), and it makes nobody else wait (ISO-09).
    """

    def __init__(
        self,
        user_id: UserId,
        transport: Transport,
        outgoing: Outgoing,
        *,
        max_frames: int,
        max_bytes: int,
        close_grace_s: float,
    ) -> None:
        self.connection_id = new_id()
        self.user_id = user_id
        self._transport = transport
        self._outgoing = outgoing
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._close_grace_s = close_grace_s
        self._loop = asyncio.get_running_loop()
        self._outbox: deque[str] = deque()
        self._outbox_bytes = 0
        self._sending = False
        self._unsent: asyncio.Future[None] | None = None
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._room: asyncio.Event | None = None
        self._holds: dict[str, Hold] = {}
        self._floors: dict[str, int] = {}
        self._begun: set[str] | None = None
        self._closing: tuple[CloseCode, str] | None = None

    @property
    def closing(self) -> CloseCode | None:
        """The code with which the engine is closing this connection, None if it is not."""
        return None if self._closing is None else self._closing[0]

    def deliver(self, event: Event) -> None:
        """Send a live event, unless a replay on this connection brings it or has brought it already (DLV-04)."""
        if self._holds or self._floors:
            hold = self._holds.get(event.run_id)
            if hold is not None:
                hold.first_seq = hold.first_seq or event.seq
                hold.last_seq = event.seq
                return
            floor = self._floors.get(event.run_id, 0)
            if event.type.terminal:
                self._floors.pop(event.run_id, None)
            if event.seq <= floor:
                return
        if self._begun is not None and event.seq == 1:
            self._begun.add(event.run_id)
        self.offer(event.text)

    def offer(self, text: str) -> None:
        """Queue one frame. Never waits; past the bounds the connection is closed with 4408."""
        if self._closing is not None:
            return
        # The number of characters, not bytes: counting bytes would encode each frame for each connection.
        if len(self._outbox) >= self._max_frames or self._outbox_bytes + len(text) > self._max_bytes:
            self.close(CloseCode.SLOW_CONSUMER, "slow consumer: reconnect and resume")
            return
        self._outbox.append(text)
        self._outbox_bytes += len(text)
        if not self._sending:
            self._sending = True
            self._outgoing.add(self)

    async def offer_when_room(self, text: str) -> None:
        """Queue one frame once the outbox is at most half full; for replays, which can wait."""
        while self._closing is None and not self._has_room():
            self._room = self._room or asyncio.Event()
            await self._room.wait()
        self.offer(text)

    def close(self, code: CloseCode, reason: str) -> None:
        """Close the socket: at once if its reader is too slow, else after what is queued. The first reason stands."""
        if self._closing is not None:
            return
        self._closing = (code, reason)
        if code is CloseCode.SLOW_CONSUMER:
            self._outbox.clear()
            self._outbox_bytes = 0
        if code is CloseCode.SLOW_CONSUMER or not self._sending:
            self._end()
        else:
            # A reader that does not take what is queued must not keep a closing connection open.
            self._loop.call_later(self._close_grace_s, self._end)
        self._make_room()

    @contextmanager
    def noting_begun(self) -> Iterator[set[str]]:
        """The runs whose first event was sent live within the block; blocks do not nest."""
        self._begun = set()
        try:
            yield self._begun
        finally:
            self._begun = None

    def hold(self, run_id: str) -> Hold:
        """Keep the run's live events back from now on, for a replay to bring them in their order."""
        return self._holds.setdefault(run_id, Hold())

    def holds(self, run_id: str) -> bool:
        """Whether the run's live events are kept back."""
        return run_id in self._holds

    def release(self, run_id: str, *, replayed_seq: int, live: bool) -> None:
        """End `hold`: events up to `replayed_seq` were brought, those after it are delivered live again."""
        self._holds.pop(run_id, None)
        if live:
            self._floors[run_id] = max(replayed_seq, self._floors.get(run_id, 0))
            if len(self._floors) > MAX_FLOORS:
                del self._floors[next(iter(self._floors))]

    async def send_all(self) -> None:
        """Return once the socket is closed, from either side; where it is from this one, close it."""
        try:
            await self._over
        except (WebSocketDisconnect, OSError):
            return
        finally:
            if self._unsent is not None:
                self._unsent.cancel()
        if self._closing is not None:
            await self._send_close(*self._closing)

    def send_batch(self) -> None:
        """Send what is queued, or a part of it and the rest in a later turn, so that the others have theirs."""
        if self._over.done():
            return
        try:
            unsent = self._transport.send_texts(self._take_batch())
        except Exception as error:
            self._end(error)
            return
        if unsent is None:
            self._go_on()
        else:
            self._unsent = asyncio.ensure_future(unsent)
            self._unsent.add_done_callback(self._note_sent)

    def _go_on(self) -> None:
        if self._outbox:
            self._outgoing.add(self)
        elif self._closing is not None:
            self._end()
        else:
            self._sending = False

    def _note_sent(self, unsent: "asyncio.Future[None]") -> None:
        self._unsent = None
        if unsent.cancelled():
            return
        if (error := unsent.exception()) is not None:
            self._end(error)
        else:
            self._go_on()

    def _end(self, error: BaseException | None = None) -> None:
        """Nothing more is sent."""
        if self._over.done():
            return
        if error is None:
            self._over.set_result(None)
        else:
            self._over.set_exception(error)

    def _take_batch(self) -> list[str]:
        """What is sent at once: at least one frame, and little enough to count as sent."""
        if self._outbox_bytes < BATCH_BYTES and len(self._outbox) <= BATCH_FRAMES:
            batch, size = [*self._outbox], self._outbox_bytes
            self._outbox.clear()
        else:
            batch, size = [], 0
        while self._outbox and size < BATCH_BYTES and len(batch) < BATCH_FRAMES:
            text = self._outbox.popleft()
            size += len(text)
            batch.append(text)
        self._outbox_bytes -= size
        if self._room is not None and self._has_room():
            self._make_room()
        return batch

    def _make_room(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None

    async def _send_close(self, code: CloseCode, reason: str) -> None:
        try:
            async with asyncio.timeout(self._close_grace_s):
                await self._transport.close(code, reason)
        except (TimeoutError, WebSocketDisconnect, OSError):
            log.debug("connection %s is gone before it could be closed", self.connection_id)

    def _has_room(self) -> bool:
        return len(self._outbox) <= self._max_frames // 2 and self._outbox_bytes <= self._max_bytes // 2
