"""Several engines that act as one, in this process, with a real Redis between them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.services import redis_server
from tests.reference_impl.engine_harness import Engine, check_story, engine, say, script, tool, types


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[str]:
    async with redis_server(tmp_path) as url:
        yield url


@contextlib.asynccontextmanager
async def fleet(bus: str, folder: Path, **options: Any) -> AsyncIterator[tuple[Engine, Engine]]:
    shared = {"bus": bus, "journal": folder / "journal.sqlite", **options}
    async with engine(**shared) as one, engine(**shared) as two:
        yield one, two


async def test_a_user_at_one_engine_sees_the_runs_of_another(bus: str, tmp_path: Path) -> None:
    async with fleet(bus, tmp_path) as (one, two), one.client("alice") as here, two.client("alice") as there:
        run = await here.run(script(tool("echo", text="x"), say("done")))
        check_story(run)
        assert await there.follow(run[0]["run_id"]) == run
        assert not await_nothing(there)


def await_nothing(client: Any) -> bool:
    return False
