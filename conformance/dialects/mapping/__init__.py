"""The mapping dialect: a TOML file says what the frames of any JSON stream mean, and how a request is written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

import msgspec

from conformance.dialects.dialect import Decoder, Dialect, Exchange, Exchanges, Turn
from conformance.dialects.mapping import load as files
from conformance.dialects.mapping import template
from conformance.dialects.mapping.decoder import MappingDecoder
from conformance.dialects.mapping.model import Mapping, Request
from conformance.history.operations import Action, Asked

_RAW = (Action.GARBAGE, Action.UNKNOWN_TYPE, Action.OVERSIZE)


class MappingDialect(Dialect):
    """A dialect as a mapping describes it."""

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self.name = mapping.name
        self.source = mapping.text
        self.transport = "websocket" if mapping.transport == "websocket" else "http"
        self.intrinsic = mapping.intrinsic
        self.implied = mapping.implied
        self.greets = self.transport == "websocket" and any(rule.kind == "ready" for rule in mapping.rules)
        self.event_names = mapping.event_names
        if mapping.malformed:
            self.malformed = mapping.malformed  # type: ignore[misc]

    def decoder(self) -> Decoder:
        """Return a decoder for a new connection."""
        return MappingDecoder(self.mapping)

    def new_thread(self, request_id: str) -> str | None:
        """Return the id of a new thread, where the mapping says that clients name them."""
        return f"thread-{request_id}" if self.mapping.client_names_threads else None

    def request(self, asked: Asked, text: str) -> str:
        """Return the frame, or the body, as the mapping's template has it; bad input is `text` as it is."""
        request = self._request(asked.action)
        return text if request is None else _body(request, asked, text)

    def exchanges(self, url: str, asked: Asked, text: str, earlier: Sequence[Turn] = ()) -> Exchanges:
        """Yield the one exchange that asks. Over a WebSocket only a run's events are read in this way."""
        name = "read" if asked.action is Action.RESUME and self.transport == "websocket" else None
        request = self.mapping.requests.get(name) if name else self._request(asked.action)
        if self.transport == "websocket" and asked.action not in (Action.READ, Action.RESUME):
            return
        if asked.action in _RAW:
            start = self.mapping.requests.get("start", Request())
            yield Exchange(url=_url(url, start, asked), method=start.method, body=text, framing=start.framing)
        elif request is not None and (asked.run_id or "{run_id}" not in (request.url or "")):
            yield Exchange(
                url=_url(url, request, asked),
                method=request.method,
                body=_body(request, asked, text),
                headers=tuple((k, template.line(v, _values(asked, text))) for k, v in request.headers.items()),
                framing=request.framing,
            )

    def _request(self, action: Action) -> Request | None:
        requests = self.mapping.requests
        if action is Action.CONTINUE:
            return requests.get("continue", requests.get("start"))
        return None if action in _RAW else requests.get(action.value)


def _values(asked: Asked, text: str) -> dict[str, Any]:
    return {
        "text": text,
        "request_id": asked.request_id,
        "thread_id": asked.thread_id,
        "run_id": asked.run_id,
        "user": asked.impersonates or asked.user,
        "after_seq": asked.after_seq,
    }


def _body(request: Request, asked: Asked, text: str) -> str:
    values = _values(asked, text)
    if request.body is None:
        return ""
    if isinstance(request.body, str):
        return template.line(request.body, values)
    body = template.filled(request.body, values)
    for path in request.planted if asked.planted else ():
        place = body
        for step in path:
            place = place.setdefault(str(step), {})
        place |= {name: planted for name, planted in (asked.planted or {}).items() if name not in place}
    return msgspec.json.encode(body).decode()


def _url(url: str, request: Request, asked: Asked) -> str:
    if request.url is None:
        return url
    parts = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    base = urlunsplit((scheme, parts.netloc, parts.path, "", ""))
    return urljoin(base, template.line(request.url, _values(asked, ""), quoted=True))


def from_file(path: Path) -> MappingDialect:
    """Return the dialect that a mapping file describes. Raises `UsageError`."""
    return MappingDialect(files.load(path))


def from_text(text: str, name: str) -> MappingDialect:
    """Return the dialect that a mapping describes; `name` is what messages call it. Raises `UsageError`."""
    return MappingDialect(files.parse(text, name))
