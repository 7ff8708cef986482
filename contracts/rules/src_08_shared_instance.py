"""SRC-08: per-user classes have no module-level or class-level instance, getter or cache."""

import ast
from collections.abc import Iterator

from contracts.config import Config
from contracts.facts import Marks
from contracts.project import Judgement, Project
from contracts.rule import Rule
from contracts.source import Source
from contracts.syntax import Function, inside, last_word

_CACHES = frozenset({"cache", "lru_cache", "cached", "singleton"})


def look(source: Source, config: Config, marks: Marks) -> None:
    """Look for what makes one instance for everybody."""
    classes = set(config.per_user)
    if source.is_test:
        return
    for _, place in source.index.of(ast.Global):
        if place.function is not None:
            for line, made in _singletons(place.function):
                marks.fact(line, place.function.name, made)
    if not classes:
        return
    for node, place in source.index.assignments():
        made = _made(node.value, classes)
        if made and place.at_module_level:
            marks.fail(node.line, f"one {made} for all users, at module level")
        elif made and place.class_ is not None and place.function is None:
            marks.fail(node.line, f"one {made} for all users, at class level")
    for function, _ in source.index.functions():
        _getter(function, classes, marks)


def _getter(function: Function, classes: set[str], marks: Marks) -> None:
    nodes = list(inside(function))
    shared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    for node in nodes:
        if isinstance(node, ast.Assign):
            made = _made(node.value, classes)
            if made and any(isinstance(target, ast.Name) and target.id in shared for target in node.targets):
                marks.fail(node.lineno, f"{function.name} keeps one {made} for all users in a global")
            elif made and any(
                isinstance(t, ast.Attribute) and last_word(t.value) in ("cls", made) for t in node.targets
            ):
                marks.fail(node.lineno, f"{function.name} keeps one {made} for all users on the class")
        elif isinstance(node, ast.Return) and any(last_word(d) in _CACHES for d in function.decorator_list):
            made = _made(node.value, classes)
            if made and not function.args.args:
                marks.fail(node.lineno, f"{function.name} is cached and returns one {made} for all users")


def _singletons(function: Function) -> Iterator[tuple[int, str]]:
    """Yield what a function makes once and keeps in a global, whatever its class: for `audit --suggest`."""
    nodes = list(inside(function))
    shared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            name = last_word(node.value.func)
            if name[:1].isupper() and any(isinstance(t, ast.Name) and t.id in shared for t in node.targets):
                yield node.lineno, name


def _made(value: ast.expr | None, classes: set[str]) -> str:
    if isinstance(value, ast.BoolOp):
        value = value.values[-1]
    if isinstance(value, ast.Call) and last_word(value.func) in classes:
        return last_word(value.func)
    return ""


def judge(project: Project, judgement: Judgement) -> None:
    """Count the classes."""
    judgement.count(len(project.config.per_user))


RULE = Rule(
    id="SRC-08",
    expected="an instance for each user or run",
    fix="Make the instance where the run begins, and hand it on.",
    unknown="no per-user class is listed (per_user)",
    options=("per_user",),
    look=look,
    judge=judge,
    bad="""
--- contracts.toml
per_user = ["Memory"]
--- shop/agents.py
from functools import cache

memory = Memory()  # wrong
_shared = None

class Agent:
    memory = Memory()  # wrong

def get_memory():
    global _shared
    if _shared is None:
        _shared = Memory()  # wrong
    return _shared

@cache
def the_memory():
    return Memory()  # wrong
""",
    good="""
--- contracts.toml
per_user = ["Memory"]
--- shop/agents.py
class Agent:
    def __init__(self, user_id):
        self.memory = Memory(user_id)

def new_memory(user_id):
    memory = Memory(user_id)
    return memory
""",
)
