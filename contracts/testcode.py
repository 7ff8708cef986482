"""What a test is, and what it asserts: shared by the rules on tests."""

import ast
import re
from dataclasses import dataclass, field
from functools import lru_cache

from contracts.source import Source
from contracts.syntax import Function, Place, dotted, inner, last_word

_ASSERTS = re.compile(
    r"^_*(assert|check|verify|expect|ensure|validate|must|should|fail|approve|compare|raises|warns)|_(equal|raises|fails)$|^(fail|snapshot)"
)
_EXPECTS = frozenset(
    {"raises", "warns", "deprecated_call", "assertRaises", "assertRaisesRegex", "assertWarns", "assertLogs"}
)


@dataclass(frozen=True)
class Test:
    """A test function and what is asserted in it: statements, and calls that assert or expect something."""

    function: Function
    place: Place
    asserts: tuple[ast.Assert, ...] = ()
    calls: tuple[ast.Call, ...] = ()
    nodes: tuple[ast.AST, ...] = field(default=(), repr=False)


@lru_cache(maxsize=1)
def tests(source: Source) -> tuple[Test, ...]:
    """Return the tests of a file that pytest would collect by its usual rules, in their order."""
    found = [_test(function, place) for function, place in source.index.functions() if is_test(function, place)]
    return tuple(sorted(found, key=lambda test: test.function.lineno))


def _test(function: Function, place: Place) -> Test:
    nodes = tuple(inner(function))
    asserts = sorted((node for node in nodes if isinstance(node, ast.Assert)), key=lambda node: node.lineno)
    calls = (node for node in nodes if isinstance(node, ast.Call) and asserting(node))
    return Test(function, place, tuple(asserts), tuple(sorted(calls, key=lambda node: node.lineno)), nodes)


def is_test(function: Function, place: Place) -> bool:
    """Tell whether a function is a test: by its name, at module level or in a class of tests."""
    if not function.name.startswith("test") or place.function is not None:
        return False
    if any(last_word(decorator) in ("fixture", "property") for decorator in function.decorator_list):
        return False
    owner = place.class_
    return owner is None or is_test_class(owner)


def is_test_class(cls: ast.ClassDef) -> bool:
    """Tell whether pytest would look for tests in a class."""
    if any("TestCase" in last_word(base) for base in cls.bases):
        return True
    return cls.name.startswith("Test") and not any(
        isinstance(node, Function) and node.name in ("__init__", "__new__") for node in cls.body
    )


def asserting(call: ast.Call) -> bool:
    """Tell whether a call asserts or expects something, by its name."""
    name = last_word(call.func)
    return name in _EXPECTS or bool(_ASSERTS.search(name))


def names_in(node: ast.AST) -> set[str]:
    """Return the names that an expression reads."""
    return {one.id for one in (node, *inner(node)) if isinstance(one, ast.Name)}


def same(one: ast.AST, other: ast.AST) -> bool:
    """Tell whether two expressions are written alike."""
    return ast.dump(one) == ast.dump(other)


def always_true(test: ast.expr) -> str:
    """Say why a condition cannot be false; nothing where it can."""
    if isinstance(test, ast.Constant):
        return "a constant" if test.value else ""
    if isinstance(test, ast.Tuple) and test.elts:
        return "a tuple, which is true"
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        if any(isinstance(value, ast.Constant) and value.value for value in test.values):
            return "or True"
        return ""
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return _comparison(test.left, test.ops[0], test.comparators[0])
    return ""


def _comparison(left: ast.expr, op: ast.cmpop, right: ast.expr) -> str:
    if isinstance(left, ast.Call) and last_word(left.func) == "len" and isinstance(right, ast.Constant):
        least = {ast.GtE: 0, ast.Gt: -1}.get(type(op))
        return "a length is never less than 0" if least is not None and right.value == least else ""
    # A name that is compared with itself by == may be the test of an __eq__.
    pure = isinstance(left, ast.Constant) or (isinstance(left, ast.Name) and isinstance(op, ast.Is))
    if pure and isinstance(op, ast.Eq | ast.Is | ast.GtE | ast.LtE) and same(left, right):
        return "a thing compared with itself"
    return ""


def is_skipped(test: Test) -> bool:
    """Tell whether a test is skipped, whatever the circumstances."""
    decorators = [*test.function.decorator_list, *(test.place.class_.decorator_list if test.place.class_ else ())]
    return any(is_skip(decorator) for decorator in decorators)


def is_skip(node: ast.expr) -> bool:
    """Tell whether a decorator or a mark skips without a condition."""
    name = dotted(node.func) if isinstance(node, ast.Call) else dotted(node)
    return name in ("pytest.mark.skip", "mark.skip", "unittest.skip")
