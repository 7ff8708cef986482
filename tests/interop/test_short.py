"""The suite in short, without a network: an agent of our own that drops what came of a failing tool is driven."""

from pathlib import Path

import pytest

from tests.interop.__main__ import main
from tests.interop.suite import SECRET, Suite

TARGET = """[target]
name = "an agent of our own"
url = "http://127.0.0.1:{port}/agui"
command = "python -m reference_impl --port {port} --secret-env INTEROP_SECRET --model openai --tools http FAULT"
health = "http://127.0.0.1:{port}/ready"
dialect = "ag-ui"

[auth]
scheme = "jwt-hs256"
secret_env = "INTEROP_SECRET"

[witness]
model = true
tools = true
""".replace("FAULT", "--fault missing-tool-completion-on-error")
PAIRS = '[[known]]\nrequirement = "EVT-05"\nreason = "The completion is sent after the call, not in a finally."\n'
OPEN = '[[known]]\nrequirement = "EVT-07"\nreason = "The same."\nscenario = ["tool-failure", "parallel-tools"]\n'
ORDER = '[[known]]\nrequirement = "EVT-06"\nreason = "This one never was."\n'
ONLY = ["--only", "EVT-05,EVT-06,EVT-07"]


def test_an_agent_is_driven_and_its_baseline_must_be_true(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET, "not-much-of-a-secret-but-long-enough-for-a-test")
    suite = Suite(home=tmp_path / "agents", out=tmp_path / "out", report=tmp_path / "interop.md")
    folder = suite.home / "own"
    folder.mkdir(parents=True)
    (folder / "target.toml").write_text(TARGET)

    (folder / "baseline.toml").write_text(PAIRS + OPEN)
    assert main(ONLY, suite) == 0, capsys.readouterr().out
    assert "own: the kit's environment (round 1, " in capsys.readouterr().out
    assert not suite.report.exists()
    assert main(["--again"], suite) == 0
    assert (
        "| EVT-07 MUST | No run ends while one of its tools is still open. | **violated** |" in suite.report.read_text()
    )

    (folder / "baseline.toml").write_text(PAIRS + OPEN + ORDER)
    assert main(["--again"], suite) == 1
    assert "baseline.toml:8: EVT-06 does not happen any more: remove it: This one never was." in capsys.readouterr().out

    (folder / "baseline.toml").write_text(PAIRS)
    assert main(["--again"], suite) == 1
    assert "NEW EVT-07 MUST, not in " in capsys.readouterr().out
