"""What users do under load. Each behaviour is a function of a user, marked with its weight and what it needs."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from conformance.errors import UsageError
from conformance.script import Script, say, tool
from load.person import Person
from load.turn import Turn

_WORDS = "amber basin cedar delta ember fjord grove harbor island juniper kettle lagoon"
_LONG_WORDS = 120
_SLEEP_MS = 300
_PAUSE_S = 0.5
_IDLE_S = 10.0
Act = Callable[[Person], Awaitable[str | None]]


@dataclass(frozen=True)
class Behaviour:
    """Something that a user does, and how often beside others. `needs` are capabilities of the target."""

    name: str
    weight: float
    needs: tuple[str, ...]
    act: Act


BEHAVIOURS: dict[str, Behaviour] = {}


def behaviour(*, weight: float, needs: tuple[str, ...] = ()) -> Callable[[Act], Act]:
    """Make a behaviour of a function, under its name."""

    def make(act: Act) -> Act:
        name = act.__name__
        BEHAVIOURS[name] = Behaviour(name, weight, needs, act)
        return act

    return make


def mixed(weights: dict[str, float], capabilities: frozenset[str]) -> list[tuple[Behaviour, float]]:
    """Return the behaviours that a target can be loaded with, with their weights; raise `UsageError` for no such one.

    Where `weights` are given, they are all that counts.
    """
    for name in weights:
        if name not in BEHAVIOURS:
            raise UsageError(f"[load] mix: {name}: no such behaviour; expected one of {', '.join(BEHAVIOURS)}")
    chosen = [(each, weights.get(each.name, 0.0 if weights else each.weight)) for each in BEHAVIOURS.values()]
    able = [(each, weight) for each, weight in chosen if weight > 0 and capabilities.issuperset(each.needs)]
    if not able:
        raise UsageError("[load] mix: no behaviour is left that this target is capable of")
    return able


async def _through(person: Person, turn: Turn) -> str | None:
    """Wait until a run is over; return why it did not end well."""
    await person.ended(turn)
    return turn.problem


def _chat(token: str) -> Script:
    return [{"think": f"thinking of {token}"}, *say(f"{token} it is")]


@behaviour(weight=5)
async def chat(person: Person) -> str | None:
    """Ask, and read the answer."""
    token = person.token()
    return await _through(person, await person.ask("chat", _chat(token), token, label="chat"))


@behaviour(weight=3)
async def tools(person: Person) -> str | None:
    """Have two tools called, one after the other."""
    token = person.token()
    script: Script = [{"think": "two tools"}, tool("echo", text=token), tool("sleep", ms=50, text=token)]
    return await _through(person, await person.ask("tool", [*script, *say(f"done {token}")], token, label="tools"))


@behaviour(weight=2)
async def parallel_tools(person: Person) -> str | None:
    """Have three tools called at once."""
    token = person.token()
    calls = [tool("sleep", ms=ms, text=token) for ms in (20, 60, 40)]
    script: Script = [{"think": "three at once"}, {"parallel": calls}, *say(f"done {token}")]
    return await _through(person, await person.ask("parallel_tools", script, token, label="parallel_tools"))


@behaviour(weight=1)
async def long_stream(person: Person) -> str | None:
    """Read a long answer."""
    token = person.token()
    script: Script = [{"think": "at length"}, *say(f"{token} {_many()}")]
    return await _through(person, await person.ask("long", script, token, label="long_stream"))


@behaviour(weight=0.5, needs=("resume",))
async def reconnect(person: Person) -> str | None:
    """Be cut off in the middle of a run, come back, and ask for the rest."""
    token = person.token()
    script: Script = [{"think": "slowly"}, tool("sleep", ms=_SLEEP_MS, text=token), *say(f"done {token}")]
    turn = await person.ask("tool", script, token, label="reconnect")
    if not await person.tool_began(turn):
        return turn.problem or "no tool began"
    person.cut()
    await person.leave()
    problem = await person.connect("reconnect", resuming=turn)
    if problem is not None:
        return problem
    await person.resume(turn)
    return await _through(person, turn)


@behaviour(weight=0.5)
async def slow_reader(person: Person) -> str | None:
    """Stop reading in the middle of a long answer, for a while."""
    token = person.token()
    script: Script = [tool("echo", text=token), *say(f"{token} {_many()}")]
    turn = await person.ask("long", script, token, label="slow_reader")
    await person.tool_began(turn)
    person.pause()
    await asyncio.sleep(_PAUSE_S)
    person.go_on()
    problem = await _through(person, turn)
    await person.leave()
    return problem


@behaviour(weight=0.5)
async def idle(person: Person) -> str | None:
    """Stay connected, and say nothing."""
    await asyncio.sleep(_IDLE_S)
    return None if person.connected else "the connection was lost"


@behaviour(weight=0.5)
async def abandon(person: Person) -> str | None:
    """Ask, and leave before the answer is there."""
    token = person.token()
    script: Script = [{"think": "soon"}, tool("sleep", ms=_SLEEP_MS, text=token), *say(f"done {token}")]
    turn = await person.ask("tool", script, token, label="abandon")
    await person.tool_began(turn)
    await person.leave()
    return None


def _many() -> str:
    words = _WORDS.split()
    return " ".join(words[at % len(words)] for at in range(_LONG_WORDS))
