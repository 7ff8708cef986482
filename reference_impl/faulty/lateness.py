"""Faults of time: what comes late, what never shows life, and who makes others wait."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from starlette.websockets import WebSocket

from reference_impl.connection import Connection
from reference_impl.context import RunId, UserId
from reference_impl.engine import ExecutionEngine
from reference_impl.events import Event, EventType
from reference_impl.faulty.fault import fault
from reference_impl.gate import WebSocketGate
from reference_impl.journal import Journal
from reference_impl.messages import RunRequest
from reference_impl.registry import Acceptance
from reference_impl.session import ClientSession

LATE_S = 0.75


@fault(
    "batched-answers",
    "Of an answer only the first dozen pieces are sent at once; the rest comes in batches, late.",
    stands_for="A buffer between the agent and its user that is flushed by a timer once it is used at all.",
    breaks=("DLV-02",),
)
class BatchedAnswers(Journal):
    """Waits for the bus to fill."""

    _AT_ONCE = 12

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._said: dict[RunId, int] = {}

    def append(self, event: Event) -> None:
        """Take one event for a commit, the next one or a later one."""
        if event.type is EventType.MESSAGE_CHUNK:
            self._said[event.run_id] = self._said.get(event.run_id, 0) + 1
        if self._said.get(event.run_id, 0) > self._AT_ONCE:
            asyncio.get_running_loop().call_later(LATE_S, super().append, event)
        else:
            super().append(event)


@fault(
    "slow-start-under-load",
    "While several users are at work, a further run that needs tools begins only after a pause.",
    stands_for="A pool of workers that grows in steps, each of which takes a while.",
    breaks=("DLV-09",),
)
class SlowStartUnderLoad(ExecutionEngine):
    """Rolls up its sleeves first."""

    async def start(
        self, user_id: UserId, request: RunRequest, *, announce: Callable[[Acceptance], None]
    ) -> Acceptance:
        """Accept `request` and start its run, when there is somebody to do it."""
        if self.users >= 3 and '"tool"' in request.message:
            await asyncio.sleep(LATE_S)
        return await super().start(user_id, request, announce=announce)


@fault(
    "failures-hold-all-up",
    "After a run's model has failed, the next run of anybody begins only after a pause.",
    stands_for="A circuit breaker for the whole process, that one user's bad request opens.",
    breaks=("ISO-08",),
)
class FailuresHoldAllUp(ExecutionEngine):
    """Needs a moment."""

    _open = False

    async def start(
        self, user_id: UserId, request: RunRequest, *, announce: Callable[[Acceptance], None]
    ) -> Acceptance:
        """Accept `request` and start its run, when the breaker is closed."""
        was_open, self._open = self._open, '{"fail":' in request.message
        if was_open:
            await asyncio.sleep(LATE_S)
        return await super().start(user_id, request, announce=announce)


@fault(
    "one-reader-stalls-all",
    "All connections are written to in turn: one whose client does not read holds up the others.",
    stands_for="One queue of events for all users, and one task that sends and awaits each send.",
    breaks=("ISO-09",),
)
class OneReaderStallsAll(Connection):
    """Waits for whoever is slow."""

    _turn = asyncio.Lock()

    def __init__(self, *args: Any, max_frames: int, max_bytes: int, **options: Any) -> None:
        super().__init__(*args, max_frames=max_frames * 1000, max_bytes=max_bytes * 1000, **options)
        send = self._transport.send_texts

        async def in_turn(texts: Sequence[str]) -> None:
            async with self._turn:
                if (unsent := send(texts)) is not None:
                    await unsent

        self._transport = type(self._transport)(in_turn, self._transport.close)


def protocol_of(websocket: WebSocket) -> Any:
    """The server's protocol beneath a socket."""
    return getattr(websocket._receive, "__self__")  # noqa: B009


class NoPings(WebSocketGate):
    """Serves sockets that are not pinged."""

    async def admit(self, websocket: WebSocket) -> None:
        """Serve a client until it is gone."""
        protocol_of(websocket).ping_interval = None
        await super().admit(websocket)


@fault(
    "no-heartbeat",
    "An idle connection shows no sign of life.",
    stands_for="Pings turned off since they filled the log, behind a proxy that closes what is idle.",
    breaks=("DLV-07",),
    with_parts=(NoPings,),
)
class NoHeartbeat(ClientSession):
    """Holds its breath."""

    async def _send_heartbeats(self) -> None:
        await asyncio.get_running_loop().create_future()


@fault(
    "dead-peer-kept",
    "A peer that answers no ping is not noticed: its connection stays open.",
    stands_for="ping_timeout=None, to keep clients whose laptops sleep.",
    breaks=("DLV-07",),
)
class DeadPeerKept(WebSocketGate):
    """Never gives up on anybody."""

    async def admit(self, websocket: WebSocket) -> None:
        """Serve a client until it is gone."""
        protocol_of(websocket).keepalive_timeout = lambda: None
        await super().admit(websocket)
