"""SRC-18: a constructor or factory can succeed."""

import ast
import re

from contracts.config import Config
from contracts.facts import Marks
from contracts.rule import Rule
from contracts.source import Source
from contracts.syntax import Function, Place, inside, last_word, without_docstring

_FACTORY = re.compile(r"^(create|make|build|new|from)_[a-z]")
_ABSTRACT = re.compile(r"(ABC|Protocol|Base|Mixin|Interface|Enum|Error|Exception|Warning)$|^(Base|Abstract)|type$")
_BY_DESIGN = frozenset({"NotImplementedError", "ImportError", "ModuleNotFoundError"})


def look(source: Source, config: Config, marks: Marks) -> None:
    """Look at the constructors, and at the functions whose names say that they make something."""
    if source.is_test:
        return
    for function, place in source.index.functions():
        if not _makes(function, place) or _meant_for_subclasses(function, place):
            continue
        marks.count()
        raised = _always_raises(without_docstring(function.body))
        if raised is None or any(isinstance(node, ast.Return | ast.Yield | ast.YieldFrom) for node in inside(function)):
            continue
        owner = place.class_
        name = f"{owner.name}.{function.name}" if owner is not None else function.name
        if raised in _BY_DESIGN or _in_a_branch(place):
            continue
        if raised in ("TypeError", "AttributeError") and owner is not None and function.name in ("__init__", "__new__"):
            marks.note(function.lineno, f"{name} always raises {raised}: meant never to be made?")
        else:
            marks.fail(function.lineno, f"{name} always raises {raised or 'an error'}")


def _makes(function: Function, place: Place) -> bool:
    if place.class_ is not None and function.name in ("__init__", "__new__"):
        return True
    return place.function is None and bool(_FACTORY.match(function.name))


def _meant_for_subclasses(function: Function, place: Place) -> bool:
    words = [last_word(decorator) for decorator in function.decorator_list]
    if any(word.startswith("abstract") or word in ("overload", "deprecated") for word in words):
        return True
    owner = place.class_
    return owner is not None and any(_ABSTRACT.search(name) for name in (owner.name, *map(last_word, owner.bases)))


def _in_a_branch(place: Place) -> bool:
    """Tell whether there is another definition for other circumstances."""
    return any(isinstance(around.node, ast.If | ast.Try | ast.ExceptHandler) for around in place)


def _always_raises(body: list[ast.stmt]) -> str | None:
    """Return what a block raises at its end on every path; None where a path leads out of it."""
    last = body[-1] if body else None
    if isinstance(last, ast.Raise):
        return last_word(last.exc) if last.exc is not None else ""
    if isinstance(last, ast.If) and last.orelse:
        first = _always_raises(last.body)
        return first if _always_raises(last.orelse) is not None else None
    if isinstance(last, ast.With | ast.AsyncWith) and not any(
        "suppress" in last_word(i.context_expr) for i in last.items
    ):
        return _always_raises(last.body)
    return None


RULE = Rule(
    id="SRC-18",
    expected="a way through it that raises nothing",
    fix="Delete it with its callers, or let it make what its name promises.",
    unknown="the tree holds no constructor and no factory",
    look=look,
    bad="""
--- shop/agents.py
class Agent:
    def __init__(self, name):  # wrong
        self.name = name
        raise RuntimeError("use the new agent")

def create_agent(name):  # wrong
    if name:
        raise ValueError(name)
    else:
        raise ValueError("no name")
""",
    good="""
--- shop/agents.py
from abc import ABC

class Base(ABC):
    def __init__(self):
        raise TypeError

class Agent:
    def __init__(self, name):
        if not name:
            raise ValueError(name)

def create_agent(name):
    raise NotImplementedError

def make_agents(names):
    for name in names:
        return name
    raise ValueError
""",
)
