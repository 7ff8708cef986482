"""What networks do: they delay, stall and cut; people come back, or do not. The kit's proxy stands between."""

import asyncio

from conformance.client import Client, Run
from conformance.events import Kind
from conformance.history.operations import Awaited, FaultKind
from conformance.nemesis.line import CUTS, Line
from conformance.scenarios.resuming import Return, ask_again, come_back, finish, had, see_end, whole
from conformance.scenarios.scenario import Stage, echo, scenario
from conformance.script import Script, say, tool

_NEEDS = ("resume", "websocket", "seq")
_BOUNDARIES = 12
_TRICKLE = 16_000  # bytes/s: slow enough for frames to come one by one
_TEAR_S = 2.0
_AT_ONCE = 16


def _story(stage: Stage, token: str, *, nap_ms: int = 120) -> Script:
    return [
        {"think": f"{token} on a bad line"},
        echo(f"one {token}"),
        tool("sleep", ms=nap_ms, text=f"two {token}"),
        {"parallel": [echo(f"three {token}"), echo(f"four {token}")]},
        *say(f"there, {token} ", stage.words(8)),
    ]


async def _cut(line: Line, client: Client, kind: FaultKind) -> None:
    """Break every connection on a line; return when the client has lost its own."""
    match kind:
        case FaultKind.TEAR:
            await line.tear(within_s=_TEAR_S)
        case FaultKind.HALF_OPEN:
            with line.half_open():
                await client.cut()
        case _:
            line.cut(reset=kind is FaultKind.RESET)
    await client.lost()


@scenario("a cut at every event", exercises=("DLV-08", "DLV-05", "ORD-04", "LIF-04"), needs=_NEEDS, background=True)
async def cut_everywhere(stage: Stage) -> None:
    """Runs whose events trickle in one by one; each is cut after another one, and resumed from what the client had."""

    async def one(number: int, kind: FaultKind) -> None:
        user = stage.user()
        line = await stage.line(user)
        client = await stage.connect(user, through=line)
        token = stage.token()
        run = await client.start("tool", _story(stage, token), token=token, label="cut")
        await run.answered()
        with line.narrow(_TRICKLE):
            await client.wait(lambda: len(run.events) >= number or run.over, Awaited.STARTED, run.asked.ask)
        if not run.over:
            await _cut(line, client, kind)
            await finish(stage, run, through=line)

    for turn in range(len(CUTS) if stage.full else 1):
        await asyncio.gather(*(one(n, CUTS[(n + turn) % len(CUTS)]) for n in range(_BOUNDARIES)))


@scenario("a reconnect storm", exercises=("DLV-05", "DLV-08", "ORD-04", "ISO-10"), needs=_NEEDS, background=True)
async def reconnect_storm(stage: Stage) -> None:
    """Many users lose their connections again and again during one run, and come back at once each time."""

    async def stormy(user: str, cuts: int) -> None:
        line = await stage.line(user)
        client = await stage.connect(user, through=line)
        token = stage.token()
        naps = [tool("sleep", ms=40, text=f"{number} {token}") for number in range(2 * cuts)]
        run = await client.start("tool", [{"think": token}, *naps, *say(f"at last, {token}")], token=token)
        await run.until(Kind.TOOL_STARTED)
        told = Return(client, run.asked)
        for number in range(cuts):
            if run.over or run.run_id is None:
                break
            await _cut(line, told.client, CUTS[number % 2])
            told = await come_back(stage, run, through=line)
            await _more(told, run)
        await finish(stage, run, told, through=line)

    users = [stage.user() for _ in range(min(24 if stage.full else 6, stage.crowd()))]
    await asyncio.gather(*(stormy(user, 12 if stage.full else 4) for user in users))


async def _more(told: Return, run: Run) -> None:
    """Wait until some more of a run has come."""
    before = had(run)
    await told.client.wait(
        lambda: had(run) > before + 1 or whole(run) or bool(told.client.refusals), Awaited.STARTED, told.asked.ask
    )


@scenario("a bad line", exercises=("DLV-08",), needs=_NEEDS, background=True)
async def bad_line(stage: Stage) -> None:
    """Runs over lines that are slow, narrow, or stand still for a while; nothing is cut."""
    stall_s = 2.5 if stage.full else 0.6

    async def over(number: int) -> None:
        user = stage.user()
        line = await stage.line(user)
        client = await stage.connect(user, through=line)
        token = stage.token()
        run = await client.start("tool", _story(stage, token, nap_ms=200), token=token)
        await run.until(Kind.STARTED)
        if number == 0:
            with line.slow(40, jitter_ms=80):
                await run.ended(due_ms=5_000)
        elif number == 1:
            with line.narrow(4_000):
                await run.ended(due_ms=5_000)
        else:
            with line.stalled():
                await asyncio.sleep(stall_s)
        await finish(stage, run, Return(client, run.asked), through=line)

    await asyncio.gather(*(over(number) for number in range(3)))


@scenario("a stalled line and a lot to tell", exercises=("DLV-08", "ISO-09"), needs=_NEEDS, background=True)
async def stalled_reader(stage: Stage) -> None:
    """Nothing gets through to one user while a lot is told; then it does, and what the target closed is resumed."""
    user = stage.user()
    line = await stage.line(user)
    client = await stage.connect(user, through=line, receive_buffer=4096)
    payload = stage.words(1200)
    heavy: Script = [{"think": "a lot"}, *(echo(payload) for _ in range(6)), *say("that was a lot")]
    runs = [await client.start("long", heavy, label="stalled") for _ in range(60 if stage.full else 6)]
    for run in runs:
        await run.answered()
    with line.stalled():
        await asyncio.sleep(2.0 if stage.full else 0.5)
    for run in runs:
        await finish(stage, run, Return(client, run.asked), through=line)


@scenario("abandoned runs", exercises=("LIF-04", "ISO-12", "DLV-05"), needs=("resume", "websocket"), background=True)
async def abandoned_runs(stage: Stage) -> None:
    """Two hundred runs are left in the middle. When they are over, those users, and another, get new ones."""
    bystander = await stage.connect()
    await stage.chat(bystander, label="calm")
    rounds = [13, 1, 1, 1] if stage.full else [6, 1, 1]
    left = await asyncio.gather(*(_abandon(stage, number) for number in rounds))
    await stage.chat(bystander, label="bystander:abandoned")

    async def again(runs: list[Run]) -> None:
        client = await stage.connect(runs[0].client.user)
        for run in runs:
            client.adopt(run)
            if run.run_id is None:
                continue
            told = await ask_again(client, run, after_seq=0 if whole(run) else None)
            if not await see_end(run, told):
                break
        await stage.chat(await stage.connect(client.user), label="after:abandoned")

    await asyncio.gather(*(again(runs) for runs in left))


async def _abandon(stage: Stage, rounds: int) -> list[Run]:
    """Let one user start many runs at once and leave, again and again."""
    user = stage.user()
    line = await stage.line(user)
    runs: list[Run] = []
    for _ in range(rounds):
        client = await stage.connect(user, through=line)
        script: Script = [{"think": "too long"}, tool("sleep", ms=400, text="late"), *say("nobody listens")]
        mine = [await client.start("tool", script, label="abandoned") for _ in range(_AT_ONCE)]
        await asyncio.gather(*(run.until(Kind.STARTED) for run in mine))
        await _cut(line, client, FaultKind.RESET)
        runs += mine
        await asyncio.sleep(0.5)  # by then they are over: nobody is there to be told
    return runs
