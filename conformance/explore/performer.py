"""The performer: carries out steps with real clients, then sees every run to its end. It drives and never judges."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import assert_never

from conformance import canary
from conformance.client import Client, Run, Wire
from conformance.events import Kind
from conformance.explore import steps as do
from conformance.explore.steps import AnyStep, Deed, Moment, behaviour, filled
from conformance.history.operations import Action, Asked, Awaited
from conformance.script import Script, hangs, takes_ms

_TROUBLE_MS = 1500.0
_MARGIN_MS = 300.0
_RECALL: Script = [{"think": "whose thread is this?"}, {"recall": True}]


class NotLetIn(Exception):
    """The target does not let a user in who may come in."""


@dataclass
class Actor:
    """A user: connections, oldest first; runs asked for, and repeats of their requests."""

    user: str
    windows: list[Client] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    repeats: list[Run] = field(default_factory=list)

    @property
    def open(self) -> list[Client]:
        """The connections that are open."""
        return [window for window in self.windows if window.closed is None]

    def run(self, back: int) -> Run | None:
        """Return a run, counted back from the newest one."""
        return self.runs[-1 - back] if back < len(self.runs) else None


class Performer:
    """Carries out steps. `new_user` gives a fresh user; `enough` tells that nothing more needs to be done."""

    def __init__(
        self,
        wire: Wire,
        *,
        scenario: str,
        new_user: Callable[[], str],
        capabilities: Callable[[], frozenset[str]],
        message_bytes: Callable[[], int | None],
        enough: Callable[[], bool] = lambda: False,
    ) -> None:
        self.wire = wire
        self.scenario = scenario
        self._new_user = new_user
        self._capabilities = capabilities
        self._message_bytes = message_bytes
        self._enough = enough
        self._actors: dict[str, Actor] = {}
        self._unclear: set[Client] = set()
        self._reading: list[asyncio.Task[None]] = []

    @property
    def was_there(self) -> bool:
        """Whether the target answered anybody: where it did not, it may have been gone before the first step."""
        windows = [window for actor in self._actors.values() for window in actor.windows]
        return any(window.received or any(run.events for run in window.runs) for window in windows)

    async def perform(self, steps: Sequence[AnyStep]) -> None:
        """Take the steps, one after the other, see all runs to their end, and leave. Raises `NotLetIn`."""
        try:
            for step in steps:
                if self._enough():
                    break
                await self._take(step)
            await self._settle()
        finally:
            for reading in self._reading:
                reading.cancel()
            await asyncio.gather(*self._reading, return_exceptions=True)
            await asyncio.gather(*(window.close() for actor in self._actors.values() for window in actor.windows))

    # -- steps ------------------------------------------------------------------------------------------------------

    async def _take(self, step: AnyStep) -> None:
        if isinstance(step, do.Pause):
            await asyncio.sleep(step.ms / 1000)
            return
        actor = self._actor(step.user)
        match step:
            case do.Connect():
                await self._connect(actor)
            case do.Disconnect():
                await self._disconnect(actor, cut=step.cut)
            case do.Start():
                await self._start(actor, step)
            case do.Send():
                action = Action.UNKNOWN_TYPE if step.unknown_type else Action.GARBAGE
                await self._bad_input(actor, action, step.frame)
            case do.Oversize():
                await self._oversize(actor, step.over)
            case do.Trespass():
                victim = self._actor(step.of).run(step.back)
                if victim is not None and step.of != step.user:
                    await self._trespass(actor, step.deed, victim)
            case _:
                run = actor.run(step.back)
                if run is not None:
                    await self._with_run(actor, run, step)

    async def _with_run(
        self, actor: Actor, run: Run, step: do.Await | do.Resume | do.Read | do.Stop | do.Repeat
    ) -> None:
        match step:
            case do.Await():
                await self._await(run, step.until)
            case do.Resume():
                await self._resume(actor, run, step.after)
            case do.Read():
                if run.run_id is not None and not hangs(run.asked.script or []):
                    self._reading.append(asyncio.create_task(self._client(actor).read(run.run_id)))
            case do.Stop():
                await self._stop(actor, run)
            case do.Repeat():
                await self._repeat(actor, run)
            case _:
                assert_never(step)

    def _actor(self, name: str) -> Actor:
        if name not in self._actors:
            self._actors[name] = Actor(self._new_user())
        return self._actors[name]

    def _client(self, actor: Actor) -> Client:
        return Client(self.wire, actor.user, scenario=self.scenario)

    async def _connect(self, actor: Actor) -> Client:
        client = self._client(actor)
        actor.windows.append(client)
        if not await client.open() or not await client.greeted():
            raise NotLetIn(f"the target did not let {actor.user} in")
        return client

    async def _window(self, actor: Actor) -> Client:
        return actor.open[-1] if actor.open else await self._connect(actor)

    async def _clear_window(self, actor: Actor) -> Client:
        """Return a connection on which an error without a request id can only answer what is asked next."""
        window = await self._window(actor)
        if window in self._unclear:
            clear = [other for other in actor.open if other not in self._unclear]
            window = clear[-1] if clear else await self._connect(actor)
        for run in window.runs:
            await run.answered()
        return window if window.closed is None else await self._connect(actor)

    @asynccontextmanager
    async def _aside(self, actor: Actor) -> AsyncIterator[Client]:
        """Give a connection of its own, for what the target may answer by ending it: nothing follows there."""
        window = await self._connect(actor)
        try:
            yield window
        finally:
            await window.close()

    async def _fresh_window(self, actor: Actor) -> Client:
        """Return a connection on which nothing has come but a greeting.

        Where a run is told live, some of its events may be on their way when it is asked for again.
        """
        newest = actor.open[-1] if actor.open else None
        if newest is not None and not newest.runs and newest not in self._unclear and newest.received <= 1:
            return newest
        return await self._connect(actor)

    async def _disconnect(self, actor: Actor, *, cut: bool) -> None:
        for window in actor.open[-1:]:
            await (window.cut() if cut else window.close())

    async def _start(self, actor: Actor, step: do.Start) -> None:
        thread = None
        before = actor.run(0)
        if step.same_thread and before is not None and "threads" in self._capabilities():
            await before.answered()
            thread = before.thread_id
        window = await self._window(actor)
        token = canary.new(self.wire.random)
        script = filled(step.script, token)
        label = None if thread is None else "queued"
        run = await window.start(behaviour(script), script, label=label, thread_id=thread, token=token)
        actor.runs.append(run)

    async def _await(self, run: Run, until: Moment) -> None:
        if until in (Moment.TEXT, Moment.END) and hangs(run.asked.script or []):
            return  # it gets there only once it is stopped
        await run.client.wait(
            lambda: run.over or _reached(run, until),
            Awaited.STARTED,
            due_ms=takes_ms(run.asked.script or []) + self.wire.bounds.scaled_ms(_TROUBLE_MS),
            share=0,
            gone=lambda: run.gone,
            conn=run.asked.conn,
        )

    async def _resume(self, actor: Actor, run: Run, after: int | None) -> Asked | None:
        if run.run_id is None or "resume" not in self._capabilities():
            return None
        window = await self._fresh_window(actor)
        seen = max((event.seq or 0 for event in run.events), default=0)
        self._unclear.add(window)
        return await window.ask(Action.RESUME, run_id=run.run_id, after_seq=seen if after is None else min(after, seen))

    async def _stop(self, actor: Actor, run: Run) -> None:
        if "stop" not in self._capabilities():
            return
        await run.answered()
        window = await self._clear_window(actor)
        if run.run_id is not None and not run.over:
            self._unclear.add(window)
            await window.ask(Action.STOP, run_id=run.run_id, thread_id=run.thread_id)

    async def _repeat(self, actor: Actor, run: Run) -> None:
        if "idempotency" not in self._capabilities():
            return
        asked, window = run.asked, await self._window(actor)
        thread = asked.thread_id if asked.action is Action.CONTINUE else None
        again = await window.start(
            behaviour(asked.script or []),
            asked.script,
            label="repeat",
            thread_id=thread,
            request_id=asked.request_id,
            token=asked.canary,
        )
        actor.repeats.append(again)

    async def _bad_input(self, actor: Actor, action: Action, frame: str) -> None:
        async with self._aside(actor) as window:
            asked = await window.ask(action, text=frame, behaviour=_short(frame))
            await window.answer(asked, share=0.5)

    async def _oversize(self, actor: Actor, over: int) -> None:
        limit = self._message_bytes()
        if limit is None:
            return
        asked = Asked(0, 0, 0, "", Action.START, request_id="too-large", thread_id="thread-too-large")
        empty = len(self.wire.dialect.request(asked, "").encode())
        frame = self.wire.dialect.request(asked, "x" * (limit + over - empty))
        await self._bad_input(actor, Action.OVERSIZE, frame)

    async def _trespass(self, actor: Actor, deed: Deed, victim: Run) -> None:
        owner, capabilities = victim.client.user, self._capabilities()
        await victim.answered()
        if deed is Deed.CONTINUE:
            if victim.thread_id is not None and "threads" in capabilities:
                async with self._aside(actor) as window:
                    run = await window.start("recall", _RECALL, thread_id=victim.thread_id, owner=owner)
                    if await run.answered() and run.refusal is None:
                        await run.ended()
            return
        if victim.run_id is None or "run_access" not in capabilities:
            return
        if deed is Deed.READ:
            await self._client(actor).read(victim.run_id, owner=owner, accept="application/json")
        elif deed.value in capabilities:
            action = Action.STOP if deed is Deed.STOP else Action.RESUME
            thread = victim.thread_id if deed is Deed.STOP else None
            async with self._aside(actor) as window:
                asked = await window.ask(action, run_id=victim.run_id, thread_id=thread, owner=owner)
                await window.answer(asked, share=0.2)

    # -- the end ----------------------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        """See every run to its end; those that never end by themselves are stopped."""
        for actor in self._actors.values():
            for run in actor.runs:
                if hangs(run.asked.script or []) and not run.over:
                    await self._stop(actor, run)
        if not self._enough():
            await asyncio.gather(*(self._see_out(actor) for actor in self._actors.values()), *self._reading)

    async def _see_out(self, actor: Actor) -> None:
        for run in actor.runs:
            if not run.gone and not self._enough():
                await run.ended()
        for again in actor.repeats:
            if not again.gone and not self._enough():
                await again.answered()
        for run in actor.runs:
            if run.gone and not run.over and not self._enough():
                await self._fetch(actor, run)

    async def _fetch(self, actor: Actor, run: Run) -> None:
        """Come back for a run that was left alone, once it should be over."""
        script = run.asked.script or []
        elsewhere = [window for window in actor.open if window not in self._unclear]
        due_ms = takes_ms(script) + _MARGIN_MS - (self.wire.recorder.clock.now() - run.asked.at) / 1000
        if elsewhere and due_ms > 0 and not hangs(script):
            window = elsewhere[-1]
            await window.wait(lambda: window.saw_end_of(run), Awaited.TERMINAL, due_ms=due_ms, share=0)
        asked = await self._resume(actor, run, None)
        if asked is not None:
            fresh = next(window for window in actor.windows if window.conn == asked.conn)
            await fresh.wait(
                lambda: fresh.saw_end_of(run) or bool(fresh.refusals),
                Awaited.TERMINAL,
                asked.ask,
                due_ms=takes_ms(script),
                purpose="resume",
            )


def _reached(run: Run, until: Moment) -> bool:
    kinds = [event.kind for event in run.events]
    match until:
        case Moment.ACCEPTED:
            return run.accepted is not None or bool(kinds)
        case Moment.TOOL:
            return kinds.count(Kind.TOOL_STARTED) > kinds.count(Kind.TOOL_COMPLETED)
        case Moment.TOOL_DONE:
            return Kind.TOOL_COMPLETED in kinds
        case Moment.TEXT:
            return Kind.TEXT in kinds
        case Moment.END:
            return run.over


def _short(frame: str) -> str:
    return frame if len(frame) <= 60 else f"{frame[:57]}… ({len(frame):,} characters)"
