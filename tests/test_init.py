"""`init`: what it writes is a target file that `verify` takes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance import target
from conformance.cli import run
from conformance.launch import Launched, free_port

SECRET = "a-secret-for-tests-of-more-than-thirty-two-bytes"


@pytest.fixture
def engine(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a running reference engine, whose secret is in `JWT_SECRET`."""
    import sys

    monkeypatch.setenv("JWT_SECRET", SECRET)
    port = free_port()
    url = f"ws://127.0.0.1:{port}/ws"
    launched = Launched(
        [sys.executable, "-m", "reference_impl", "--port", str(port)],
        url=url,
        health=None,
        output=here / "engine.log",
        directory=here,
        environment={},
    )
    with asyncio.Runner() as runner:
        runner.run(launched.__aenter__())
        yield url
        runner.run(launched.stop())


def test_it_recognises_the_dialect_with_credentials(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", engine, "--secret-env", "JWT_SECRET"]) == 0
    said = capsys.readouterr().out
    assert "refused with HTTP 401" in said
    assert "the first frame is five-events" in said
    written = target.load(Path("target.toml"))
    assert written.target.url == engine
    assert written.target.dialect == "five-events"
    assert written.auth.scheme == "jwt-hs256"
    assert run(["verify", "--target", "target.toml", "--only", "EVT-01", "--quiet", "--out", "out"]) == 0


def test_without_credentials_it_says_what_is_missing(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", engine.removesuffix("/ws").replace("ws:", "http:")]) == 0
    said = capsys.readouterr().out
    assert "it needs credentials: fill in [auth]" in said
    assert target.load(Path("target.toml")).target.url == engine


def test_it_never_replaces_a_file_unasked(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("target.toml").write_text("# mine\n")
    assert run(["init", engine]) == 64
    assert "say --force" in capsys.readouterr().err
    assert Path("target.toml").read_text() == "# mine\n"
    assert run(["init", engine, "--force"]) == 0
    assert "# mine" not in Path("target.toml").read_text()


def test_it_recognises_ag_ui(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    agui = engine.replace("ws://", "http://").replace("/ws", "/agui")
    assert run(["init", agui, "--secret-env", "JWT_SECRET"]) == 0
    assert f"a POST to {agui} is answered in ag-ui" in capsys.readouterr().out
    written = target.load(Path("target.toml"))
    assert (written.target.url, written.target.dialect) == (agui, "ag-ui")
    assert run(["verify", "--target", "target.toml", "--only", "EVT-01", "--quiet", "--out", "out"]) == 0


def test_it_says_which_dialects_an_endpoint_does_not_speak(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    url = engine.replace("ws://", "http://").replace("/ws", "/runs")
    assert run(["init", url, "--secret-env", "JWT_SECRET"]) == 0
    said = capsys.readouterr().out
    assert "no ag-ui (HTTP 400" in said
    assert "no dialect was recognised" in said
