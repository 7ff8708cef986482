"""A target that was started by hand, before the kit, and pointed to where the witness will be."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conformance.cli import run
from conformance.launch import free_port

AGENT = Path(__file__).parent / "hand_started.py"
ONLY = "EVT,ISO-06"


@contextmanager
def started(witness_port: int) -> Iterator[str]:
    """The agent, and where it listens."""
    port = free_port()
    environment = {"OPENAI_BASE_URL": f"http://127.0.0.1:{witness_port}/v1", "OPENAI_API_KEY": "x", "NO_PROXY": "*"}
    words = [sys.executable, str(AGENT), str(port)]
    with subprocess.Popen(words, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield f"ws://127.0.0.1:{port}/"
        finally:
            process.terminate()


def test_it_is_verified_by_a_url_and_a_file_of_two_lines(here: Path) -> None:
    port = free_port()
    Path("target.toml").write_text(f"[witness]\nport = {port}\n")
    with started(port) as url:
        words = ["verify", "--url", url, "--target", "target.toml", "--only", ONLY, "--seed", "1", "--quiet"]
        assert run([*words, "--out", "out"]) == 0
    verdict = json.loads((here / "out" / "verdict.json").read_text())
    outcomes = {r["id"]: r["verdict"] for r in verdict["requirements"]}
    reasons = {r["id"]: r["reason"] for r in verdict["requirements"]}
    assert verdict["harness_errors"] == []
    assert outcomes["EVT-16"] == outcomes["ISO-06"] == outcomes["EVT-05"] == "pass"
    assert outcomes["EVT-12"] == "unknown"
    assert reasons["EVT-12"] == "no tool call reached the witness: is the target wired to its tools?"


def test_where_something_else_listens_the_way_out_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        Path("target.toml").write_text(f"[witness]\nport = {port}\n")
        assert run(["verify", "--url", "ws://127.0.0.1:1/", "--target", "target.toml", "--quiet", "--out", "out"]) == 64
    said = capsys.readouterr().err
    assert f"cannot listen on 127.0.0.1:{port}" in said
    assert "agent-conformance witness" in said


def test_a_file_without_a_url_needs_one(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("target.toml").write_text("[witness]\nport = 8766\n")
    assert run(["verify", "--target", "target.toml", "--quiet"]) == 64
    assert 'target.toml: [target] url: expected a URL such as "ws://' in capsys.readouterr().err
