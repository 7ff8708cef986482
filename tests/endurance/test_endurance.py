"""The short form of `make endurance`."""

from pathlib import Path

from tests.endurance.crash import crash


async def test_a_crash_loses_and_doubles_nothing(tmp_path: Path) -> None:
    outcome = await crash(tmp_path / "journal.sqlite", kills=3, users=4, seed=3)
    assert outcome.problems == []
    assert outcome.accepted > 10
    assert outcome.interrupted > 0


async def test_what_a_crash_loses_is_noticed(tmp_path: Path) -> None:
    journal = tmp_path / "journal.sqlite"
    outcome = await crash(journal, kills=1, users=2, seed=3, options=("--fault", "crash-loses-runs"))
    assert "and is gone" in str(outcome.problems)
