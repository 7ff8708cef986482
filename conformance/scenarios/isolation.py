"""Many users at once, and users who try what they must not."""

import asyncio
import uuid

from conformance.client import Client
from conformance.events import Kind
from conformance.history.operations import Action, Awaited
from conformance.scenarios.scenario import Disturbed, Skipped, Stage, echo, scenario
from conformance.script import Script, say, tool


@scenario("a crowd of users at once", exercises=("ISO-01", "ISO-02", "ISO-03", "DLV-01", "DLV-02", "DLV-09", "IDN-04"))
async def crowd(stage: Stage) -> None:
    """Everybody runs something else at the same time."""
    clients = await asyncio.gather(*(stage.connect() for _ in range(stage.crowd())))

    async def busy(client: Client, number: int) -> None:
        for turn in range(4 if stage.full else 3):
            token = stage.token()
            calls = [echo(f"{token} {stage.words(3)}") for _ in range(8)]
            nap = tool("sleep", ms=(number * 7 + turn * 13) % 60, text=token)
            script: Script = [
                {"think": f"{token} in a crowd"},
                *calls[:5],
                {"parallel": [*calls[5:], nap]},
                *say(f"{token} ", stage.words(20 + number % 7)),
            ]
            run = await client.start("tool", script, token=token)
            if not await run.ended():
                return

    await asyncio.gather(*(busy(client, number) for number, client in enumerate(clients)))


@scenario("what does a stranger's agent know?", exercises=("ISO-01", "ISO-06", "LIF-12"))
async def recall_probe(stage: Stage) -> None:
    """One user tells a secret; a fresh user's agent is asked for everything it can see."""
    teller = await stage.connect()
    run = await stage.chat(teller, words=3)
    token = stage.token()
    remember: Script = [{"think": "noting"}, tool("remember", key="secret", value=token), *say("noted")]
    await (await teller.start("tool", remember, thread_id=run.thread_id, token=token)).ended()
    stranger = await stage.connect()
    recall: Script = [{"think": "what do I know?"}, tool("recall", key="secret"), {"recall": True}]
    await (await stranger.start("recall", recall)).ended()


@scenario("another user's thread", exercises=("ISO-07", "ISO-03"), needs=("threads",))
async def foreign_thread(stage: Stage) -> None:
    """Continue, start in, and resume a thread that belongs to somebody else."""
    stage.needs_users()
    owner, stranger = await stage.connect(), await stage.connect()
    run = await stage.chat(owner)
    thread = run.thread_id
    if thread is None:
        raise Disturbed("a run has no thread")
    recall: Script = [{"think": "whose thread is this?"}, {"recall": True}]
    nosy = await stranger.start("recall", recall, thread_id=thread, owner=owner.user)
    if await nosy.answered() and nosy.refusal is None:
        await nosy.ended()
    if "resume" in stage.capabilities():
        asked = await stranger.ask(Action.RESUME, thread_id=thread, after_seq=0, owner=owner.user)
        await stranger.answer(asked, share=0.2)
    await stage.chat(owner, thread_id=thread)


@scenario(
    "another user's run", exercises=("ACC-04", "ISO-03", "ISO-11", "SCH-07"), needs=("run_access",), background=True
)
async def foreign_run(stage: Stage) -> None:
    """Stop, resume and read a run that belongs to somebody else, and one that does not exist."""
    stage.needs_users()
    owner = await stage.connect()
    run = await stage.sleeper(owner, 1500)
    if run.run_id is None:
        raise Disturbed("a run has no id")
    stranger_user = stage.user()
    capabilities = stage.capabilities()
    actions = [action for action in (Action.STOP, Action.RESUME) if action.value in capabilities]
    for owned_by, run_id in (("", str(uuid.UUID(int=stage.wire.random.getrandbits(128)))), (owner.user, run.run_id)):
        stranger = await stage.connect(stranger_user)
        for action in actions:
            thread_id = run.thread_id if action is Action.STOP else None
            asked = await stranger.ask(action, run_id=run_id, thread_id=thread_id, owner=owned_by)
            await stranger.answer(asked, share=0.2)
        await stage.client(stranger.user).read(run_id, owner=owned_by, accept="application/json")
    await run.ended()
    await stage.client(owner.user).read(run.run_id)


