"""Judge two engines as one: `python -m tests.fleet [OPTIONS OF verify]`.

Starts a Redis, one engine and a balancer, then `agent-conformance verify`, which starts the other engine, and kills,
freezes and ends it while users of both are served. The exit code is that of `verify`. With `FLEET_JOURNAL=postgresql`
the journal is a PostgreSQL, which is started, too.
"""

import asyncio
import os
import secrets
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from conformance.launch import free_port
from tests.fleet.services import RoundRobin, postgres_server, redis_server
from tests.reference_impl.engine_harness import process

TARGET = Path(__file__).with_name("target.toml")


async def judge(options: Sequence[str]) -> int:
    """Return the exit code of `verify` with these options."""
    secret = secrets.token_urlsafe(48)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="fleet-")))
        bus = await stack.enter_async_context(redis_server(folder))
        journal = str(folder / "journal.sqlite")
        if os.environ.get("FLEET_JOURNAL") == "postgresql":
            journal = stack.enter_context(postgres_server())
        shared = f"--bus {bus} --journal {journal} --heartbeat-s 1 --run-limit-s 4"
        one = await stack.enter_async_context(process("--name", "one", *shared.split(), secret=secret))
        port = free_port()
        balancer = await stack.enter_async_context(RoundRobin([one.port, port]).serving())
        variables = {
            "JWT_SECRET": secret,
            "FLEET_PORT": str(balancer.port),
            "FLEET_ENGINE_PORT": str(port),
            "FLEET_OPTIONS": shared,
        }
        words = (str(Path(sys.executable).with_name("agent-conformance")), "verify", "--target", str(TARGET), *options)
        child = await asyncio.create_subprocess_exec(*words, env={**os.environ, **variables})
        return await child.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(judge(sys.argv[1:])))
