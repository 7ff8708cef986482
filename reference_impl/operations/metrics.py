"""The engine's numbers in the Prometheus text format (prometheus-client)."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from reference_impl.operations.observer import Totals


class EngineCollector(Collector):
    """Reads the totals when it is asked, so that counting costs the engine nothing more."""

    def __init__(self, totals: Callable[[], Totals], run_errors: Counter[str]) -> None:
        self._totals = totals
        self._run_errors = run_errors

    def collect(self) -> Iterator[Metric]:
        """Every metric, with its values now."""
        now = self._totals()
        yield by_label(GaugeMetricFamily, "connections", "Open WebSocket connections.", "state", now.connections)
        yield by_label(GaugeMetricFamily, "users", "Users connected, and users with open runs.", "state", now.users)
        yield by_label(GaugeMetricFamily, "runs", "Runs accepted and not ended.", "state", now.runs)
        yield by_label(CounterMetricFamily, "runs_ended", "Runs that have ended.", "state", now.ended)
        yield by_label(CounterMetricFamily, "run_errors", "Runs that ended in an error.", "code", self._run_errors)
        for name, value, text in (
            ("model_calls_open", now.model_calls, "Model calls that have not ended."),
            ("engines", now.engines, "Engines of the fleet."),
            ("draining", now.draining, "Whether the engine is ending."),
        ):
            yield GaugeMetricFamily(f"engine_{name}", text, value)
        for name, value, text in (
            ("events", now.events, "Events journaled."),
            ("journal_commits", now.commits, "Commits of the journal."),
            ("events_delivered", now.delivered, "Events handed to every reader there was."),
            ("events_retried", now.retried, "Events whose handing over failed and was tried again."),
            ("events_lost", now.lost, "Events whose handing over was given up; their readers have to resume."),
            ("slow_consumers", now.slow_consumers, "Connections closed with 4408."),
        ):
            yield CounterMetricFamily(f"engine_{name}", text, value)


def by_label(
    kind: type[GaugeMetricFamily | CounterMetricFamily], name: str, text: str, label: str, values: Mapping[str, int]
) -> Metric:
    """A metric with a value for each value of its label."""
    family = kind(f"engine_{name}", text, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family


def exposition(registry: CollectorRegistry) -> bytes:
    """All metrics as text, format 0.0.4."""
    return generate_latest(registry)
