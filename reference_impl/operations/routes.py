"""`/health`, `/ready`, `/metrics`, and the status page at `/`: no credentials, no ids, nothing that a user wrote."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from importlib.resources import files

import msgspec
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from reference_impl.operations.logs import RecentProblems
from reference_impl.operations.metrics import EngineCollector, exposition
from reference_impl.operations.observer import EventObserver, Totals

NO_STORE = {"Cache-Control": "no-store"}
# The page loads from its own engine only, and nothing is ever run that stands in a value.
PAGE_HEADERS = {
    **NO_STORE,
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
PAGE = {"/": ("status.html", "text/html"), "/status.js": ("status.js", "text/javascript")}
PAGE["/status.css"] = ("status.css", "text/css")


class OperationsRoutes:
    """Answers from `totals`, which is asked anew each time, and from what the observer has seen. `close` after use."""

    def __init__(self, totals: Callable[[], Totals], healthy: Callable[[], bool]) -> None:
        self._totals = totals
        self._healthy = healthy
        self._metrics = CollectorRegistry()
        self._started = time.time()
        self._problems = RecentProblems()
        self.observer = EventObserver(self._metrics)
        self._metrics.register(EngineCollector(totals, self.observer.run_errors))
        logging.getLogger().addHandler(self._problems)

    def close(self) -> None:
        """Hear of no more problems."""
        logging.getLogger().removeHandler(self._problems)

    def routes(self) -> list[BaseRoute]:
        """Where what is served."""
        served = {"/health": self.health, "/ready": self.ready, "/metrics": self.metrics, "/status.json": self.status}
        pages = dict.fromkeys(PAGE, self.page)
        return [Route(path, handler, methods=["GET"]) for path, handler in (served | pages).items()]

    async def health(self, request: Request) -> Response:
        """200 while the process answers."""
        return JSONResponse({"status": "ok"}, headers=NO_STORE)

    async def ready(self, request: Request) -> Response:
        """200 while runs are accepted, else 503."""
        ready = self._healthy()
        return JSONResponse({"status": "ready" if ready else "not ready"}, 200 if ready else 503, headers=NO_STORE)

    async def metrics(self, request: Request) -> Response:
        """Counters, gauges and a histogram in the Prometheus text format 0.0.4."""
        text = exposition(self._metrics)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8", headers=NO_STORE)

    async def status(self, request: Request) -> Response:
        """What the status page shows, as JSON."""
        now = time.time()
        body = {
            "ready": self._healthy(),
            "uptime_s": round(now - self._started),
            "totals": self._totals(),
            "latency_ms": self.observer.quantiles_ms(),
            "run_errors": Counter(self.observer.run_errors).most_common(),
            "problems": [
                {"ago_s": round(now - seen.time), "level": seen.level, "what": seen.what, "times": seen.times}
                for seen in self._problems.recent()
            ],
        }
        return Response(msgspec.json.encode(body), media_type="application/json", headers=NO_STORE)

    async def page(self, request: Request) -> Response:
        """The status page and its parts."""
        name, kind = PAGE[request.url.path]
        text = files("reference_impl.operations").joinpath("page", name).read_text("utf-8")
        return Response(text, media_type=kind, headers=PAGE_HEADERS)
