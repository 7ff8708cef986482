"""The kit's client: one user's connection to the target, every operation of which is recorded.

A client only does what it is told and waits for what comes. What it sees is judged elsewhere, from the history.
"""

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

import httpx

from conformance import canary
from conformance.auth import Auth
from conformance.bounds import Bounds
from conformance.dialects.dialect import Dialect
from conformance.errors import TargetUnreachable
from conformance.events import Accepted, Event, Heartbeat, Kind, Ready, Refusal, RunEvent
from conformance.history import operations as ops
from conformance.history.operations import Action, Asked, Awaited, ClosedBy, Credentials
from conformance.history.recorder import Recorder
from conformance.identity import is_placeholder
from conformance.script import Script, as_text, takes_ms
from conformance.transports.sse import EventStream
from conformance.transports.websocket import UpgradeRefused, WebSocket, open_websocket


@dataclass
class Wire:
    """What all clients of one run of the kit share.

    `late_us` returns for how many µs since a time the kit's own event loop was late.
    """

    url: str
    dialect: Dialect
    auth: Auth
    recorder: Recorder
    bounds: Bounds
    random: Random
    late_us: Callable[[int], float]
    say: dict[str, str] = field(default_factory=dict)
    conns: "count[int]" = field(default_factory=lambda: count(1))
    asks: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def patience_ms(self) -> float:
        """How long the kit waits for anything that should come at once."""
        return self.bounds.scaled_ms(self.bounds.patience_ms)


class Run:
    """A run that a client asked for, as far as that client knows."""

    def __init__(self, client: "Client", asked: Asked) -> None:
        self.asked = asked
        self.client = client
        self.accepted: Accepted | None = None
        self.refusal: Refusal | None = None
        self.events: list[RunEvent] = []

    @property
    def run_id(self) -> str | None:
        """Its id, once it is known."""
        if self.accepted is not None and _real(self.accepted.run_id):
            return self.accepted.run_id
        return next((event.run_id for event in self.events[:1] if _real(event.run_id)), None)

    @property
    def thread_id(self) -> str | None:
        """Its thread's id, once it is known."""
        if self.accepted is not None and self.accepted.thread_id:
            return self.accepted.thread_id
        return self.events[0].thread_id if self.events else self.asked.thread_id

    @property
    def over(self) -> bool:
        """Whether it has ended, or will never begin."""
        return self.refusal is not None or any(event.terminal for event in self.events)

    @property
    def completed(self) -> bool:
        """Whether it ended well."""
        return any(event.kind is Kind.COMPLETED for event in self.events)

    def has(self, kind: Kind) -> bool:
        """Whether an event of that kind has come."""
        return any(event.kind is kind for event in self.events)

    async def answered(self) -> bool:
        """Wait until the run is accepted or refused."""
        return await self.client.wait(
            lambda: self.accepted is not None or self.refusal is not None or bool(self.events),
            Awaited.ANSWER,
            self.asked.ask,
        )

    async def until(self, kind: Kind, *, patience_ms: float | None = None) -> bool:
        """Wait until an event of that kind has come, or the run is over."""
        return await self.client.wait(
            lambda: self.has(kind) or self.over, Awaited.STARTED, self.asked.ask, patience_ms=patience_ms
        ) and self.has(kind)

    async def ended(self, *, on: "Client | None" = None, patience_ms: float | None = None) -> bool:
        """Wait until the run is over: as long as its script takes, and the kit's patience on top.

        With `on`, wait until another connection of the same user has seen its end.
        """
        script = self.asked.script
        patience = (takes_ms(script) if script else 0.0) + (patience_ms or self.client.wire.patience_ms)
        if on is not None:
            return await on.wait(lambda: on.saw_end_of(self), Awaited.TERMINAL, self.asked.ask, patience_ms=patience)
        return await self.client.wait(lambda: self.over, Awaited.TERMINAL, self.asked.ask, patience_ms=patience)


