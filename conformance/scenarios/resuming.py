"""Coming back for a run: what a client had of it, and asking for the rest."""

from dataclasses import dataclass

from conformance.client import Client, Run
from conformance.history.operations import Action, Asked, Awaited
from conformance.nemesis.line import Line
from conformance.scenarios.scenario import Disturbed, Stage
from conformance.script import takes_ms

_ATTEMPTS = 5
_REST_MS = 1000.0


def had(run: Run) -> int:
    """Return the seq up to which the clients together had every event of a run."""
    seqs = {event.seq for event in run.events}
    last = 0
    while last + 1 in seqs:
        last += 1
    return last


def whole(run: Run) -> bool:
    """Tell whether the clients together had every event of a run, to its end; or it was refused."""
    return run.refusal is not None or any(event.terminal and event.seq in (None, had(run)) for event in run.events)


@dataclass(frozen=True)
class Return:
    """A connection on which a run is told, and the question that it answers; `refused` were refused there before."""

    client: Client
    asked: Asked
    refused: int = 0


async def come_back(stage: Stage, run: Run, *, through: Line | None = None, after_seq: int | None = None) -> Return:
    """Connect again and ask for what was missed of a run, or for all after `after_seq`; nothing has come yet."""
    client = await stage.connect(run.client.user, through=through)
    client.adopt(run)
    return await ask_again(client, run, after_seq=after_seq)


async def ask_again(client: Client, run: Run, *, after_seq: int | None = None) -> Return:
    """Ask on a connection for what was missed of a run, or for all after `after_seq`."""
    if run.run_id is None:
        raise Disturbed("a run has no id")
    after_seq = had(run) if after_seq is None else after_seq
    refused = len(client.refusals)
    return Return(client, await client.ask(Action.RESUME, run_id=run.run_id, after_seq=after_seq), refused)


async def finish(stage: Stage, run: Run, told: Return | None = None, *, through: Line | None = None) -> Return | None:
    """See a run to its end where it is `told`, and come back for it as often as the connection is lost.

    Returns where its end was told; None where nothing was left to ask for.
    """
    for _ in range(_ATTEMPTS):
        if whole(run):
            break
        if told is None or told.client.closed is not None:
            told = await come_back(stage, run, through=through)
        if await see_end(run, told):
            await _rest(stage, run, told)
        if told.client.closed is None:
            break
    return told


async def see_end(run: Run, told: Return) -> bool:
    """Wait until a run's end has come on a connection, or it is refused."""
    client = told.client
    return await client.wait(
        lambda: client.saw_end_of(run) or len(client.refusals) > told.refused,
        Awaited.TERMINAL,
        told.asked.ask,
        due_ms=takes_ms(run.asked.script or []),
        purpose="resume",
    )


async def _rest(stage: Stage, run: Run, told: Return) -> None:
    """Wait a moment for what a run's end has overtaken."""
    if not stage.over_http and len(told.client.refusals) == told.refused:
        await told.client.wait(lambda: whole(run), Awaited.STARTED, told.asked.ask, due_ms=_REST_MS, share=0)
