"""One load within Locust: begins and ends with the test, and leaves a verdict. On a worker, on the master, or alone."""

import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import gevent
import gevent.event
import msgspec
from locust.env import Environment
from locust.rpc import Message
from locust.runners import STATE_RUNNING, STATE_SPAWNING, MasterRunner, WorkerRunner

from conformance.verdict import Verdict, exit_code
from load.arrivals import Crowd
from load.bridge import Bridge
from load.conclusion import conclude
from load.generator import Generator
from load.live import Live, Snapshot
from load.measure import Key
from load.person import Person
from load.result import Report, merge
from load.settings import Settings
from load.sketch import Sketch
from load.turn import Ended

_REPORT = "agent-conformance-report"
_HERE = ""
_MARGIN_S = 30.0
_EVERY_S = 1.0


class Session:
    """What the locustfile hangs on Locust's events."""

    def __init__(self, environment: Environment, settings: Settings) -> None:
        self.environment = environment
        self.settings = settings
        self.live = Live()
        self.verdict: Verdict | None = None
        self.bridge: Bridge | None = None
        self.generator: Generator | None = None
        self._crowd: Crowd | None = None
        self._streams: dict[int, Any] = {}
        self._reports: dict[str, Report] = {}
        self._came = gevent.event.Event()
        self.begun = gevent.event.Event()
        self._lost: list[str] = []
        self._expected: set[str] = set()
        runner = environment.runner
        if isinstance(runner, MasterRunner):
            runner.register_message(_REPORT, self._reported)
        else:
            Generator(settings)  # so that what the first one loads takes nothing of the test's time
        for event, listener in (
            ("test_start", self.begin),
            ("test_stop", self.end),
            ("report_to_master", self._to_master),
            ("worker_report", self._from_worker),
        ):
            getattr(environment.events, event).add_listener(listener)
        if isinstance(runner, WorkerRunner) and runner.worker_state in (STATE_SPAWNING, STATE_RUNNING):
            self.begin()  # the master was quicker than what was made here

    @property
    def generates(self) -> bool:
        """Whether users act in this process."""
        return not isinstance(self.environment.runner, MasterRunner)

    # -- begin ------------------------------------------------------------------------------------------------------

    def begin(self, **_: Any) -> None:
        """The test begins."""
        runner = self.environment.runner
        self.live = Live()
        self._reports, self._lost = {}, []
        if isinstance(runner, MasterRunner):
            self._expected = {client.id for client in runner.clients.all if client.state != "missing"}
            gevent.spawn(self._watch)
            return
        worker = runner.worker_index if isinstance(runner, WorkerRunner) else 0
        self.live.worker(_HERE, Snapshot())
        self.bridge = Bridge()
        self.generator = generator = Generator(self.settings, worker=worker)
        bridge = self.bridge
        generator.on_ended = lambda ended: bridge.tell(lambda: self._count(ended))
        self._crowd = Crowd(generator)
        bridge.call(generator.begin)
        self.begun.set()
        gevent.spawn(self._watch)

    def _count(self, ended: Ended) -> None:
        """Let Locust count what a user did."""
        problem = RuntimeError(ended.problem) if ended.problem is not None else None
        request: Any = self.environment.events.request
        request.fire(
            request_type="agent",
            name=ended.behaviour,
            response_time=ended.took_ms,
            response_length=0,
            exception=problem,
            context={},
        )

    def _watch(self) -> None:
        """Look at what has happened, in intervals."""
        while self.environment.runner is not None and self.verdict is None:
            gevent.sleep(_EVERY_S)
            self._look()
            if not isinstance(self.environment.runner, WorkerRunner):
                self.live.tick(self.environment.runner.user_count)
            if self.settings.fail_fast and self.live.violations():
                self.environment.runner.quit()
                return

    def _look(self) -> None:
        """Have the loop, where the generator is at work, say how it goes."""
        generator, bridge, live = self.generator, self.bridge, self.live
        if generator is not None and bridge is not None:
            bridge.do(lambda: live.worker(_HERE, Snapshot.of(generator)))

    # -- users ------------------------------------------------------------------------------------------------------

    def person(self) -> Person:
        """Return a user who is new."""
        assert self.generator is not None
        return self.generator.person()

    def act(self, person: Person) -> None:
        """Have a user do one thing, and wait for it."""
        assert self.bridge is not None
        assert self.generator is not None
        generator = self.generator
        self.bridge.call(lambda: generator.act(person))

    def retire(self, person: Person) -> None:
        """Have a user leave once what it does is done."""
        assert self.bridge is not None
        assert self.generator is not None
        generator, bridge = self.generator, self.bridge
        bridge.do(lambda: generator.retire(person))

    def stream(self, number: int, rate: float) -> None:
        """Have runs begin at a rate."""
        assert self.bridge is not None
        assert self._crowd is not None
        bridge, crowd = self.bridge, self._crowd
        seed = f"{self.settings.seed}/{self.generator.worker if self.generator else 0}/{number}"

        def begin() -> None:
            self._streams[number] = bridge.loop.create_task(crowd.arrivals(rate, Random(seed)))

        bridge.do(begin)

    def dry_up(self, number: int) -> None:
        """Have no more runs begin."""
        assert self.bridge is not None
        self.bridge.do(lambda: self._streams.pop(number).cancel())

    # -- end --------------------------------------------------------------------------------------------------------

    def end(self, **_: Any) -> None:
        """The test has ended: report to the master, or conclude."""
        runner = self.environment.runner
        if isinstance(runner, MasterRunner):
            self._wait_for_workers(runner)
            self._conclude(list(self._reports.values()))
            return
        bridge, generator = self.bridge, self.generator
        if bridge is None or generator is None:
            return
        self.bridge = self.generator = None
        self.begun.clear()
        bridge.call(generator.end)
        report = generator.report()
        bridge.close()
        if isinstance(runner, WorkerRunner):
            runner.send_message(_REPORT, {"report": msgspec.json.encode(report).decode()})
            self.verdict = report.verdict
        else:
            self._conclude([report])

    def _reported(self, environment: Environment, msg: Any, **_: Any) -> None:
        self._reports[msg.node_id] = msgspec.json.decode(msg.data["report"], type=Report)
        self._came.set()

    def _wait_for_workers(self, runner: MasterRunner) -> None:
        """Have every worker that is there report, and wait for it. Locust tells them of the end only after this."""
        for name in self._expected - self._reports.keys():
            runner.server.send_to_client(Message("stop", None, name))  # type: ignore[no-untyped-call]
        deadline = time.monotonic() + self.settings.grace_s + _MARGIN_S
        while time.monotonic() < deadline:
            there = {client.id for client in runner.clients.all if client.state != "missing"}
            if (self._expected & there) <= self._reports.keys():
                break
            self._came.clear()
            self._came.wait(timeout=1.0)
        self._lost = sorted(self._expected - self._reports.keys())

    def _conclude(self, reports: list[Report]) -> None:
        """Write the verdict, and give Locust its exit code."""
        warnings = tuple(f"the worker {name} was lost: what it saw is missing" for name in self._lost)
        if not reports:
            sys.stderr.write("no worker has reported\n")
            self.environment.process_exit_code = 70
            return
        whole = merge(reports)
        verdict = self.verdict = conclude(whole, self.settings, warnings)
        out = Path(self.settings.out)
        out.mkdir(parents=True, exist_ok=True)
        (out / "verdict.json").write_bytes(verdict.to_json())
        write_histograms(whole.sketches, out / "histograms.json")
        self.environment.process_exit_code = exit_code(verdict, strict=False)

    # -- between master and workers ---------------------------------------------------------------------------------

    def _to_master(self, data: dict[str, Any], **_: Any) -> None:
        newest = self.live.newest(_HERE)
        if newest is not None:
            data["agent-conformance"] = msgspec.json.encode(newest).decode()

    def _from_worker(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        told = data.get("agent-conformance")
        if told is not None:
            self.live.worker(client_id, msgspec.json.decode(told, type=Snapshot))


def write_histograms(sketches: dict[Key, Sketch], path: Path) -> None:
    """Write the latencies as HdrHistograms (V2, compressed, base64), in µs."""
    told = [
        {"what": what, "behaviour": behaviour, "event": kind, "samples": sketch.samples, "hdr": sketch.encoded()}
        for (what, behaviour, kind), sketch in sketches.items()
    ]
    path.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n")
