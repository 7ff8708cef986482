"""One walk over a syntax tree: the nodes that rules ask for, each with the place where it stands."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

Node = TypeVar("Node", bound=ast.AST)
Function = ast.FunctionDef | ast.AsyncFunctionDef

_BLOCKS = ("body", "orelse", "finalbody", "handlers")
_LEAVES = (ast.Name, ast.Constant, ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop, ast.Pass)
_COMPOUND = (
    ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try,
    ast.TryStar, ast.With, ast.AsyncWith, ast.ExceptHandler, ast.match_case,
)  # fmt: skip
_WANTED = frozenset({
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign,
    ast.AugAssign, ast.For, ast.AsyncFor, ast.With, ast.AsyncWith, ast.NamedExpr, ast.Global, ast.Call, ast.Attribute,
    ast.ExceptHandler, ast.Try, ast.TryStar, ast.Assert, ast.BoolOp, ast.Return, ast.Delete, ast.MatchAs, ast.Subscript,
    *([ast.TypeAlias] if hasattr(ast, "TypeAlias") else []),
})  # fmt: skip
_MARKS = frozenset(
    mark
    for base in (ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop)
    for mark in base.__subclasses__()
)
_LEAF_CLASSES = frozenset(
    leaf for base in _LEAVES for leaf in (base, *base.__subclasses__()) if leaf not in (ast.NamedExpr,)
)


class Place:
    """Where a node stands: in which part (`body`, `handlers`, …) of which compound statement, and that one's place."""

    __slots__ = ("node", "part", "up")

    def __init__(self, up: "Place | None", node: ast.AST, part: str) -> None:
        self.up = up
        self.node = node
        self.part = part

    def __iter__(self) -> Iterator["Place"]:
        """Yield this place and those around it, the innermost first."""
        place: Place | None = self
        while place is not None:
            yield place
            place = place.up

    @property
    def function(self) -> Function | None:
        """The innermost function around it."""
        for place in self:
            if isinstance(place.node, Function):
                return place.node
        return None

    @property
    def class_(self) -> ast.ClassDef | None:
        """The class whose body it stands in directly, conditions aside."""
        for place in self:
            if isinstance(place.node, ast.ClassDef):
                return place.node
            if isinstance(place.node, Function):
                return None
        return None

    @property
    def at_module_level(self) -> bool:
        """Whether it runs when the module is loaded, outside of classes."""
        return all(not isinstance(place.node, Function | ast.ClassDef) for place in self)

    @property
    def conditional(self) -> bool:
        """Whether it stands in a branch, a loop or a try, within its own function or class."""
        return not isinstance(self.node, ast.Module | Function | ast.ClassDef)

    @property
    def qualified(self) -> str:
        """The names of the classes and functions around it, joined by dots."""
        names = [place.node.name for place in self if isinstance(place.node, Function | ast.ClassDef)]
        return ".".join(reversed(names))


class Assignment(NamedTuple):
    """An assignment, of whatever kind; `value` is None where a name is only annotated."""

    line: int
    targets: list[ast.expr]
    value: ast.expr | None
    augmented: bool = False


class Index:
    """The wanted nodes of a tree by their class, in no particular order."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self._nodes: dict[type, list[tuple[ast.AST, Place]]] = defaultdict(list)
        self._walk(tree)

    def of(self, kind: type[Node]) -> Iterator[tuple[Node, Place]]:
        """Yield the nodes of a class."""
        return iter(self._nodes.get(kind, ()))  # type: ignore[arg-type]

    def assignments(self) -> Iterator[tuple[Assignment, Place]]:
        """Yield the assignments: plain, annotated and augmented."""
        for plain, place in self.of(ast.Assign):
            yield Assignment(plain.lineno, plain.targets, plain.value), place
        for annotated, place in self.of(ast.AnnAssign):
            yield Assignment(annotated.lineno, [annotated.target], annotated.value), place
        for augmented, place in self.of(ast.AugAssign):
            yield Assignment(augmented.lineno, [augmented.target], augmented.value, augmented=True), place

    def functions(self) -> Iterator[tuple[Function, Place]]:
        """Yield the functions and methods, each with the place where it is defined."""
        yield from self.of(ast.FunctionDef)
        yield from self.of(ast.AsyncFunctionDef)

    def _walk(self, tree: ast.Module) -> None:
        stack: list[tuple[ast.AST, Place]] = [(tree, Place(None, tree, "body"))]
        nodes = self._nodes
        while stack:
            node, place = stack.pop()
            kind = node.__class__
            if kind in _WANTED:
                nodes[kind].append((node, place))
            if kind is ast.Attribute:
                while node.__class__ is ast.Attribute:
                    node = node.value
                if node.__class__ not in _LEAF_CLASSES:
                    stack.append((node, place))
                continue
            compound = kind in _COMPOUND
            for field in kind._fields:
                value = getattr(node, field, None)
                if value.__class__ is list:
                    inner = Place(place, node, field) if compound and field in _BLOCKS else place
                    stack += [
                        (item, inner)
                        for item in value
                        if item.__class__ not in _LEAF_CLASSES and isinstance(item, ast.AST)
                    ]
                elif value.__class__ not in _LEAF_CLASSES and isinstance(value, ast.AST):
                    stack.append((value, place))


def dotted(node: ast.AST) -> str:
    """Write a name or a chain of attributes as dotted words; anything else at its root becomes `?`."""
    words = []
    while isinstance(node, ast.Attribute):
        words.append(node.attr)
        node = node.value
    words.append(node.id if isinstance(node, ast.Name) else "?")
    return ".".join(reversed(words))


def last_word(node: ast.AST) -> str:
    """Return the last word of a dotted name, without subscripts and calls: `a.B[int](…)` is `B`."""
    while isinstance(node, ast.Subscript | ast.Call):
        node = node.value if isinstance(node, ast.Subscript) else node.func
    return dotted(node).rpartition(".")[2]


def is_none(node: ast.AST | None) -> bool:
    """Tell whether it is the literal None."""
    return isinstance(node, ast.Constant) and node.value is None


def defaults(function: Function) -> Iterator[tuple[ast.arg, ast.expr]]:
    """Yield the parameters that have a default, with it."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    yield from zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True)
    for parameter, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            yield parameter, default


def inner(node: ast.AST) -> list[ast.AST]:
    """Return all nodes below one but contexts and operators, in no particular order."""
    found: list[ast.AST] = []
    stack = [node]
    while stack:
        for field in (here := stack.pop())._fields:
            value = getattr(here, field, None)
            below = value if value.__class__ is list else (value,)
            nodes = [one for one in below if isinstance(one, ast.AST) and one.__class__ not in _MARKS]
            found += nodes
            stack += nodes
    return found


def inside(function: ast.AST) -> Iterator[ast.AST]:
    """Yield what runs as part of a function or block: all nodes in it, except those of functions and classes in it."""
    stack = list(ast.iter_child_nodes(function))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            stack.extend(ast.iter_child_nodes(node))


def without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements after the docstring."""
    first = body[0] if body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return body[1:]
    return body
