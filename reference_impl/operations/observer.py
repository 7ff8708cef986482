"""What is seen of events on their way to readers: how long that takes, and how runs fail."""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence

import msgspec
from prometheus_client import CollectorRegistry, Histogram

from reference_impl.events import Event, EventType, decode_event, parse_timestamp
from reference_impl.run import ExecutionState

log = logging.getLogger(__name__)

# Seconds. Promises are made for 0.05, 0.1 and 0.5.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
KEPT_LATENCIES = 2_048
QUANTILES = (0.5, 0.95, 0.99)


class _Stamp(msgspec.Struct):
    timestamp: str


_stamps = msgspec.json.Decoder(_Stamp)


class EventObserver:
    """Looks at each group of events that was handed to its readers, at no more than one of them closely.

    That is the first of the group, which waited longest: from when it was emitted, by the wall clock.
    """

    def __init__(self, registry: CollectorRegistry, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._latency = Histogram(
            "engine_delivery_latency_seconds",
            "From emitting an event until it was handed to every reader; of each group the one that waited longest.",
            buckets=BUCKETS,
            registry=registry,
        )
        self._recent: deque[float] = deque(maxlen=KEPT_LATENCIES)
        self.run_errors: Counter[str] = Counter()

    def measure(self, events: Sequence[Event]) -> None:
        """These events have just been handed to their readers."""
        latency_s = max(0.0, self._clock() - parse_timestamp(_stamps.decode(events[0].text).timestamp))
        self._latency.observe(latency_s)
        self._recent.append(latency_s)

    def note(self, events: Sequence[Event]) -> None:
        """These events of runs of this engine have just been handed to their readers."""
        self.measure(events)
        for event in events:
            if event.type.terminal:
                self._note_end(event)

    def _note_end(self, event: Event) -> None:
        if event.type is EventType.AGENT_ERROR:
            self.run_errors[decode_event(event).payload["code"]] += 1
        if log.isEnabledFor(logging.INFO):
            envelope = decode_event(event)
            fields = {name: getattr(envelope, name) for name in ("run_id", "user_id", "thread_id", "agent_name")}
            fields["trace_id"] = envelope.traceparent.split("-")[1]
            fields["outcome"] = ExecutionState.of_ending(event.type).value
            log.info("run ended", extra={"fields": fields})

    def quantiles_ms(self) -> dict[str, float]:
        """Recent latencies in milliseconds as `p50`, `p95`, `p99`; empty before there was one."""
        ordered = sorted(self._recent)
        return {
            f"p{round(share * 100)}": round(ordered[int(share * (len(ordered) - 1))] * 1000, 2)
            for share in QUANTILES
            if ordered
        }


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The state of an engine in numbers."""

    engine: str
    engines: int
    draining: bool
    users: dict[str, int]
    connections: dict[str, int]
    runs: dict[str, int]
    ended: dict[str, int]
    model_calls: int
    delivered: int
    retried: int
    lost: int
    events: int
    commits: int
    slow_consumers: int
