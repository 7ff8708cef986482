"""Probing an HTTP endpoint: it is asked to say hello in each dialect that is spoken over HTTP."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from conformance.auth import Auth
from conformance.dialects import named, names
from conformance.dialects.dialect import Dialect
from conformance.errors import TargetUnreachable
from conformance.events import Event, Flaw, Ready, RunEvent, Unknown
from conformance.history.operations import Action, Asked, ClosedBy
from conformance.transports.http import carry_out, open_http

RECOGNISED = 3
_ANSWER_S = 10.0
_ENOUGH = 3


@dataclass
class Found:
    """What a probe found. `needs_credentials` is None where that could not be told.

    `likely` ranks several places: 3 a dialect was recognised, 2 somebody asks who is there, 1 a WebSocket of some kind
    (a server answers 403 also where it has none), 0 nothing. `health` is a path that answers beside it.
    """

    url: str
    dialect: str | None = None
    needs_credentials: bool | None = None
    likely: int = 0
    greeting: Ready | None = None
    health: str | None = None
    notes: list[str] = field(default_factory=list)


class _Ear:
    """Listens to an answer until it has said enough (`transports.http.Listener`)."""

    def __init__(self, dialect: Dialect) -> None:
        self.events: list[Event] = []
        self.refused: tuple[int | None, str] | None = None
        self.enough = asyncio.Event()
        self._decoder = dialect.decoder()

    def on_sent(self) -> None:
        pass

    def on_connected(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes = b"") -> None:
        pass

    def was_refused(
        self, status: int | None, reason: str, headers: tuple[tuple[str, str], ...] = (), body: bytes = b""
    ) -> None:
        self.refused = (status, reason)

    def on_frame(self, data: str | bytes) -> None:
        if self.enough.is_set():
            return  # what ends an answer, such as [DONE], is not to be judged
        self.events += self._decoder.decode(data.encode() if isinstance(data, str) else data)
        if len(self.events) >= _ENOUGH:
            self.enough.set()

    def on_ping(self) -> None:
        pass

    def on_closed(self, by: ClosedBy, code: int | None, reason: str) -> None:
        pass


async def probe_http(url: str, auth: Auth) -> Found:
    """Ask at a URL in every dialect, first as nobody; where that is refused, with the credentials of `probe`."""
    found = Found(url)
    for name in names():
        dialect = named(name)
        if dialect.transport != "http":
            continue
        ear = await _ask(dialect, url, None)
        if ear.refused is not None and ear.refused[0] in (401, 403):
            if found.needs_credentials is None:
                found.notes.append(f"without credentials a POST to {url} is refused with HTTP {ear.refused[0]}")
            found.needs_credentials = True
            found.likely = max(found.likely, 2 if ear.refused[0] == 401 else 1)
            token = await auth.token("probe") if auth.scheme != "none" else None
            if token is None:
                return found
            ear = await _ask(dialect, url, token)
        if _makes_sense(ear.events):
            found.needs_credentials = bool(found.needs_credentials)
            found.dialect, found.likely = name, RECOGNISED
            found.notes.append(f"a POST to {url} is answered in {name}")
            return found
        problem = f"HTTP {ear.refused[0]} {ear.refused[1]}" if ear.refused else "an answer of another kind"
        found.notes.append(f"{url}: no {name} ({problem})")
    return found


async def _ask(dialect: Dialect, url: str, token: str | None) -> _Ear:
    """Ask for a run, and listen until enough is known; then leave."""
    ear = _Ear(dialect)
    asked = Asked(0, 0, 0, "probe", Action.START, request_id="probe", thread_id=dialect.new_thread("probe"))
    headers = [("Authorization", f"Bearer {token}")] if token else []
    reading = asyncio.Event()
    reading.set()

    async def talk() -> None:
        async with open_http(url) as http:
            steps = dialect.exchanges(url, asked, "Say hello.")
            exchange = next(steps, None)
            while exchange is not None:
                answer = await carry_out(
                    http, exchange, ear, headers=headers, reading=reading, event_names=dialect.event_names
                )
                try:
                    exchange = steps.send(answer) if answer is not None else None
                except StopIteration:
                    exchange = None

    talking = asyncio.create_task(talk())
    enough = asyncio.create_task(ear.enough.wait())
    await asyncio.wait({talking, enough}, timeout=_ANSWER_S, return_when=asyncio.FIRST_COMPLETED)
    for task in (talking, enough):
        task.cancel()
    await asyncio.wait({talking, enough})
    if not talking.cancelled() and isinstance(error := talking.exception(), TargetUnreachable):
        raise error
    return ear


def _makes_sense(events: Sequence[Event]) -> bool:
    """Tell whether these are events of a run, well formed."""
    ill = any(isinstance(event, Flaw | Unknown) for event in events)
    return not ill and any(isinstance(event, RunEvent) for event in events)
