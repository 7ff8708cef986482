"""Running the steps of `action.yml` as a runner does: expressions go into the environment, scripts to bash."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
_EXPRESSION = re.compile(r"\$\{\{ ([\w.]+) \}\}")


def document() -> dict[str, Any]:
    """Return what stands in `action.yml`."""
    read: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
    return read


def run(folder: Path, temp: Path, *, ids: tuple[str, ...] | None = None, **inputs: str) -> tuple[int, str]:
    """Run the steps in a folder, or those with these ids; `temp` is the runner's own folder.

    Returns the exit code of the first that fails, 0 where none does, and what all printed.
    """
    read = document()
    known = {"github.action_path": str(ROOT), "runner.temp": str(temp)}
    known |= {f"inputs.{name}": str(each.get("default", "")) for name, each in read["inputs"].items()}
    known |= {f"inputs.{name}": value for name, value in inputs.items()}
    printed = ""
    for step in read["runs"]["steps"]:
        if ids is not None and step.get("id") not in ids:
            continue
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_OUTPUT": str(temp / "output"),
            "GITHUB_STEP_SUMMARY": str(temp / "summary.md"),
            **{name: _EXPRESSION.sub(lambda found: known[found[1]], value) for name, value in step["env"].items()},
        }
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(
            words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        printed += done.stdout
        if done.returncode:
            return done.returncode, printed
    return 0, printed
