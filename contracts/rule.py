"""What a rule is: one file in `contracts/rules/` with `RULE`, found by being there."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from contracts.config import Config
from contracts.facts import Marks
from contracts.source import Source

if TYPE_CHECKING:
    from contracts.project import Judgement, Project

Look = Callable[[Source, Config, Marks], None]
Judge = Callable[["Project", "Judgement"], None]

WRONG = "# wrong"
"""What marks, in a bad example, the line that a finding is expected at."""


def _nothing_to_see(source: Source, config: Config, marks: Marks) -> None:
    """Look at nothing."""


def _nothing_to_judge(project: "Project", judgement: "Judgement") -> None:
    """Judge nothing."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How one requirement is decided on source.

    `look` sees one parsed file at a time, in any process; `judge` sees the whole project. `expected` is what would have
    been right, `fix` how to get there. `options` are the settings that it reads, `ruff` the codes that it takes from
    ruff; `unknown` says why nothing could be decided where nothing was exercised. `good` and `bad` are examples, which
    are its tests: files after lines of `--- path`, and in the bad one `# wrong` at each line that a finding is at.
    """

    id: str
    expected: str
    fix: str
    bad: str
    good: str
    unknown: str
    options: tuple[str, ...] = ()
    ruff: tuple[str, ...] = ()
    look: Look = _nothing_to_see
    judge: Judge = _nothing_to_judge


@cache
def rules() -> tuple[Rule, ...]:
    """Return all rules, by their ids."""
    package = importlib.import_module("contracts.rules")
    found = [
        importlib.import_module(f"{package.__name__}.{info.name}") for info in pkgutil.iter_modules(package.__path__)
    ]
    return tuple(sorted((module.RULE for module in found), key=lambda rule: rule.id))


def files_of(example: str) -> dict[str, str]:
    """Return the files of an example by their paths."""
    files: dict[str, str] = {}
    path = ""
    for line in example.strip("\n").splitlines():
        if line.startswith("--- "):
            path = line.removeprefix("--- ").strip()
            files[path] = ""
        else:
            files[path] += f"{line}\n"
    return files
