"""What a run tells: the script, the tools, the endings."""

import asyncio
import re
import time
from uuid import uuid4

import pytest

from tests.reference_impl.engine_harness import PATIENCE_S, check_story, engine, say, script, tool, types


async def test_plain_message_is_thought_about_and_repeated() -> None:
    async with engine() as target, target.client("alice") as alice:
        events = await alice.run("hello   world\n")
    check_story(events)
    assert "agent_thinking" in types(events)
    assert events[-1]["payload"]["final_response"] == "You said: hello   world\n"


async def test_every_step_is_told_in_order() -> None:
    steps = script(
        {"think": "T"},
        tool("sleep", ms=20, text="C"),
        {"parallel": [tool("sleep", ms=60, text="slow"), tool("fail", message="B"), tool("echo", text="A")]},
        {"stall_ms": 5},
        say("one two "),
        say("three"),
    )
    async with engine() as target, target.client("alice") as alice:
        events = await alice.run(f"please: {steps} and thank you ]")
    check_story(events)
    assert events[1]["payload"] == {"thought": "T", "step": 1}
    completed = [event["payload"] for event in events if event["type"] == "tool_completed"]
    assert [payload.get("result") for payload in completed] == ["C", None, "A", "slow"]
    assert completed[1]["error"] == {"code": "tool_failed", "message": "B"}
    assert completed[0]["duration_ms"] >= 20
    assert events[-1]["payload"]["final_response"] == "one two three"
    assert types(events).count("agent_thinking") == 1


async def test_a_tools_start_arrives_while_it_runs() -> None:
    async with engine() as target, target.client("alice") as alice:
        accepted = await alice.start(script(tool("hang")))
        await alice.next("tool_executing")
        assert types(alice.events(accepted["run_id"]))[-1] == "tool_executing"


async def test_ids_are_fresh_and_chosen_ones_come_back() -> None:
    async with engine() as target, target.client("alice") as alice:
        accepted = await alice.start("a", request_id="my request", thread_id="my thread", agent="my agent")
        events = await alice.follow(accepted["run_id"])
        generated = await alice.start("b")
    assert accepted["thread_id"] == "my thread"
    assert accepted["duplicate"] is False
    assert events[0]["payload"]["request_id"] == "my request"
    assert {event["agent_name"] for event in events} == {"my agent"}
    assert {event["user_id"] for event in events} == {"alice"}
    fresh = {accepted["run_id"], generated["run_id"], generated["thread_id"]}
    assert len({value[8:] for value in fresh if re.fullmatch("[0-9a-f]{32}", value)}) == 3
    assert len({event["event_id"] for event in events}) == len(events)


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ({"tool": "teleport"}, "unknown_tool"),
        (tool("echo"), "bad_arguments"),
        (tool("echo", text="a", more=1), "bad_arguments"),
        (tool("echo", text=7), "bad_arguments"),
        (tool("sleep", ms=-1, text="a"), "bad_arguments"),
        (tool("sleep", ms=True, text="a"), "bad_arguments"),
        (tool("recall", key="never kept"), "unknown_key"),
    ],
)
async def test_a_tool_that_cannot_be_run_is_told_and_the_script_goes_on(step: dict[str, object], code: str) -> None:
    async with engine() as target, target.client("alice") as alice:
        events = await alice.run(script(step, say("done")))
    check_story(events)
    (completed,) = [event["payload"] for event in events if event["type"] == "tool_completed"]
    assert completed["error"]["code"] == code
    assert events[-1]["payload"]["final_response"] == "done"


@pytest.mark.parametrize(
    "message",
    [
        'script: [{"say": ',
        "script: [nonsense]",
        'script: [{"dance": 1}]',
        "script: [7]",
        'script: [{"tool": "echo", "args": []}]',
        'script: [{"parallel": [{"say": "x"}]}]',
        'script: [{"say": "\\ud800"}]',
        'script: [{"say": NaN}]',
        'script: [{"stall_ms": -1}]',
        "script: " + "[" * 10_000,
    ],
)
async def test_a_malformed_script_is_a_failure_of_the_model(message: str) -> None:
    async with engine() as target, target.client("alice") as alice:
        events = await alice.run(message)
        assert (await alice.run("still there?"))[-1]["type"] == "agent_completed"
    check_story(events)
    assert events[-1]["type"] == "agent_error"
    assert events[-1]["payload"]["code"] == "model_failed"
    assert events[-1]["payload"]["message"]
    assert events[-1]["payload"]["retryable"] is False


