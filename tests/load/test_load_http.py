"""Loads over HTTP: judged as over a WebSocket, and held to what the protocol shows."""

from pathlib import Path

import pytest

from tests.load.test_load_command import loaded, outcomes

HTTP = Path(__file__).parents[1] / "dialects_http" / "target.toml"
ROOT = Path(__file__).parents[2]
MIX = "\n[load]\nthink_s = 0.1\nmix = { chat = 3, tools = 2, parallel_tools = 1 }\n"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SERVER_SECRET", "a-secret-for-tests-of-more-than-thirty-two-bytes")
    monkeypatch.setenv("REFERENCE_SECRET", "a-secret-for-tests-of-more-than-thirty-two-bytes")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def ag_ui(fault: str) -> str:
    """A target file for the reference engine over AG-UI."""
    return f"""
[target]
url = "http://127.0.0.1:{{port}}/agui"
command = "python -m reference_impl --port {{port}} --secret-env REFERENCE_SECRET {fault}"
health = "http://127.0.0.1:{{port}}/ready"
dialect = "ag-ui"
[auth]
scheme = "jwt-hs256"
secret_env = "REFERENCE_SECRET"
"""


def over_http(folder: Path, file: str, *more: str) -> tuple[int, dict[str, str], dict[str, str]]:
    """Load a target ; return exit code, outcomes of requirements, and of objectives."""
    target = folder / "target.toml"
    target.write_text(file + MIX)
    code, verdict = loaded(folder, "--target", str(target), "--users", "20", "--spawn-rate", "20", *more)
    assert verdict["harness_errors"] == []
    return code, outcomes(verdict), {each["name"]: each["verdict"] for each in verdict["objectives"]}


def test_ag_ui_is_judged_and_held_to_its_times(tmp_path: Path) -> None:
    _, found, objectives = over_http(tmp_path, ag_ui(""), "--duration", "6s")
    assert "fail" not in found.values()
    assert {found[id] for id in ("EVT-02", "ISO-01", "AGU-01")} == {"pass"}
    assert objectives.keys() == {"p95_ms", "first_event_ms", "errors"}
    assert "violated" not in objectives.values()


def test_a_leak_over_ag_ui_is_flagged(tmp_path: Path) -> None:
    code, found, _ = over_http(tmp_path, ag_ui("--fault cross-user-leak"), "--duration", "5m", "--fail-fast")
    assert (code, found["ISO-01"]) == (1, "fail")


def test_without_timestamps_it_is_held_to_waits(tmp_path: Path) -> None:
    _, found, objectives = over_http(tmp_path, HTTP.read_text(), "--duration", "6s")
    assert "fail" not in found.values()
    assert found["EVT-02"] == "pass"
    assert objectives.keys() == {"first_event_ms", "errors"}
