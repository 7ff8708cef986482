"""Threads: what belongs together, and what does not."""

from conformance.scenarios.scenario import Disturbed, Stage, scenario
from conformance.script import Script, say, tool


@scenario("two threads of one user", exercises=("ISO-04", "LIF-12", "IDN-04", "IDN-07", "IDN-09"), needs=("threads",))
async def two_threads(stage: Stage) -> None:
    """Tell each thread something, then ask each what it knows."""
    client = await stage.connect()
    threads = []
    for _ in range(2):
        run = await stage.chat(client)
        if run.thread_id is None:
            raise Disturbed("a run has no thread")
        threads.append(run.thread_id)
    for thread in threads:
        token = stage.token()
        remember: Script = [{"think": "noting"}, tool("remember", key="k", value=token), *say("noted")]
        await (await client.start("tool", remember, thread_id=thread, token=token)).ended()
    for thread in threads:
        recall: Script = [{"think": "remembering"}, tool("recall", key="k"), {"recall": True}]
        await (await client.start("recall", recall, thread_id=thread)).ended()


@scenario("two runs on one thread", exercises=("ISO-05",), needs=("threads",), background=True)
async def one_thread_twice(stage: Stage) -> None:
    """Ask again while a run is under way: the runs must not mix, whether all run, some wait or some are refused.

    Over HTTP nothing keeps two requests in order but that the first is being answered when the second is sent.
    """
    client = await stage.connect()
    first = await stage.chat(client)
    runs = []
    for _ in range(3):
        token = stage.token()
        script: Script = [
            {"think": f"busy with {token}"},
            tool("sleep", ms=200, text=f"slept {token}"),
            *say(f"done with {token} ", stage.words(12)),
        ]
        run = await client.start("tool", script, thread_id=first.thread_id, label="queued", token=token)
        runs.append(run)
        if stage.over_http:
            await run.answered()
    for run in runs:
        await run.ended(due_ms=600)
