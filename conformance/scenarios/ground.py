"""What shows best where model and tools are witnessed."""

import asyncio

from conformance.client import Client
from conformance.events import Kind
from conformance.history.operations import Action
from conformance.scenarios.scenario import Stage, echo, scenario
from conformance.script import Script, say, tool


@scenario(
    "much talk and many tools",
    exercises=("EVT-12", "EVT-16", "ISO-06", "ISO-01", "ORD-03", "DLV-03"),
    background=True,
)
async def busy_talk(stage: Stage) -> None:
    """Two users ask for the same tools again and again, and for long answers; some need no tool."""

    async def busy(client: Client) -> None:
        for _ in range(2):
            token = stage.token()
            script: Script = [
                {"think": f"{token} at work"},
                *say(f"Let me see, {token}. "),
                *(echo(f"{number} {token}") for number in range(2)),
                {"parallel": [tool("sleep", ms=300, text=f"slow {token}"), *(echo(f"same {token}") for _ in range(2))]},
                *say(f"For {token}: ", stage.words(30)),
            ]
            run = await client.start("tool", script, token=token)
            if not await run.ended():
                return
            await stage.chat(client, words=30)

    first, second = await stage.connect(), await stage.connect()
    await asyncio.gather(busy(first), busy(second))


@scenario("tools that take long beside quick ones", exercises=("DLV-03", "EVT-12"), needs=("witness",))
async def uneven_tools(stage: Stage) -> None:
    """Twice two users ask at once for parallel tools of which one takes long."""
    clients = [await stage.connect() for _ in range(2)]
    for _ in range(2):
        runs = []
        for client in clients:
            token = stage.token()
            calls = [tool("sleep", ms=500, text=f"slow {token}"), echo(f"one {token}"), echo(f"two {token}")]
            script: Script = [{"think": "one is slow"}, {"parallel": calls}, *say(f"done {token}")]
            runs.append(await client.start("parallel_tools", script, token=token))
        for run in runs:
            await run.ended()


@scenario("what goes on after a stop?", exercises=("LIF-02", "LIF-04"), needs=("stop",), background=True)
async def after_stop(stage: Stage) -> None:
    """Stop runs at work, then stay and see whether anything of theirs goes on."""
    client = await stage.connect()
    token = stage.token()
    scripts: list[Script] = [
        [{"think": "a"}, tool("sleep", ms=1500, text=f"one {token}"), echo(f"two {token}"), *say(f"done {token}")],
        [{"think": "b"}, tool("hang"), *say("never")],
        [{"think": "c"}, {"stall_ms": 60_000}, *say("never")],
    ]
    for script in scripts:
        run = await client.start("hang", script, token=token if token in str(script) else None)
        await run.until(Kind.THINKING if "stall_ms" in script[1] else Kind.TOOL_STARTED)
        if run.run_id is not None and not run.over:
            await client.ask(Action.STOP, run_id=run.run_id)
            await run.stopped()
    if "witness" in stage.capabilities():  # there is nothing to await: that nothing comes is what should happen
        bounds = stage.wire.bounds
        await asyncio.sleep(bounds.scaled_ms(bounds.stop_ms + bounds.delivery_p95_ms) / 1000 + 0.5)
