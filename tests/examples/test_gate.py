"""The examples gate as the guide says: green as they are, red where one is broken."""

from pathlib import Path

import pytest

from conformance import target
from tests.examples import gate, guide

HERE = "fastapi-websocket"
"""The example that runs in the kit's own environment."""
FEW = "EVT-01,ORD-01"


def test_what_the_guide_says_is_green(tmp_path: Path) -> None:
    folder = gate.copy(HERE, tmp_path)
    code, output = gate.run(guide.of_reader(HERE), folder, only=FEW)
    assert code == 0, output
    assert {"report.html", "verdict.json", "history.jsonl"} <= {
        path.name for path in (folder / "conformance").iterdir()
    }


def test_the_workflow_is_red_where_the_backend_is_broken(tmp_path: Path) -> None:
    folder = gate.copy(HERE, tmp_path)
    wire = folder / "wire.py"
    wire.write_text(wire.read_text().replace("self.seq += 1", "self.seq += 2"))
    code, output = gate.run(guide.of_workflow(HERE), folder, only=FEW)
    assert code == 1, output
    assert "ORD-01" in (folder / "summary.md").read_text()
    assert "::error title=ORD-01 MUST::" in output


def test_what_is_known_is_green_and_what_is_not_is_red(tmp_path: Path) -> None:
    folder = gate.copy("known-violation", tmp_path)
    code, output = gate.run(guide.of_readme("known-violation"), folder, only="LIF-09,ACC-01")
    assert code == 0, output
    assert "KNOWN      baseline.toml:13: LIF-09" in output
    target_file = folder / "target.toml"
    target_file.write_text(target_file.read_text().replace("unknown-type-ignored", "no-credentials-needed"))
    code, output = gate.run(guide.of_workflow("known-violation"), folder, only="LIF-09,ACC-01")
    assert code == 1, output
    assert "NEW        ACC-01 MUST" in output
    assert "STALE      baseline.toml:13: LIF-09" in output


def test_every_example_is_run() -> None:
    folders = {path.parent.name for path in (guide.ROOT / "examples").glob("*/target.toml")}
    assert folders == {*guide.EXAMPLES.values(), *guide.BY_README}


@pytest.mark.parametrize("example", guide.EXAMPLES.values())
def test_both_ways_run_the_same(example: str) -> None:
    reader, workflow = guide.of_reader(example), guide.of_workflow(example)
    assert any(command.startswith("agent-conformance verify --target target.toml") for command in reader.commands)
    told = {command.replace(" --quiet", "") for command in workflow.commands}
    assert {command for command in reader.commands if not command.startswith("export ")} <= told
    assert any("--format github" in command for command in told)


@pytest.mark.parametrize("example", guide.EXAMPLES.values())
def test_the_target_files_are_whole(example: str) -> None:
    read = target.load(guide.ROOT / "examples" / example / "target.toml")
    assert read.witness.model
    assert read.witness.tools
    assert read.auth.secret_env == "JWT_SECRET"