class Client:
    """One connection of one user. `open` it, ask, wait, `close` it."""

    def __init__(self, wire: Wire, user: str | None, *, scenario: str | None = None) -> None:
        self.wire = wire
        self.user = user
        self.scenario = scenario
        self.conn = next(wire.conns)
        self.closed: ops.Closed | None = None
        self.ready: Ready | None = None
        self.runs: list[Run] = []
        self.refusals: list[Refusal] = []
        self.received = 0
        self.pings = 0
        self.ended_runs: set[str] = set()
        self._websocket: WebSocket | None = None
        self._decoder = wire.dialect.decoder()
        self._waiters: list[asyncio.Future[None]] = []
        self._refusals_before: dict[int, int] = {}

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

        `as_browser` shows the token as a browser must, as a subprotocol. `lifetime_s` makes it expire.
        """
        wire = self.wire
        token = await self._token(credentials, lifetime_s)
        headers, subprotocols = self._show(token, as_browser=as_browser)
        now = wire.recorder.clock.now()
        wire.recorder.record(
            ops.Connecting(
                now,
                self.conn,
                self.user,
                wire.recorder.redact_text(wire.url),
                credentials=credentials,
                origin=origin,
                expires_at=now + int(lifetime_s * 1e6) if lifetime_s is not None else None,
                answers_pings=answers_pings,
                scenario=self.scenario,
            )
        )
        try:
            self._websocket = await open_websocket(
                wire.url,
                self,
                headers=headers,
                subprotocols=subprotocols,
                origin=origin,
                answers_pings=answers_pings,
                receive_buffer=receive_buffer,
            )
        except UpgradeRefused as refused:
            body = wire.recorder.redact(refused.body[:65536]).decode(errors="replace")
            head = tuple((name, wire.recorder.redact_text(value)) for name, value in refused.headers)
            at = wire.recorder.clock.now()
            wire.recorder.record(ops.Refused(at, self.conn, refused.status, refused.reason, head, body))
            return False
        except OSError as error:
            at = wire.recorder.clock.now()
            wire.recorder.record(ops.Refused(at, self.conn, None, str(error)))
            raise TargetUnreachable(f"cannot connect to {wire.url}: {error}") from error
        return True

    async def _token(self, credentials: Credentials, lifetime_s: float | None) -> str | None:
        auth, user = self.wire.auth, self.user or "nobody"
        match credentials:
            case Credentials.NONE:
                return None
            case Credentials.VALID:
                token = await auth.token(user)
            case Credentials.SHORT_LIVED:
                token = await auth.short_lived(user, lifetime_s or 1.0)
            case _:
                token = await auth.bad_token(credentials, user)
        if token is not None:
            self.wire.recorder.keep_secret(token, of=user)
            self.wire.recorder.keep_secret(_base64url(token), of=user)
        return token

    def _show(self, token: str | None, *, as_browser: bool) -> tuple[list[tuple[str, str]], list[str]]:
        if token is None:
            return [], []
        if as_browser:
            return [], ["jwt-auth", f"jwt.{_base64url(token)}"]
        return [("Authorization", f"Bearer {token}")], []

    async def close(self) -> None:
        """Close the connection, if it is open."""
        if self._websocket is not None:
            await self._websocket.close()

    async def cut(self) -> None:
        """Drop the connection without a word, as a network that fails does."""
        if self._websocket is not None:
            self._websocket.cut()
            await self._websocket.ended()

    def pause(self) -> None:
        """Stop reading."""
        if self._websocket is not None and self.closed is None:
            self.wire.recorder.record(ops.Reading(self.wire.recorder.clock.now(), self.conn, True))
            self._websocket.pause()

    def resume_reading(self) -> None:
        """Go on reading."""
        if self._websocket is not None and self.closed is None:
            self.wire.recorder.record(ops.Reading(self.wire.recorder.clock.now(), self.conn, False))
            self._websocket.resume()

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
        asked = self._asked(
            Action.START if thread_id is None else Action.CONTINUE,
            request_id=request_id or f"req-{self.wire.random.getrandbits(96):024x}",
            thread_id=thread_id,
            canary=token,
            behaviour=label or behaviour,
            script=script if said is None and text is None else None,
            owner=owner,
            planted=planted,
            impersonates=impersonates,
        )
        run = Run(self, asked)
        self.runs.append(run)
        await self._say(asked, words if words is not None else token)
        return run

    async def ask(self, action: Action, *, text: str = "", **fields: Any) -> Asked:
        """Ask for anything but a run; `text` is the raw frame of bad input."""
        asked = self._asked(action, **fields)
        await self._say(asked, text)
        return asked

    def _asked(self, action: Action, **fields: Any) -> Asked:
        wire = self.wire
        asked = Asked(
            wire.recorder.clock.now(), next(wire.asks), conn=self.conn, user=self.user or "", action=action, **fields
        )
        self._refusals_before[asked.ask] = len(self.refusals)
        wire.recorder.record(asked)
        return asked

    async def _say(self, asked: Asked, text: str) -> None:
        frame = self.wire.dialect.request(asked, text)
        self.wire.recorder.frame(ops.Sent, self.conn, frame)
        if self._websocket is not None:
            await self._websocket.send(frame)

    async def read(self, run_id: str, *, owner: str | None = None, accept: str = "text/event-stream") -> int | None:
        """Read a run's events over HTTP, as this connection; return the status, None where there is no answer."""
        wire = self.wire
        recorder = wire.recorder
        asked = Asked(0, 0, self.conn, self.user or "", Action.READ, run_id=run_id)
        url = next(exchange.url for exchange in wire.dialect.exchanges(wire.url, asked, ""))
        token = await wire.auth.token(self.user or "nobody")
        headers = {"Accept": accept, **({"Authorization": f"Bearer {token}"} if token else {})}
        ask = next(wire.asks)
        recorder.record(
            ops.Connecting(
                recorder.clock.now(), self.conn, self.user, url, "GET", accept, ask=ask, scenario=self.scenario
            )
        )
        recorder.record(
            Asked(
                recorder.clock.now(),
                ask,
                self.conn,
                self.user or "",
                Action.READ if owner is not None else Action.RESUME,
                run_id=run_id,
                after_seq=0,
                owner=owner,
            )
        )
        try:
            timeout = httpx.Timeout(wire.patience_ms / 1000)
            async with (
                asyncio.timeout(4 * wire.patience_ms / 1000),
                httpx.AsyncClient(timeout=timeout, trust_env=False) as http,
                http.stream("GET", url, headers=headers) as response,
            ):
                head = tuple((name.lower(), recorder.redact_text(value)) for name, value in response.headers.items())
                if response.status_code >= 400:
                    body = recorder.redact((await response.aread())[:65536]).decode(errors="replace")
                    at = recorder.clock.now()
                    recorder.record(
                        ops.Refused(at, self.conn, response.status_code, response.reason_phrase, head, body)
                    )
                    return response.status_code
                streams = "text/event-stream" in response.headers.get("content-type", "")
                body = "" if streams else recorder.redact((await response.aread())[:65536]).decode(errors="replace")
                recorder.record(ops.Connected(recorder.clock.now(), self.conn, response.status_code, head, body))
                if streams:
                    await self._read_events(response)
                by = ClosedBy.TARGET
        except TimeoutError:
            now = recorder.clock.now()
            waited = round(4 * wire.patience_ms)
            recorder.record(ops.GaveUp(now, self.conn, Awaited.TERMINAL, waited, ask, run_id))
            self.on_closed(ClosedBy.KIT, None, "")
            return response.status_code
        except httpx.HTTPError as error:
            at = recorder.clock.now()
            recorder.record(ops.Refused(at, self.conn, None, f"{type(error).__name__}: {error}"))
            return None
        self.on_closed(by, None, "")
        return response.status_code

    async def _read_events(self, response: httpx.Response) -> None:
        stream = EventStream()
        async for chunk in response.aiter_bytes():
            for data in stream.feed(chunk):
                self.on_frame(data)

    # -- what arrives (transports.websocket.Listener) ---------------------------------------------------------------

    def on_connected(self, status: int, headers: tuple[tuple[str, str], ...]) -> None:
        """Record that the target accepted."""
        recorder = self.wire.recorder
        redacted = tuple((name, recorder.redact_text(value)) for name, value in headers)
        recorder.record(ops.Connected(recorder.clock.now(), self.conn, status, redacted))

    def on_frame(self, data: str | bytes) -> None:
        """Record a frame, and see what it says."""
        operation = self.wire.recorder.frame(ops.Received, self.conn, data)
        self.received += 1
        for event in self._decoder.decode(operation.raw):
            self._heard(event)
        self._wake()

    def on_ping(self) -> None:
        """Record a sign of life."""
        self.pings += 1
        self.wire.recorder.record(ops.Pinged(self.wire.recorder.clock.now(), self.conn))
        self._wake()

    def on_closed(self, by: ClosedBy, code: int | None, reason: str) -> None:
        """Record the end of the connection."""
        recorder = self.wire.recorder
        self.closed = ops.Closed(recorder.clock.now(), self.conn, by, code, recorder.redact_text(reason))
        recorder.record(self.closed)
        self._wake()

    def _heard(self, event: Event) -> None:
        match event:
            case Ready():
                self.ready = event
            case Heartbeat():
                self.pings += 1
            case Accepted():
                waiting = [run for run in self.runs if run.accepted is None and run.refusal is None]
                named = [run for run in waiting if run.asked.request_id == event.request_id]
                for run in (named or waiting)[:1]:
                    run.accepted = event
            case Refusal():
                self.refusals.append(event)
                waiting = [run for run in self.runs if run.accepted is None and run.refusal is None]
                for run in waiting:
                    if event.request_id is None or run.asked.request_id == event.request_id:
                        run.refusal = event
                        break
            case RunEvent():
                self._heard_of_run(event)
            case _:
                pass

    def _heard_of_run(self, event: RunEvent) -> None:
        if event.terminal:
            run_id = event.run_id if _real(event.run_id) else None
            self.ended_runs.update(key for key in (run_id, event.event_id) if key)
        known = [run for run in self.runs if _real(event.run_id) and run.run_id == event.run_id]
        for run in known:
            run.events.append(event)
        if known:
            return
        for run in self.runs:
            named = event.kind is Kind.STARTED and event.payload.request_id == run.asked.request_id
            anonymous = not _real(event.run_id) and not run.over
            if named or anonymous:
                run.events.append(event)
                return

    def saw_end_of(self, run: Run) -> bool:
        """Whether this connection has seen the end of a run."""
        ends = [event.event_id for event in run.events if event.terminal]
        return not self.ended_runs.isdisjoint(key for key in (run.run_id, *ends) if key)

    # -- waiting ----------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
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
        patience_ms: float | None = None,
        run_id: str | None = None,
    ) -> bool:
        """Wait until `predicate` holds; return whether it does. Where patience ends first, that is recorded.

        A connection that ends meanwhile ends the wait without a record: its close is one.
        """
        patience = self.wire.patience_ms if patience_ms is None else patience_ms
        began = self.wire.recorder.clock.now()
        try:
            async with asyncio.timeout(patience / 1000):
                while not predicate():
                    if self.closed is not None:
                        return False
                    waiter = asyncio.get_running_loop().create_future()
                    self._waiters.append(waiter)
                    await waiter
        except TimeoutError:
            now = self.wire.recorder.clock.now()
            late = self.wire.late_us(began) > 0.1 * (now - began)
            waited = round((now - began) / 1000)
            self.wire.recorder.record(ops.GaveUp(now, self.conn, awaited, waited, ask, run_id, late))
            return False
        return True

    async def greeted(self) -> bool:
        """Wait for the server's greeting, where the dialect has one."""
        return await self.wait(lambda: self.ready is not None, Awaited.READY)

    async def answer(self, asked: Asked, *, patience_ms: float | None = None) -> bool:
        """Wait for an error that answers `asked`, or the end of the connection."""
        before = self._refusals_before[asked.ask]
        answered = await self.wait(
            lambda: len(self.refusals) > before, Awaited.ANSWER, asked.ask, patience_ms=patience_ms
        )
        return answered or self.closed is not None


def _real(identifier: str | None) -> bool:
    return bool(identifier) and not is_placeholder(identifier or "")


def _base64url(token: str) -> str:
    return base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
