"""The registry of runs: who may be what, how events are sure to be delivered, and what goes on that should not."""

import asyncio
import contextlib
import dataclasses
import sqlite3
from pathlib import Path

import msgspec
import pytest

from reference_impl.agent import ModelAgent
from reference_impl.agent_classes import AgentClassRegistry
from reference_impl.app import Parts
from reference_impl.context import RunId, UserId
from reference_impl.delivery_tracker import EventDeliveryTracker
from reference_impl.errors import EngineError, InvalidIdentity, Refusal, SharedState
from reference_impl.events import Event, EventType
from reference_impl.journal import Journal
from reference_impl.messages import RequestContext
from reference_impl.registry import AgentExecutionRegistry
from reference_impl.run import ExecutionState
from reference_impl.tools import Toolbox
from reference_impl.trace import TRACEPARENT
from reference_impl.websocket_manager import WebSocketManager
from tests.reference_impl.engine_harness import Engine, check_story, engine, script, tool, types
from tests.reference_impl.test_engine_parts import context

ALICE = UserId("alice")


async def accepted(target: Engine, request_id: str = "request-1") -> tuple[AgentExecutionRegistry, RunId]:
    registry = target.assembly.registry
    made, emitter = await registry.create_execution_context(
        "helper", ALICE, "hello", RequestContext(request_id=request_id)
    )
    assert emitter is not None
    return registry, made.run_id


async def test_nothing_is_accepted_before_connections_and_agents_are_there(tmp_path: Path) -> None:
    registry = AgentExecutionRegistry(Journal(tmp_path / "j"), EventDeliveryTracker(), max_open_per_user=1)
    assert registry.metrics().users == 0
    with pytest.raises(EngineError, match=r"call connect\(bridge\) before agents are set up"):
        registry.setup_agent_websocket_integration(ModelAgent, AgentClassRegistry())
    with pytest.raises(EngineError, match="call setup_agent_websocket_integration first"):
        await registry.create_execution_context("helper", ALICE, "hello", RequestContext(request_id="r"))


async def test_a_request_has_one_context_and_one_voice() -> None:
    async with engine() as target, target.client("alice") as alice:
        registry, run_id = await accepted(target)
        again = await registry.create_execution_context("other", ALICE, "hi", RequestContext(request_id="request-1"))
        assert (again.context.run_id, again.context.agent_name) == (run_id, "helper")
        assert again.duplicate
        assert again.emitter is None
        assert registry.metrics().states == {ExecutionState.QUEUED: 1}
        started = await registry.ensure_event_delivery(
            again.context, EventType.AGENT_STARTED, {"request_id": "request-1"}
        )
        assert registry.delivery.acknowledged_seq(run_id) == started.seq == 1
        await registry.ensure_event_delivery(again.context, EventType.AGENT_STOPPED, {"reason": "enough"})
        assert types(await alice.follow(run_id)) == ["agent_started", "agent_stopped"]
        metrics = registry.metrics()
        assert (metrics.users, metrics.ended, metrics.delivered) == (0, {ExecutionState.STOPPED: 1}, 2)
        with pytest.raises(Refusal):
            await registry.ensure_event_delivery(again.context, EventType.AGENT_THINKING, {})


async def test_a_run_is_on_record_when_that_was_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    async with engine(journal=path) as target:
        registry, run_id = await accepted(target)
        with contextlib.closing(sqlite3.connect(path)) as reader:
            assert reader.execute("SELECT run_id FROM runs").fetchall() == []
            await registry.recorded()
            assert reader.execute("SELECT run_id FROM runs").fetchall() == [(run_id,)]


