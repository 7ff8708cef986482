"""One user's runs: how they go, fail, stop and follow each other."""

from conformance.events import Kind
from conformance.history.operations import Action
from conformance.scenarios.scenario import Skipped, Stage, echo, scenario
from conformance.script import Script, Step, say, tool


@scenario("one user, one agent, two tools", exercises=("EVT", "SCH", "IDN", "ORD", "DLV-02", "DLV-03"), first=True)
async def golden_path(stage: Stage) -> None:
    """A run as it should be; and one without any script."""
    client = await stage.connect()
    token = stage.token()
    script: Script = [
        {"think": f"{token} needs an echo"},
        echo(f"first {token}"),
        tool("sleep", ms=300, text=f"second {token}"),
        *say(f"The answer for {token} is ", stage.words(30)),
    ]
    run = await client.start("tool", script, token=token)
    await run.ended()
    plain = await client.start("chat", text=f"hello from {stage.token()}")
    await plain.ended()


@scenario("a tool that fails", exercises=("EVT-05", "EVT-08", "EVT-10", "EVT-11"))
async def tool_failure(stage: Stage) -> None:
    """A failing tool, one that works after it, and an unknown one."""
    client = await stage.connect()
    token = stage.token()
    script: Script = [
        {"think": "this will fail"},
        tool("fail", message=f"broken {token}"),
        echo(f"still here {token}"),
        *say(f"one of two worked, {token}"),
    ]
    run = await client.start("tool_failure", script, token=token)
    await run.ended()
    unknown: Script = [{"think": "no such tool"}, tool("no_such_tool", text="x"), *say("well")]
    run = await client.start("tool_failure", unknown)
    await run.ended()


@scenario("tools at the same time", exercises=("EVT-05", "EVT-06", "EVT-13", "IDN-09", "DLV-03"), background=True)
async def parallel_tools(stage: Stage) -> None:
    """Parallel calls that end in another order than they began, one of which fails."""
    client = await stage.connect()
    texts = [f"{name} {stage.token()}" for name in ("slow", "medium", "quick", "same")]
    calls = [
        tool("sleep", ms=450, text=texts[0]),
        tool("sleep", ms=250, text=texts[1]),
        echo(texts[2]),
        echo(texts[3]),
        tool("fail", message="on purpose"),
    ]
    script: Script = [{"think": "all at once"}, {"parallel": calls}, *say("all done")]
    run = await client.start("parallel_tools", script)
    await run.ended()


@scenario("a model that fails", exercises=("EVT-10", "EVT-02", "SCH-06"))
async def model_failure(stage: Stage) -> None:
    """The model fails at once, after a tool, and while it speaks."""
    client = await stage.connect()
    at_once: Step = {"fail": "the model is overloaded"}
    speaking = {**at_once, "when": "mid_stream"} if "witness" in stage.capabilities() else at_once
    parts: list[Script] = [[at_once], [echo("before the end"), at_once], [*say("half a sentence and then "), speaking]]
    for part in parts:
        script: Script = [{"think": "not long now"}, *part]
        run = await client.start("model_failure", script)
        await run.ended()
        if client.closed is not None:
            client = await stage.connect(client.user)


@scenario("a run over its time limit", exercises=("LIF-03", "EVT-05"), background=True)
async def time_limit(stage: Stage) -> None:
    """A tool that never returns, until the target's own limit ends the run."""
    client = await stage.connect()
    limit = stage.announced().run_limit_s
    if limit is None:
        raise Skipped("the run limit is not known: set [bounds] run_limit_s")
    if limit > (90 if stage.full else 8):
        raise Skipped(f"the run limit of {limit:g} s is too long for the {stage.profile} profile")
    run = await stage.hanging(client, label="timeout")
    bounds = stage.wire.bounds
    await run.ended(due_ms=limit * 1000 + bounds.scaled_ms(bounds.stop_ms))


@scenario("stop, please", exercises=("LIF-02", "EVT-05", "EVT-07"), needs=("stop",))
async def stop(stage: Stage) -> None:
    """Stop a run in a tool that hangs, in parallel tools, and in a silent model."""
    client = await stage.connect()
    scripts: list[Script] = [
        [{"think": "a"}, tool("hang"), *say("never")],
        [{"think": "b"}, {"parallel": [tool("hang"), tool("sleep", ms=60_000, text="x"), echo("y")]}, *say("never")],
        [{"think": "c"}, {"stall_ms": 60_000}, *say("never")],
    ]
    for script in scripts:
        run = await client.start("hang", script)
        await run.until(Kind.TOOL_STARTED if "stall_ms" not in script[1] else Kind.THINKING)
        if run.run_id is None or run.over:
            continue
        await client.ask(Action.STOP, run_id=run.run_id, thread_id=run.thread_id)
        limit = stage.announced().run_limit_s
        if not await run.stopped() and limit is not None and limit <= (90 if stage.full else 8):
            await run.ended(due_ms=limit * 1000)  # it goes on, up to there
        if not run.has(Kind.STOPPED):
            return


@scenario("many runs, one after the other", exercises=("LIF-11", "IDN-04", "IDN-05", "IDN-06", "DLV-09"))
async def many_runs(stage: Stage) -> None:
    """Run after run on one connection."""
    client = await stage.connect()
    for _ in range(100 if stage.full else 30):
        run = await stage.chat(client, label="again", words=8)
        if not run.completed or client.closed is not None:
            return
