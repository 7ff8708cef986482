"""What stands beside an endpoint: a health check, and an OpenAPI document that names other endpoints."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

_WAIT_S = 3.0
_HEALTH = ("/health", "/healthz", "/ready")
_TALKS = re.compile(r"agent|ag-?ui|chat|run|invoke|message|stream|respon|complet", re.IGNORECASE)
_MOST = 5


@dataclass(frozen=True)
class Around:
    """What was found. `health` is a path that answers 2xx. `talking` are paths that take a POST and by their name, or
    by what they answer with, talk with an agent. `bearer` tells whether bearer tokens are declared. `described` tells
    whether there is an OpenAPI document at all.
    """

    health: str | None = None
    talking: tuple[str, ...] = ()
    bearer: bool = False
    described: bool = False


async def look_around(root: str) -> Around:
    """Look at the server `root`, e.g. `http://127.0.0.1:8000`, with a few GET requests."""
    async with httpx.AsyncClient(base_url=root, timeout=_WAIT_S, trust_env=False) as http:
        health = None
        for path in _HEALTH:
            answer = await _get(http, path)
            if answer is not None:
                health = path
                break
        document = await _get(http, "/openapi.json")
    described = _read(document.content) if document is not None else None
    if described is None:
        return Around(health)
    return Around(health, tuple(_talking(described))[:_MOST], _has_bearer(described), described=True)


async def _get(http: httpx.AsyncClient, path: str) -> httpx.Response | None:
    """Return what is answered with 2xx, None for anything else."""
    try:
        answer = await http.get(path)
    except httpx.HTTPError:
        return None
    return answer if answer.is_success else None


def _read(content: bytes) -> dict[str, Any] | None:
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return None
    return document if isinstance(document, dict) and isinstance(document.get("paths"), dict) else None


def _talking(document: dict[str, Any]) -> Iterator[str]:
    for path, operations in document["paths"].items():
        post = operations.get("post") if isinstance(operations, dict) else None
        if isinstance(post, dict) and "{" not in path and (_TALKS.search(path) or "text/event-stream" in str(post)):
            yield path


def _has_bearer(document: dict[str, Any]) -> bool:
    components = document.get("components")
    schemes = components.get("securitySchemes") if isinstance(components, dict) else None
    return isinstance(schemes, dict) and any(
        isinstance(scheme, dict) and scheme.get("scheme") == "bearer" for scheme in schemes.values()
    )