async def test_text_without_an_array_after_the_marker_is_no_script() -> None:
    async with engine() as target, target.client("alice") as alice:
        events = await alice.run("my script: a play")
    assert events[-1]["payload"]["final_response"] == "You said: my script: a play"


async def test_a_failing_model_ends_the_run_in_an_error() -> None:
    async with engine() as target, target.client("alice") as alice:
        events = await alice.run(script(say("half a"), {"fail": "out of words"}, say("never")))
    check_story(events)
    assert events[-1]["payload"] == {"code": "model_failed", "message": "out of words", "retryable": False}


async def test_stop_ends_the_run_and_all_its_tools_at_once() -> None:
    async with engine() as target, target.client("alice") as alice:
        calls = {"parallel": [tool("hang"), tool("sleep", ms=60_000, text="x"), tool("hang")]}
        accepted = await alice.start(script(calls, say("never")))
        await alice.have(3, "tool_executing")
        asked = time.monotonic()
        await alice.send("stop_agent", run_id=accepted["run_id"])
        events = await alice.follow(accepted["run_id"])
        assert time.monotonic() - asked < 1.0
        assert target.assembly.llm.open_calls == 0
    check_story(events)
    assert types(events)[-4:] == ["tool_completed"] * 3 + ["agent_stopped"]
    assert {event["payload"]["error"]["code"] for event in events[-4:-1]} == {"stopped"}
    assert events[-1]["payload"]["reason"]


async def test_stop_ends_a_stalling_model_and_a_queued_run() -> None:
    async with engine() as target, target.client("alice") as alice:
        stalling = await alice.start(script({"stall_ms": 60_000}), thread_id="t")
        queued = await alice.start("behind", thread_id="t")
        await alice.send("stop_agent", run_id=queued["run_id"])
        behind = await alice.follow(queued["run_id"])
        await alice.send("stop_agent", run_id=stalling["run_id"])
        before = await alice.follow(stalling["run_id"])
    check_story(behind)
    check_story(before)
    assert behind[-1]["type"] == before[-1]["type"] == "agent_stopped"


async def test_stopping_a_run_that_has_ended_is_answered() -> None:
    async with engine() as target, target.client("alice") as alice:
        events = await alice.run("short")
        await alice.send("stop_agent", run_id=events[0]["run_id"], request_id="s1")
        error = await alice.next("error")
        await alice.nothing_more()
    assert (error["code"], error["request_id"]) == ("not_found", "s1")


async def test_a_run_over_its_time_limit_ends_with_timeout() -> None:
    async with engine(run_limit_s=0.2) as target, target.client("alice") as alice:
        events = await alice.run(script({"think": "T"}, tool("hang")))
    check_story(events)
    assert types(events)[-2:] == ["tool_completed", "agent_error"]
    assert events[-2]["payload"]["error"]["code"] == "timeout"
    assert events[-1]["payload"]["code"] == "timeout"
    assert events[-1]["payload"]["retryable"] is True


async def test_runs_on_one_thread_go_one_after_the_other() -> None:
    async with engine() as target, target.client("alice") as alice:
        accepted = [await alice.start(script(tool("sleep", ms=5, text=f"{n}")), thread_id="t") for n in range(5)]
        for one in accepted:
            check_story(await alice.follow(one["run_id"]))
    order = [frame["run_id"] for frame in alice.seen if "seq" in frame]
    assert list(dict.fromkeys(order)) == [one["run_id"] for one in accepted]
    assert order == sorted(order, key=[one["run_id"] for one in accepted].index)


async def test_runs_on_several_threads_go_at_once_up_to_the_users_limit() -> None:
    async with engine(max_running_per_user=2) as target, target.client("alice") as alice, target.client("bob") as bob:
        hanging = [await alice.start(script(tool("hang"))) for _ in range(3)]
        await alice.have(2, "tool_executing")
        assert target.assembly.engine.running == 2
        check_story(await bob.run("not held up"))
        await alice.send("stop_agent", run_id=hanging[0]["run_id"])
        assert (await alice.have(3, "tool_executing"))[-1]["run_id"] == hanging[2]["run_id"]


