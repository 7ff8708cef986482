"""The kit drives a server that knows nothing of it, by three dialects over HTTP."""

import json
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import run
from tests.dialects_mapping.mappings import EXAMPLES

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ONLY = "EVT,SCH,IDN,ACC,ISO-01,ISO-03,ISO-04,LIF-08,LIF-10,DLV-03"
PLACES = {
    "vercel-ui": "chat",
    "openai-responses": "v1/responses",
    str(EXAMPLES / "chat-sse.toml"): "sse",
}
DECIDED = {
    *(f"EVT-{number:02}" for number in (1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 13, 15)),
    *("SCH-01", "SCH-02", "SCH-06", "SCH-07", "ACC-01", "ACC-02", "ISO-01", "DLV-03"),
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SERVER_SECRET", "a-secret-for-tests-of-more-than-thirty-two-bytes")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def verified(place: str, dialect: str, only: str, out: Path) -> tuple[int, dict[str, str]]:
    """Verify the test server; return the exit code and what became of each requirement."""
    chosen = ["--target", str(HERE / "target.toml"), "--url", "http://127.0.0.1:{port}/" + place, "--dialect", dialect]
    code = run(["verify", *chosen, "--only", only, "--seed", "7", "--quiet", "--out", str(out)])
    verdict: dict[str, Any] = json.loads((out / "verdict.json").read_text())
    return code, {requirement["id"]: requirement["verdict"] for requirement in verdict["requirements"]}


@pytest.mark.parametrize("dialect", PLACES, ids=PLACES.values())
def test_a_good_server_passes(dialect: str, tmp_path: Path) -> None:
    code, outcomes = verified(PLACES[dialect], dialect, ONLY, tmp_path)
    assert [id for id, outcome in outcomes.items() if outcome == "fail"] == []
    assert code == 0
    assert {id for id in DECIDED if outcomes[id] != "pass"} == set()
    assert run(["check", str(tmp_path / "history.jsonl"), "--out", str(tmp_path / "again")]) == 0


def test_a_server_that_loses_parts_fails(tmp_path: Path) -> None:
    code, outcomes = verified("lossy", "vercel-ui", "EVT-05,EVT-07,SCH-02", tmp_path)
    assert code == 1
    assert outcomes == {"EVT-05": "fail", "EVT-07": "fail", "SCH-02": "fail"}
