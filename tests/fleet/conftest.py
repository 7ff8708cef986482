"""What every fleet of a test shares: a Redis, and a journal, which `FLEET_JOURNAL=postgresql` makes a database."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.fleet.services import postgres_server, redis_server


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[str]:
    async with redis_server(tmp_path) as url:
        yield url


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[str]:
    if os.environ.get("FLEET_JOURNAL") != "postgresql":
        yield str(tmp_path / "journal.sqlite")
        return
    with postgres_server() as url:
        yield url
