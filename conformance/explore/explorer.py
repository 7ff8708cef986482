"""The explorer: has Hypothesis draw examples, carries each out on the target, has it judged, and keeps what fails.

Hypothesis is synchronous and runs in a thread; steps are carried out on the kit's event loop, so that clients, clock and
recorder are those of any scenario. Each example has fresh users and a judge of its own, which sees nothing but that
example. What an example did is remembered: the same steps are not taken twice, and Hypothesis, which takes a test for a
function of its input, is told the same again.
"""

import asyncio
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from conformance.catalogue import Catalogue, Level
from conformance.client import Wire
from conformance.errors import TargetUnreachable
from conformance.explore.machine import Range, machine
from conformance.explore.performer import NotLetIn, Performer
from conformance.explore.scenario_file import ScenarioFile, write
from conformance.explore.steps import AnyStep, Steps
from conformance.history import operations as ops
from conformance.history.operations import Operation
from conformance.judge import Judge
from conformance.world import World

STEPS = 10
_EXAMPLES = 1_000_000
_SHRINKING_S = 60.0
_CONFIRMATIONS = 5
_RETRIES = 3
# Shares and percentiles, and what needs a scenario of its own, say nothing of a single example.
_OF_THE_WHOLE = frozenset({"DLV-01", "DLV-02", "DLV-09", "ISO-08", "ISO-09", "ISO-12", "LIF-11"})


class Watcher(Protocol):
    """Who is told how it goes."""

    def exploring(self, *, examples: int, steps: int, left_s: float, shrinking: str | None) -> None:
        """Another example was carried out."""
        ...


@dataclass(frozen=True)
class Found:
    """A violation, and the fewest steps that showed it. `reproduced` of `tried` replays of them showed it again."""

    requirement: str
    message: str
    steps: Steps
    path: Path
    after_s: float
    examples: int
    reproduced: int
    tried: int


@dataclass
class Exploration:
    """What came of it. `gone` says that, and how, the target went away."""

    examples: int = 0
    steps: int = 0
    found: list[Found] = field(default_factory=list)
    unsteady: list[str] = field(default_factory=list)
    gone: str | None = None


class Tap:
    """A listener to the history that passes on what is recorded to whoever listens for the moment."""

    def __init__(self) -> None:
        self._judge: Judge | None = None

    def feed(self, operation: Operation) -> None:
        """Pass on an operation."""
        if self._judge is not None:
            self._judge.feed(operation)

    @contextmanager
    def to(self, judge: Judge) -> Iterator[None]:
        """Pass on everything to `judge`."""
        self._judge = judge
        try:
            yield
        finally:
            self._judge = None


class _Enough(KeyboardInterrupt):
    """The time is up: Hypothesis lets nothing else through."""


class _Violated(Exception):
    """An example violated something. Each requirement has a subclass: Hypothesis shrinks each kind by itself."""


@dataclass(frozen=True)
class Case:
    """The target under exploration: how to reach it, its whole history's judge, and the tap into that history."""

    wire: Wire
    judge: Judge
    tap: Tap
    catalogue: Catalogue
    out: Path
    only: tuple[str, ...] = ()


