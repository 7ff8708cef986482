"""The main job for targets that are asked over HTTP: the reference engine as an AG-UI endpoint."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from conformance.cli import run
from conformance.launch import Launched, free_port

SECRET = "a-secret-for-tests-of-more-than-thirty-two-bytes"
UNSEEN = "nothing was seen that could decide it"


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that one quick run left."""
    out = tmp_path_factory.mktemp("quick")
    assert run(["verify", "--reference", "--dialect", "ag-ui", "--seed", "7", "--quiet", "--out", str(out)]) == 0
    return out


def test_the_reference_engine_keeps_every_promise_that_is_decided(quick: Path) -> None:
    verdict = json.loads((quick / "verdict.json").read_text())
    outcomes = {r["id"]: (r["verdict"], r["reason"]) for r in verdict["requirements"]}
    assert (verdict["verdict"], verdict["dialect"]) == ("pass", "ag-ui")
    assert {id for id, (outcome, _) in outcomes.items() if outcome == "fail"} == set()
    unseen = {id for id, (outcome, reason) in outcomes.items() if outcome == "unknown" and reason == UNSEEN}
    # the engine has no steps, chunks, shared state and interrupts; what became of a run nobody listens to is not seen,
    # and a reader of single answers is not held back
    assert {id for id in unseen if not id.startswith("AGU-")} <= {"LIF-04", "DLV-06", "ISO-09"}
    assert verdict["summary"]["pass"] >= 60
    assert verdict["harness_errors"] == []


def test_what_the_protocol_cannot_do_is_not_applicable(quick: Path) -> None:
    verdict = json.loads((quick / "verdict.json").read_text())
    outcomes = {r["id"]: r["verdict"] for r in verdict["requirements"]}
    lacking = ("LIF-01", "LIF-02", "LIF-09", "ACC-04", "ACC-07", "DLV-01", "DLV-05", "DLV-07", "DLV-10", "IDN-05")
    assert {outcomes[id] for id in lacking} == {"not_applicable"}


def test_the_same_history_gives_the_same_verdict(quick: Path, here: Path) -> None:
    assert run(["check", str(quick / "history.jsonl"), "--out", "again"]) == 0
    recorded, again = (json.loads((folder / "verdict.json").read_text()) for folder in (quick, here / "again"))
    assert again["requirements"] == recorded["requirements"]


def test_no_token_is_in_the_history(quick: Path) -> None:
    assert "eyJ" not in (quick / "history.jsonl").read_text()


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        ("missing-tool-completion-on-error", "EVT-05"),
        ("cross-user-leak", "ISO-01"),
        ("expired-token-accepted", "ACC-02"),
    ],
)
def test_faulty_engines_are_found_out(fault: str, wanted: str, here: Path) -> None:
    arguments = ["verify", "--reference", "--fault", fault, "--dialect", "ag-ui", "--seed", "7", "--quiet"]
    assert run([*arguments, "--only", wanted, "--out", "out"]) == 1
    verdict = json.loads(Path("out/verdict.json").read_text())
    assert {r["id"] for r in verdict["requirements"] if r["verdict"] == "fail"} == {wanted}


@asynccontextmanager
async def engine(folder: Path) -> AsyncIterator[str]:
    """The URL of a running reference engine, whose secret is in `JWT_SECRET`."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/agui"
    words = [sys.executable, "-m", "reference_impl", "--port", str(port)]
    output = folder / "engine.log"
    async with Launched(words, url=url, health=None, output=output, directory=folder, environment={}):
        yield url


def test_a_running_endpoint_is_verified_by_its_url_or_by_a_file_of_few_lines(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JWT_SECRET", SECRET)
    some = ["--only", "EVT-01,ACC-01", "--quiet", "--out", "out"]
    with asyncio.Runner() as runner:
        running = engine(here)
        url = runner.run(running.__aenter__())
        Path("target.toml").write_text(
            f'[target]\nurl = "{url}"\ndialect = "ag-ui"\n[auth]\nscheme = "jwt-hs256"\nsecret_env = "JWT_SECRET"\n'
        )
        assert run(["verify", "--url", url, "--dialect", "ag-ui", "--secret-env", "JWT_SECRET", *some]) == 0
        assert run(["verify", "--target", "target.toml", *some]) == 0
        runner.run(running.__aexit__(None, None, None))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--url", "ws://127.0.0.1:1/ws", "--dialect", "ag-ui"], "ag-ui is spoken over HTTP: expected http://"),
        (["--url", "http://127.0.0.1:1/ws"], "five-events is spoken over a WebSocket: expected ws://"),
        (["--reference", "--dialect", "nonsense"], "the reference engine speaks five-events and ag-ui"),
    ],
)
def test_a_url_that_does_not_fit_its_dialect_is_wrong_usage(
    arguments: list[str], problem: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", *arguments]) == 64
    assert problem in capsys.readouterr().err


def test_where_nothing_listens_the_target_is_unreachable(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}/agui"
    assert run(["verify", "--url", url, "--dialect", "ag-ui", "--quiet"]) == 69
    assert f"nothing listens at {url}" in capsys.readouterr().err
