"""The short form of `make endurance` and `make soak`."""

from pathlib import Path

import pytest

from tests.endurance.crash import crash
from tests.endurance.soak import is_flat, soak


async def test_a_crash_loses_and_doubles_nothing(tmp_path: Path) -> None:
    outcome = await crash(tmp_path / "journal.sqlite", kills=3, users=4, seed=3)
    assert outcome.problems == []
    assert outcome.accepted > 10
    assert outcome.interrupted > 0


async def test_what_a_crash_loses_is_noticed(tmp_path: Path) -> None:
    journal = tmp_path / "journal.sqlite"
    outcome = await crash(journal, kills=1, users=2, seed=3, options=("--fault", "crash-loses-runs"))
    assert "and is gone" in str(outcome.problems)


def test_a_soak_tells_what_memory_the_engine_takes(tmp_path: Path) -> None:
    sizes: list[int] = []
    code = soak(tmp_path, users=5, duration_s=4, note=lambda _, size: sizes.append(size))
    assert code in (0, 2), (tmp_path / "load.log").read_text()  # so short a load leaves some undecided
    assert len(sizes) > 3
    assert min(sizes) > 2**20


@pytest.mark.parametrize(("sizes", "flat"), [([3, 5, 7, 9, 9, 9, 9, 9], True), ([5, 6, 7, 8, 9, 10, 11, 12], False)])
def test_growth_is_not_flat(sizes: list[int], flat: bool) -> None:
    assert is_flat([size * 2**20 for size in sizes]) is flat
