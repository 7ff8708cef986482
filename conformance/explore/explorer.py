"""The explorer: has Hypothesis draw examples, carries each out on the target, has it judged, and keeps what fails.

Hypothesis is synchronous and runs in a thread; steps are carried out on the kit's event loop, so that clients, clock
and recorder are those of any scenario. Each example has fresh users and a judge of its own, which sees nothing but that
example. What an example did is remembered: the same steps are not taken twice, and Hypothesis, which takes a test for a
function of its input, is told the same again.
"""

import asyncio
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Protocol

import msgspec

from conformance.catalogue import Catalogue, Level
from conformance.client import Wire
from conformance.errors import TargetUnreachable
from conformance.explore.machine import Range, draw
from conformance.explore.performer import NotLetIn, Performer
from conformance.explore.reducer import reduced, steadied
from conformance.explore.scenario_file import ScenarioFile, write
from conformance.explore.steps import Steps
from conformance.history import operations as ops
from conformance.history.operations import Operation
from conformance.judge import Judge
from conformance.world import World

_REDUCING_S = 180.0
_CONFIRMATIONS = 5
_ROUNDS = 2
_LOOKS_BACK = 6
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
    """An example violated a requirement, `after_s` and so many `examples` into the exploration.

    Each requirement has a subclass of its own, by which Hypothesis tells one from another.
    """

    def __init__(self, requirement: str, steps: Steps, after_s: float, examples: int) -> None:
        super().__init__(requirement)
        self.requirement = requirement
        self.steps = steps
        self.after_s = after_s
        self.examples = examples


@dataclass(frozen=True)
class Case:
    """The target under exploration: how to reach it, its whole history's judge, and the tap into that history.

    `examples` come first, then those that are drawn.
    """

    wire: Wire
    judge: Judge
    tap: Tap
    catalogue: Catalogue
    out: Path
    only: tuple[str, ...] = ()
    examples: tuple[Steps, ...] = ()


