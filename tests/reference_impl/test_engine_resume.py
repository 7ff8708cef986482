"""Events again: after a disconnect, while they are still coming, by run and by thread."""

import asyncio
import itertools

import pytest

from reference_impl.app import Parts
from reference_impl.context import UserId
from reference_impl.events import Event
from reference_impl.journal import Journal
from reference_impl.run import StoredRun
from tests.reference_impl.engine_harness import TERMINAL, Client, check_story, engine, say, script, tool, types

STREAM = script(*[step for n in range(30) for step in (say(f"{n} "), tool("sleep", ms=1, text=f"{n}"))])


async def replayed(client: Client, run_id: str, **cursor: object) -> list[dict[str, object]]:
    """What `resume` brings of a run, up to its end."""
    before = len(client.seen)
    await client.send("resume", run_id=run_id, **cursor)
    await client.until(lambda frame: frame.get("run_id") == run_id and frame["type"] in TERMINAL)
    return client.seen[before:]


async def test_a_finished_run_is_replayed_unchanged() -> None:
    async with engine() as target:
        async with target.client("alice") as alice:
            events = await alice.run(script(tool("echo", text="x"), say("a b c")))
        async with target.client("alice") as again:
            assert await replayed(again, events[0]["run_id"]) == events
            assert await replayed(again, events[0]["run_id"], after_seq=3) == events[3:]
            assert await replayed(again, events[0]["run_id"], last_event_id=events[1]["event_id"]) == events[2:]
            await again.send("resume", run_id=events[0]["run_id"], after_seq=len(events))
            await again.nothing_more()


async def test_a_run_goes_on_without_its_client_and_is_resumed_live() -> None:
    async with engine() as target:
        async with target.client("alice") as alice:
            run_id = (await alice.start(STREAM))["run_id"]
            await alice.have(3, "tool_completed")
            seq = alice.events(run_id)[-1]["seq"]
        async with target.client("alice") as back:
            await back.send("resume", run_id=run_id, after_seq=seq)
            rest = await back.follow(run_id)
            whole = await replayed(back, run_id)
    assert [event["seq"] for event in rest] == list(range(seq + 1, len(whole) + 1))
    check_story(whole)
    assert len(whole) > len(alice.events(run_id)) > 3


async def test_a_connection_that_does_not_resume_gets_what_comes_from_then_on() -> None:
    async with engine(join_grace_s=0.05) as target, target.client("alice") as alice:
        run_id = (await alice.start(STREAM))["run_id"]
        await alice.have(1, "tool_completed")
        async with target.client("alice") as late:
            part = await late.follow(run_id)
        whole = await alice.follow(run_id)
    assert part == whole[-len(part) :]
    assert 1 < len(part) < len(whole)


async def test_resuming_during_a_run_neither_loses_nor_doubles() -> None:
    async with engine() as target, target.client("alice") as alice:
        run_id = (await alice.start(STREAM))["run_id"]
        await alice.have(3, "tool_executing")
        for _ in range(5):
            await alice.send("resume", run_id=run_id, after_seq=2)
            await alice.until(lambda frame: frame.get("seq") == 3)
        events = await alice.follow(run_id)
    # Each resume asks for 3 and on; between two of them the seqs rise by one.
    starts = [index for index, event in enumerate(events) if event["seq"] in (1, 3)]
    for start, end in itertools.pairwise([*starts, len(events)]):
        seqs = [event["seq"] for event in events[start:end]]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    assert events[-1]["type"] == "agent_completed"


class SlowReadingJournal(Journal):
    """Lets many events happen between the reading of a page and its use."""

    async def events(self, run: StoredRun, *, after_seq: int = 0, limit: int = 256) -> list[Event]:
        page = await super().events(run, after_seq=after_seq, limit=limit)
        await asyncio.sleep(0.005)
        return page


async def test_events_that_come_during_a_replay_follow_it_once() -> None:
    parts = Parts(journal=SlowReadingJournal)
    async with engine(parts=parts) as target, target.client("alice") as alice, target.client("alice") as watcher:
        run_id = (await alice.start(STREAM))["run_id"]
        for seq in range(10, 60, 10):
            await watcher.until(lambda frame, seq=seq: frame.get("seq", 0) >= seq)  # type: ignore[misc]
            async with target.client("alice") as fresh:
                await fresh.send("resume", run_id=run_id)
                check_story(await fresh.follow(run_id))
        check_story(await alice.follow(run_id))


class LateDeliveringJournal(Journal):
    """Lets a replay read events that are committed and not yet delivered live."""

    def _deliver(self, events: list[Event]) -> None:
        asyncio.get_running_loop().call_later(0.01, super()._deliver, events)


