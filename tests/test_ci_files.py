"""What others take into their CI: it is of the right form, no input is ever code, and the commands in it work."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.cli import run
from tests.examples import action as actions

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
SECRET = "a-secret-for-tests-of-more-than-thirty-two-bytes"
TARGET = """
[target]
url = "ws://127.0.0.1:{port}/ws"
command = "python -m reference_impl --port {port} --secret-env JWT_SECRET FAULT"
health = "http://127.0.0.1:{port}/ready"
[auth]
scheme = "jwt-hs256"
secret_env = "JWT_SECRET"
"""
SCHEMAS: dict[str, list[str]] = {
    "github-actions": ["action.yml"],
    "gitlab-ci": [".gitlab/agent-conformance.yml"],
    "github-workflows": sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("examples/*/.github/workflows/*.yml")),
}


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_fit_their_schemas(schema: str) -> None:
    assert SCHEMAS[schema]
    words = [str(BIN / "check-jsonschema"), "--builtin-schema", f"vendor.{schema}", *SCHEMAS[schema]]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_is_clean() -> None:
    done = subprocess.run([BIN / "hadolint", "Dockerfile"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    copied = [line.split()[1:-1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")]
    own = [name for names in copied for name in names if not name.startswith("-") and not name.startswith("/")]
    assert "conformance" in own
    assert all((ROOT / name).exists() for name in own)
    let_in = (ROOT / ".dockerignore").read_text().splitlines()
    assert {f"!{name}" for name in own} <= set(let_in)


def scripts(steps: list[dict[str, Any]]) -> list[str]:
    return [step["run"] for step in steps if "run" in step]


def test_no_input_is_ever_code() -> None:
    """A script in which `${{ … }}` is put before it runs would run what an input says."""
    workflows = [job["steps"] for path in SCHEMAS["github-workflows"] for job in read(path)["jobs"].values()]
    for steps in (read("action.yml")["runs"]["steps"], *workflows):
        assert scripts(steps)
        assert [script for script in scripts(steps) if "${{" in script or "eval" in script] == []


def action(folder: Path, monkeypatch: pytest.MonkeyPatch, **inputs: str) -> tuple[int, str]:
    """Run the action's step that verifies, with the kit of this environment."""
    monkeypatch.setenv("JWT_SECRET", SECRET)
    temp = folder / "temp"
    temp.mkdir()
    (temp / "agent-conformance").symlink_to(sys.prefix)
    return actions.run(folder, temp, ids=("verify",), **inputs)


@pytest.mark.parametrize(("fault", "code"), [("", 0), ("--fault no-credentials-needed", 1)])
def test_the_action_gates(here: Path, monkeypatch: pytest.MonkeyPatch, fault: str, code: int) -> None:
    (here / "target.toml").write_text(TARGET.replace("FAULT", fault))
    found, printed = action(here, monkeypatch, only="ACC-01", seed="1")
    assert found == code, printed
    assert ("::error title=ACC-01 MUST::" in printed) is bool(code)
    assert (here / "temp" / "output").read_text() == f"exit-code={code}\n"
    assert "ACC-01" in (here / "temp" / "summary.md").read_text()
    assert (here / "conformance" / "report.html").exists()


@pytest.mark.parametrize("name", ["target", "only", "baseline", "seed", "out", "profile", "strict"])
def test_a_hostile_input_does_nothing(here: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    hostile = '"; touch pwned; echo "$(touch pwned)`touch pwned`'
    code, printed = action(here, monkeypatch, **{"target": "missing.toml", name: hostile})
    assert code == 64, printed
    assert not list(here.rglob("pwned"))


def test_the_gitlab_job_gates(here: Path) -> None:
    job = read(".gitlab/agent-conformance.yml")["agent-conformance"]
    (here / "target.toml").write_text(TARGET.replace("FAULT", ""))
    environment = {**os.environ, **job["variables"], "CONFORMANCE_ONLY": "ACC-01", "JWT_SECRET": SECRET}
    environment["PATH"] = f"{BIN}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", "\n".join(job["script"])], cwd=here, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (here / "conformance" / "junit.xml").exists()
    assert job["artifacts"]["reports"]["junit"] == "$CONFORMANCE_OUT/junit.xml"


def test_the_hook_audits_the_tree(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (hook,) = read(".pre-commit-hooks.yaml")
    assert {"id", "name", "entry", "language"} <= hook.keys()
    program, *words = shlex.split(f"{hook['entry']} {shlex.join(hook['args'])}")
    assert program == "agent-conformance"
    (here / "mine.py").write_text("def answer() -> int:\n    return 42\n")
    assert run(words) == 0, capsys.readouterr().out
    (here / "mine.py").write_text("from mine.nothing import answer\n(\n")
    assert run(words) == 1
