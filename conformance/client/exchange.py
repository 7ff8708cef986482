"""A question asked over HTTP: the exchanges that carry it out, each recorded as a connection of its own."""

import asyncio
from collections.abc import Sequence

import httpx
import msgspec

from conformance.client.channel import Channel, Hearer
from conformance.client.credentials import Shown
from conformance.client.wire import Wire
from conformance.dialects.dialect import Answer, Exchange, Exchanges, Framing, Turn
from conformance.history.operations import Action, Asked
from conformance.transports.http import accept_of, carry_out


class Post(Channel):
    """One exchange. `question` is what it asks for; what only prepares a question asks when it is refused."""

    def __init__(self, wire: Wire, hearer: Hearer, asking: "Asking") -> None:
        super().__init__(wire, hearer, asking.user, asking.scenario)
        self.asking = asking
        self.question: Asked | None = None

    def ask(self) -> None:
        """Record what is asked for."""
        self.question = self.asking.asked = msgspec.structs.replace(self.asking.asked, at=self.now(), conn=self.conn)
        self.asked(self.question)

    def on_sent(self) -> None:
        """Tell who waits for it that the question is on its way."""
        if self.question is not None:
            self.asking.sent.set()

    def on_connected(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes = b"") -> None:
        """Record that the target accepted."""
        super().on_connected(status, headers, body)
        self.asking.taken = self.asking.taken or self.question is not None
        self._hearer.wake()

    def was_refused(
        self, status: int | None, reason: str, headers: tuple[tuple[str, str], ...] = (), body: bytes = b""
    ) -> None:
        """Record that the target answered with an error: that refuses the question."""
        if self.question is None:
            self.ask()
        super().was_refused(status, reason, headers, body)
        if status is not None and self.refused is not None:
            self._hearer.heard(self.wire.dialect.refusal(status, self.refused.body.encode()), self)
            self._hearer.wake()

    def on_frame(self, data: str | bytes) -> None:
        """Record a frame, see what it says, and keep it for the next turn."""
        self.asking.frames.append(data.encode() if isinstance(data, str) else data)
        super().on_frame(data)


class Asking:
    """Carries out one question. `channel` is the exchange that is under way, or was the last.

    It is `taken` once the exchange that puts the question is answered, and not by an error.
    """

    def __init__(
        self,
        wire: Wire,
        hearer: Hearer,
        shown: Shown,
        asked: Asked,
        *,
        reading: asyncio.Event,
        scenario: str | None,
    ) -> None:
        self.asked = asked
        self.user = asked.user or None
        self.scenario = scenario
        self.channel: Post | None = None
        self.frames: list[bytes] = []
        self.taken = False
        self.sent = asyncio.Event()
        self._wire = wire
        self._hearer = hearer
        self._shown = shown
        self._reading = reading
        self._task: asyncio.Task[None] | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more can come."""
        return self._task is not None and self._task.done()

    async def begin(
        self, http: httpx.AsyncClient, text: str, earlier: Sequence[Turn], *, accept: str | None = None
    ) -> None:
        """Send the question; return when it is on its way. Raises `TargetUnreachable`."""
        self._task = asyncio.create_task(self._steps(http, text, earlier, accept))
        self._task.add_done_callback(self._done)
        await self.sent.wait()
        if self._task.done() and not self._task.cancelled():
            self._task.result()

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()
        self.sent.set()
        self._hearer.wake()

    async def ended(self) -> None:
        """Wait for the end of the answer."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def drop(self) -> None:
        """Drop the connection without a word, if it is still open."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})

    def pause(self, *, paused: bool) -> None:
        """Record that the kit stops reading, or goes on."""
        if self.channel is not None and not self.over:
            self.channel.reading(paused=paused)

    async def _steps(self, http: httpx.AsyncClient, text: str, earlier: Sequence[Turn], accept: str | None) -> None:
        dialect = self._wire.dialect
        steps = dialect.exchanges(self._wire.url, self.asked, text, earlier)
        exchange = next(steps, None)
        while exchange is not None:
            if accept is not None:
                exchange = msgspec.structs.replace(exchange, headers=(*exchange.headers, ("Accept", accept)))
            answer = await carry_out(
                http,
                exchange,
                self._post(exchange),
                headers=self._shown.headers,
                reading=self._reading,
                event_names=dialect.event_names,
            )
            exchange = _next(steps, answer)

    def _post(self, exchange: Exchange) -> Post:
        post = self.channel = Post(self._wire, self._hearer, self)
        prepares = exchange.framing is Framing.NONE and self.asked.action in (Action.START, Action.CONTINUE)
        post.connecting(
            exchange.url,
            method=exchange.method,
            accept=accept_of(exchange),
            credentials=self._shown.credentials,
            expires_at=self._shown.expires_at,
            ask=None if prepares else self.asked.ask,
        )
        if not prepares and post.question is None and not self.sent.is_set():
            post.ask()
        if exchange.body:
            post.sent(exchange.body)
        if not self._reading.is_set():
            post.reading(paused=True)
        return post


def _next(steps: Exchanges, answer: Answer | None) -> Exchange | None:
    """Return the exchange after one that was answered."""
    if answer is None:
        return None
    try:
        return steps.send(answer)
    except StopIteration:
        return None
