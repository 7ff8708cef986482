"""Engines as processes of one fleet: one dies, stands still, ends; the others tell what became of its runs."""

import contextlib
import signal
from collections.abc import AsyncIterator

from tests.fleet.services import RoundRobin
from tests.reference_impl.engine_harness import Address, Process, check_story, process, say, script, tool

LEASE = ("--lease-s", "2")


@contextlib.asynccontextmanager
async def member(bus: str, journal: str, name: str) -> AsyncIterator[Process]:
    async with process("--bus", bus, "--name", name, "--journal", journal, *LEASE) as engine:
        yield engine


async def test_survivors_end_the_runs_of_an_engine_that_was_killed(bus: str, journal: str) -> None:
    async with member(bus, journal, "one") as one, member(bus, journal, "two") as two:
        async with one.client("alice") as here, two.client("alice") as there:
            hanging = await here.start(script(say("so far"), {"parallel": [tool("hang"), tool("hang")]}), thread_id="t")
            queued = await there.start("queued", thread_id="t")
            await there.have(2, "tool_executing")
            await one.end(signal.SIGKILL)
            for accepted in (hanging, queued):
                events = await there.follow(accepted["run_id"])
                check_story(events)
                ending = events[-1]["payload"]
                assert (events[-1]["type"], ending["code"], ending["retryable"]) == ("agent_error", "interrupted", True)
            check_story(await there.run("and on", thread_id="t"))
        async with two.client("alice") as again:
            await again.send("resume", run_id=hanging["run_id"])
            assert await again.follow(hanging["run_id"]) == there.events(hanging["run_id"])


async def test_a_request_to_an_engine_that_died_is_carried_out_by_another(bus: str, journal: str) -> None:
    async with member(bus, journal, "one") as one, member(bus, journal, "two") as two:
        async with one.client("alice") as here, two.client("alice") as there:
            await here.start(script(tool("hang")))
            await there.have(1, "tool_executing")
            one.process.send_signal(signal.SIGSTOP)
            await there.send("start_agent", user_request="hello?", request_id="hello")
            await one.end(signal.SIGKILL)
            accepted = await there.next("run_accepted")
            check_story(await there.follow(accepted["payload"]["run_id"]))


async def test_an_engine_that_stood_still_for_too_long_tells_nothing_more_and_ends(bus: str, journal: str) -> None:
    async with member(bus, journal, "one") as one, member(bus, journal, "two") as two:
        async with one.client("alice") as here, two.client("alice") as there:
            run_id = (await here.start(script(tool("sleep", ms=1, text="x"), tool("hang"))))["run_id"]
            await there.have(2, "tool_executing")
            one.process.send_signal(signal.SIGSTOP)
            ended = await there.follow(run_id)
            check_story(ended)
            assert ended[-1]["payload"]["code"] == "interrupted"
            one.process.send_signal(signal.SIGCONT)
            assert await here.closed() == 1011
            assert here.events(run_id) == ended[: len(here.events(run_id))]
            _, errors = await one.process.communicate()
            assert b"took this one for dead" in errors
            await there.nothing_more()


async def test_an_engine_that_starts_ends_what_its_predecessor_of_that_name_left(bus: str, journal: str) -> None:
    async with member(bus, journal, "one") as first, first.client("alice") as alice:
        run_id = (await alice.start(script(tool("hang"))))["run_id"]
        await alice.have(1, "tool_executing")
        await first.end(signal.SIGKILL)
    async with member(bus, journal, "one") as second, second.client("alice") as alice:
        await alice.send("resume", run_id=run_id)
        check_story(await alice.follow(run_id))


async def test_an_engine_that_is_asked_to_end_tells_its_users_at_the_others_too(bus: str, journal: str) -> None:
    async with member(bus, journal, "one") as one, member(bus, journal, "two") as two:
        async with one.client("alice") as here, two.client("alice") as there:
            run_id = (await here.start(script(tool("hang"))))["run_id"]
            await there.have(1, "tool_executing")
            one.process.send_signal(signal.SIGTERM)
            await there.send("start_agent", user_request="meanwhile", request_id="meanwhile")
            assert await here.closed() == 1012
            events = await there.follow(run_id)
            check_story(events)
            assert events[-1]["payload"]["code"] == "shutdown"
            accepted = await there.have(1, "run_accepted")
            check_story(await there.follow(accepted[0]["payload"]["run_id"]))
            assert await one.process.wait() == 0


async def test_behind_a_balancer_it_does_not_matter_which_engine_answers(bus: str, journal: str) -> None:
    async with member(bus, journal, "one") as one, member(bus, journal, "two") as two:
        async with RoundRobin([one.port, two.port]).serving() as balancer:
            front = Address(balancer.port)
            async with front.client("alice") as first, front.client("alice") as second:
                run = await first.run(script(tool("echo", text="x"), say("done")))
                assert await second.follow(run[0]["run_id"]) == run
                await one.end(signal.SIGKILL)
            async with front.client("alice") as third:
                await third.send("resume", run_id=run[0]["run_id"])
                assert await third.follow(run[0]["run_id"]) == run
