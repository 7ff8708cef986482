"""Who may come in, and as whom."""

import asyncio

from conformance.history.operations import Awaited, Credentials
from conformance.scenarios.scenario import Stage, scenario
from conformance.script import Script, say

_FORGERIES = (Credentials.EXPIRED, Credentials.FORGED, Credentials.UNSIGNED)


async def _refused(stage: Stage, credentials: Credentials, *, as_browser: bool = False) -> None:
    client = stage.client(stage.user())
    if not await client.open(credentials=credentials, as_browser=as_browser):
        return
    if stage.over_http:
        run = await client.start("chat", [{"think": "who is it?"}, *say("somebody")])
        await run.answered()
        return
    await client.wait(
        lambda: client.closed is not None or client.let_in is not None,
        Awaited.REFUSAL,
        share=0.5,
    )


@scenario("no credentials", exercises=("ACC-01",))
async def no_credentials(stage: Stage) -> None:
    """Connect without showing who one is."""
    stage.needs_users()
    await _refused(stage, Credentials.NONE)


@scenario("bad, expired and forged credentials", exercises=("ACC-02", "ACC-05"))
async def bad_credentials(stage: Stage) -> None:
    """Connect with what must not be believed; and, as a browser does, with what must."""
    stage.needs_users()
    await _refused(stage, Credentials.GARBAGE)
    if "jwt" in stage.capabilities():
        for kind in _FORGERIES:
            await _refused(stage, kind)
        if stage.over_http:
            return
        await _refused(stage, Credentials.FORGED, as_browser=True)
        browser = await stage.connect(as_browser=True)
        await stage.chat(browser)


@scenario("credentials that expire", exercises=("ACC-06",), needs=("jwt",), background=True)
async def expiry(stage: Stage) -> None:
    """Stay connected until the token has expired, and as long as the grace lasts; over HTTP, ask again then."""
    client = await stage.connect(credentials=Credentials.SHORT_LIVED, lifetime_s=2.0)
    await stage.chat(client)
    grace = stage.wire.bounds.credentials_grace_s
    if stage.over_http:
        await asyncio.sleep(2.5)
        await stage.chat(client)
        return
    patience_s = 2.5 + (grace if stage.full else min(grace, 3.0))
    await client.wait(lambda: client.closed is not None, Awaited.CLOSE, due_ms=patience_s * 1000, share=0)


@scenario("a payload that names another user", exercises=("ACC-03", "IDN-08"))
async def impersonation(stage: Stage) -> None:
    """Ask for a run in somebody else's name."""
    stage.needs_users()
    victim, impostor = await stage.connect(), await stage.connect()
    token = stage.token()
    script: Script = [{"think": "who am I?"}, *say(f"I am {token}")]
    run = await impostor.start("chat", script, impersonates=victim.user, token=token)
    await run.ended()
    await stage.chat(victim)


@scenario("a browser from elsewhere", exercises=("ACC-07",), needs=("websocket",))
async def foreign_origin(stage: Stage) -> None:
    """Connect with the Origin header of a page that has no business here."""
    client = stage.client(stage.user())
    if await client.open(origin=f"https://origin-{stage.wire.random.getrandbits(32):08x}.example"):
        await client.wait(
            lambda: client.closed is not None or client.let_in is not None,
            Awaited.REFUSAL,
            share=0.5,
        )
