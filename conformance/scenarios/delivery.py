"""Delivery: connections that break, double, and fall silent."""

import asyncio

from conformance.client import Client, Run
from conformance.events import Kind
from conformance.history.operations import Action, Awaited, Operation, ToolCallBegan
from conformance.scenarios.scenario import Disturbed, Skipped, Stage, echo, scenario
from conformance.script import Script, say, tool


def _story(stage: Stage, token: str) -> Script:
    return [
        {"think": "a long way"},
        echo(f"one {token}"),
        tool("sleep", ms=250, text=f"two {token}"),
        echo(f"three {token}"),
        *say(f"there, {token} ", stage.words(60)),  # more than a small buffer keeps
    ]


async def _resume(stage: Stage, run: Run, after_seq: int) -> Client:
    client = await stage.connect(run.client.user)
    asked = await client.ask(Action.RESUME, run_id=run.run_id, after_seq=after_seq)
    await client.wait(
        lambda: client.saw_end_of(run) or bool(client.refusals), Awaited.TERMINAL, asked.ask, purpose="resume"
    )
    return client


@scenario(
    "reconnect and resume", exercises=("DLV-05", "ORD-04", "LIF-04", "IDN-06"), needs=("resume",), background=True
)
async def reconnect(stage: Stage) -> None:
    """Lose the connection at different moments of a run, come back, and ask for what was missed."""
    for last in (Kind.STARTED, Kind.TOOL_STARTED, Kind.TOOL_COMPLETED, Kind.TEXT):
        client = await stage.connect()
        token = stage.token()
        run = await client.start("tool", _story(stage, token), token=token)
        if not await run.until(last) or run.run_id is None:
            continue
        seen = max((event.seq or 0 for event in run.events), default=0)
        await client.cut()
        if not run.over:
            await _resume(stage, run, seen)
        await _resume(stage, run, 0)


@scenario("gone for good", exercises=("LIF-04", "DLV-05"), needs=("resume",), background=True)
async def abandoned(stage: Stage) -> None:
    """Leave while a tool runs, come back when it must be over, and ask for the whole story."""
    clients = [await stage.connect() for _ in range(3)]
    runs = [await stage.sleeper(client, 400) for client in clients]
    for client in clients:
        await client.cut()
    await asyncio.sleep(0.6)
    for run in runs:
        if run.run_id is None:
            raise Disturbed("a run has no id")
        await _resume(stage, run, 0)


@scenario("left in the middle", exercises=("LIF-04", "ISO-10"), needs=("http",))
async def left(stage: Stage) -> None:
    """Leave while a tool runs and while the model is silent; come back to the same thread, and another user comes."""
    stall: Script = [{"think": "a moment"}, {"stall_ms": 400}, *say("too late")]
    for leave_at in (Kind.TOOL_STARTED, Kind.THINKING):
        client = await stage.connect()
        if leave_at is Kind.TOOL_STARTED:
            run = await stage.sleeper(client, 400)
        else:
            run = await client.start("chat", stall, label="left")
            await run.until(Kind.THINKING)
        thread = run.thread_id
        await client.cut()
        again = await stage.connect(client.user)
        await stage.chat(again, label="queued", thread_id=thread)
        await stage.chat(await stage.connect())


@scenario("left in a long tool", exercises=("LIF-04",), needs=("http", "witness"), background=True)
async def left_in_a_tool(stage: Stage) -> None:
    """Leave while a tool runs that takes longer than a run may take to stop, and wait for what comes of it."""
    bounds = stage.wire.bounds
    takes_ms = bounds.scaled_ms(bounds.stop_ms) + 2000
    client = await stage.connect()
    token = stage.token()
    script: Script = [{"think": "a long way"}, tool("sleep", ms=round(takes_ms), text=token), echo(token), *say(token)]
    working = asyncio.Event()

    def look(operation: Operation) -> None:
        """Not every protocol tells when a tool begins: the witness does."""
        if isinstance(operation, ToolCallBegan) and token in str(operation.arguments):
            working.set()

    with stage.wire.recorder.heard_by(look):
        await client.start("tool", script, label="left", token=token)
        try:
            async with asyncio.timeout(stage.wire.patience_ms / 1000):
                await working.wait()
        except TimeoutError:
            raise Disturbed("the tool was not called") from None
    await client.cut()
    await asyncio.sleep((takes_ms + bounds.scaled_ms(bounds.delivery_p95_ms)) / 1000)


@scenario(
    "two connections of one user",
    exercises=("DLV-10", "ORD-05", "DLV-04"),
    needs=("multi_connection",),
    background=True,
)
async def second_connection(stage: Stage) -> None:
    """A user with two windows open sees the same in both."""
    one = await stage.connect()
    two = await stage.connect(one.user)
    for asking, watching in ((one, two), (two, one)):
        token = stage.token()
        run = await asking.start("tool", _story(stage, token), token=token)
        if await run.ended():
            await run.ended(on=watching)


@scenario("an idle connection", exercises=("DLV-07", "SCH-01"), needs=("heartbeat",), background=True)
async def idle(stage: Stage) -> None:
    """Say nothing, and see whether the target shows life; then run something."""
    client = await stage.connect()
    beat = _heartbeat(stage)
    before = client.pings
    patience = stage.wire.bounds.scaled_ms(beat * 1000 * 1.5 + 1000)
    await client.wait(lambda: client.pings > before + 1, Awaited.HEARTBEAT, due_ms=2 * patience, share=0)
    if client.closed is None:
        await stage.chat(client)


@scenario("a peer that is dead", exercises=("DLV-07",), needs=("heartbeat",), background=True)
async def dead_peer(stage: Stage) -> None:
    """Answer no ping, and see whether the target notices."""
    client = await stage.connect(answers_pings=False)
    beat = _heartbeat(stage)
    patience = stage.wire.bounds.scaled_ms(beat * 1000 * 3.5 + 1000)
    await client.wait(lambda: client.closed is not None, Awaited.CLOSE, due_ms=patience, share=0)


def _heartbeat(stage: Stage) -> float:
    beat = stage.announced().heartbeat_s
    if beat is None:
        raise Skipped("the heartbeat is not known: set [bounds] heartbeat_s")
    if beat > (30 if stage.full else 3):
        raise Skipped(f"a heartbeat of {beat:g} s is too long for the {stage.profile} profile")
    return beat