class Explorer:
    """Explores one target for `duration_s`, beginning from `seed_`. Call `run` once, on the event loop."""

    def __init__(self, case: Case, *, duration_s: float, seed_: int, watcher: Watcher) -> None:
        self.result = Exploration()
        self._case = case
        self._duration_s = duration_s
        self._seed = seed_
        self._watcher = watcher
        wanted = case.catalogue.select(case.only) if case.only else list(case.catalogue)
        self._wanted = {r.id for r in wanted if r.level is Level.MUST} - _OF_THE_WHOLE
        self._known: set[str] = set()
        self._outcomes: dict[bytes, frozenset[str]] = {}
        self._began = self._until = 0.0
        self._hunted: str | None = None
        self._first: tuple[float, int] = (0.0, 0)
        self._best: Steps | None = None
        self._messages: dict[str, str] = {}
        self._kinds: dict[str, type[_Violated]] = {}
        self._stopped = False
        self._doing: asyncio.Task[Any] | None = None

    async def run(self) -> Exploration:
        """Explore until the time is up. Cancelled, it stops, leaves nothing open, and `result` holds what was found."""
        self._loop = asyncio.get_running_loop()
        self._began = time.monotonic()
        self._until = self._began + self._duration_s
        hunt = self._loop.run_in_executor(None, self._hunt)
        try:
            await asyncio.shield(hunt)
        except asyncio.CancelledError:
            self._stopped = True
            if self._doing is not None:
                self._doing.cancel()
            await hunt
            raise
        return self.result

    # -- in the thread of Hypothesis --------------------------------------------------------------------------------

    def _hunt(self) -> None:
        """Look for one violation after the other; what is known already counts no more."""
        number = 0
        while not self._over():
            self._outcomes.clear()
            self._hunted = self._best = None
            try:
                self._round(self._seed + number)
            except _Violated:
                pass
            except _Enough:
                pass
            if self._hunted is not None:
                self._keep()
            number += 1

    def _over(self) -> bool:
        return self._stopped or self.result.gone is not None or time.monotonic() >= self._until

    def _round(self, number: int) -> None:
        case = self._case
        world = case.judge.world
        within = Range(
            dialect=case.wire.dialect,
            capabilities=world.capabilities,
            tells_users=case.wire.auth.scheme != "none",
            knows_limit=world.message_bytes is not None and world.message_bytes <= 1_000_000,
        )
        kind: type[RuleBasedStateMachine] = seed(number)(machine(within, self._example))
        run_state_machine_as_test(
            kind,
            settings=settings(
                max_examples=_EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                database=DirectoryBasedExampleDatabase(case.out / "examples"),
                phases=(Phase.reuse, Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
                verbosity=Verbosity.quiet,
                print_blob=False,
                report_multiple_bugs=False,
            ),
        )

    def _example(self, steps: Steps) -> None:
        """Carry out an example, or recall what came of it. Raises `_Violated`."""
        key = msgspec.json.encode(steps)
        if key not in self._outcomes:
            self._outcomes[key] = self._judged(steps)
        violated = self._outcomes[key]
        if self._hunted is None and violated:
            self._hunted = next(iter(violated))
        if self._hunted in violated:
            if self._best is None or _size(steps) < _size(self._best):
                self._best = steps
            raise self._kinds.setdefault(self._hunted, type(f"Violated{self._hunted}", (_Violated,), {}))(self._hunted)

    def _judged(self, steps: Steps) -> frozenset[str]:
        """Return what the steps violate, each time they are taken."""
        if self._hunted is not None:
            # while it shrinks: what is simpler must show the same, twice
            return self._twice(steps, self._hunted)
        self._limit(self._until)
        violated = self._perform(steps)
        if not violated:
            return frozenset()
        first = violated[0]
        self._first = (time.monotonic() - self._began, self.result.examples)
        self._until_shrunk = time.monotonic() + _SHRINKING_S
        for _ in range(_RETRIES):
            if first in self._perform(steps):
                return frozenset({first})
        self._known.add(first)
        self.result.unsteady.append(first)
        self._best, self._hunted = steps, first
        raise _Enough

    def _twice(self, steps: Steps, requirement: str) -> frozenset[str]:
        self._limit(self._until_shrunk)
        again = all(requirement in self._perform(steps) for _ in range(2))
        return frozenset({requirement}) if again else frozenset()

    def _limit(self, until: float) -> None:
        if self._stopped or self.result.gone is not None or time.monotonic() >= until:
            raise _Enough

    def _perform(self, steps: Steps) -> list[str]:
        """Carry out the steps on the event loop; return what they violate, in the order in which it was seen."""
        self.result.examples += 1
        self.result.steps += len(steps)
        violated = self._on_loop(self._played(steps))
        self._watcher.exploring(
            examples=self.result.examples,
            steps=self.result.steps,
            left_s=max(0.0, self._until - time.monotonic()),
            shrinking=self._hunted,
        )
        return violated

    def _on_loop(self, work: Coroutine[Any, Any, list[str]]) -> list[str]:
        async def watched() -> list[str]:
            self._doing = asyncio.ensure_future(work)
            return await self._doing

        try:
            return asyncio.run_coroutine_threadsafe(watched(), self._loop).result()
        except BaseException as error:
            if self._stopped or isinstance(error, TargetUnreachable):
                raise _Enough from error
            raise

    def _keep(self) -> None:
        """Write down the steps that were found, and how often they show it again."""
        assert self._hunted is not None
        assert self._best is not None
        requirement, steps = self._hunted, self._best
        tried = reproduced = 0
        while tried < _CONFIRMATIONS and not (self._stopped or self.result.gone):
            tried += 1
            try:
                reproduced += requirement in self._perform(steps)
            except _Enough:
                tried -= 1
        self._known.add(requirement)
        name = f"{requirement}.toml"
        path = self._case.out / name
        at_s, examples = self._first
        message = self._messages[requirement]
        found = ScenarioFile(
            steps=steps,
            title=message,
            violates=(requirement,),
            target=self._case.judge.header.target,
            seed=self._seed,
            reproduced=f"{reproduced} of {tried}",
        )
        path.write_text(write(found))
        self.result.found.append(Found(requirement, message, steps, path, at_s, examples, reproduced, tried))

    # -- on the event loop ------------------------------------------------------------------------------------------

    async def _played(self, steps: Steps) -> list[str]:
        case = self._case
        wire, record = case.wire, case.wire.recorder.record
        clock = wire.recorder.clock
        judge = Judge(case.judge.header, wire.dialect, case.catalogue)
        _acquaint(judge.world, case.judge.world)
        name = "explored"

        def new_user() -> str:
            user = wire.auth.new_user(wire.random)
            record(ops.UserJoined(clock.now(), user, name))
            return user

        performer = Performer(
            wire,
            scenario=name,
            new_user=new_user,
            capabilities=lambda: case.judge.world.capabilities,
            message_bytes=lambda: case.judge.world.message_bytes,
            enough=lambda: bool(self._violations(judge)),
        )
        problem: str | None = None
        with case.tap.to(judge):
            record(ops.ScenarioBegan(clock.now(), name, "explored"))
            try:
                await performer.perform(steps)
            except NotLetIn as error:
                problem = f"cut short: {error}"
            except TargetUnreachable as error:
                problem = self.result.gone = str(error)
                raise
            finally:
                record(ops.ScenarioEnded(clock.now(), name, problem))
        judge.verdict()
        violated = self._violations(judge)
        for requirement in violated:
            self._messages[requirement] = judge.findings[requirement][0].message
        return violated

    def _violations(self, judge: Judge) -> list[str]:
        return [name for name in judge.violations if name in self._wanted and name not in self._known]


def _acquaint(new: World, old: World) -> None:
    """Tell a new world what is known of the target; and how far the history has come."""
    for name in ("line", "announced", "run_limit_s", "message_bytes", "heartbeat_s", "obeys_script", "lagged_at"):
        setattr(new, name, getattr(old, name))


def _size(steps: tuple[AnyStep, ...]) -> tuple[int, int]:
    return len(steps), len(msgspec.json.encode(steps))