@scenario("a neighbour in trouble", exercises=("ISO-08",))
async def bad_neighbour(stage: Stage) -> None:
    """While one user's runs fail, hang and crash, another's go on as before."""
    bystander, neighbour = await stage.connect(), await stage.connect()
    for _ in range(3):
        await stage.chat(bystander, label="calm")
    hanging = [await stage.hanging(neighbour) for _ in range(2)]
    for failing in (
        [{"think": "x"}, {"fail": "down"}],
        [{"think": "y"}, tool("fail", message="broken"), {"fail": "and down"}],
        [{"nonsense": True}],
    ):
        trouble = await neighbour.start("model_failure", failing, label="trouble")
        run = await stage.chat(bystander, label="bystander:failing")
        if not run.completed:
            break
        await trouble.ended()
    for run in hanging:
        if run.run_id is not None and "stop" in stage.capabilities():
            await neighbour.ask(Action.STOP, run_id=run.run_id, thread_id=run.thread_id)


@scenario("somebody takes all there is", exercises=("ISO-12",))
async def greedy_neighbour(stage: Stage) -> None:
    """One user opens runs and leaves them open until refused; another, who has none, asks for one."""
    stage.needs_users()
    bystander, greedy = await stage.connect(), await stage.connect()
    await stage.chat(bystander, label="calm")
    script: Script = [{"think": "mine"}, tool("hang"), *say("never")]
    runs = []
    for _ in range(200 if stage.full else 80):
        run = await greedy.start("hang", script, label="greedy")
        if not await run.answered() or run.refusal is not None:
            break
        runs.append(run)
    await stage.chat(bystander, label="bystander:greedy")
    late = await stage.connect()
    await stage.chat(late, label="bystander:greedy")
    if "stop" in stage.capabilities():
        for run in runs:
            if run.run_id is not None:
                await greedy.ask(Action.STOP, run_id=run.run_id, thread_id=run.thread_id)


@scenario("a reader that stops reading", exercises=("DLV-06", "ISO-09"), needs=("websocket",), long=True)
async def slow_reader(stage: Stage) -> None:
    """One user's client stops reading while a lot is sent to it; another user's runs go on as before.

    Where each run has a response of its own, none is held back by what waits in another: many runs would only be load.
    """
    bystander = await stage.connect()
    for _ in range(3):
        await stage.chat(bystander, label="calm")
    slow = await stage.connect(receive_buffer=4096)
    slow.pause()
    payload = stage.words(1200)
    heavy: Script = [{"think": "a lot"}, *(echo(payload) for _ in range(6)), *say("that was a lot")]
    # about 12 MB in all: more than the buffers of any socket hold
    runs = [await slow.start("long", heavy, label="slow") for _ in range(120)]
    for _ in range(5):
        run = await stage.chat(bystander, label="bystander:slow_reader")
        if not run.completed:
            break
        await asyncio.sleep(0.12)  # nothing shows when no more goes into the sockets of who does not read
    slow.resume_reading()
    for run in runs:
        if slow.closed is not None or not await run.ended():
            return


@scenario("connections used again", exercises=("ISO-10",), long=True)
async def reuse(stage: Stage) -> None:
    """Users come, talk and go; others come after them, and the first ones again."""
    first, second, third = stage.user(), stage.user(), stage.user()
    for user in (first, second, first, third, second):
        client = await stage.connect(user)
        await stage.chat(client)
        unfinished = await stage.sleeper(client, 150)
        if unfinished.over:
            raise Skipped("the target has no tool that takes time")
        await client.close()
    last = await stage.connect()
    await stage.chat(last)
    await stage.sleeper(last, 300)
    await last.wait(lambda: last.runs[-1].has(Kind.TOOL_COMPLETED), Awaited.TERMINAL, last.runs[-1].asked.ask)
    await last.runs[-1].ended()
