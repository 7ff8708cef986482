"""Probing an endpoint: what is there, what does it speak, whom does it let in?"""

import asyncio
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit, urlunsplit

from conformance.auth import Auth
from conformance.dialects import named, names
from conformance.errors import TargetUnreachable, UsageError
from conformance.events import Event, Flaw, Ready, Unknown
from conformance.history.operations import ClosedBy
from conformance.launch import accepts_connections
from conformance.probe_around import Around, look_around
from conformance.probe_http import RECOGNISED, Found, probe_http
from conformance.transports.websocket import UpgradeRefused, WebSocket, open_websocket

_GREETING_S = 3.0
_WEBSOCKET = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_HTTP = ("http", "https")


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
    parts = urlsplit(url)
    if parts.scheme not in _WEBSOCKET or not parts.hostname:
        raise UsageError(
            f"{url!r} is no URL of an endpoint; expected one such as ws://127.0.0.1:8000/ws or http://127.0.0.1:8000/agui"
        )
    if not await accepts_connections(url):
        raise TargetUnreachable(f"nothing listens at {url}: is the target running, and is the URL right?")
    around = await look_around(f"{'https' if parts.scheme in ('https', 'wss') else 'http'}://{parts.netloc}")
    found = [await _websocket(place, auth) for place in _places(parts, _WEBSOCKET[parts.scheme], "/ws")]
    if parts.scheme in _HTTP and not any(each.likely == RECOGNISED for each in found):
        for place in _places(parts, parts.scheme, "/agui", *around.talking):
            found.append(await probe_http(place, auth))
            if found[-1].likely == RECOGNISED:
                break
    best = max(found, key=lambda each: each.likely)
    best.health = around.health
    best.notes += _told(around)
    return best


def _places(parts: SplitResult, scheme: str, *usual: str) -> list[str]:
    """Return where to look: the path of the URL; where it has none, also the `usual` ones."""
    paths = [parts.path or "/", *(usual if parts.path in ("", "/") else [])]
    return [urlunsplit((scheme, parts.netloc, path, parts.query, "")) for path in dict.fromkeys(paths)]


def _told(around: Around) -> list[str]:
    """Say what was found beside the endpoint."""
    notes = [f"{around.health} answers: good for `health`"] if around.health else []
    if around.described:
        named = ", ".join(around.talking) or "none that talks with an agent"
        notes.append(f"openapi.json names these that take a POST: {named}")
    return [*notes, *(["openapi.json declares bearer tokens"] if around.bearer else [])]


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
        if named(name).transport != "websocket":
            continue
        events: Sequence[Event] = named(name).decoder().decode(raw)
        if any(isinstance(event, Flaw | Unknown) for event in events):
            continue
        found.dialect = name
        found.likely = RECOGNISED
        found.greeting = next((event for event in events if isinstance(event, Ready)), None)
        found.notes.append(f"the first frame is {name}")
        return
    found.notes.append(f"the first frame is of no dialect that is built in: {raw[:200].decode(errors='replace')}")
