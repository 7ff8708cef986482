"""Each dialect drives a target that speaks its protocol, through the command and real sockets, and judges it."""

import json
from pathlib import Path

import pytest

from conformance.cli import run

TOLD = {"EVT-01", "EVT-02", "EVT-03", "SCH-01", "SCH-02", "IDN-01"}


@pytest.mark.parametrize(
    ("dialect", "also"),
    [
        ("adk", {"EVT-05", "EVT-09", "EVT-15"}),
        ("langgraph", {"EVT-05", "EVT-09"}),
        ("a2a", {"EVT-09", "IDN-07"}),
        ("chainlit", {"EVT-05", "EVT-09", "IDN-07"}),
    ],
)
def test_a_target_is_asked_for_runs_and_judged(dialect: str, also: set[str], tmp_path: Path) -> None:
    words = ["verify", "--app", "tests.dialects.served:app", "--dialect", dialect, "--seed", "7", "--quiet"]
    assert run([*words, "--only", "EVT-01", "--out", str(tmp_path)]) == 0
    assert run(["check", str(tmp_path / "history.jsonl"), "--only", "EVT,SCH,IDN,ISO", "--out", str(tmp_path)]) == 0
    verdict = json.loads((tmp_path / "verdict.json").read_text())
    outcomes = {requirement["id"]: requirement["verdict"] for requirement in verdict["requirements"]}
    assert {id for id, outcome in outcomes.items() if outcome == "fail"} == set()
    assert {id for id in TOLD | also if outcomes[id] != "pass"} == set()
