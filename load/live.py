"""How a load goes while it goes: what Locust's web page, the terminal and Prometheus show."""

import sys
import time
from typing import TYPE_CHECKING

import msgspec

from conformance.checks.dlv import Delivery
from load.measure import DELIVERY
from load.sketch import Sketch

if TYPE_CHECKING:
    from load.generator import Generator

_SHOWN = 20
_EVERY_S = 5.0


class Snapshot(msgspec.Struct, frozen=True):
    """What one generator has seen so far. `delivery` holds counts by kind of event, `violations` by requirement.

    `lost` are events of ended runs that never came, of those that are `expected`.
    """

    events: int = 0
    asked: int = 0
    open_runs: int = 0
    connections: int = 0
    lost: int = 0
    expected: int = 0
    violations: dict[str, int] = {}
    messages: tuple[str, ...] = ()
    delivery: dict[str, dict[int, int]] = {}
    lateness: dict[int, int] = {}

    @classmethod
    def of(cls, generator: "Generator") -> "Snapshot":
        """Look at a generator, in its own thread."""
        judge, measure = generator.stream.judge, generator.stream.measure
        delivery: dict[str, Sketch] = {}
        for (what, _, kind), sketch in measure.settled().items():
            if what == DELIVERY:
                delivery.setdefault(kind, Sketch()).merge(sketch)
        counted = [check for check in judge.checks if isinstance(check, Delivery)]
        found = [finding for each in judge.findings.values() for finding in each]
        return cls(
            events=judge.world.events,
            asked=sum(second.asked for second in measure.seconds.values()),
            open_runs=len(judge.world.stories),
            connections=generator.connections,
            lost=sum(check.lost for check in counted),
            expected=sum(check.expected for check in counted),
            violations=dict(judge.violations),
            messages=tuple(f"{each.requirement} {each.message}: {each.actual}" for each in found[:_SHOWN]),
            delivery={kind: dict(sketch.counts) for kind, sketch in delivery.items()},
            lateness=dict(generator.health.lateness.counts),
        )


class Live:
    """The newest snapshot of each generator, and their sum."""

    def __init__(self) -> None:
        self._newest: dict[str, Snapshot] = {}
        self._told_at = self._began = time.monotonic()
        self._told_events = 0

    def worker(self, name: str, snapshot: Snapshot) -> None:
        """Take in what a generator has seen so far."""
        self._newest[name] = snapshot

    def newest(self, name: str) -> Snapshot | None:
        """Return what a generator has seen so far, as far as that is known."""
        return self._newest.get(name)

    @property
    def events(self) -> int:
        """How many events have come."""
        return sum(each.events for each in self._newest.values())

    def violations(self) -> dict[str, int]:
        """Return how often each requirement was violated."""
        together: dict[str, int] = {}
        for each in self._newest.values():
            for name, count in each.violations.items():
                together[name] = together.get(name, 0) + count
        return dict(sorted(together.items()))

    def messages(self) -> list[str]:
        """Return what the first violations say."""
        return [message for each in self._newest.values() for message in each.messages][:_SHOWN]

    def delivery(self) -> dict[str, Sketch]:
        """Return the latencies of delivery, by kind of event."""
        together: dict[str, Sketch] = {}
        for each in self._newest.values():
            for kind, counts in each.delivery.items():
                together.setdefault(kind, Sketch()).merge(Sketch(counts))
        return dict(sorted(together.items()))

    def total(self, name: str) -> int:
        """Return the sum of a figure of all generators."""
        return sum(getattr(each, name) for each in self._newest.values())

    def lateness(self) -> Sketch:
        """Return how late the generators were."""
        together = Sketch()
        for each in self._newest.values():
            together.merge(Sketch(each.lateness))
        return together

    def tick(self, users: int) -> None:
        """Say on stderr how it goes, every few seconds."""
        now = time.monotonic()
        if now - self._told_at < _EVERY_S:
            return
        rate = (self.events - self._told_events) / (now - self._told_at)
        self._told_at, self._told_events = now, self.events
        together = Sketch()
        for sketch in self.delivery().values():
            together.merge(sketch)
        p95 = f"p95 {together.percentile_ms(95):,.0f} ms   " if together.samples else ""
        sys.stderr.write(
            f"  {now - self._began:5.0f} s   {users:,} users   {self.events:,} events   {rate:,.0f} events/s   "
            f"{p95}{self.total('open_runs'):,} open runs   {sum(self.violations().values()):,} violations\n"
        )
        sys.stderr.flush()

    def prometheus(self) -> str:
        """Return the figures in Prometheus' text format."""
        lines = [
            "# TYPE agent_conformance_events_total counter",
            f"agent_conformance_events_total {self.events}",
            "# TYPE agent_conformance_expected_events_total counter",
            f"agent_conformance_expected_events_total {self.total('expected')}",
            "# TYPE agent_conformance_lost_events_total counter",
            f"agent_conformance_lost_events_total {self.total('lost')}",
            "# TYPE agent_conformance_runs_asked_total counter",
            f"agent_conformance_runs_asked_total {self.total('asked')}",
            "# TYPE agent_conformance_open_runs gauge",
            f"agent_conformance_open_runs {self.total('open_runs')}",
            "# TYPE agent_conformance_connections gauge",
            f"agent_conformance_connections {self.total('connections')}",
            "# TYPE agent_conformance_violations_total counter",
            *(
                f'agent_conformance_violations_total{{requirement="{name}"}} {count}'
                for name, count in self.violations().items()
            ),
            "# TYPE agent_conformance_delivery_seconds summary",
        ]
        for kind, sketch in self.delivery().items():
            for percent, value in zip((50, 95, 99), sketch.percentiles_ms((50, 95, 99)), strict=True):
                label = f'event="{kind.lower()}",quantile="{percent / 100:g}"'
                lines.append(f"agent_conformance_delivery_seconds{{{label}}} {value / 1000:.6f}")
            lines.append(f'agent_conformance_delivery_seconds_count{{event="{kind.lower()}"}} {sketch.samples}')
        lateness = self.lateness()
        lines += [
            "# TYPE agent_conformance_generator_lateness_seconds gauge",
            f"agent_conformance_generator_lateness_seconds {lateness.percentile_ms(99) / 1000:.6f}",
        ]
        return "\n".join(lines) + "\n"
