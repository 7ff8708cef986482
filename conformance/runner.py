"""The runner: starts the target, plays the scenarios, records the history and has it judged while it grows."""

import asyncio
import secrets
import shlex
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from conformance import __version__
from conformance.auth import Auth, Command, Jwt, NoAuth, TokenFile, secret_from
from conformance.bounds import Bounds
from conformance.catalogue import Catalogue
from conformance.catalogue import load as load_catalogue
from conformance.client import Wire
from conformance.dialects import named
from conformance.dialects.dialect import Dialect
from conformance.errors import TargetUnreachable, UsageError
from conformance.history import operations as ops
from conformance.history.operations import FORMAT, Header, Operation
from conformance.history.recorder import Clock, Listener, Recorder
from conformance.history.store import HistoryWriter
from conformance.judge import Judge
from conformance.lateness import Lateness
from conformance.launch import Launched, accepts_connections, free_port
from conformance.nemesis.faults import Faults
from conformance.nemesis.process import Process
from conformance.scenarios import all_scenarios
from conformance.scenarios.replay import replay
from conformance.scenarios.scenario import Disturbed, Facts, Profile, Scenario, Skipped, Stage
from conformance.target import AuthTable, Target, TargetTable, WitnessTable
from conformance.verdict import Verdict

if TYPE_CHECKING:  # it needs Hypothesis, which takes a while to import
    from conformance.explore.explorer import Exploration, Tap

_CROWD = {Profile.QUICK: 12, Profile.FULL: 40}
_GRACE_MS = 10_000.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_REFERENCE_SECRET = "REFERENCE_JWT_SECRET"
_REFERENCE_RUN_LIMIT_S = 7
_REFERENCE_URLS = {"five-events": "ws://127.0.0.1:{port}/ws", "ag-ui": "http://127.0.0.1:{port}/agui"}
_SCHEMES = {"websocket": ("ws", "wss"), "http": ("http", "https")}


@dataclass(frozen=True)
class Options:
    """How to verify. `out` is an existing folder; `repeat` the command that does the same again.

    With `files` their steps are taken instead of the scenarios. `explore_s` is how long to explore after that,
    beginning with those steps.
    """

    out: Path
    profile: Profile = Profile.QUICK
    users: int | None = None
    seed: int = 0
    only: tuple[str, ...] = ()
    repeat: str | None = None
    files: tuple[Path, ...] = ()
    explore_s: float = 0.0


class Progress(Protocol):
    """Who is told how it goes."""

    def scenario(self, scenario: Scenario, number: int, total: int) -> None:
        """A scenario begins."""
        ...

    def tick(self, *, events: int, connections: int, findings: int, at_s: float) -> None:
        """Some time has passed."""
        ...

    def exploring(self, *, examples: int, steps: int, left_s: float, shrinking: str | None) -> None:
        """An example was explored; `shrinking` names the requirement whose violation is made smaller, if one is."""
        ...

    def explored(self, exploration: "Exploration") -> None:
        """The exploration is over."""
        ...


class Silent:
    """Progress that nobody watches."""

    def scenario(self, scenario: Scenario, number: int, total: int) -> None:
        """Do nothing."""

    def tick(self, *, events: int, connections: int, findings: int, at_s: float) -> None:
        """Do nothing."""

    def exploring(self, *, examples: int, steps: int, left_s: float, shrinking: str | None) -> None:
        """Do nothing."""

    def explored(self, exploration: "Exploration") -> None:
        """Do nothing."""


def reference(
    *, fault: str | None = None, odd: str | None = None, dialect: str = "five-events", witness: bool = False
) -> Target:
    """Return the reference engine as a target, or one of its faulty variants, or one of its odd ones.

    It speaks five-events and ag-ui, and whatever mapping describes one of them. With `witness` it uses the witness'
    model and tools.
    """
    words = [sys.executable, "-m", "reference_impl", "--port", "{port}", "--secret-env", _REFERENCE_SECRET]
    words += ["--heartbeat-s", "1", "--run-limit-s", str(_REFERENCE_RUN_LIMIT_S), "--journal", "{data}/journal.sqlite"]
    words += ["--model", "openai", "--tools", "http"] if witness else []
    words += ["--fault", fault] if fault else []
    words += ["--odd", odd] if odd else []
    variant = f" with fault {fault}" if fault else f" with oddity {odd}" if odd else ""
    return Target(
        target=TargetTable(
            name=f"reference engine{variant}",
            url=_reference_url(dialect),
            command=shlex.join(words),
            health="http://127.0.0.1:{port}/ready",
            dialect=dialect,
        ),
        auth=AuthTable(scheme="jwt-hs256", secret_env=_REFERENCE_SECRET),
        bounds=Bounds(run_limit_s=_REFERENCE_RUN_LIMIT_S, message_bytes=65_536),
        witness=WitnessTable(model=witness, tools=witness),
    )


