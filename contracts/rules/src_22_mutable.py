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
_PLAIN = frozenset({"object", "ABC", "Protocol", "Generic"})
"""Bases of which it is certain that they do not give each object a copy, as those of pydantic do."""

_MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


def look(source: Source, config: Config, marks: Marks) -> None:
    """Count defaults; remember which mutable class attributes methods change in place."""
    if source.is_test:
        return
    for function, _ in source.index.functions():
        for parameter, default in defaults(function):
            if _is_mutable(default):
                marks.count()
                kept = "changes" if _touches(function, parameter.arg) else ""
                marks.fact(default.lineno, "default", parameter.arg, function.name, kept)
    for cls, _ in source.index.of(ast.ClassDef):
        _class(cls, set(config.identity) | {"session_id", "tenant_id"}, marks)


def _class(cls: ast.ClassDef, identity: set[str], marks: Marks) -> None:
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
        changing = [method for method in methods if name not in own and _changes(method, cls.name, name)]
        if changing:
            personal = any(identity & _names(method) for method in changing)
            plain = all(last_word(base) in _PLAIN for base in cls.bases)
            marks.fact(line, cls.name, name, "personal" if personal and plain and not cls.decorator_list else "")


def _touches(function: Function, name: str) -> bool:
    """Tell whether a function changes the value of a parameter, keeps it in an object, or gives it back."""
    held = [_changed(node) or _handed_on(node) for node in inside(function)]
    return any(isinstance(node, ast.Name) and node.id == name for node in held)


def _changed(node: ast.AST) -> ast.AST | None:
    """Return what a piece of code changes in place."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGES:
        return node.func.value
    return node.value if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del) else None


def _handed_on(node: ast.AST) -> ast.AST | None:
    """Return what a statement gives back, or keeps in an object."""
    if isinstance(node, ast.Return | ast.Yield):
        return node.value
    kept = isinstance(node, ast.Assign) and any(isinstance(t, ast.Attribute | ast.Subscript) for t in node.targets)
    return node.value if kept and isinstance(node, ast.Assign) else None


def _names(method: Function) -> set[str]:
    """Return the words that a method speaks of: its parameters, variables and attributes."""
    nodes = list(ast.walk(method))
    words = {node.id for node in nodes if isinstance(node, ast.Name)}
    return (
        words
        | {n.attr for n in nodes if isinstance(n, ast.Attribute)}
        | {n.arg for n in nodes if isinstance(n, ast.arg)}
    )


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
    held = [_changed(node) for node in inside(method)]
    return any(
        isinstance(node, ast.Attribute) and node.attr == name and last_word(node.value) in ("self", "cls", cls)
        for node in held
    )


def judge(project: Project, judgement: Judgement) -> None:
    """Take over what ruff says about mutable defaults, and about class attributes that are changed."""
    lines = {(one.path, one.line, one.code) for one in project.diagnostics(*RULE.ruff)}
    for facts, fact in project.facts(RULE.id):
        first, name, *rest = fact.words
        if first == "default":
            if (facts.path, fact.line, "B006") in lines:
                report = judgement.fail if rest[1] else judgement.note
                report(facts.path, fact.line, f"all calls of {rest[0]} share the default of {name}")
            continue
        sure = rest[0] == "personal" and not name.lstrip("_").isupper() and (facts.path, fact.line, "RUF012") in lines
        report = judgement.fail if sure else judgement.note
        report(facts.path, fact.line, f"{first}.{name} is one for all objects, and its methods change it")


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

def kept(items={}):  # wrong
    return items

class Orders:
    open = {}  # wrong

    def add(self, user_id, order):
        self.open[user_id] = order
""",
    good="""
--- shop/orders.py
def order(items=(), when=None, kinds=["a"]):
    return [*items, *kinds]

class Cache:
    pages = {}

    def add(self, address, page):
        self.pages[address] = page

class Model(BaseModel):
    open: dict = {}

    def add(self, user_id, order):
        self.open[user_id] = order

class Orders:
    names = ["a", "b"]
    open = {}

    def __init__(self):
        self.open = {}

    def add(self, user_id, order):
        self.open[user_id] = order
""",
)
