"""What happens to processes: they are asked to end, they crash, they stand still; and many connections come and go."""

import asyncio
from itertools import pairwise

from conformance.checks.lif_leaks import ROUNDS, keeps_descriptors, keeps_memory
from conformance.client import Client, Run
from conformance.events import Kind
from conformance.history.operations import Awaited, Footprint
from conformance.scenarios.resuming import Return, come_back, finish, see_end, whole
from conformance.scenarios.scenario import Stage, echo, scenario
from conformance.script import Script, Step, say, tool

_WAIT_MS = 1500
_VISITS = 40


@scenario("many come and go", exercises=("LIF-07",), needs=("managed",), alone=True)
async def many_come_and_go(stage: Stage) -> None:
    """Users connect and leave, some with a word and some without; what the process holds is looked at in between."""
    process = stage.process
    users = [stage.user() for _ in range(min(10, stage.crowd()))]
    each = _VISITS // len(users)
    at_first = process.descriptors()
    seen: list[Footprint] = []

    async def visit(user: str) -> None:
        for number in range(each):
            client = await stage.connect(user)
            if stage.over_http:
                run = await client.start("chat", [{"think": "only looking"}, *say("as you like")], label="visit")
                await run.until(Kind.STARTED)
            await (client.close() if number % 2 else client.cut())

    for _ in range(ROUNDS + 2):
        await asyncio.gather(*(visit(user) for user in users))
        stage.clients.clear()
        await process.settles(seen[0].descriptors if seen else at_first, within_s=0.5)
        seen.append(process.footprint(memory=not stage.over_http))
        pairs = list(pairwise(seen))
        growing = any(
            all(keeps(*pair, each * len(users)) for pair in pairs) for keeps in (keeps_descriptors, keeps_memory)
        )
        if len(seen) > 4 and not growing:
            return
    await process.settles(seen[0].descriptors, within_s=20.0)  # some servers close late what was cut off
    process.footprint(memory=not stage.over_http)


def _stories(token: str, wait_ms: int) -> list[tuple[Script, Kind]]:
    """Return scripts, each of which waits after another event; and that event."""
    waits: Step = {"stall_ms": wait_ms}
    first: Script = [{"think": f"{token} thinks"}, echo(f"one {token}")]
    return [
        ([waits, *first, *say(token)], Kind.STARTED),
        ([*first[:1], waits, *say(token)], Kind.THINKING),
        ([*first[:1], tool("sleep", ms=wait_ms, text=token), *say(token)], Kind.TOOL_STARTED),
        ([*first, waits, *say(token)], Kind.TOOL_COMPLETED),
        ([*first, *say(f"so far, {token}"), waits, *say("and on")], Kind.TEXT),
        ([*first, *say(f"all of {token}")], Kind.COMPLETED),
    ]


async def _under_way(stage: Stage, wait_ms: int = _WAIT_MS) -> list[Run]:
    """Start runs of as many users, each of which waits at another place; and one that was only just accepted."""

    async def one(number: int) -> Run:
        client = await stage.connect()
        token = stage.token()
        script, kind = _stories(token, wait_ms)[number]
        run = await client.start("tool", script, token=token, label="interrupted")
        await run.until(kind)
        return run

    runs = await asyncio.gather(*(one(number) for number in range(len(_stories("", 0)))))
    client = await stage.connect()
    late = await client.start("tool", _stories(stage.token(), wait_ms)[2][0], label="interrupted")
    await late.answered()
    return [*runs, late]


async def _afterwards(stage: Stage, runs: list[Run]) -> None:
    """Ask for what became of the runs, and see whether there can be new ones."""
    stage.wire.patience.afresh()

    async def ask(run: Run) -> None:
        if run.run_id is None:
            return
        if not whole(run):
            await finish(stage, run)
        else:
            await see_end(run, await come_back(stage, run, after_seq=0))

    if "resume" in stage.capabilities():
        await asyncio.gather(*(ask(run) for run in runs))
    await stage.chat(await stage.connect())


@scenario(
    "a crash at every event",
    exercises=("LIF-06", "DLV-05", "IDN-06"),
    needs=("managed", "durable", "resume"),
    alone=True,
)
async def crash(stage: Stage) -> None:
    """Kill the process while runs are at different places, start it again, and ask for them."""
    runs = await _under_way(stage)
    async with stage.process.killed():
        pass
    await _afterwards(stage, runs)
    for number in range(10 if stage.full else 0):
        client = await stage.connect()
        run = await _counted(stage, client, number)
        async with stage.process.killed():
            pass
        await _afterwards(stage, [run])


async def _counted(stage: Stage, client: Client, number: int) -> Run:
    """Start a run and wait until so many of its events have come."""
    token = stage.token()
    naps = [tool("sleep", ms=30, text=f"{nap} {token}") for nap in range(4)]
    run = await client.start("tool", [{"think": token}, *naps, *say(f"done, {token}")], token=token)
    await run.answered()
    await client.wait(lambda: len(run.events) >= number or run.over, Awaited.STARTED, run.asked.ask)
    return run


@scenario("a rolling restart", exercises=("LIF-05", "DLV-05"), needs=("managed",), alone=True)
async def rolling_restart(stage: Stage) -> None:
    """Ask the process to end while runs are under way, start it again, and ask for them."""
    for _ in range(4 if stage.full else 1):
        runs = await _under_way(stage)
        async with stage.process.terminated():
            pass
        await _afterwards(stage, runs)


@scenario("a process that stands still", exercises=("DLV-05",), needs=("managed", "resume", "websocket"), alone=True)
async def frozen(stage: Stage) -> None:
    """Stop the process where it is for a while, in the middle of runs, and let it go on."""
    runs = await _under_way(stage, 600)
    with stage.process.frozen():
        await asyncio.sleep(2.5 if stage.full else 0.3)
    await asyncio.gather(*(finish(stage, run, Return(run.client, run.asked)) for run in runs))
