"""SRC-21: a class does not define the same method twice."""

import ast

from contracts.config import Config
from contracts.facts import Marks
from contracts.project import Judgement, Project
from contracts.rule import Rule
from contracts.source import Source
from contracts.syntax import Function


def look(source: Source, config: Config, marks: Marks) -> None:
    """Remember the lines of methods whose class has another of the same name."""
    for cls, _ in source.index.of(ast.ClassDef):
        methods = [node for node in cls.body if isinstance(node, Function)]
        marks.count(bool(methods))
        seen: set[str] = set()
        for method in methods:
            if method.name in seen:
                marks.fact(method.lineno, cls.name, method.name)
            seen.add(method.name)


def judge(project: Project, judgement: Judgement) -> None:
    """Take over what ruff says about those."""
    said = {(one.path, one.line) for one in project.diagnostics(*RULE.ruff)}
    for facts, fact in project.facts(RULE.id):
        if (facts.path, fact.line) in said:
            cls, method = fact.words
            judgement.fail(facts.path, fact.line, f"{cls}.{method} is defined again; the first one never runs")


RULE = Rule(
    id="SRC-21",
    expected="one definition of each method",
    fix="Delete the definition that never runs, or give it the name that it was meant to have.",
    unknown="the tree holds no class with methods",
    ruff=("F811",),
    look=look,
    judge=judge,
    bad="""
--- shop/orders.py
class Orders:
    def add(self, order): ...
    def find(self, id): ...
    def add(self, order, at): ...  # wrong
""",
    good="""
--- shop/orders.py
from typing import overload

class Orders:
    @property
    def limit(self): ...
    @limit.setter
    def limit(self, value): ...
    @overload
    def find(self, id: int): ...
    @overload
    def find(self, id: str): ...
    def find(self, id): ...
""",
)
