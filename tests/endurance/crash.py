"""kill -9 at random moments under load: no accepted run vanishes, and no event is lost or doubled after a resume."""

import asyncio
import contextlib
import json
import random
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from reference_impl.journal import Journal
from tests.reference_impl.engine_harness import TERMINAL, Address, Client, Frame, process, say, script, spawn, tool

RUNS_AT_ONCE = 3
MESSAGE = script({"think": "hm"}, tool("sleep", ms=3, text="a"), say("one two three"), tool("echo", text="b"), say("."))


@dataclass
class User:
    """One user, who goes on where the last crash left it. `problems` holds what must not be."""

    name: str
    asked: dict[str, str | None] = field(default_factory=dict)
    told: dict[str, list[Frame]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    async def live(self, target: Address, *, more: bool) -> None:
        """Ask again and resume what is open, then ask for more until the engine dies; else until all has ended."""
        with contextlib.suppress(ConnectionClosed, OSError, InvalidHandshake, EOFError):
            async with target.client(self.name) as client:
                for run_id in self.open():
                    await client.send("resume", run_id=run_id, after_seq=len(self.told[run_id]))
                for request_id in [request_id for request_id, run_id in self.asked.items() if run_id is None]:
                    await self._ask(client, request_id)
                while more or self.open() or None in self.asked.values():
                    while more and len(self.open()) + [*self.asked.values()].count(None) < RUNS_AT_ONCE:
                        await self._ask(client, str(uuid4()))
                    if not await self._take(client, await client.receive()):
                        return
                    client.seen.clear()

    def open(self) -> list[str]:
        """The runs that have not ended."""
        return [run_id for run_id, events in self.told.items() if not events or events[-1]["type"] not in TERMINAL]

    async def _ask(self, client: Client, request_id: str) -> None:
        self.asked[request_id] = None
        await client.send("start_agent", user_request=MESSAGE, request_id=request_id)

    async def _take(self, client: Client, frame: Frame) -> bool:
        """Take note of a frame; whether to go on."""
        if frame["type"] == "run_accepted":
            payload = frame["payload"]
            self.asked[payload["request_id"]] = payload["run_id"]
            events = self.told.setdefault(payload["run_id"], [])
            if payload["duplicate"]:
                await client.send("resume", run_id=payload["run_id"], after_seq=len(events))
        elif "event_id" in frame:
            events = self.told[frame["run_id"]]
            if frame["seq"] != len(events) + 1:
                self.problems.append(f"run {frame['run_id']}: expected event {len(events) + 1}, got {frame['seq']}")
            events.append(frame)
        elif frame["type"] == "error":
            self.problems.append(f"{self.name}: {frame}")
            return False
        return True


@dataclass(frozen=True)
class Outcome:
    """What came of it. `interrupted` counts runs that a crash ended."""

    kills: int
    kills_at_start: int
    accepted: int
    interrupted: int
    events: int
    problems: list[str]


async def crash(journal: Path, *, kills: int, users: int, seed: int, options: Sequence[str] = ()) -> Outcome:
    """Kill the engine at `kills` random moments, of which some are before it is ready; then see what is left.

    `options` are further words of the engine's command line.
    """
    command = ("--port", "0", "--journal", str(journal), *options)
    chance = random.Random(seed)
    everybody = [User(f"user-{number}") for number in range(users)]
    at_start = 0
    for _ in range(kills):
        if chance.random() < 0.2:
            at_start += 1
            child = await spawn(*command)
            await asyncio.sleep(chance.uniform(0.0, 1.0))
            child.kill()
            await child.communicate()
            continue
        async with process(*command[2:]) as target, asyncio.TaskGroup() as group:
            for user in everybody:
                group.create_task(user.live(target, more=True))
            await asyncio.sleep(chance.uniform(0.05, 1.0))
            target.process.kill()
    async with process(*command[2:]) as target:
        await asyncio.gather(*(user.live(target, more=False) for user in everybody))
    return judged(await recorded(journal), everybody, kills, at_start)


async def recorded(path: Path) -> dict[str, list[Frame]]:
    """The events of every run that is on record."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        runs = connection.execute("SELECT user_id, run_id FROM runs ORDER BY number").fetchall()
    journal = Journal(path)
    await journal.open()
    events: dict[str, list[Frame]] = {}
    for user_id, run_id in runs:
        run = await journal.find_run(user_id, run_id)
        assert run is not None
        of_run = events[run_id] = []
        while page := await journal.events(run, after_seq=of_run[-1]["seq"] if of_run else 0):
            of_run += [json.loads(event.text) for event in page]
    await journal.close()
    return events


def judged(on_record: dict[str, list[Frame]], users: list[User], kills: int, at_start: int) -> Outcome:
    """Hold what the users were told against what is on record."""
    problems = [problem for user in users for problem in user.problems]
    told = {run_id: events for user in users for run_id, events in user.told.items()}
    problems += [f"run {run_id} was accepted and is gone" for run_id in told.keys() - on_record.keys()]
    problems += [f"run {run_id} was asked for and is nobody's" for run_id in on_record.keys() - told.keys()]
    for run_id in told.keys() & on_record.keys():
        if told[run_id] != on_record[run_id]:
            problems.append(f"run {run_id}: {len(told[run_id])} events told, {len(on_record[run_id])} on record")
        ends = [event["type"] for event in told[run_id] if event["type"] in TERMINAL]
        if len(ends) != 1 or told[run_id][-1]["type"] not in TERMINAL:
            problems.append(f"run {run_id}: its ends are {ends}")
    codes = [events[-1]["payload"].get("code") for events in told.values() if events]
    requests = sum(len(user.asked) for user in users)
    if requests != len(told):
        problems.append(f"{requests} requests made {len(told)} runs")
    events = sum(map(len, told.values()))
    return Outcome(kills, at_start, len(told), codes.count("interrupted"), events, problems)
