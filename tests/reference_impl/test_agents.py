"""Agents: each made for one request, alone or under a supervisor, from classes that nobody can change."""

import asyncio
from typing import ClassVar

import pytest

from reference_impl.agent import BaseAgent, ModelAgent, Workplace
from reference_impl.agent_classes import AgentClassRegistry
from reference_impl.errors import EngineError, ModelFailed, SharedState
from reference_impl.model import CallTools, Prompt, ToolCall
from reference_impl.supervisor import SupervisorAgent
from tests.reference_impl.engine_harness import Frame, check_story, engine, script, tool


class Planner(BaseAgent):
    """Says what to do, to its supervisor."""

    async def run(self, prompt: Prompt) -> str:
        await self.say("not for the user")
        return f"plan for {prompt.message}"


class Worker(BaseAgent):
    """Calls a tool, and meets its colleague before it answers: both have to be at work at the same time."""

    async def run(self, prompt: Prompt) -> str:
        call = ToolCall("echo", {"text": prompt.message})
        await self.call(CallTools([call]))
        await meeting(prompt.context.run_id).wait()
        assert call.outcome is not None
        return f"{type(self).__name__}: {call.outcome['result']}"


class Second(Worker):
    """The other one."""


class Team(SupervisorAgent):
    """First one, then two at once."""

    stages = (("planner",), ("worker", "second"))


class Failing(BaseAgent):
    """Fails while its colleague is at work."""

    async def run(self, prompt: Prompt) -> str:
        raise ModelFailed("I cannot.")


class Hanging(BaseAgent):
    """Would work for ever."""

    async def run(self, prompt: Prompt) -> str:
        await self.call(CallTools([ToolCall("hang", {})]))
        return "never"


class Doomed(SupervisorAgent):
    """One of whose agents fails."""

    stages = (("hanging", "failing"),)


class Patient(SupervisorAgent):
    """Waits for ever."""

    stages = (("hanging",),)


AGENTS: dict[str, type[BaseAgent]] = {
    "planner": Planner,
    "worker": Worker,
    "second": Second,
    "team": Team,
    "failing": Failing,
    "hanging": Hanging,
    "doomed": Doomed,
    "patient": Patient,
}
_meetings: dict[str, asyncio.Barrier] = {}


def meeting(run_id: str) -> asyncio.Barrier:
    return _meetings.setdefault(run_id, asyncio.Barrier(2))


def thoughts(events: list[Frame]) -> list[str]:
    return [event["payload"]["thought"] for event in events if event["type"] == "agent_thinking"]


async def test_a_supervisor_runs_stages_in_order_and_the_agents_of_one_at_once() -> None:
    async with engine(agents=AGENTS) as target, target.client("alice") as alice:
        events = await alice.run("the task", agent="team")
    check_story(events)
    told = "the task\n\nplan for the task"
    assert events[-1]["payload"]["final_response"] == f"Worker: {told}\n\nSecond: {told}"
    assert thoughts(events) == ["Asking planner.", "Asking worker and second."]
    assert {event["agent_name"] for event in events} == {"team"}
    assert "not for the user" not in str(events)


async def test_what_fails_in_one_agent_ends_its_colleagues_and_the_run() -> None:
    async with engine(agents=AGENTS) as target, target.client("alice") as alice:
        events = await alice.run("x", agent="doomed")
    check_story(events)
    assert (events[-1]["type"], events[-1]["payload"]["message"]) == ("agent_error", "I cannot.")


async def test_a_stop_reaches_sub_agents_and_their_tools() -> None:
    async with engine(agents=AGENTS) as target, target.client("alice") as alice:
        accepted = await alice.start("x", agent="patient")
        await alice.have(1, "tool_executing")
        await alice.send("stop_agent", run_id=accepted["run_id"])
        events = await alice.follow(accepted["run_id"])
    check_story(events)
    assert [event["type"] for event in events[-2:]] == ["tool_completed", "agent_stopped"]


class Counting(ModelAgent):
    """Knows how often it ran."""

    def __init__(self, workplace: Workplace) -> None:
        super().__init__(workplace)
        self.times = 0

    async def run(self, prompt: Prompt) -> str:
        self.times += 1
        return f"time {self.times}"


async def test_each_request_has_an_agent_of_its_own() -> None:
    async with engine(agents={"counting": Counting}) as target, target.client("alice") as alice:
        answers = [(await alice.run("x", agent="counting"))[-1]["payload"]["final_response"] for _ in range(2)]
    assert answers == ["time 1", "time 1"]


class Unborn(ModelAgent):
    """Cannot be made."""

    def __init__(self, workplace: Workplace) -> None:
        raise RuntimeError("no memory left")


async def test_a_run_whose_agent_cannot_be_made_ends_in_an_error(caplog: pytest.LogCaptureFixture) -> None:
    async with engine(agents={"unborn": Unborn}) as target, target.client("alice") as alice:
        events = await alice.run(script(tool("echo", text="a")), agent="unborn")
    check_story(events)
    assert events[-1]["payload"]["code"] == "internal"
    assert "no memory left" in caplog.text


async def test_who_is_not_registered_is_played_by_the_supervisor_under_its_name() -> None:
    async with engine(agents=AGENTS) as target, target.client("alice") as alice:
        events = await alice.run("hello", agent="somebody")
    assert {event["agent_name"] for event in events} == {"somebody"}
    assert events[-1]["payload"]["final_response"] == "You said: hello"


class Remembering(ModelAgent):
    """Shares what it was told with everybody."""

    told: ClassVar[list[str]] = []


def test_what_all_users_would_share_is_no_agent() -> None:
    classes = AgentClassRegistry()
    with pytest.raises(SharedState, match=r"Remembering.told is a list on the class, which all users would share"):
        classes.register("remembering", Remembering)
    with pytest.raises(SharedState, match="Planner was given as an object, for all users: give the class itself"):
        classes.register("planner", Planner(None))  # type: ignore[arg-type]


def test_classes_are_named_once_and_sealed_at_startup() -> None:
    classes = AgentClassRegistry()
    classes.register("planner", Planner)
    with pytest.raises(EngineError, match="planner: there is an agent of that name already"):
        classes.register("planner", Worker)
    with pytest.raises(EngineError, match="seal the registry first"):
        classes.resolve("planner")
    classes.seal(ModelAgent)
    assert (classes.resolve("planner"), classes.resolve("nobody"), classes.names()) == (
        Planner,
        ModelAgent,
        ["planner"],
    )
    with pytest.raises(EngineError, match="worker: agents are registered at startup; this registry is sealed"):
        classes.register("worker", Worker)
    with pytest.raises(EngineError, match="sealed already"):
        classes.seal(ModelAgent)
