"""The explorer, through the command: what it finds, what it writes, and that it finds nothing where nothing is."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.cli import run
from conformance.explore.scenario_file import read
from conformance.explore.steps import Oversize

HERE = Path(__file__).parent
RARE = ["verify", "--reference", "--fault", "resubscribed-to-the-wrong-tool", "--quiet", "--seed", "1"]
HONEST = ["verify", "--reference", "--quiet", "--seed", "1"]
COMMAND = [sys.executable, "-c", "from conformance.cli import main; main()"]


def violated(out: Path) -> set[str]:
    verdict = json.loads((out / "verdict.json").read_text())
    assert verdict["harness_errors"] == []
    return {r["id"] for r in verdict["requirements"] if r["verdict"] == "fail"}


def test_a_scenario_file_shows_the_defect_and_accuses_nobody_else(tmp_path: Path) -> None:
    file = ["--scenario", str(HERE / "overlap.toml")]
    assert run([*RARE, *file, "--out", str(tmp_path / "faulty")]) == 1
    assert violated(tmp_path / "faulty") == {"ISO-01", "ISO-02", "ISO-03"}
    assert run([*HONEST, *file, "--out", str(tmp_path / "honest")]) == 0


def test_a_rare_interleaving_is_reduced_to_what_matters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*RARE, "--only", "ISO-01", "--scenario", str(HERE / "noisy.toml"), "--explore", "5m"]
    assert run([*words, "--out", str(tmp_path)]) == 1
    file = tmp_path / "ISO-01.toml"
    found = read(file)
    assert found.violates == ("ISO-01",)
    assert len(found.steps) < len(read(HERE / "noisy.toml").steps)
    assert found.reproduced in ("4 of 5", "5 of 5")
    told = capsys.readouterr().out
    assert f"--scenario {file}" in told
    assert file.read_text().rstrip() in told
    assert run([*RARE, "--scenario", str(file), "--out", str(tmp_path / "again")]) == 1


@pytest.mark.parametrize("dialect", ["five-events", "ag-ui"])
def test_nothing_is_found_where_nothing_is(dialect: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*HONEST, "--dialect", dialect, "--only", "ACC-05", "--explore", "8s", "--out", str(tmp_path)]
    assert run(words) == 0
    assert "explored " in capsys.readouterr().out
    assert list(tmp_path.glob("*.toml")) == []


def test_control_c_ends_an_exploration_with_a_verdict(tmp_path: Path) -> None:
    words = ["verify", "--reference", "--only", "ACC-05", "--explore", "1h", "--out", str(tmp_path)]
    child = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    while "exploring" not in child.stderr.readline():
        assert child.poll() is None
    child.send_signal(signal.SIGINT)
    output, _ = child.communicate()
    assert child.returncode == 0
    assert "explored " in output
    assert "exploration: interrupted" in json.loads((tmp_path / "verdict.json").read_text())["warnings"]


@pytest.mark.parametrize("given", ["5x", "m", "-1s", ""])
def test_a_duration_that_is_none_is_wrong_usage(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "--reference", "--explore", given]) == 64
    assert "expected a time such as 45s, 5m or 1h" in capsys.readouterr().err


FRAIL = """
import os, sys
from reference_impl.server import main
from reference_impl.session import ClientSession

take = ClientSession._take

async def frail(self, text, data):
    if text is not None and len(text) > 65_536:
        os._exit(3)
    await take(self, text, data)

ClientSession._take = frail
sys.exit(main())
"""
FRAIL_TARGET = """
[target]
url = "ws://127.0.0.1:{port}/ws"
command = "python frail.py --port {port} --secret-env REFERENCE_JWT_SECRET"
health = "http://127.0.0.1:{port}/ready"
[auth]
scheme = "jwt-hs256"
secret_env = "REFERENCE_JWT_SECRET"
"""


def test_the_steps_that_bring_a_target_down_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "frail.py").write_text(FRAIL)
    target = tmp_path / "target.toml"
    target.write_text(FRAIL_TARGET)
    words = ["verify", "--target", str(target), "--scenario", str(HERE / "overlap.toml"), "--seed", "1", "--quiet"]
    assert run([*words, "--explore", "5m", "--out", str(tmp_path / "out")]) in (1, 69)
    kept = tmp_path / "out" / "target-gone.toml"
    assert any(isinstance(step, Oversize) for step in read(kept).steps)
    said = capsys.readouterr()
    assert "target-gone.toml" in "".join((said.out + said.err).split())
