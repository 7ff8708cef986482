"""SRC-14: public functions are typed and documented."""

from contracts.config import Config
from contracts.facts import Marks
from contracts.project import Judgement, Project
from contracts.rule import Rule
from contracts.source import Source
from contracts.syntax import Function, Place

_WHAT = {
    "D102": "has no docstring",
    "D103": "has no docstring",
    "ANN001": "has a parameter without a type",
    "ANN002": "has *arguments without a type",
    "ANN003": "has **arguments without a type",
    "ANN201": "has no return type",
    "ANN205": "has no return type",
    "ANN206": "has no return type",
}


def look(source: Source, config: Config, marks: Marks) -> None:
    """Remember where the head of each public function is."""
    if source.is_test:
        return
    for function, place in source.index.functions():
        if _public(function, place):
            marks.count()
            marks.fact(function.lineno, function.name, str(function.body[0].lineno - 1))


def _public(function: Function, place: Place) -> bool:
    if function.name.startswith("_") or place.function is not None:
        return False
    return not any(word.startswith("_") for word in place.qualified.split("."))


def judge(project: Project, judgement: Judgement) -> None:
    """Put what ruff says about a function together: one finding a function."""
    heads: dict[str, dict[int, tuple[int, str]]] = {}
    for facts, fact in project.facts(RULE.id):
        rows = heads.setdefault(facts.path, {})
        for row in range(fact.line, max(fact.line, int(fact.words[1])) + 1):
            rows.setdefault(row, (fact.line, fact.words[0]))
    said: dict[tuple[str, int, str], set[str]] = {}
    for one in project.diagnostics(*RULE.ruff):
        head = heads.get(one.path, {}).get(one.line)
        if head is not None:
            said.setdefault((one.path, *head), set()).add(_WHAT[one.code])
    for (path, line, name), problems in said.items():
        judgement.fail(path, line, f"{name} {', '.join(sorted(problems))}")


RULE = Rule(
    id="SRC-14",
    expected="types for all parameters and the result, and a docstring",
    fix="Say in a sentence what the function does, and annotate what goes in and comes out.",
    unknown="the tree holds no public function",
    ruff=tuple(_WHAT),
    look=look,
    judge=judge,
    bad='''
--- shop/orders.py
"""Orders."""

def order(items):  # wrong
    """Order."""

def cancel(order: str) -> None:  # wrong
    pass

class Shop:
    """A shop."""

    def close(self, at) -> None:  # wrong
        """Close."""
''',
    good='''
--- shop/orders.py
"""Orders."""

def order(items: list[str]) -> int:
    """Order."""

def _cancel(order):
    pass

class _Shop:
    def close(self, at):
        def later(now): ...
''',
)
