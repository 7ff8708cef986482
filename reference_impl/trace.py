"""Which trace a run belongs to (W3C Trace Context), and its spans where OpenTelemetry is installed (extra `otel`)."""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from importlib.util import find_spec
from typing import Any

from reference_impl.context import UserExecutionContext, new_id

HAS_OTEL = find_spec("opentelemetry") is not None
if HAS_OTEL:
    from opentelemetry import trace as otel
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

NOTHING = nullcontext()
TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?")


def child_of(traceparent: str | None = None) -> str:
    """A trace context for a new run: in the caller's trace where it names a valid one, else in a fresh one."""
    found = TRACEPARENT.fullmatch(traceparent) if traceparent else None
    trace_id, flags = (found[1], found[2]) if found else (new_id(), "01")
    return f"00-{trace_id}-{new_id()[16:]}-{flags}"


def span(name: str, context: UserExecutionContext, **attributes: Any) -> AbstractContextManager[None]:
    """A span of the run's trace; nothing where the process has set no OpenTelemetry provider."""
    return _span(name, context, attributes) if traced() else NOTHING


@cache
def traced() -> bool:
    """Whether the process has set an OpenTelemetry provider; an engine that starts looks anew (`cache_clear`)."""
    return HAS_OTEL and not isinstance(otel.get_tracer_provider(), otel.ProxyTracerProvider)


@contextmanager
def _span(name: str, context: UserExecutionContext, attributes: Mapping[str, Any]) -> Iterator[None]:
    parent = None
    if not otel.get_current_span().get_span_context().is_valid:
        parent = TraceContextTextMapPropagator().extract({"traceparent": context.traceparent})
    known = {"run.id": context.run_id, "thread.id": context.thread_id, "enduser.id": context.user_id}
    with otel.get_tracer("reference_impl").start_as_current_span(name, parent, attributes={**known, **attributes}):
        yield


def headers(context: UserExecutionContext) -> dict[str, str]:
    """The trace context for a call of something else in the run's name."""
    carrier: dict[str, str] = {}
    if HAS_OTEL:
        TraceContextTextMapPropagator().inject(carrier)
    return carrier or {"traceparent": context.traceparent}
