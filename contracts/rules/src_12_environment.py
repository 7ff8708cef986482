"""SRC-12: the environment is read in one module only."""

import ast

from contracts.config import Config
from contracts.facts import Marks
from contracts.project import Judgement, Project
from contracts.rule import Rule
from contracts.source import Source
from contracts.syntax import dotted

_READERS = ("os.environ", "os.getenv", "os.environb", "os.getenvb")


def look(source: Source, config: Config, marks: Marks) -> None:
    """Remember each line that reads the environment."""
    if source.is_test:
        return
    aliases = {"os": "os"}
    for node, _ in source.index.of(ast.Import):
        aliases |= {name.asname: "os" for name in node.names if name.name == "os" and name.asname}
    for found, _ in source.index.of(ast.ImportFrom):
        if found.module == "os":
            aliases |= {name.asname or name.name: f"os.{name.name}" for name in found.names}
    written = {
        (target.lineno, target.col_offset)
        for targets in (
            *(assigned.targets for assigned, _ in source.index.assignments() if not assigned.augmented),
            *(node.targets for node, _ in source.index.of(ast.Delete)),
        )
        for target in targets
    }
    lines: set[int] = set()
    for call, _ in source.index.of(ast.Call):
        name = _full(call.func, aliases)
        if name.startswith(("os.getenv", "os.environ.get", "os.environb.get")):
            lines.add(call.lineno)
    for subscript, _ in source.index.of(ast.Subscript):
        if _full(subscript.value, aliases) in _READERS and (subscript.lineno, subscript.col_offset) not in written:
            lines.add(subscript.lineno)
    for line in sorted(lines):
        marks.fact(line)


def _full(node: ast.AST, aliases: dict[str, str]) -> str:
    root, dot, rest = dotted(node).partition(".")
    return f"{aliases.get(root, '?')}{dot}{rest}"


def judge(project: Project, judgement: Judgement) -> None:
    """Compare the modules that read the environment with the one that may."""
    readers: dict[str, list[int]] = {}
    for facts, fact in project.facts(RULE.id):
        readers.setdefault(facts.path, []).append(fact.line)
    judgement.count(len(readers))
    allowed = project.config.environment
    for path, lines in readers.items():
        module = project.modules.names.get(path, path)
        if allowed is not None and module != allowed:
            for line in lines:
                judgement.fail(path, line, f"{module} reads the environment; only {allowed} may")
        elif allowed is None and len(readers) > 1:
            judgement.fail(path, lines[0], f"{module} reads the environment, and other modules do, too")


RULE = Rule(
    id="SRC-12",
    expected="settings from the one module that reads the environment",
    fix="Read all variables in one module, and pass on what it read.",
    unknown="nothing reads the environment",
    options=("environment",),
    look=look,
    judge=judge,
    bad="""
--- contracts.toml
environment = "shop.settings"
--- shop/__init__.py
--- shop/settings.py
import os
URL = os.environ["URL"]
--- shop/orders.py
from os import environ, getenv
import os as system

LIMIT = environ.get("LIMIT", "1")  # wrong
NAME = getenv("NAME")  # wrong
PATH = system.environ["PATH"]  # wrong
""",
    good="""
--- shop/__init__.py
--- shop/settings.py
import os
URL = os.environ["URL"]
--- shop/orders.py
import os

def run(child):
    os.environ["MODE"] = "child"
    child.start(env={**os.environ})
""",
)
