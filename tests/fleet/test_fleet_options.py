"""What a fleet cannot use is said in one line, without passwords."""

import asyncio
from pathlib import Path

import pytest

from reference_impl.server import main
from tests.reference_impl.engine_harness import SECRET, engine

Capture = pytest.CaptureFixture[str]


async def refused(capsys: Capture, *options: str) -> tuple[int, str]:
    """The exit code and the one line of an engine that does not start."""
    code = await asyncio.to_thread(main, ["--port", "0", *options])
    (line,) = capsys.readouterr().err.splitlines()
    assert "hidden" not in line
    return code, line


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", SECRET)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ("--bus redis://:hidden@127.0.0.1:1 --journal {journal}", 69, "cannot reach the Redis"),
        ("--bus http://:hidden@127.0.0.1 --journal {journal}", 64, "redis://"),
        ("--bus redis://127.0.0.1", 64, "journal"),
        ("--bus redis://127.0.0.1 --journal {journal} --fault null-run-id", 64, "--fault"),
        ("--journal postgresql://me:hidden@127.0.0.1:1/x", 64, "bus"),
    ],
)
async def test_options_that_do_not_fit(tmp_path: Path, capsys: Capture, options: str, code: int, words: str) -> None:
    journal = str(tmp_path / "journal.sqlite")
    found, line = await refused(capsys, *options.format(journal=journal).split())
    assert found == code
    assert words in line


async def test_a_journal_that_is_somebody_elses(bus: str, tmp_path: Path, capsys: Capture) -> None:
    journal = tmp_path / "journal.sqlite"
    async with engine(journal=journal):
        code, line = await refused(capsys, "--bus", bus, "--journal", str(journal))
        assert (code, "cannot use" in line) == (69, True)
    async with engine(journal=journal, bus=bus):
        code, line = await refused(capsys, "--journal", str(journal))
        assert (code, "cannot use" in line) == (69, True)


async def test_a_database_that_is_not_there(bus: str, capsys: Capture) -> None:
    code, line = await refused(capsys, "--bus", bus, "--journal", "postgresql://me:hidden@127.0.0.1:1/x")
    assert (code, "cannot use the database" in line) == (69, True)
