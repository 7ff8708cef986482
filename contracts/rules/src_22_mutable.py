"""SRC-22: mutable default arguments and shared class-level mutable state do not hold per-user data."""

import ast

from contracts.config import Config
from contracts.facts import Marks
from contracts.project import Judgement, Project
from contracts.rule import Rule
from contracts.source import Source
from contracts.syntax import Function, defaults, inside, last_word

_CHANGES = frozenset({
    "append", "add", "extend", "insert", "update", "setdefault", "pop", "popitem", "remove", "discard", "clear",
    "appendleft",
})  # fmt: skip
_MAKERS = frozenset({"list", "dict", "set", "defaultdict", "deque", "OrderedDict", "Counter"})
_MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


def look(source: Source, config: Config, marks: Marks) -> None:
    """Count defaults; remember which mutable class attributes methods change in place."""
    if source.is_test:
        return
    for function, _ in source.index.functions():
        for _, default in defaults(function):
            marks.count(isinstance(default, _MUTABLE) or not isinstance(default, ast.Constant))
    for cls, _ in source.index.of(ast.ClassDef):
        _class(cls, marks)


def _class(cls: ast.ClassDef, marks: Marks) -> None:
    shared: dict[str, int] = {}
    for node in cls.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if targets and _is_mutable(node.value):  # type: ignore[attr-defined]
            marks.count()
            shared |= {target.id: node.lineno for target in targets if isinstance(target, ast.Name)}
    methods = [node for node in cls.body if isinstance(node, Function)] if shared else []
    own = {name for method in methods for name in _assigned(method)}
    for name, line in shared.items():
        if name not in own and any(_changes(method, cls.name, name) for method in methods):
            marks.fact(line, cls.name, name)


def _is_mutable(value: ast.expr | None) -> bool:
    return isinstance(value, _MUTABLE) or (isinstance(value, ast.Call) and last_word(value.func) in _MAKERS)


def _assigned(method: Function) -> set[str]:
    """Return the attributes that a method gives to the object itself: those are not shared."""
    names = set()
    for node in inside(method):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        names |= {t.attr for t in targets if isinstance(t, ast.Attribute) and last_word(t.value) == "self"}
    return names


def _changes(method: Function, cls: str, name: str) -> bool:
    """Tell whether a method changes a class attribute in place."""
    for node in inside(method):
        held: ast.AST | None = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGES:
            held = node.func.value
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            held = node.value
        if isinstance(held, ast.Attribute) and held.attr == name and last_word(held.value) in ("self", "cls", cls):
            return True
    return False


def judge(project: Project, judgement: Judgement) -> None:
    """Take over what ruff says about mutable defaults, and about class attributes that are changed."""
    for one in project.diagnostics("B006"):
        if not project.modules.files[one.path].is_test:
            judgement.fail(one.path, one.line, "a default argument is mutable: all calls share it")
    lines = {(one.path, one.line) for one in project.diagnostics("RUF012")}
    for facts, fact in project.facts(RULE.id):
        cls, name = fact.words
        if name.isupper() or name.lstrip("_").isupper() or (facts.path, fact.line) not in lines:
            judgement.note(facts.path, fact.line, f"{cls}.{name} is one for all objects, and its methods change it")
        else:
            judgement.fail(facts.path, fact.line, f"{cls}.{name} is one for all objects, and its methods change it")


RULE = Rule(
    id="SRC-22",
    expected="state that each object has for itself",
    fix="Take None as the default and make the value inside; make attributes in __init__.",
    unknown="the tree holds no mutable default and no mutable class attribute",
    ruff=("B006", "RUF012"),
    look=look,
    judge=judge,
    bad="""
--- shop/orders.py
def order(items=[]):  # wrong
    items.append(1)

class Orders:
    open = {}  # wrong

    def add(self, user_id, order):
        self.open[user_id] = order
""",
    good="""
--- shop/orders.py
def order(items=(), when=None):
    return items

class Orders:
    names = ["a", "b"]
    open = {}

    def __init__(self):
        self.open = {}

    def add(self, user_id, order):
        self.open[user_id] = order
""",
)