async def test_open_runs_are_limited_per_user() -> None:
    async with engine(max_open_per_user=2) as target, target.client("alice") as alice, target.client("bob") as bob:
        first = await alice.start(script(tool("hang")), request_id="first")
        await alice.start(script(tool("hang")))
        await alice.send("start_agent", user_request="one too many", request_id="third")
        error = await alice.next("error")
        assert (error["code"], error["request_id"]) == ("rate_limited", "third")
        again = await alice.start("the same again", request_id="first")
        assert again == {**first, "duplicate": True}
        check_story(await bob.run("not locked out"))
        await alice.send("stop_agent", run_id=first["run_id"])
        await alice.follow(first["run_id"])
        check_story(await alice.run("room again"))


async def test_the_same_request_is_one_run() -> None:
    request_id = str(uuid4())
    async with engine() as target, target.client("alice") as alice, target.client("alice") as second:
        for client in (alice, second):
            await client.send("start_agent", user_request="once", request_id=request_id)
        answers = [(await client.next("run_accepted"))["payload"] for client in (alice, second)]
        assert len({answer["run_id"] for answer in answers}) == 1
        assert sorted(answer["duplicate"] for answer in answers) == [False, True]
        check_story(await alice.follow(answers[0]["run_id"]))
        again = await alice.start("once more", request_id=request_id)
        assert again["duplicate"] is True
        await alice.nothing_more()
        async with target.client("bob") as bob:
            assert (await bob.start("once", request_id=request_id))["duplicate"] is False


async def test_memory_is_the_threads_own() -> None:
    async with engine() as target, target.client("alice") as alice:
        await alice.run(script(tool("remember", key="k", value="v1")), thread_id="one")
        same = await alice.run(script(tool("recall", key="k"), {"recall": True}), thread_id="one")
        other = await alice.run(script(tool("recall", key="k"), {"recall": True}), thread_id="two")
    assert [event["payload"]["result"] for event in same if event["type"] == "tool_completed"] == ["v1"]
    assert "v1" in same[-1]["payload"]["final_response"]
    assert "v1" not in str(other)


async def test_earlier_messages_beyond_the_window_are_left_out() -> None:
    async with engine(model_window_bytes=200) as target, target.client("alice") as alice:
        for word in ("first", "second", "third"):
            await alice.run(word * 10, thread_id="t")
        events = await alice.run(script({"recall": True}), thread_id="t")
    seen = events[-1]["payload"]["final_response"]
    assert "third" in seen
    assert "first" not in seen


async def test_user_message_continues_a_thread() -> None:
    async with engine() as target, target.client("alice") as alice:
        thread_id = (await alice.start("hello"))["thread_id"]
        await alice.send("user_message", content=script({"recall": True}), thread_id=thread_id, request_id="r2")
        accepted = (await alice.next("run_accepted"))["payload"]
        events = await alice.follow(accepted["run_id"])
    assert (accepted["thread_id"], accepted["request_id"]) == (thread_id, "r2")
    assert "user: hello" in events[-1]["payload"]["final_response"]


async def test_a_tool_with_a_bug_is_told_without_its_details(caplog: pytest.LogCaptureFixture) -> None:
    from reference_impl.app import Parts
    from reference_impl.model import ToolCall
    from reference_impl.tools import Toolbox

    class BuggyToolbox(Toolbox):
        async def run(self, call: ToolCall) -> str:
            raise ZeroDivisionError("secret detail")

    async with engine(parts=Parts(toolbox=BuggyToolbox)) as target, target.client("alice") as alice:
        events = await alice.run(script(tool("echo", text="x"), say("on")))
    check_story(events)
    assert events[-1]["payload"]["final_response"] == "on"
    assert "secret detail" not in str(events)
    assert "secret detail" in caplog.text


async def test_many_runs_leave_nothing_behind() -> None:
    async with engine() as target:
        before = asyncio.all_tasks()
        for _ in range(5):
            async with target.client("alice") as alice:
                for _ in range(3):
                    await alice.run(script(tool("echo", text="x"), say("y")))
        await target.assembly.manager.wait_empty()
        assembly = target.assembly
        assert assembly.registry.open_runs() == 0
        assert assembly.engine.users == 0
        assert assembly.llm.open_calls == 0
        if ending := asyncio.all_tasks() - before:
            await asyncio.wait(ending, timeout=PATIENCE_S)
        assert asyncio.all_tasks() == before
