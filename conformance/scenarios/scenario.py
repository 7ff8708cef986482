"""What a scenario is, and the stage that it is played on."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from conformance import canary
from conformance.client import Client, Run, Wire
from conformance.events import Kind
from conformance.history import operations as ops
from conformance.nemesis.faults import Faults
from conformance.nemesis.line import PLAIN, Line
from conformance.nemesis.process import Process
from conformance.script import Script, Step, say, tool

_WORDS = (
    "amber",
    "basin",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "harbor",
    "island",
    "juniper",
    "kettle",
    "lagoon",
)


class Profile(StrEnum):
    """How much is done: enough for every commit, or for a release."""

    QUICK = "quick"
    FULL = "full"


class Skipped(Exception):
    """The scenario cannot be played on this target; the message says what is missing."""


class Disturbed(Exception):
    """The scenario cannot go on: something that should have come did not. The history says what."""


@dataclass
class Stage:
    """What one scenario has: fresh users, connections that are closed at its end, and the numbers of the profile.

    `violated` gives the requirements that are violated so far, `managed` is the target's process, where the kit started
    it.
    """

    wire: Wire
    scenario: str
    profile: Profile
    users: int
    capabilities: Callable[[], frozenset[str]]
    announced: Callable[[], "Facts"]
    violated: Callable[[], frozenset[str]]
    faults: Faults
    managed: Process | None = None
    clients: list[Client] = field(default_factory=list)
    cast: set[str] = field(default_factory=set)
    lines: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def full(self) -> bool:
        """Whether this is the full profile."""
        return self.profile is Profile.FULL

    @property
    def over_http(self) -> bool:
        """Whether each question is an HTTP exchange of its own."""
        return self.wire.dialect.transport == "http"

    def user(self) -> str:
        """Return a user who is new to this scenario; raises `Skipped` where there are no more."""
        user = self.wire.auth.new_user(self.wire.random)
        if user in self.cast:
            raise Skipped(f"it needs more users than the {self.wire.auth.users} that the target file gives")
        self.cast.add(user)
        self.wire.recorder.record(ops.UserJoined(self.wire.recorder.clock.now(), user, self.scenario))
        return user

    def crowd(self) -> int:
        """Return how many users make a crowd here."""
        return min(self.users, self.wire.auth.users or self.users)

    def needs_users(self) -> None:
        """Raise `Skipped` where the target cannot tell users apart."""
        if self.wire.auth.scheme == "none":
            raise Skipped('the target does not authenticate its users ([auth] scheme = "none")')

    @property
    def process(self) -> Process:
        """The target's process; raises `Skipped` where it is not there for the kit to disturb."""
        if self.managed is None:
            raise Skipped("the kit did not start the target: say how in the target file ([target] command)")
        if self.managed.gone is not None:
            raise Skipped(f"the target's process is gone: {self.managed.gone}")
        return self.managed

    async def line(self, user: str) -> Line:
        """Return a way to the target for a user, through a proxy of the kit's; it is closed at the scenario's end."""
        if urlsplit(self.wire.url).scheme not in PLAIN:
            raise Skipped(f"the kit's proxy cannot look into {urlsplit(self.wire.url).scheme}: use plain ws or http")
        return await self.lines.enter_async_context(
            Line(self.wire.url, self.faults, user=user, random=self.wire.random)
        )

    def client(self, user: str | None, *, through: Line | None = None) -> Client:
        """Return a connection for a user, not yet open; `through` a proxy of the kit's, if so."""
        wire = self.wire if through is None else self.wire.through(through.url, through.breaking)
        client = Client(wire, user, scenario=self.scenario)
        self.clients.append(client)
        return client

    async def connect(self, user: str | None = None, *, through: Line | None = None, **options: Any) -> Client:
        """Open a connection for a user, or for a fresh one; raises `Disturbed` where the target does not let it in."""
        client = self.client(user or self.user(), through=through)
        if not await client.open(**options) or not await client.greeted():
            raise Disturbed(f"the target did not let {client.user} in")
        return client

    async def leave(self) -> None:
        """Close every connection of this scenario."""
        await asyncio.gather(*(client.close() for client in self.clients))
        await self.lines.aclose()

    def words(self, number: int) -> str:
        """Return so many words of innocent text."""
        return " ".join(self.wire.random.choice(_WORDS) for _ in range(number))

    def token(self) -> str:
        """Return a fresh canary."""
        return canary.new(self.wire.random)

    async def chat(self, client: Client, *, label: str = "chat", thread_id: str | None = None, words: int = 6) -> Run:
        """Have a short conversation turn, to its end."""
        token = self.token()
        script: Script = [{"think": f"thinking of {token}"}, *say(f"{token} {self.words(words)}")]
        run = await client.start("chat", script, label=label, thread_id=thread_id, token=token)
        await run.ended()
        return run

    async def sleeper(self, client: Client, milliseconds: int, *, label: str = "tool", **options: Any) -> Run:
        """Start a run whose tool takes that long, and wait until the tool runs."""
        token = self.token()
        script: Script = [{"think": "waiting"}, tool("sleep", ms=milliseconds, text=token), *say(f"slept {token}")]
        run = await client.start("tool", script, label=label, token=token, **options)
        await run.until(Kind.TOOL_STARTED)
        return run

    async def hanging(self, client: Client, *, label: str = "hang", **options: Any) -> Run:
        """Start a run whose tool never returns, and wait until the tool runs."""
        script: Script = [{"think": "about to hang"}, tool("hang"), *say("never said")]
        run = await client.start("hang", script, label=label, **options)
        await run.until(Kind.TOOL_STARTED)
        return run


@dataclass(frozen=True)
class Facts:
    """What is known of the target's limits, by its file or its own announcement; None where it is not."""

    run_limit_s: float | None
    message_bytes: int | None
    heartbeat_s: float | None


Drive = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True)
class Scenario:
    """Something to do to a target.

    `exercises` names the requirements (or families) that need this scenario; `needs` the capabilities it needs. A
    scenario of the `background` mostly waits, and is played beside the others. One that is `long` takes more than a
    moment even where all is well: it is played after those that do not, so that what they find is found at once. One
    that is played `alone` waits for all others.
    """

    name: str
    title: str
    exercises: tuple[str, ...]
    needs: tuple[str, ...]
    drive: Drive
    background: bool = False
    first: bool = False
    long: bool = False
    alone: bool = False


def scenario(
    title: str,
    *,
    exercises: tuple[str, ...],
    needs: tuple[str, ...] = (),
    background: bool = False,
    first: bool = False,
    long: bool = False,
    alone: bool = False,
) -> Callable[[Drive], Scenario]:
    """Make a scenario of the function that drives it; its name is the function's."""

    def make(drive: Drive) -> Scenario:
        name = drive.__name__.replace("_", "-")
        return Scenario(name, title, exercises, needs, drive, background, first, long, alone)

    return make


def echo(text: str) -> Step:
    """Return a step that calls the tool `echo`."""
    return tool("echo", text=text)
