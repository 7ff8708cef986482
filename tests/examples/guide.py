"""What the guide "Gate your backend" tells its reader to run: the lines of its tabs, and the steps of its workflows."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "how-to" / "gate-your-backend.md"
EXAMPLES = {"FastAPI, WebSocket": "fastapi-websocket", "pydantic-ai, AG-UI": "pydantic-ai-ag-ui"}
"""The guide's tabs, and the folder that each is about."""
BY_README = ("known-violation",)
"""Examples that their own README tells how to run."""

_TAB = re.compile(r'^=== "(?P<name>.+)"\n\n(?P<body>(?:(?: {4}.*)?\n)+)', re.MULTILINE)
_CONSOLE = re.compile(r"^ {4}```console\n(?P<lines>.*?)^ {4}```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Steps:
    """Commands for one shell, in order, and the variables that are set for them."""

    commands: tuple[str, ...]
    environment: dict[str, str]


def of_reader(example: str) -> Steps:
    """Return what a reader of an example's tabs types."""
    bodies = [tab["body"] for tab in _TAB.finditer(GUIDE.read_text()) if EXAMPLES[tab["name"]] == example]
    lines = [line for body in bodies for block in _CONSOLE.finditer(body) for line in block["lines"].splitlines()]
    return Steps(tuple(line.strip().removeprefix("$ ") for line in lines), {})


def of_readme(example: str) -> Steps:
    """Return what the README of an example tells to type: its indented lines."""
    text = (ROOT / "examples" / example / "README.md").read_text()
    return Steps(tuple(line.strip() for line in text.splitlines() if line.startswith("    ")), {})


def of_workflow(example: str) -> Steps:
    """Return what an example's workflow runs."""
    path = ROOT / "examples" / example / ".github" / "workflows" / "conformance.yml"
    job: dict[str, Any] = yaml.safe_load(path.read_text())["jobs"]["verify"]
    return Steps(tuple(step["run"] for step in job["steps"] if "run" in step), job["env"])
