"""What memory an engine takes: for an idle connection, and for runs that are over."""

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.reference_impl.engine_harness import Client, process, say, script, tool

MESSAGE = script({"think": "hm"}, tool("echo", text="a" * 200), say("one two three"))
USERS = 20


@dataclass(frozen=True)
class Usage:
    """Resident memory in bytes. `after` holds it after each thousand (or `step`) of runs, the first one as warm-up."""

    connections: int
    per_connection: float
    step: int
    after: list[int]

    @property
    def per_step(self) -> float:
        """What each further `step` runs add: the slope between the first and the last of `after`."""
        return (self.after[-1] - self.after[0]) / (len(self.after) - 1)


async def measure(journal: Path, *, connections: int, steps: int, step: int = 1_000) -> Usage:
    """Open idle connections, close them; then run `steps` times `step` runs on a few."""
    async with process("--port", "0", "--journal", str(journal)) as target:
        engine = psutil.Process(target.process.pid)
        async with target.client("first") as first:
            await first.run("warm up")
            before = engine.memory_info().rss
            async with contextlib.AsyncExitStack() as stack:
                for number in range(connections):
                    await stack.enter_async_context(target.client(f"idle-{number}"))
                per_connection = (engine.memory_info().rss - before) / connections
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(target.client(f"user-{number}")) for number in range(USERS)]
            after: list[int] = []
            for _ in range(steps):
                await asyncio.gather(*(_runs(client, step // USERS) for client in clients))
                after.append(engine.memory_info().rss)
    return Usage(connections, per_connection, step, after)


async def _runs(client: Client, number: int) -> None:
    for _ in range(number):
        await client.run(MESSAGE)
        client.seen.clear()