@dataclasses.dataclass
class State:
    """What glue code passes around."""

    messages: list[str]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What may be passed around."""

    steps: tuple[str, ...]


class Notes(msgspec.Struct, frozen=True):
    """Frozen, but for what it holds."""

    lines: list[str]


@pytest.mark.parametrize("shared", [State([]), {}, [], set(), bytearray(), ("a", [1]), Notes([]), object()])
def test_what_can_be_changed_meanwhile_is_refused(shared: object) -> None:
    with pytest.raises(SharedState, match=r"details holds a .+ give values that cannot change"):
        context(details=shared)


@pytest.mark.parametrize("fixed", [None, '{"a": 1}', 7, ("a", (1, 2.0)), frozenset({b"x"}), Plan(("one",))])
def test_what_cannot_change_may_come_along(fixed: object) -> None:
    assert context(details=fixed).details == fixed


async def test_a_request_with_a_placeholder_or_a_shared_object_is_refused() -> None:
    with pytest.raises(InvalidIdentity, match="request_id 'undefined' is a placeholder: give a unique id"):
        RequestContext(request_id="undefined")
    async with engine() as target:
        shared = RequestContext(request_id="r", details={})  # type: ignore[arg-type]
        with pytest.raises(SharedState):
            await target.assembly.registry.create_execution_context("helper", ALICE, "hello", shared)
        assert target.assembly.registry.open_runs() == 0


class Stumbling(WebSocketManager):
    """Cannot hand over the second event of a run, `times` times."""

    times = 2

    def deliver(self, event: Event) -> None:
        if event.seq == 2 and self.times > 0:
            self.times -= 1
            raise RuntimeError("stumbled")
        super().deliver(event)


class Fallen(Stumbling):
    """Cannot do it at all."""

    times = 1_000_000


async def test_what_could_not_be_handed_over_is_tried_again_in_order(caplog: pytest.LogCaptureFixture) -> None:
    retried: list[int] = []
    async with engine(parts=Parts(manager=Stumbling), retry_wait_s=0.001) as target, target.client("alice") as alice:
        target.assembly.delivery.on_retried.append(lambda event: retried.append(event.seq))
        check_story(await alice.run(script(tool("echo", text="a"), {"say": "b c"})))
        await alice.nothing_more()
        metrics = target.assembly.registry.metrics()
    assert (retried, metrics.retried, metrics.lost, metrics.users) == ([2], 1, 0, 0)
    assert "stumbled" in caplog.text


async def test_what_cannot_be_handed_over_closes_the_connection_and_waits_for_a_resume() -> None:
    lost: list[Event] = []
    async with engine(parts=Parts(manager=Fallen), retry_wait_s=0.001) as target:
        target.assembly.delivery.on_lost.append(lost.append)
        async with target.client("alice") as alice:
            accepted = await alice.start("hello")
            assert await alice.closed() == 1011
        async with target.client("alice") as again:
            await again.send("resume", run_id=accepted["run_id"])
            check_story(await again.follow(accepted["run_id"]))
        assert [event.seq for event in lost] == [2]
        assert target.assembly.registry.open_runs() == 0


async def test_the_tracker_remembers_nothing_of_what_is_over() -> None:
    async with engine() as target, target.client("alice") as alice:
        for _ in range(3):
            await alice.run("hello")
        delivery = target.assembly.delivery
        assert (len(delivery), delivery.retrying) == (0, set())
        assert delivery.delivered > 9


class Stubborn(Toolbox):
    """Has a tool that does not let itself be ended."""

    over = asyncio.Event()

    async def hang(self) -> str:
        while not self.over.is_set():
            try:
                await self.over.wait()
            except asyncio.CancelledError:
                continue
        return "at last"


async def test_a_run_that_does_not_end_is_ended_for_it(caplog: pytest.LogCaptureFixture) -> None:
    Stubborn.over = asyncio.Event()
    async with engine(parts=Parts(toolbox=Stubborn)) as target, target.client("alice") as alice:
        stuck = await alice.start(script(tool("hang")), thread_id="t")
        await alice.have(1, "tool_executing")
        await alice.send("stop_agent", run_id=stuck["run_id"])
        waiting = await alice.start("next", thread_id="t")
        await target.assembly.engine.cleanup(older_than_s=0)
        events = await alice.follow(stuck["run_id"])
        check_story(events)
        assert [event["type"] for event in events[-2:]] == ["tool_completed", "agent_error"]
        check_story(await alice.follow(waiting["run_id"]))
        Stubborn.over.set()
        await alice.nothing_more()
        assert target.assembly.engine.users == 0
    assert "goes on though it was to end" in caplog.text


PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


async def test_a_run_belongs_to_its_callers_trace_also_after_a_restart(tmp_path: Path) -> None:
    journal = tmp_path / "journal.sqlite"
    async with engine(journal=journal) as target, target.web("alice") as web:
        body = {"user_request": "hello", "request_id": "r"}
        run = (await web.post("/runs", json=body, headers={"traceparent": PARENT})).json()
        other = (await web.post("/runs", json={**body, "request_id": "s"}, headers={"traceparent": "00-x"})).json()
        await web.get(f"/runs/{run['run_id']}/events")
    async with engine(journal=journal) as target, target.web("alice") as web:
        for each, own in ((run, True), (other, False)):
            url = f"/runs/{each['run_id']}/events"
            events = (await web.get(url, headers={"accept": "application/json"})).json()["events"]
            (traceparent,) = {event["traceparent"] for event in events}
            assert (traceparent.startswith(PARENT[:35]), traceparent.endswith("-00")) == (own, own)
            assert TRACEPARENT.fullmatch(traceparent)
            assert PARENT[36:52] not in traceparent
