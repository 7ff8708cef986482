"""Running the guide's steps in a copy of an example, as a person's shell and as a runner of CI do."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.examples.guide import ROOT, Steps

Change = Callable[[str], str]


def copy(example: str, folder: Path) -> Path:
    """Copy an example, without what was made in it; return where it is."""
    made = shutil.ignore_patterns(".venv", "__pycache__", "conformance")
    return shutil.copytree(ROOT / "examples" / example, folder / example, ignore=made)


def run(steps: Steps, folder: Path, *, only: str | None = None) -> tuple[int, str]:
    """Run the steps in one shell, to its end even where one fails, as `if: always()` has it.

    Returns the exit code of `verify` and what was printed. With `only`, `verify` is about those requirements alone.
    """
    commands = [shorter(command, only) if only else command for command in steps.commands]
    lines = [f"{command}; code=$?" if " verify " in command else command for command in commands]
    environment = {
        **os.environ,
        **steps.environment,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }
    script = "\n".join([*lines, "exit $code"])
    done = subprocess.run(
        ["bash", "-uc", script],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def shorter(command: str, only: str) -> str:
    """Return a command of `verify` for a few requirements; any other command as it is."""
    return f"{command} --only {only} --seed 1" if " verify " in command else command
