"""One user's access to the target: what scenarios hold. Beneath it are a WebSocket, or HTTP exchanges."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from conformance import canary
from conformance.client.channel import Channel
from conformance.client.credentials import Shown, show
from conformance.client.exchange import Asking, Post
from conformance.client.run import Run, real
from conformance.client.socket import Socket
from conformance.client.wire import Wire
from conformance.dialects.dialect import Turn
from conformance.events import Accepted, Event, Heartbeat, Kind, Ready, Refusal, RunEvent
from conformance.history import operations as ops
from conformance.history.operations import Action, Asked, Awaited, ClosedBy, Credentials
from conformance.script import Script, as_text
from conformance.transports.http import open_http

_TIMES = 5
_NEGLIGIBLE = 0.1


class Client:
    """A user who is there: `open` it, ask, wait, `close` it.

    Over a WebSocket that is one connection. Over HTTP each question is an exchange of its own, and several may be under
    way at once; `closed` is then set when the kit closes the client.
    """

    def __init__(self, wire: Wire, user: str | None, *, scenario: str | None = None) -> None:
        self.wire = wire
        self.user = user
        self.scenario = scenario
        self.ready: Ready | None = None
        self.runs: list[Run] = []
        self.refusals: list[Refusal] = []
        self.heartbeats = 0
        self.ended_runs: set[str] = set()
        self._shown = Shown()
        self._socket: Socket | None = None
        self._http: httpx.AsyncClient | None = None
        self._askings: dict[int, Asking] = {}
        self._reading = asyncio.Event()
        self._reading.set()
        self._left: ops.Closed | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._refusals_before: dict[int, int] = {}

    @property
    def conn(self) -> int:
        """The number of its connection; over HTTP, of the newest exchange, 0 where there is none."""
        if self._socket is not None:
            return self._socket.conn
        return max((asking.asked.conn for asking in self._askings.values()), default=0)

    @property
    def closed(self) -> ops.Closed | None:
        """The end of its connection, once it has ended."""
        return self._socket.closed if self._socket is not None else self._left

    @property
    def let_in(self) -> bool | None:
        """Whether the target let it in, once a frame has said so."""
        return self._socket.let_in if self._socket is not None else None

    @property
    def received(self) -> int:
        """How many frames have come."""
        return self._socket.received if self._socket is not None else 0

    @property
    def pings(self) -> int:
        """How many signs of life have come."""
        return self.heartbeats + (self._socket.pings if self._socket is not None else 0)

    # -- opening and closing ----------------------------------------------------------------------------------------

    async def open(
        self,
        *,
        credentials: Credentials = Credentials.VALID,
        as_browser: bool = False,
        origin: str | None = None,
        lifetime_s: float | None = None,
        answers_pings: bool = True,
        receive_buffer: int | None = None,
    ) -> bool:
        """Connect; return whether the target let the client in. Raises `TargetUnreachable` where nobody listens.

        `as_browser` shows the token as a browser must on a WebSocket, as a subprotocol. `lifetime_s` makes it expire.
        Over HTTP there is nothing to connect to before something is asked.
        """
        wire = self.wire
        self._shown = await show(wire, self.user, credentials, lifetime_s)
        if wire.dialect.transport == "http":
            self._http = open_http(wire.url, receive_buffer=receive_buffer)
            return True
        self._socket = Socket(wire, self, self.user, self.scenario)
        return await self._socket.open(
            self._shown,
            as_browser=as_browser,
            origin=origin,
            answers_pings=answers_pings,
            receive_buffer=receive_buffer,
        )

    async def close(self) -> None:
        """Leave, if it is there; what is under way over HTTP is dropped."""
        if self._socket is not None:
            await self._socket.close()
        await self._drop()

    async def cut(self) -> None:
        """Drop every connection without a word, as a network that fails does."""
        if self._socket is not None:
            await self._socket.cut()
        await self._drop()

    async def lost(self) -> None:
        """Wait until its WebSocket is gone, by a fault that has happened."""
        if self._socket is not None:
            await self._socket.ended()

    async def _drop(self) -> None:
        await asyncio.gather(*(asking.drop() for asking in self._askings.values()))
        if self._http is not None:
            await self._http.aclose()
            self._http = None
            self._left = ops.Closed(self.wire.recorder.clock.now(), self.conn, ClosedBy.KIT)
        self.wake()

    def pause(self) -> None:
        """Stop reading."""
        self._pause(paused=True)

    def resume_reading(self) -> None:
        """Go on reading."""
        self._pause(paused=False)

    def _pause(self, *, paused: bool) -> None:
        self._reading.clear() if paused else self._reading.set()
        if self._socket is not None:
            self._socket.pause(paused=paused)
        for asking in self._askings.values():
            asking.pause(paused=paused)

    # -- asking -----------------------------------------------------------------------------------------------------

    async def start(
        self,
        behaviour: str,
        script: Script | None = None,
        *,
        text: str | None = None,
        label: str | None = None,
        thread_id: str | None = None,
        request_id: str | None = None,
        owner: str | None = None,
        planted: dict[str, str] | None = None,
        impersonates: str | None = None,
        token: str | None = None,
    ) -> Run:
        """Ask for a run. What is said shows `behaviour`: by the script, or as the target file says it.

        Its canary is `token`, or a fresh one. With a `thread_id` the run continues that thread. `owner` is told where
        the thread is another user's. `label` names the part that the run plays for the checks.
        """
        token = token or canary.new(self.wire.random)
        said = self.wire.say.get(behaviour)
        words = text
        if words is None and said is not None:
            words = said.replace("{canary}", token) if "{canary}" in said else f"{said} {token}"
        elif words is None and script is not None:
            words = f"{token} {as_text(script)}"
        request_id = request_id or f"req-{self.wire.random.getrandbits(96):024x}"
        asked = self._new(
            Action.START if thread_id is None else Action.CONTINUE,
            request_id=request_id,
            thread_id=thread_id or self.wire.dialect.new_thread(request_id),
            canary=token,
            behaviour=label or behaviour,
            script=script if said is None and text is None else None,
            owner=owner,
            planted=planted,
            impersonates=impersonates,
        )
        run = Run(self, asked, words if words is not None else token)
        if self._http is None:
            self.runs.append(run)
            await self._say(asked, run.text)
        else:
            earlier = [
                r for r in self.runs if r.asking is not None and r.thread_id == asked.thread_id and not r.refusal
            ]
            self.runs.append(run)
            run.asking = self._asking(asked)
            turns = [Turn(r.asked, r.text, r.asking.frames) for r in earlier if r.asking is not None]
            await run.asking.begin(self._http, run.text, turns)
        return run

    async def ask(self, action: Action, *, text: str = "", **fields: Any) -> Asked:
        """Ask for anything but a run; `text` is the raw frame of bad input."""
        asked = self._new(action, **fields)
        if self._http is None:
            await self._say(asked, text)
            return asked
        asking = self._asking(asked)
        await asking.begin(self._http, text, ())
        return asking.asked

    async def read(self, run_id: str, *, owner: str | None = None, accept: str = "text/event-stream") -> None:
        """Read a run's events over HTTP, to the end, where the dialect has a way to.

        For what is another's (`owner`) or does not exist (""), that is a READ; of one's own run it is a RESUME.
        """
        self._shown = await show(self.wire, self.user, Credentials.VALID)
        asked = self._new(Action.READ if owner is not None else Action.RESUME, run_id=run_id, after_seq=0, owner=owner)
        async with open_http(self.wire.url) as http:
            asking = self._asking(asked)
            await asking.begin(http, "", (), accept=accept)
            conn = asking.asked.conn
            await self.wait(
                lambda: asking.whole, Awaited.TERMINAL, asked.ask, share=4, purpose="read", run_id=run_id, conn=conn
            )
            await asking.drop()

    def _new(self, action: Action, **fields: Any) -> Asked:
        """Return a question that is not recorded yet; when and on which connection it is asked shows then."""
        asked = Asked(
            self.wire.recorder.clock.now(), next(self.wire.asks), self.conn, self.user or "", action, **fields
        )
        self._refusals_before[asked.ask] = len(self.refusals)
        return asked

    async def _say(self, asked: Asked, text: str) -> None:
        """Ask over the WebSocket."""
        assert self._socket is not None
        self._socket.asked(asked)
        await self._socket.say(self.wire.dialect.request(asked, text))

    def _asking(self, asked: Asked) -> Asking:
        asking = Asking(self.wire, self, self._shown, asked, reading=self._reading, scenario=self.scenario)
        self._askings[asked.ask] = asking
        return asking

    # -- what arrives (client.channel.Hearer) -----------------------------------------------------------------------

    def heard(self, event: Event, channel: Channel) -> None:
        """Take in an event: whose run it belongs to, and what it answers."""
        runs = self.runs
        if isinstance(channel, Post):
            runs = [run for run in self.runs if run.asking is channel.asking]
        match event:
            case Ready():
                self.ready = event
            case Heartbeat():
                self.heartbeats += 1
            case Accepted():
                waiting = [run for run in runs if run.accepted is None and run.refusal is None]
                named = [run for run in waiting if run.asked.request_id == event.request_id]
                for run in (named or waiting)[:1]:
                    run.accepted = event
            case Refusal():
                self.refusals.append(event)
                waiting = [run for run in runs if run.accepted is None and run.refusal is None]
                named = [run for run in waiting if event.request_id in (None, run.asked.request_id)]
                for run in (waiting if runs is not self.runs else named)[:1]:
                    run.refusal = event
            case RunEvent():
                self._heard_of_run(event, runs)
            case _:
                pass

    def _heard_of_run(self, event: RunEvent, runs: list[Run]) -> None:
        if event.terminal:
            run_id = event.run_id if real(event.run_id) else None
            self.ended_runs.update(key for key in (run_id, event.event_id) if key)
        if runs is not self.runs:
            for run in runs:
                run.hear(event)
            return
        known = [run for run in self.runs if real(event.run_id) and run.run_id == event.run_id]
        for run in known:
            run.events.append(event)
        if known:
            return
        for run in self.runs:
            named = event.kind is Kind.STARTED and event.payload.request_id == run.asked.request_id
            anonymous = not real(event.run_id) and not run.over
            if named or anonymous:
                run.events.append(event)
                return

    def adopt(self, run: Run) -> None:
        """Hear on this connection, too, of a run that another one asked for."""
        self.runs.append(run)

    def saw_end_of(self, run: Run) -> bool:
        """Whether this connection has seen the end of a run."""
        ends = [event.event_id for event in run.events if event.terminal]
        return not self.ended_runs.isdisjoint(key for key in (run.run_id, *ends) if key)

    # -- waiting ----------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Let everybody who waits look again."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(
        self,
        predicate: Callable[[], bool],
        awaited: Awaited,
        ask: int | None = None,
        *,
        due_ms: float = 0.0,
        share: float = 1.0,
        purpose: str = "",
        run_id: str | None = None,
        gone: Callable[[], bool] | None = None,
        conn: int | None = None,
    ) -> bool:
        """Wait until `predicate` holds; return whether it does. Where patience ends first, that is recorded.

        It lasts `due_ms`, which is what it takes by itself, and a `share` of the kit's patience, which gets shorter for
        a `purpose` that ran out before. It goes on for as long as the kit itself was late, a few times. A connection
        that ends meanwhile (`gone`) ends it without a record: its close is one.
        """
        patience, clock = self.wire.patience, self.wire.recorder.clock
        allowed = patience.allowance(awaited, purpose, share)
        over = gone if gone is not None else lambda: self.closed is not None
        began = clock.now()
        full_us = left_us = (due_ms + allowed.milliseconds) * 1000
        came: bool | None = None
        for _ in range(_TIMES):
            came = await self._wait(predicate, over, left_us / 1000)
            now = clock.now()
            left_us = full_us - (now - began - self.wire.late_us(began))
            if came is not None or left_us <= _NEGLIGIBLE * full_us:
                break
        if came is None:
            late = left_us > _NEGLIGIBLE * full_us or not allowed.telling
            waited = round((now - began) / 1000)
            if share:
                patience.in_vain(awaited, purpose, predicate)
            self.wire.recorder.record(
                ops.GaveUp(now, self.conn if conn is None else conn, awaited, waited, ask, run_id, late)
            )
        elif came and share:
            patience.came((clock.now() - began) / 1000 - due_ms)
        return bool(came)

    async def _wait(self, predicate: Callable[[], bool], over: Callable[[], bool], milliseconds: float) -> bool | None:
        """Wait until `predicate` holds (True) or nothing can come any more (False); None where the time is up first."""
        try:
            async with asyncio.timeout(milliseconds / 1000):
                while not predicate():
                    if over():
                        return False
                    waiter = asyncio.get_running_loop().create_future()
                    self._waiters.append(waiter)
                    await waiter
        except TimeoutError:
            return None
        return True

    async def greeted(self) -> bool:
        """Wait for the server's greeting, where the dialect has one."""
        if not self.wire.dialect.greets:
            return True
        return await self.wait(lambda: self.ready is not None, Awaited.READY)

    async def answer(self, asked: Asked, *, share: float = 1.0) -> bool:
        """Wait for an error that answers `asked`, or the end of the connection."""
        before = self._refusals_before[asked.ask]
        asking = self._askings.get(asked.ask)

        def gone() -> bool:
            return self.closed is not None or (asking is not None and asking.over)

        answered = await self.wait(
            lambda: len(self.refusals) > before,
            Awaited.ANSWER,
            asked.ask,
            share=share,
            purpose=asked.action.value,
            gone=gone,
            conn=asked.conn,
        )
        return answered or gone()