def _reference_url(dialect: str) -> str:
    if dialect.endswith(".toml"):
        return _REFERENCE_URLS["ag-ui" if named(dialect).transport == "http" else "five-events"]
    if dialect not in _REFERENCE_URLS:
        raise UsageError(f"--dialect {dialect}: the reference engine speaks {' and '.join(_REFERENCE_URLS)}")
    return _REFERENCE_URLS[dialect]


def spoken(target: Target) -> Dialect:
    """Return the dialect of a target; raise `UsageError` where it is not spoken over what the URL names."""
    dialect = named(target.target.dialect)
    url, schemes = target.target.url or "", _SCHEMES[dialect.transport]
    if urlsplit(url).scheme not in schemes:
        over = "HTTP" if dialect.transport == "http" else "a WebSocket"
        raise UsageError(
            f"the dialect {dialect.name} is spoken over {over}: expected {schemes[0]}://… as URL, got {url!r}"
        )
    return dialect


def chosen(only: Sequence[str], catalogue: Catalogue) -> list[Scenario]:
    """Return the scenarios that the selected requirements need; all where nothing is selected."""
    scenarios = list(all_scenarios())
    if not only:
        return scenarios
    wanted = {name for requirement in catalogue.select(only) for name in (requirement.id, requirement.family)}
    needed = [s for s in scenarios if s.first or wanted.intersection(s.exercises)]
    covered = {name for s in needed for name in s.exercises}
    ids = {requirement.id for requirement in catalogue.select(only)}
    families = {name[:3] for name in ids if name not in covered and name[:3] not in covered}
    return [s for s in scenarios if s in needed or any(name[:3] in families for name in s.exercises)]


def authentication(target: Target, environment: dict[str, str]) -> Auth:
    """Return how the target's users authenticate. A launched target gets the secret in `environment`."""
    table = target.auth
    directory = Path(target.directory)
    match table.scheme:
        case "none":
            return NoAuth()
        case "tokens":
            return TokenFile(directory / (table.tokens or ""))
        case "command":
            return Command(table.command or "", directory)
        case "jwt-hs256":
            variable = table.secret_env or ""
            if variable == _REFERENCE_SECRET:
                environment[variable] = secrets.token_urlsafe(48)
                return Jwt(environment[variable])
            secret = secret_from(variable)
            environment[variable] = secret
            return Jwt(secret)


@asynccontextmanager
async def running(
    target: Target, out: Path, variables: Mapping[str, str]
) -> AsyncIterator[tuple[str, Auth, Launched | None]]:
    """Start the target if that is the kit's task, and stop it afterwards; give its URL, authentication, process.

    `variables` are for the environment of a target that is started. `{data}` in its command is a folder that is empty
    at first, stays where it is when the target is started again, and is removed afterwards.
    """
    environment = dict(variables)
    auth = authentication(target, environment)
    table = target.target
    url = table.url or ""
    launched: Launched | None = None
    async with AsyncExitStack() as stack:
        if table.command or table.app:
            port = str(free_port())
            url = url.replace("{port}", port)
            data = stack.enter_context(TemporaryDirectory(prefix="agent-conformance-"))
            command = (table.command or "").replace("{port}", port).replace("{data}", data)
            words = shlex.split(command) if table.command else _serve_app(table.app, port)
            directory = Path(target.directory)
            if table.command and words[0] in ("python", "python3"):
                words[0] = sys.executable
            health = table.health.replace("{port}", port) if table.health else None
            output = out / "target.log"
            launched = await stack.enter_async_context(
                Launched(words, url=url, health=health, output=output, directory=directory, environment=environment)
            )
        elif "{port}" in url:
            raise UsageError("[target] url: {port} needs a command or an app that the kit starts on that port")
        elif not await accepts_connections(url):
            raise TargetUnreachable(f"nothing listens at {url}: is the target running, and is the URL right?")
        yield url, auth, launched


