"""The engine as a process: its command line, its end, and what survives a crash."""

import signal
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.reference_impl.engine_harness import Client, check_story, process, say, script, spawn, tool, types


async def test_every_accepted_run_has_its_end_after_kill_9(tmp_path: Path) -> None:
    arguments = ("--journal", str(tmp_path / "journal.sqlite"))
    async with process(*arguments) as first, first.client("alice") as alice:
        done = await alice.run("done", request_id="done", thread_id="t")
        hanging = await alice.start(script({"parallel": [tool("hang"), tool("hang")]}), request_id="h", thread_id="t")
        queued = await alice.start("queued", thread_id="t")
        await alice.have(2, "tool_executing")
        await first.end(signal.SIGKILL)
        seen = alice.events(hanging["run_id"])
    async with process(*arguments) as second, second.client("alice") as alice:
        for accepted, before in ((hanging, seen), (queued, [])):
            await alice.send("resume", run_id=accepted["run_id"])
            events = await alice.follow(accepted["run_id"])
            check_story(events)
            assert events[: len(before)] == before
            assert events[-1]["type"] == "agent_error"
            assert events[-1]["payload"]["code"] == "interrupted"
            assert events[-1]["payload"]["retryable"] is True
        assert types(alice.events(hanging["run_id"]))[-3:] == ["tool_completed", "tool_completed", "agent_error"]
        again = await alice.start("done", request_id="done")
        assert (again["duplicate"], again["run_id"]) == (True, done[0]["run_id"])
        events = await alice.run(script({"recall": True}), thread_id="t")
        assert "assistant: You said: done" in events[-1]["payload"]["final_response"]
    async with process(*arguments) as third, third.client("alice") as alice:
        await alice.send("resume", run_id=hanging["run_id"])
        check_story(await alice.follow(hanging["run_id"]))


async def test_sigterm_ends_runs_tells_their_user_and_exits_cleanly(tmp_path: Path) -> None:
    arguments = ("--journal", str(tmp_path / "journal.sqlite"), "--drain-s", "0.2")
    async with process(*arguments) as first, first.client("alice") as alice:
        quick = await alice.start(script(tool("sleep", ms=100, text="x"), say("made it")))
        hanging = await alice.start(script(tool("hang")))
        await alice.have(2, "tool_executing")
        code, errors = await first.end(signal.SIGTERM)
        assert (code, errors) == (0, "")
        assert await alice.closed() == 1012
        check_story(alice.events(quick["run_id"]))
        check_story(alice.events(hanging["run_id"]))
        assert alice.events(quick["run_id"])[-1]["payload"]["final_response"] == "made it"
        ending = alice.events(hanging["run_id"])[-1]
        assert (ending["type"], ending["payload"]["code"]) == ("agent_error", "shutdown")
    async with process(*arguments) as second, second.client("alice") as again:
        await again.send("resume", run_id=hanging["run_id"])
        assert await again.follow(hanging["run_id"]) == alice.events(hanging["run_id"])


async def test_sigint_ends_without_a_traceback_also_with_an_idle_client() -> None:
    async with process() as target, target.client("alice") as alice:
        with pytest.raises(InvalidStatus):
            await connect(target.url)
        assert await target.end(signal.SIGINT) == (0, "")
        assert await alice.closed() == 1012


async def test_without_a_secret_it_makes_one_and_prints_a_token() -> None:
    async with process(secret=None) as target:
        assert "'demo'" in target.lines[0]
        header = target.lines[1].removeprefix("Authorization: ")
        async with connect(target.url, additional_headers={"Authorization": header}) as socket:
            established = await Client(socket).receive()
    assert established["user_id"] == "demo"


async def test_a_port_in_use_is_one_clear_line_and_69() -> None:
    async with process() as target:
        second = await spawn("--port", str(target.port))
        output, errors = await second.communicate()
    assert second.returncode == 69
    assert output == b""
    assert len(errors.splitlines()) == 1
    assert str(target.port).encode() in errors


async def test_a_journal_in_use_is_left_alone(tmp_path: Path) -> None:
    arguments = ("--journal", str(tmp_path / "journal.sqlite"))
    async with process(*arguments) as first, first.client("alice") as alice:
        accepted = await alice.start(script(tool("hang")))
        second = await spawn("--port", "0", *arguments)
        _, errors = await second.communicate()
        assert (second.returncode, len(errors.splitlines())) == (69, 1)
        await alice.send("stop_agent", run_id=accepted["run_id"])
        check_story(await alice.follow(accepted["run_id"]))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("--heartbeat-s", "0"), 64), (("--journal", "/nonexistent/folder/j.sqlite"), 69)],
)
async def test_wrong_settings_are_one_clear_line(arguments: tuple[str, ...], code: int) -> None:
    child = await spawn("--port", "0", *arguments)
    _, errors = await child.communicate()
    assert child.returncode == code
    assert len(errors.splitlines()) == 1
    assert arguments[0].strip("-").replace("-", "_").encode() in errors


async def test_numbers_that_make_no_sense_are_wrong_usage() -> None:
    child = await spawn("--tool-limit-s", "0")
    _, errors = await child.communicate()
    assert child.returncode == 64
    assert errors.decode() == "reference engine: Settings.tool_limit_s must be more than 0, not 0.0.\n"