async def test_events_that_a_replay_brought_before_they_were_live_do_not_come_again() -> None:
    parts = Parts(journal=LateDeliveringJournal)
    async with engine(parts=parts, join_grace_s=0) as target, target.client("alice") as alice:
        run_id = (await alice.start(STREAM))["run_id"]
        for seq in range(10, 60, 10):
            await alice.until(lambda frame, seq=seq: frame.get("seq", 0) >= seq)  # type: ignore[misc]
            async with target.client("alice") as fresh:
                await fresh.send("resume", run_id=run_id)
                await fresh.until(lambda frame: frame.get("seq") == 1)
                first = len(fresh.seen) - 1
                await fresh.follow(run_id)
                await fresh.nothing_more()
                check_story([frame for frame in fresh.seen[first:] if "seq" in frame])


async def test_a_thread_is_replayed_run_by_run() -> None:
    async with engine() as target, target.client("alice") as alice:
        runs = [await alice.run(f"{n}", thread_id="t") for n in range(3)]
        await alice.run("elsewhere", thread_id="u")
        live = await alice.start(script(tool("hang")), thread_id="t")
        async with target.client("alice") as again:
            await again.send("resume", thread_id="t")
            await again.next("tool_executing")
            await again.send("stop_agent", run_id=live["run_id"])
            await again.follow(live["run_id"])
            past = [event for run in runs for event in run]
            assert again.seen[1 : 1 + len(past)] == past
            check_story(again.seen[1 + len(past) :])
            before = len(again.seen)
            await again.send("resume", thread_id="t", last_event_id=runs[1][0]["event_id"])
            await again.next("agent_stopped")
            assert again.seen[before:][: len(past) - len(runs[0]) - 1] == [*runs[1][1:], *runs[2]]


class LateReadingJournal(Journal):
    """Once `read` is there, tells that a thread was asked for, and reads it when `read` is set."""

    asked = asyncio.Event()
    read: asyncio.Event | None = None

    async def runs_of_thread(self, user_id: UserId, thread_id: str) -> list[StoredRun]:
        if self.read is not None:
            self.asked.set()
            await self.read.wait()
        return await super().runs_of_thread(user_id, thread_id)


async def test_a_run_that_begins_while_its_thread_is_resumed_comes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with engine(parts=Parts(journal=LateReadingJournal)) as target, target.client("alice") as alice:
        past = await alice.run("1", thread_id="t")
        asked, read = asyncio.Event(), asyncio.Event()
        monkeypatch.setattr(LateReadingJournal, "asked", asked)
        monkeypatch.setattr(LateReadingJournal, "read", read)
        async with target.client("alice") as again:
            await again.send("resume", thread_id="t")
            await asked.wait()
            live = await alice.run("2", thread_id="t")
            read.set()
            await again.send("resume", run_id="no such run")
            await again.next("error")
            assert [frame for frame in again.seen if "seq" in frame] == [*live, *past]


async def test_after_seq_of_a_thread_needs_a_single_run() -> None:
    async with engine() as target, target.client("alice") as alice:
        first = await alice.run("1", thread_id="t")
        before = len(alice.seen)
        await alice.send("resume", thread_id="t", after_seq=2)
        await alice.next("agent_completed")
        assert alice.seen[before:] == first[2:]
        await alice.run("2", thread_id="t")
        await alice.send("resume", thread_id="t", after_seq=2)
        error = await alice.next("error")
    assert error["code"] == "bad_message"
    assert "last_event_id" in error["message"]


@pytest.mark.parametrize("cursor", [{"last_event_id": "no such event"}, {"run_id": "no such run"}])
async def test_what_cannot_be_resumed_is_not_found_and_live_events_go_on(cursor: dict[str, str]) -> None:
    async with engine(parts=Parts(journal=SlowReadingJournal)) as target, target.client("alice") as alice:
        run_id = (await alice.start(STREAM))["run_id"]
        await alice.have(1, "tool_executing")
        await alice.send("resume", **{"run_id": run_id, "request_id": "r9", **cursor})
        check_story(await alice.follow(run_id))
        (error,) = await alice.have(1, "error")
    assert (error["code"], error["request_id"]) == ("not_found", "r9")


async def test_a_long_replay_waits_for_its_reader_instead_of_overflowing() -> None:
    async with engine(outbox_frames=40) as target, target.client("alice") as alice:
        for n in range(20):
            await alice.run(script(tool("echo", text="x" * 30_000), say(f"{n} " * 100)), thread_id="t")
        before = len(alice.seen)
        past = [frame for frame in alice.seen if "seq" in frame]
        async with target.client("alice") as again:
            await again.send("resume", thread_id="t")
            await again.have(20, "agent_completed")
        assert again.seen[1:] == past
        assert len(alice.seen) == before
    assert "agent_started" in types(past)


async def test_resumes_that_wait_are_limited() -> None:
    parts = Parts(journal=SlowReadingJournal)
    async with engine(max_replays_per_connection=1, parts=parts) as target, target.client("alice") as alice:
        run_id = (await alice.run("x"))[0]["run_id"]
        for _ in range(5):
            await alice.send("resume", run_id=run_id)
        assert (await alice.next("error"))["code"] == "rate_limited"
        check_story(await alice.run("y"))