def _serve_app(app: str | None, port: str) -> list[str]:
    assert app is not None
    return [sys.executable, "-m", "uvicorn", app, "--host", "127.0.0.1", "--port", port, "--log-level", "warning"]


class _Testimony:
    """What the witness records: kept until there is a history, passed on to it, and dropped when that is closed."""

    def __init__(self) -> None:
        self._kept: list[Operation] = []
        self._pass_on: Callable[[Operation], object] = self._kept.append
        self._redact: Callable[[str], str] = str

    def record(self, operation: Operation) -> None:
        self._pass_on(operation)

    def redact(self, text: str) -> str:
        return self._redact(text)

    def begin(self, recorder: Recorder) -> None:
        self._pass_on, self._redact = recorder.record, recorder.redact_text
        for operation in self._kept:
            recorder.record(operation)

    def end(self) -> None:
        self._pass_on = str


@asynccontextmanager
async def _witnessed(target: Target, clock: Clock, testimony: _Testimony) -> AsyncIterator[dict[str, str]]:
    """Serve what the target is to use of the witness; give the variables that tell it where."""
    table = target.witness
    if not table.model and not table.tools:
        yield {}
        return
    from conformance.witness.serve import witness

    async with witness(
        testimony.record, clock, model=table.model, tools=table.tools, port=table.port, redact=testimony.redact
    ) as site:
        yield site.environment


async def verify(target: Target, options: Options, progress: Progress | None = None) -> Verdict:
    """Drive a target and judge it. The history is written to `options.out`; raises `ConformanceError`."""
    watcher = progress or Silent()
    catalogue = load_catalogue()
    scenarios = list(map(replay, options.files)) if options.files else chosen(options.only, catalogue)
    dialect = spoken(target)
    async with AsyncExitStack() as stack:
        clock = Clock()
        testimony = _Testimony()
        variables = await stack.enter_async_context(_witnessed(target, clock, testimony))
        url, auth, launched = await stack.enter_async_context(running(target, options.out, variables))
        host = urlsplit(url).hostname or ""
        bounds = target.bounds
        header = Header(
            format=FORMAT,
            kit=__version__,
            catalogue=catalogue.REVISION,
            began_us=clock.began_us,
            target=target.name,
            dialect=dialect.name,
            mapping=dialect.source,
            seed=options.seed,
            profile=options.profile.value,
            capabilities=target.target.capabilities,
            granted=tuple(sorted(auth.granted | _granted(launched=launched is not None, witnessed=bool(variables)))),
            bounds=bounds,
            same_clock=bounds.same_clock if bounds.same_clock is not None else host in _LOOPBACK,
            repeat=options.repeat,
            only=options.only,
        )
        judge = Judge(header, dialect, catalogue)
        writer = stack.enter_context(HistoryWriter(options.out / "history.jsonl", header))
        tap = _tap() if options.explore_s else None
        lateness = Lateness(clock)
        listeners: list[Listener] = [lateness.look, writer, judge.feed, *([tap.feed] if tap is not None else [])]
        recorder = lateness.recorder = Recorder(clock, listeners)
        testimony.begin(recorder)
        stack.callback(testimony.end)  # what comes while the target is stopped belongs to no scenario
        wire = Wire(url, dialect, auth, recorder, bounds, Random(options.seed), lateness.late_us, dict(target.say))
        faults = Faults(recorder)
        process = None
        if launched is not None:
            process = Process(launched, faults, grace_s=bounds.scaled_ms(_GRACE_MS) / 1000)
            wire.breaking = process.breaking
        play = _Play(wire, judge, options, scenarios, watcher, writer, faults, process, tap)
        await play.all(lateness)
        warnings = play.warnings
        if play.gone is not None:
            if not judge.findings:
                raise TargetUnreachable(play.gone)
            warnings = [*warnings, play.gone]
        return judge.verdict(only=options.only, warnings=warnings)


def _tap() -> "Tap":
    from conformance.explore.explorer import Tap

    return Tap()


def _granted(*, launched: bool, witnessed: bool) -> set[str]:
    return {name for name, given in (("managed", launched), ("witness", witnessed)) if given}


