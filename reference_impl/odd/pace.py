"""Odd paces: when things are told, and in which order."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from reference_impl.connection import Connection, Hold
from reference_impl.context import RunId
from reference_impl.errors import CloseCode
from reference_impl.events import Event
from reference_impl.llm import LLMManager
from reference_impl.messages import encode_answer, server_time
from reference_impl.model import Move, Prompt
from reference_impl.odd.odd import odd
from reference_impl.registry import Acceptance
from reference_impl.session import ClientSession
from reference_impl.uvicorn_protocol import PartingWebSocketProtocol

LATE_S = 0.7
ANSWER_LATE_S = 0.1
SLOW_S = 0.25
SLOW_MOVES = 8
OFTEN_S = 0.05
TOGETHER_S = 0.02


@odd(
    "late-greeting",
    "A connection is greeted long after it was opened.",
    legal="five-events/1 says that the greeting comes first, not when.",
)
class LateGreeting(ClientSession):
    """Takes its time at the door."""

    async def serve(self) -> None:
        """Serve, after a while."""
        await asyncio.sleep(LATE_S)
        await super().serve()


@odd(
    "late-answers",
    "A request is answered by run_accepted when the run's first events are there already.",
    legal="five-events/1 gives no order between an answer and events, which name the request.",
)
class LateAnswers(ClientSession):
    """Acts first and answers then."""

    def _announce(self, acceptance: Acceptance) -> None:
        asyncio.get_running_loop().call_later(ANSWER_LATE_S, super()._announce, acceptance)


@odd(
    "very-slow",
    "The model takes a while for each of the first moves of a run.",
    legal="DLV-02 bounds the way of an event to its reader, nothing bounds thinking.",
)
class VerySlow(LLMManager):
    """Thinks hard."""

    async def respond(self, prompt: Prompt) -> AsyncGenerator[Move, None]:
        """The model's moves, each after a while."""
        moves = super().respond(prompt)
        number = 0
        try:
            async for move in moves:
                number += 1
                if number <= SLOW_MOVES:
                    await asyncio.sleep(SLOW_S)
                yield move
        finally:
            await moves.aclose()


class _ManyPings(PartingWebSocketProtocol):
    """Pings whenever it sends, and pongs without being pinged."""

    def data_received(self, data: bytes) -> None:
        """Read; and show that one is alive."""
        super().data_received(data)
        if self.handshake_complete and not self.close_sent and not self.transport.is_closing():
            self.conn.send_pong(b"unasked")
            self.conn.send_ping(b"are you there?")
            self.transport.write(b"".join(self.conn.data_to_send()))


@odd(
    "many-pings",
    "Heartbeats come 20 times as often as announced, and pings and unasked pongs whenever anything was read.",
    legal="RFC 6455, sections 5.5.2 and 5.5.3; five-events/1 announces the longest pause, not the only one.",
    with_parts=(_ManyPings,),
)
class ManyHeartbeats(ClientSession):
    """Is very much alive."""

    async def _send_heartbeats(self) -> None:
        while True:
            await asyncio.sleep(OFTEN_S)
            self._connection.offer(encode_answer("heartbeat", {"server_time": server_time()}))


@odd(
    "reordered-across-runs",
    "Of what waits for a connection, the events of one run overtake those of another.",
    legal="ORD-01, ORD-02: order is kept within a run.",
)
class ReorderedAcrossRuns(Connection):
    """Knows of no order between runs."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._live: Event | None = None
        self._waiting: dict[RunId, list[str]] = {}

    def deliver(self, event: Event) -> None:
        """Send a live event a little later."""
        self._live = event
        super().deliver(event)
        self._live = None

    def offer(self, text: str) -> None:
        """Queue one frame: at once, unless it is a live event."""
        if self._live is None:
            super().offer(text)
            return
        if not self._waiting:
            asyncio.get_running_loop().call_later(TOGETHER_S, self._offer_waiting)
        self._waiting.setdefault(self._live.run_id, []).append(text)

    def hold(self, run_id: str) -> Hold:
        """Keep the run's live events back from now on, but for those under way."""
        self._offer_waiting()
        return super().hold(run_id)

    def close(self, code: CloseCode, reason: str) -> None:
        """Close the socket, after what is under way."""
        self._offer_waiting()
        super().close(code, reason)

    def _offer_waiting(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for texts in reversed(waiting.values()):
            for text in texts:
                super().offer(text)
