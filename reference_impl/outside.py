"""What an engine uses that runs elsewhere, over HTTP: where it is, and the one client for all of it."""

from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec

from reference_impl.context import UserExecutionContext
from reference_impl.reliability import ReliabilityManager
from reference_impl.trace import headers as trace_headers
from reference_impl.trace import span

_ERROR_BYTES = 4_096


@dataclass(frozen=True)
class Endpoints:
    """Where the model and the tools are; None where the engine's own are used.

    `model_url` is the root of an OpenAI-compatible interface, such as `http://127.0.0.1:8766/v1`. A tool is called by
    `POST tools_url/NAME`.
    """

    model_url: str | None = None
    model_key: str = field(default="", repr=False)
    model_name: str = "gpt-4o-mini"
    tools_url: str | None = None


OWN = Endpoints()


class Outside:
    """One HTTP client for all users: it keeps no cookies, and every call says whose it is. `aclose` it."""

    def __init__(self, endpoints: Endpoints, reliability: ReliabilityManager) -> None:
        self.endpoints = endpoints
        self._reliability = reliability
        # A call takes as long as it takes: the run's own time limit ends it.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
        self.http = httpx.AsyncClient(timeout=None, limits=limits)

    async def post(
        self, dependency: str, url: str, *, body: Any, context: UserExecutionContext, headers: dict[str, str]
    ) -> httpx.Response:
        """The answer to a call in a run's name, of which the body is yet to be read; close it.

        Raises Unavailable if `dependency` cannot be reached, and httpx.HTTPError.
        """
        whose = {"X-User-Id": context.user_id, "X-Run-Id": context.run_id, "X-Thread-Id": context.thread_id}
        with span(dependency, context):
            request = self.http.build_request(
                "POST", url, json=body, headers={**whose, **trace_headers(context), **headers}
            )
            return await self._reliability.call(dependency, lambda: self.http.send(request, stream=True))

    async def aclose(self) -> None:
        """Close all connections."""
        await self.http.aclose()


def error_of(body: bytes) -> tuple[str, str]:
    """The code and message of `{"error": {"code", "message"}}`, else words for what there is."""
    try:
        found: Any = msgspec.json.decode(body)["error"]
        return str(found.get("code") or "failed"), str(found["message"])
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError):
        text = body[:_ERROR_BYTES].decode(errors="replace").strip()
        return "failed", text or "It failed without a word."
