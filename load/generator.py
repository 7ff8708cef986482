"""The generator: owns users and connections in one event loop, and the history that they make. No Locust in here."""

import asyncio
import gc
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random, SystemRandom
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from conformance import __version__
from conformance.auth import Auth, Jwt, secret_from
from conformance.catalogue import load as load_catalogue
from conformance.client import Wire
from conformance.history.operations import FORMAT, Header
from conformance.history.recorder import Clock, Recorder
from conformance.lateness import Lateness
from conformance.runner import authentication, spoken
from conformance.target import Target
from load.behaviours import Behaviour, mixed
from load.fast import Fast
from load.health import Health
from load.memory import Memory
from load.person import Person
from load.plain import Plain
from load.result import Report, located
from load.samples import Samples
from load.settings import Settings
from load.stream import Stream
from load.turn import Ended

_LOOK_S = 0.02
_FEW, _ENOUGH, _TOO_MUCH = 512, 1024, 2048
_TOO_LONG_S = 0.1
_LONG_US = 500_000
_SLICE_S, _BUSY_SLICE_S = 0.001, 0.005
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_SELDOM = 100_000
_REMEMBERED = 32 * 2**20


class Generator:
    """Makes users and has them act. `worker` numbers the generators of one load, so that their users differ."""

    def __init__(self, settings: Settings, *, worker: int = 0) -> None:
        self.settings = settings
        self.worker = worker
        target = settings.target
        self.dialect = spoken(_at(target, settings.url))
        catalogue = load_catalogue()
        clock = Clock()
        auth = authenticated(target)
        host = urlsplit(settings.url).hostname or ""
        bounds = target.bounds
        self.header = Header(
            format=FORMAT,
            kit=__version__,
            catalogue=catalogue.REVISION,
            began_us=clock.began_us,
            target=target.name,
            dialect=self.dialect.name,
            mapping=self.dialect.source,
            seed=settings.seed,
            command="load",
            capabilities=target.target.capabilities,
            granted=tuple(sorted(auth.granted)),
            bounds=bounds,
            same_clock=bounds.same_clock if bounds.same_clock is not None else host in _LOOPBACK,
            repeat=settings.repeat,
        )
        memory = Memory(_REMEMBERED)
        self.stream = Stream(self.header, self.dialect, catalogue, memory=memory, seen=self._judged)
        self.samples = Samples(self.header, memory, Path(settings.out) / "samples", f"{worker}" if worker else "")
        self.health = Health()
        self._lateness = Lateness(clock)
        self.recorder = self._lateness.recorder = Recorder(clock, [self._lateness.look, self.stream.record])
        self.stream.redact = self.recorder.redact
        self.wire = Wire(
            settings.url,
            self.dialect,
            auth,
            self.recorder,
            bounds,
            Random(SystemRandom().getrandbits(128)),  # its own ids, also where a target remembers earlier loads
            self._lateness.late_us,
            dict(target.say),
        )
        self.people: set[Person] = set()
        self.on_ended: Callable[[Ended], None] = lambda ended: None
        self._busy: set[Person] = set()
        self._retired: set[Person] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._quiet = asyncio.Event()
        self.outcomes: Counter[tuple[str, str | None]] = Counter()
        self.warnings: list[str] = []
        self._crashes: list[str] = []
        self._mix: list[tuple[Behaviour, float]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._random = Random(f"{settings.seed}/{worker}/mix")

    def _judged(self) -> None:
        self.samples.look(self.stream.judge.findings)

    # -- the whole load ---------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Begin to watch and to judge."""
        gc.freeze()
        gc.set_threshold(_SELDOM, 20, 100)
        self._tasks = [
            asyncio.create_task(self._lateness.watch()),
            asyncio.create_task(self.health.watch()),
            asyncio.create_task(self._judge()),
        ]

    async def _judge(self) -> None:
        """Judge what has come: at once where it is much, else after a while."""
        clock = asyncio.get_running_loop().time
        judged = clock()
        while True:
            await asyncio.sleep(_LOOK_S)
            if self.stream.waiting >= _ENOUGH or clock() - judged >= _TOO_LONG_S:
                try:
                    await self._judge_in_slices()
                except Exception:
                    self._crashed()
                judged = clock()

    async def _judge_in_slices(self) -> None:
        """Judge what has come, and let others do their work in between; not where so much comes that it is too much."""
        clock, stream = asyncio.get_running_loop().time, self.stream
        stream.release(before=self.recorder.clock.now() - _LONG_US)
        at_once = _SLICE_S if stream.waiting < _FEW else _BUSY_SLICE_S
        until = clock() + at_once
        for _ in stream.steps():
            if clock() >= until and stream.waiting < _TOO_MUCH:
                await asyncio.sleep(0)
                until = clock() + at_once

    def _crashed(self) -> None:
        self._crashes.append(f"judging crashed: {traceback.format_exc(limit=-3)}")

    async def end(self) -> None:
        """Wait for what is under way, close every connection, and judge what is left."""
        while self._busy:
            self._quiet.clear()
            await self._quiet.wait()
        await asyncio.gather(*self._leaving, *(person.leave() for person in self.people))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            self.stream.finish()
        except Exception:
            self._crashed()

    # -- users ------------------------------------------------------------------------------------------------------

    def person(self) -> Person:
        """Return a user who is new."""
        patience = self.settings.grace_s
        fast = self.stream.speech is not None and self.dialect.transport == "websocket"
        person: Person = Fast(self.wire, patience, self.stream) if fast else Plain(self.wire, patience)
        self.people.add(person)
        return person

    def retire(self, person: Person) -> None:
        """Have a user leave for good, once what it does is done."""
        self._retired.add(person)
        if person not in self._busy:
            self._leave(person)

    def _leave(self, person: Person) -> None:
        task = asyncio.create_task(person.leave())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        self.people.discard(person)
        self._retired.discard(person)

    def choose(self) -> Behaviour:
        """Return a behaviour at random, by weight."""
        able = self._mix or self._able()
        return self._random.choices([each for each, _ in able], [weight for _, weight in able])[0]

    def _able(self) -> list[tuple[Behaviour, float]]:
        able = mixed(self.settings.target.load.mix, self.stream.judge.world.capabilities)
        if self.stream.judge.world.announced is not None:
            self._mix = able
        return able

    def act(self, person: Person, behaviour: Behaviour | None = None) -> Coroutine[Any, Any, Ended]:
        """Have a user do one thing, as is to be awaited: `behaviour`, or what the mix says."""
        self._busy.add(person)
        return self._act(person, behaviour or self.choose())

    async def _act(self, person: Person, chosen: Behaviour) -> Ended:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            problem = await person.connect(chosen.name) or await chosen.act(person)
        finally:
            self._busy.discard(person)
            if person in self._retired:
                self._leave(person)
            if not self._busy:
                self._quiet.set()
        ended = Ended(chosen.name, (clock() - began) * 1000, problem)
        self.outcomes[chosen.name, problem] += 1
        self.on_ended(ended)
        return ended

    def report(self) -> Report:
        """Return what this generator has seen, once the load has ended."""
        judge, measure, health = self.stream.judge, self.stream.measure, self.health
        verdict = judge.verdict(warnings=self.warnings)
        crashes = tuple(dict.fromkeys(self._crashes))
        verdict = replace(verdict, harness_errors=(*verdict.harness_errors, *crashes))
        self.samples.look(judge.findings)
        shares = {name: counts for check in judge.checks for name, counts in check.shares.items()}
        return Report(
            worker=self.worker,
            began_us=self.header.began_us,
            verdict=located(verdict, self.samples.where),
            shares=shares,
            sketches=[(*key, dict(sketch.counts)) for key, sketch in measure.settled().items()],
            seconds={
                at: (each.asked, each.ended, each.events, dict(each.delivery.counts))
                for at, each in measure.seconds.items()
            },
            outcomes=[(name, problem, count) for (name, problem), count in self.outcomes.items()],
            lateness=dict(health.lateness.counts),
            arrivals=dict(health.arrivals.counts),
            cpu_percent=health.cpu_percent,
            peak_mb=health.peak_mb,
            clock_error_us=measure.offset.error_us(judge.world.now),
            clock_offset_us=measure.offset.us,
        )

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return sum(person.connected for person in self.people)


def authenticated(target: Target) -> Auth:
    """Return how the users of a target that is running already authenticate."""
    if target.auth.scheme == "jwt-hs256":
        return Jwt(secret_from(target.auth.secret_env or ""))
    return authentication(target, {})


def _at(target: Target, url: str) -> Target:
    return replace(target, target=replace(target.target, url=url))
