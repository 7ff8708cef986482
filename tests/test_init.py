"""`init`: what it writes is a target file that `verify` takes."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conformance import target
from conformance.cli import run
from conformance.launch import Launched, free_port

SECRET = "a-secret-for-tests-of-more-than-thirty-two-bytes"
FOREIGN = Path(__file__).parent / "foreign_engine" / "target.toml"
DESCRIBED = """
import json
from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPBearer

app = FastAPI()
FRAMES = [
    {"type": "start", "messageId": "m-1"},
    {"type": "text-start", "id": "t-1"},
    {"type": "text-delta", "id": "t-1", "delta": "hello"},
    {"type": "text-end", "id": "t-1"},
    {"type": "finish"},
]

@app.post("/assistant/run", dependencies=[Depends(HTTPBearer(auto_error=False))])
async def answer(body: dict) -> StreamingResponse:
    lines = [f"data: {json.dumps(frame)}\\n\\n" for frame in FRAMES] if "messages" in body else []
    return StreamingResponse(iter([*lines, "data: [DONE]\\n\\n"]), media_type="text/event-stream")

@app.post("/users")
async def create(body: dict) -> None:
    raise RuntimeError("who asks this?")
"""


@pytest.fixture
def engine(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a running reference engine, whose secret is in `JWT_SECRET`."""
    monkeypatch.setenv("JWT_SECRET", SECRET)
    port = free_port()
    url = f"ws://127.0.0.1:{port}/ws"
    with serving([sys.executable, "-m", "reference_impl", "--port", str(port)], url, here):
        yield url


@contextmanager
def serving(words: list[str], url: str, folder: Path) -> Iterator[None]:
    """Start a server in a folder; wait until it listens."""
    output = folder / "engine.log"
    launched = Launched(words, url=url, health=None, output=output, directory=folder, environment={})
    with asyncio.Runner() as runner:
        runner.run(launched.__aenter__())
        yield
        runner.run(launched.stop())


def test_it_recognises_the_dialect_with_credentials(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", engine, "--secret-env", "JWT_SECRET"]) == 0
    said = capsys.readouterr().out
    assert "refused with HTTP 401" in said
    assert "the first frame is five-events" in said
    assert "/health answers: good for `health`" in said
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


def test_an_engine_that_knows_nothing_of_the_kit(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", SECRET)
    port = free_port()
    words = [sys.executable, str(FOREIGN.parent / "server.py"), "--port", str(port)]
    with serving(words, f"ws://127.0.0.1:{port}/ws", here):
        assert run(["init", f"http://127.0.0.1:{port}", "--secret-env", "JWT_SECRET", "--out", "foreign.toml"]) == 0
    written = target.load(Path("foreign.toml"))
    assert (written.target.url, written.target.dialect) == (f"ws://127.0.0.1:{port}/ws", "five-events")
    assert '# health = "http://127.0.0.1:{port}/health"' in Path("foreign.toml").read_text()


def test_an_endpoint_is_found_by_its_openapi_document(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "mine.py").write_text(DESCRIBED)
    port = free_port()
    words = [sys.executable, "-m", "uvicorn", "mine:app", "--port", str(port), "--log-level", "error"]
    with serving(words, f"http://127.0.0.1:{port}/", here):
        assert run(["init", f"http://127.0.0.1:{port}"]) == 0
    said = capsys.readouterr().out
    assert "openapi.json names these that take a POST: /assistant/run" in said
    assert "openapi.json declares bearer tokens" in said
    written = target.load(Path("target.toml"))
    assert (written.target.url, written.target.dialect) == (f"http://127.0.0.1:{port}/assistant/run", "vercel-ui")


def test_a_plain_server_of_files_speaks_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    words = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with serving(words, f"http://127.0.0.1:{port}/", here):
        assert run(["init", f"http://127.0.0.1:{port}"]) == 0
    said = capsys.readouterr().out
    assert "no dialect was recognised: set `dialect` in the file to one of " in said
    assert "or describe your own protocol in a mapping" in said
    assert "# not recognised" in Path("target.toml").read_text()


def test_nothing_there_is_no_crash(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", f"ws://127.0.0.1:{free_port()}/ws"]) == 69
    assert "is the target running, and is the URL right?" in capsys.readouterr().err
    assert run(["init", "127.0.0.1:8000"]) == 64
    assert "is no URL of an endpoint" in capsys.readouterr().err
    assert not Path("target.toml").exists()
