"""Input that nobody should send, and input sent twice."""

from conformance.history.operations import Action, Asked
from conformance.scenarios.scenario import Skipped, Stage, echo, scenario
from conformance.script import Script, say

_TOO_LARGE = Asked(0, 0, 0, "", Action.START, request_id="too-large", thread_id="thread-too-large")


@scenario("malformed frames", exercises=("LIF-08", "SCH-06"))
async def malformed(stage: Stage) -> None:
    """Send what is not even well formed; somebody else is connected meanwhile."""
    bystander = await stage.connect()
    client = await stage.connect()
    for what, text in stage.wire.dialect.malformed.items():
        if client.closed is not None:
            client = await stage.connect(client.user)
        asked = await client.ask(Action.GARBAGE, text=text, behaviour=what)
        await client.answer(asked, share=0.5)
    if client.closed is None:
        await stage.chat(client)
    await stage.chat(bystander)


@scenario("unknown message types", exercises=("LIF-09",), needs=("websocket",))
async def unknown_type(stage: Stage) -> None:
    """Send a message of a type that does not exist."""
    if not stage.wire.dialect.answers_unknown:
        raise Skipped(f"{stage.wire.dialect.name} drops messages of unknown types")
    client = await stage.connect()
    for name in ("make_coffee", "agent_completed"):
        text = f'{{"type": "{name}", "payload": {{}}}}'
        asked = await client.ask(Action.UNKNOWN_TYPE, text=text, behaviour=name)
        await client.answer(asked, share=0.5)
        if client.closed is not None:
            return
    await stage.chat(client)


@scenario("a message that is too large", exercises=("LIF-10",))
async def oversize(stage: Stage) -> None:
    """Send more than the target takes; then see whether it is still there, for this user and for another."""
    bystander = await stage.connect()
    client = await stage.connect()
    limit = stage.announced().message_bytes
    size = limit + 1024 if limit is not None else 17 * 2**20
    frame = stage.wire.dialect.request(_TOO_LARGE, "x" * size)
    asked = await client.ask(Action.OVERSIZE, text=frame, behaviour=f"{len(frame):,} bytes")
    await client.answer(asked)
    await stage.chat(bystander)
    await stage.chat(await stage.connect(client.user))


@scenario("the same request twice", exercises=("LIF-01", "EVT-14"), needs=("idempotency",))
async def duplicate(stage: Stage) -> None:
    """Repeat a request while its run is under way, after it, and from another connection."""
    client = await stage.connect()
    token = stage.token()
    script: Script = [{"think": "once"}, echo(token), *say(f"once only, {token}")]
    first = await client.start("tool", script, token=token)
    request_id = first.asked.request_id
    again = await client.start("tool", script, request_id=request_id, token=token, label="repeat")
    await again.answered()
    await first.ended()
    late = await client.start("tool", script, request_id=request_id, token=token, label="repeat")
    await late.answered()
    if stage.wire.auth.scheme != "none":
        other = await stage.connect(client.user)
        elsewhere = await other.start("tool", script, request_id=request_id, token=token, label="repeat")
        await elsewhere.answered()
    await stage.chat(client)


@scenario("payload fields that look like the envelope's", exercises=("SCH-05",))
async def planted_fields(stage: Stage) -> None:
    """Put values into a request that must never turn up as an event's type, run, agent or event id."""
    client = await stage.connect()
    token = stage.token()
    mark = f"planted-{stage.wire.random.getrandbits(64):016x}"
    planted = {name: f"{mark}-{name}" for name in ("type", "run_id", "event_id", "agent_name")}
    script: Script = [{"think": "careful"}, echo(token), *say(f"unchanged {token}")]
    run = await client.start("tool", script, planted=planted, token=token)
    await run.ended()
