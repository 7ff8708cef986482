"""Probing an endpoint: what is there, what does it speak, whom does it let in?"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from conformance.auth import Auth
from conformance.dialects import named, names
from conformance.errors import TargetUnreachable, UsageError
from conformance.events import Event, Flaw, Ready, Unknown
from conformance.history.operations import ClosedBy
from conformance.launch import accepts_connections
from conformance.transports.websocket import UpgradeRefused, WebSocket, open_websocket

_GREETING_S = 3.0


@dataclass
class Found:
    """What a probe found. `needs_credentials` is None where that could not be told.

    `likely` ranks several places: 3 a dialect was recognised, 2 somebody asks who is there, 1 a WebSocket of some kind
    (a server answers 403 also where it has none), 0 nothing.
    """

    url: str
    dialect: str | None = None
    needs_credentials: bool | None = None
    likely: int = 0
    greeting: Ready | None = None
    notes: list[str] = field(default_factory=list)


class _Ear:
    """Listens to a connection until it has said something (`transports.websocket.Listener`)."""

    def __init__(self) -> None:
        self.frames: list[str | bytes] = []
        self.close_code: int | None = None
        self.heard = asyncio.Event()

    def on_connected(self, status: int, headers: tuple[tuple[str, str], ...]) -> None:
        pass

    def on_frame(self, data: str | bytes) -> None:
        self.frames.append(data)
        self.heard.set()

    def on_ping(self) -> None:
        pass

    def on_closed(self, by: ClosedBy, code: int | None, reason: str) -> None:
        self.close_code = code
        self.heard.set()


async def probe(url: str, auth: Auth) -> Found:
    """Look at an endpoint, with the credentials that `auth` gives to a user named `probe`.

    Raises `UsageError` where the URL is none, `TargetUnreachable` where nothing answers there.
    """
    candidates = _candidates(url)
    if not await accepts_connections(candidates[0]):
        raise TargetUnreachable(f"nothing listens at {url}: is the target running, and is the URL right?")
    return max([await _websocket(candidate, auth) for candidate in candidates], key=lambda found: found.likely)


def _candidates(url: str) -> list[str]:
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise UsageError(f"{url!r} is no URL of an endpoint; expected one such as ws://127.0.0.1:8000/ws")
    paths = [parts.path or "/", *(["/ws"] if parts.path in ("", "/") else [])]
    return [urlunsplit((scheme, parts.netloc, path, parts.query, "")) for path in paths]


async def _websocket(url: str, auth: Auth) -> Found:
    found = Found(url)
    stranger = await _listen(url, ())
    if isinstance(stranger, UpgradeRefused):
        if stranger.status in (401, 403):
            found.needs_credentials = True
            found.likely = 2 if stranger.status == 401 else 1
            found.notes.append(f"without credentials the upgrade is refused with HTTP {stranger.status}")
        else:
            found.notes.append(f"{url}: no WebSocket (HTTP {stranger.status} {stranger.reason})")
            return found
    elif stranger.close_code == 1008:
        found.needs_credentials = True
        found.likely = 2
        found.notes.append("without credentials the connection is closed with 1008")
    else:
        found.needs_credentials = False
        found.likely = 1
        _recognise(stranger.frames, found)
    token = await auth.token("probe") if found.needs_credentials and auth.scheme != "none" else None
    if token is not None:
        user = await _listen(url, (("Authorization", f"Bearer {token}"),))
        if isinstance(user, UpgradeRefused):
            found.notes.append(f"with credentials the upgrade is refused with HTTP {user.status}: are they right?")
        else:
            _recognise(user.frames, found)
    return found


async def _listen(url: str, headers: Sequence[tuple[str, str]]) -> "_Ear | UpgradeRefused":
    ear = _Ear()
    websocket: WebSocket
    try:
        websocket = await open_websocket(url, ear, headers=headers)
    except UpgradeRefused as refused:
        return refused
    except OSError as error:
        raise TargetUnreachable(f"cannot connect to {url}: {error}") from error
    try:
        async with asyncio.timeout(_GREETING_S):
            await ear.heard.wait()
    except TimeoutError:
        pass
    await websocket.close()
    return ear


def _recognise(frames: Sequence[str | bytes], found: Found) -> None:
    """See which dialect makes sense of what was heard."""
    if not frames:
        found.notes.append(f"nothing was said within {_GREETING_S:g} s of connecting")
        return
    raw = frames[0].encode() if isinstance(frames[0], str) else frames[0]
    for name in names():
        events: Sequence[Event] = named(name).decoder().decode(raw)
        if any(isinstance(event, Flaw | Unknown) for event in events):
            continue
        found.dialect = name
        found.likely = 3
        found.greeting = next((event for event in events if isinstance(event, Ready)), None)
        found.notes.append(f"the first frame is {name}")
        return
    found.notes.append(f"the first frame is of no dialect that is built in: {raw[:200].decode(errors='replace')}")