class Explorer:
    """Explores one target for `duration_s`, beginning from `seed_`. Call `run` once, on the event loop."""

    def __init__(self, case: Case, *, duration_s: float, seed_: int, watcher: Watcher) -> None:
        self.result = Exploration()
        self._case = case
        self._duration_s = duration_s
        self._seed = seed_
        self._wire = replace(case.wire)
        self._watcher = watcher
        wanted = case.catalogue.select(case.only) if case.only else list(case.catalogue)
        self._wanted = {r.id for r in wanted if r.level is Level.MUST} - _OF_THE_WHOLE
        self._known: set[str] = set()
        self._outcomes: dict[bytes, str | None] = {}
        self._before: Steps = ()
        self._messages: dict[str, str] = {}
        self._kinds: dict[str, type[_Violated]] = {}
        self._began = self._until = 0.0
        self._hunted: str | None = None
        self._stopped = False
        self._doing: asyncio.Task[list[str]] | None = None

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
        numbers = Random(self._seed)
        examples = list(self._case.examples)
        while not self._over():
            self._hunted = None
            try:
                if examples:
                    self._example(examples.pop(0))
                else:
                    self._round(numbers.getrandbits(32))
            except _Violated as violated:
                self._reduce(violated)
                self._outcomes.clear()
            except _Enough:
                return

    def _over(self) -> bool:
        timed_out = time.monotonic() >= self._until
        return timed_out or self._stopped or self.result.gone is not None or self._wanted <= self._known

    def _round(self, number: int) -> None:
        case = self._case
        world = case.judge.world
        within = Range(
            dialect=case.wire.dialect,
            capabilities=world.capabilities,
            tells_users=case.wire.auth.scheme != "none",
            knows_limit=world.message_bytes is not None and world.message_bytes <= 1_000_000,
        )
        draw(within, self._example, number=number, database=case.out / "examples")

    def _example(self, steps: Steps) -> None:
        """Carry out an example, or recall what came of it. Raises `_Violated`."""
        key = msgspec.json.encode(steps)
        if key not in self._outcomes:
            if self._over():
                raise _Enough
            self._outcomes[key] = next(iter(self._perform(steps)), None)
        requirement = self._outcomes[key]
        if requirement is not None:
            kind = self._kinds.setdefault(requirement, type(f"Violated{requirement}", (_Violated,), {}))
            raise kind(requirement, steps, time.monotonic() - self._began, self.result.examples)

    def _reduce(self, violated: _Violated) -> None:
        """Find the fewest steps that show it, and write them down."""
        self._hunted = requirement = violated.requirement
        until = time.monotonic() + _REDUCING_S

        def once(steps: Steps) -> bool:
            if time.monotonic() >= until:
                raise _Enough
            return requirement in self._perform(steps)

        def always(steps: Steps) -> bool:
            return once(steps) and once(steps)

        def mostly(steps: Steps) -> bool:
            first, second = once(steps), once(steps)
            return (first and second) or ((first or second) and once(steps))

        best = trail = [violated.steps]
        with suppress(_Enough):
            for _ in range(_ROUNDS):
                # what chance refused is tried again, beginning with less that is left to chance
                steady = next((steps for steps in (steadied(best[-1]), best[-1]) if always(steps)), None)
                trail = [*best, *([steady] if steady is not None else [])]
                for steps in reduced(trail[-1], mostly if steady is None else always):
                    trail.append(steps)
                    if len(steps) <= len(best[-1]):
                        best = trail
        self._keep(violated, *self._steadiest(best, requirement))
        self._known.add(requirement)

    def _steadiest(self, trail: list[Steps], requirement: str) -> tuple[Steps, int, int]:
        """Return the simplest steps that nearly always show it, and how often of how many times they did."""
        best: tuple[Steps, int, int] | None = None
        for steps in trail[: -1 - _LOOKS_BACK : -1]:
            shown = tried = 0
            with suppress(_Enough):
                while tried < _CONFIRMATIONS:
                    shown += requirement in self._perform(steps)
                    tried += 1
            if best is None or shown > best[1]:
                best = (steps, shown, tried)
            if shown >= _CONFIRMATIONS - 1 or self._stopped or self.result.gone:
                break
        assert best is not None
        return best

    def _perform(self, steps: Steps) -> list[str]:
        """Carry out the steps on the event loop; return what they violate, in the order in which it was seen."""
        if self._stopped or self.result.gone is not None:
            raise _Enough
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
            doing = self._doing = asyncio.ensure_future(work)
            return await doing

        try:
            return asyncio.run_coroutine_threadsafe(watched(), self._loop).result()
        except BaseException as error:
            if self._stopped or isinstance(error, TargetUnreachable):
                raise _Enough from error
            raise

    def _keep(self, violated: _Violated, steps: Steps, reproduced: int, tried: int) -> None:
        requirement, message = violated.requirement, self._messages[violated.requirement]
        path = self._case.out / f"{requirement}.toml"
        file = self._file(steps, message, violates=(requirement,), reproduced=f"{reproduced} of {tried}")
        path.write_text(write(file))
        found = Found(requirement, message, steps, path, violated.after_s, violated.examples, reproduced, tried)
        self.result.found.append(found)

    def _file(self, steps: Steps, title: str, **rest: Any) -> ScenarioFile:
        return ScenarioFile(steps=steps, title=title, target=self._case.judge.header.target, seed=self._seed, **rest)

    # -- on the event loop ------------------------------------------------------------------------------------------

    async def _played(self, steps: Steps) -> list[str]:
        case = self._case
        # what was waited for in vain is waited for no less when it is to be seen again
        wire = self._wire if self._hunted is None else replace(case.wire)
        record = wire.recorder.record
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
                path = case.out / "target-gone.toml"
                taken = steps if performer.was_there else (*self._before, *steps)
                path.write_text(write(self._file(taken, f"the target went away: {error}")))
                problem = self.result.gone = f"{error}; the steps taken: {path}"
                raise
            finally:
                self._before = steps
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
