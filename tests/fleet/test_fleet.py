"""Several engines that act as one, in this process, with a real Redis between them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from conformance.launch import free_port
from tests.fleet.services import redis_server
from tests.reference_impl.engine_harness import Client, Engine, bearer, check_story, engine, say, script, tool, types


@contextlib.asynccontextmanager
async def fleet(bus: str, journal: str, **options: Any) -> AsyncIterator[tuple[Engine, Engine]]:
    where = {"journal_url": journal} if "://" in journal else {"journal": Path(journal)}
    shared = {"bus": bus, **where, **options}
    async with engine(**shared) as one, engine(**shared) as two:
        yield one, two


async def test_a_user_at_one_engine_sees_the_runs_of_another_and_nobody_else_does(bus: str, journal: str) -> None:
    async with (
        fleet(bus, journal) as (one, two),
        one.client("alice") as here,
        two.client("alice") as there,
        two.client("bob") as bob,
    ):
        for asking, watching in ((here, there), (there, here)):
            run = await asking.run(script(tool("echo", text="x"), say("done")))
            check_story(run)
            assert await watching.follow(run[0]["run_id"]) == run
        for client in (here, there, bob):
            await client.nothing_more()
        assert types(bob.seen) == ["connection_established", "pong"]


async def test_all_runs_of_a_user_are_at_one_engine_in_their_order(bus: str, journal: str) -> None:
    async with (
        fleet(bus, journal, max_open_per_user=3) as (one, two),
        one.client("a") as here,
        two.client("a") as there,
    ):
        first = await here.start(script(tool("hang")), thread_id="t")
        await here.next("tool_executing")
        second = await there.start(script({"recall": True}), thread_id="t", request_id="second")
        again = await there.start("anything", request_id="second")
        assert (again["duplicate"], again["run_id"]) == (True, second["run_id"])
        third = await there.start("elsewhere", thread_id="u")
        assert types(await there.follow(third["run_id"]))[-1] == "agent_completed"
        assert one.assembly.registry.open_runs() == 2
        assert two.assembly.engine.users == 0
        await there.start(script(tool("hang")), thread_id="v")
        await there.send("start_agent", user_request="too many", request_id="many")
        assert (await there.next("error"))["code"] == "rate_limited"
        assert there.events(second["run_id"]) == []
        await there.send("stop_agent", run_id=first["run_id"])
        for client in (here, there):
            events = await client.follow(first["run_id"])
            assert types(events)[-1] == "agent_stopped"
            told = await client.follow(second["run_id"])
            check_story(told)
            assert "script:" in told[-1]["payload"]["final_response"]


async def test_run_accepted_comes_before_the_first_event_also_from_another_engine(bus: str, journal: str) -> None:
    async with fleet(bus, journal) as (one, two), one.client("a") as here, two.client("a") as there:
        await here.start(script(tool("hang")))
        for _ in range(20):
            run_id = (await there.start("quick"))["run_id"]
            await there.follow(run_id)
            accepted = next(frame for frame in there.seen if frame.get("payload", {}).get("run_id") == run_id)
            assert there.seen.index(accepted) < there.seen.index(there.events(run_id)[0])


async def test_a_run_is_resumed_and_read_at_any_engine(bus: str, journal: str) -> None:
    async with fleet(bus, journal) as (one, two), one.client("alice") as here:
        naps = [tool("sleep", ms=50, text=str(number)) for number in range(6)]
        run_id = (await here.start(script(*naps, say("done")), thread_id="t"))["run_id"]
        await here.have(2, "tool_completed")
        async with two.client("alice") as there, two.web("alice") as web, two.client("alice") as late:
            await there.send("resume", run_id=run_id, after_seq=2)
            await late.send("resume", thread_id="t")
            response = await web.get(f"/runs/{run_id}/events")
            whole = await here.follow(run_id)
            check_story(whole)
            assert await there.follow(run_id) == whole[2:]
            assert await late.follow(run_id) == whole
            assert response.text.count("data: ") == len(whole)
            await there.send("resume", run_id=run_id)
            await there.have(2, "agent_completed")
            assert there.events(run_id) == whole[2:] + whole
            await there.nothing_more()
        async with two.web("bob") as stranger:
            assert (await stranger.get(f"/runs/{run_id}/events")).status_code == 404


async def test_who_comes_back_in_the_middle_gets_every_event_once(bus: str, journal: str) -> None:
    async with fleet(bus, journal) as engines, engines[0].client("alice") as here:
        text = " ".join(str(number) for number in range(60))
        script_ = script(*(tool("sleep", ms=5, text=str(number)) for number in range(30)), say(text))
        run_id = (await here.start(script_))["run_id"]
        whole = asyncio.create_task(here.follow(run_id))

        async def hop() -> None:
            have = 0
            for turn in range(8):
                async with engines[(turn + 1) % 2].client("alice") as client:
                    await client.send("resume", run_id=run_id, after_seq=have)
                    while len(client.events(run_id)) < 4 and not whole.done():
                        await client.receive()
                    events = client.events(run_id)
                    assert [event["seq"] for event in events] == list(range(have + 1, have + 1 + len(events)))
                    have += len(events)

        await hop()
        check_story(await whole)


async def test_the_shared_journal_keeps_whatever_users_send(bus: str, journal: str) -> None:
    odd = "nothing: \0, a smiley: \N{GRINNING FACE}, a quote: ', a mark: ? $1 %s"
    key = "k\0" * 5_000
    engines = fleet(bus, journal, model_window_bytes=1_000_000)
    async with engines as (one, two), one.client("alice") as here, two.client("alice") as there:
        await here.run(odd, thread_id="t ?")
        for value in ("first", odd):
            await here.run(script(tool("remember", key=key, value=value)), thread_id="t ?")
        asked = await there.run(script(tool("recall", key=key), {"recall": True}), thread_id="t ?")
        assert [event["payload"]["result"] for event in asked if event["type"] == "tool_completed"] == [odd]
        assert f"assistant: You said: {odd}" in asked[-1]["payload"]["final_response"]
        again = await there.start(odd, request_id="r \N{GRINNING FACE}")
        assert (await here.start(odd, request_id="r \N{GRINNING FACE}"))["run_id"] == again["run_id"]
        for bad in ("\0", "no such"):
            await there.send("resume", run_id=bad, request_id="bad")
            assert (await there.next("error"))["code"] == "not_found"


async def test_a_user_has_no_more_connections_than_allowed_in_all(bus: str, journal: str) -> None:
    async with fleet(bus, journal, max_connections_per_user=2) as (one, two):
        async with one.client("alice") as first, two.client("alice"):
            async with connect(two.url, additional_headers=bearer("alice")) as socket:
                assert await Client(socket).closed() == 1013
            async with two.client("bob") as bob:
                await bob.run("not concerned")
            await first.run("nor is this one")
        async with one.client("alice"), one.client("alice") as again:
            await again.run("room again")


async def test_a_redis_that_starts_anew_knows_again_who_is_where(tmp_path: Path, journal: str) -> None:
    port = free_port()
    async with AsyncExitStack() as stack:
        async with redis_server(tmp_path, port) as bus:
            one, two = await stack.enter_async_context(fleet(bus, journal, lease_s=0.4))
            here = await stack.enter_async_context(one.client("alice"))
            there = await stack.enter_async_context(two.client("alice"))
            hanging = await here.start(script(tool("sleep", ms=400, text="x"), tool("hang")))
            await there.have(1, "tool_executing")
        web = await stack.enter_async_context(two.web("alice"))
        while (await web.get("/ready")).status_code == 200:  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.05)
        await here.have(2, "tool_executing")
        async with redis_server(tmp_path, port):
            await there.have(2, "tool_executing")
            accepted = None
            while accepted is None:
                await there.send("start_agent", user_request=script(tool("hang")), request_id="again")
                answer = await there.until(lambda frame: frame["type"] in ("run_accepted", "error"))
                accepted = answer.get("payload")
            # It goes on until both know of it: one that ends before would have to be asked for.
            for client in (here, there):
                await client.have(3, "tool_executing")
            for run in (accepted, hanging):
                await there.send("stop_agent", run_id=run["run_id"])
                for client in (here, there):
                    events = await client.follow(run["run_id"])
                    check_story(events)
                    assert types(events)[-1] == "agent_stopped"
            await stack.aclose()
