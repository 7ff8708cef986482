"""A tab of ours on Locust's web page, and the figures for Prometheus."""

from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request
from gevent.pywsgi import WSGIServer

from conformance.errors import UsageError

if TYPE_CHECKING:
    from locust.web import WebUI

    from load.session import Session

_KEY = "agent-conformance"
_COLUMNS = (
    ("name", "What"),
    ("count", "Count"),
    ("share", "%"),
    ("p50", "p50 ms"),
    ("p95", "p95 ms"),
    ("p99", "p99 ms"),
)


def attach(web: "WebUI", session: "Session") -> None:
    """Show what the judge sees on Locust's page, and serve /metrics."""
    tab = {
        "extendedTabs": [{"title": "Conformance", "key": _KEY}],
        "extendedTables": [
            {"key": _KEY, "structure": [{"key": key, "title": title} for key, title in _COLUMNS]},
        ],
    }
    web.template_args |= tab
    app = web.app
    assert app is not None

    def metrics() -> Response:
        return Response(session.live.prometheus(), mimetype="text/plain")

    def with_ours(response: Response) -> Response:
        if request.path == "/stats/requests" and response.is_json:
            told = response.get_json()
            response.set_data(app.json.dumps({**told, "extendedStats": [{"key": _KEY, "data": rows(session)}]}))
        return response

    app.add_url_rule("/metrics", "metrics", metrics)
    app.after_request(with_ours)


def serve_metrics(session: "Session", address: str) -> WSGIServer:
    """Serve /metrics where there is no web page: at `HOST:PORT`, or `PORT` of the loopback interface."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        raise UsageError(f"--metrics {address}: expected PORT or HOST:PORT")
    app = Flask(__name__)
    app.add_url_rule("/metrics", "metrics", lambda: Response(session.live.prometheus(), mimetype="text/plain"))
    server = WSGIServer((host or "127.0.0.1", int(port)), app, log=None)
    try:
        server.start()
    except OSError as error:
        raise UsageError(f"--metrics {address}: cannot listen there: {error.strerror}") from error
    return server


def rows(session: "Session") -> list[dict[str, Any]]:
    """Return the lines of our tab: delivery by kind of event, what is open, and violations."""
    live = session.live
    found: list[dict[str, Any]] = []
    for kind, sketch in live.delivery().items():
        p50, p95, p99 = sketch.percentiles_ms((50, 95, 99))
        found.append(
            {"name": f"delivery of {kind.lower()}", "count": sketch.samples, "p50": p50, "p95": p95, "p99": p99}
        )
    expected = live.total("expected")
    if expected:
        found.append(
            {"name": "delivered", "count": expected, "share": round(100 - live.total("lost") / expected * 100, 4)}
        )
    found += [
        {"name": name.replace("_", " "), "count": live.total(name)} for name in ("events", "open_runs", "connections")
    ]
    found += [{"name": f"violated: {name}", "count": count} for name, count in live.violations().items()]
    found += [{"name": message} for message in live.messages()]
    return found