class _Play:
    """Plays scenarios: those of the background at once, the others one after the other, and at the end those alone."""

    def __init__(
        self,
        wire: Wire,
        judge: Judge,
        options: Options,
        scenarios: list[Scenario],
        progress: Progress,
        writer: HistoryWriter,
        faults: Faults,
        process: Process | None,
        tap: "Tap | None" = None,
    ) -> None:
        self.faults = faults
        self.process = process
        self.tap = tap
        self.wire = wire
        self.judge = judge
        self.options = options
        self.scenarios = scenarios
        self.progress = progress
        self.writer = writer
        self.warnings: list[str] = []
        self.gone: str | None = None
        self._begun = 0

    async def all(self, lateness: Lateness) -> None:
        first, rest = self.scenarios[:1], self.scenarios[1:]
        watchers = [asyncio.create_task(lateness.watch()), asyncio.create_task(self._ticks())]
        try:
            for scenario in first:
                await self._one(scenario)
            async with asyncio.TaskGroup() as group:
                for scenario in rest:
                    if scenario.background:
                        group.create_task(self._one(scenario))
                for scenario in rest:
                    if not scenario.background and not scenario.alone and self.gone is None:
                        await self._one(scenario)
            for scenario in rest:
                if scenario.alone and self.gone is None:
                    await self._one(scenario)
            if self.tap is not None and self.gone is None:
                await self._explore(self.tap)
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)

    async def _ticks(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            world = self.judge.world
            self.progress.tick(
                events=world.events,
                connections=sum(connection.open for connection in world.connections.values()),
                findings=sum(self.judge.violations.values()),
                at_s=self.wire.recorder.clock.now() / 1e6,
            )
            self.writer.flush()

    async def _explore(self, tap: "Tap") -> None:
        """Explore; who interrupts it gets a verdict on what was seen."""
        from conformance.explore.explorer import Case, Explorer
        from conformance.explore.scenario_file import read

        if self.wire.auth.users is not None:
            self.warnings.append("exploration: not possible, each example needs fresh users and these are all known")
            return
        options = self.options
        examples = tuple(read(path).steps for path in options.files)
        case = Case(self.wire, self.judge, tap, self.judge.catalogue, options.out, options.only, examples)
        explorer = Explorer(case, duration_s=options.explore_s, seed_=options.seed, watcher=self.progress)
        try:
            await explorer.run()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
            self.warnings.append("exploration: interrupted")
        found = explorer.result
        if found.gone is not None:
            self.gone = f"the target went away during the exploration: {found.gone}"
        for each in found.found:
            if each.tried and not each.reproduced:
                self.warnings.append(f"exploration: {each.requirement} was not violated when the steps were repeated")
        self.progress.explored(found)

    def _facts(self) -> Facts:
        world = self.judge.world
        return Facts(world.run_limit_s, world.message_bytes, world.heartbeat_s)

    async def _one(self, scenario: Scenario) -> None:
        self._begun += 1
        lacking = set(scenario.needs) - self.judge.world.capabilities
        if lacking:
            if not lacking & _SCHEMES.keys():  # what is for another transport is no lack
                names = ", ".join(sorted(lacking))
                self.warnings.append(f"scenario {scenario.name}: not played, the target lacks {names}")
            return
        self.progress.scenario(scenario, self._begun, len(self.scenarios))
        options = self.options
        stage = Stage(
            self.wire,
            scenario.name,
            options.profile,
            options.users or _CROWD[options.profile],
            lambda: self.judge.world.capabilities,
            self._facts,
            lambda: frozenset(self.judge.violations),
            self.faults,
            self.process,
        )
        record, clock = self.wire.recorder.record, self.wire.recorder.clock
        record(ops.ScenarioBegan(clock.now(), scenario.name, scenario.title))
        problem: str | None = None
        try:
            await scenario.drive(stage)
        except Skipped as skipped:
            problem = f"not played: {skipped}"
        except Disturbed as disturbed:
            problem = f"cut short: {disturbed}"
        except TargetUnreachable as error:
            problem = str(error)
            self.gone = f"the target went away during scenario {scenario.name}: {error}"
        finally:
            await stage.leave()
            record(ops.ScenarioEnded(clock.now(), scenario.name, problem))
        if problem:
            self.warnings.append(f"scenario {scenario.name}: {problem}")
