"""TST-03: every test can fail."""

import ast

from contracts.config import Config
from contracts.facts import Marks
from contracts.rule import Rule
from contracts.source import Source
from contracts.syntax import inner, last_word, without_docstring
from contracts.testcode import Test, always_true, asserting, is_skipped, tests

_WIDE = frozenset({"Exception", "BaseException", "AssertionError"})
_KEEPS = frozenset({"skip", "xfail", "exit", "append", "put", "set_exception", "add"})


def look(source: Source, config: Config, marks: Marks) -> None:
    """Look at what each test asserts, and whether that can be false."""
    if not source.is_test:
        return
    found = tests(source)
    helpers: set[str] = set()
    if any(not test.asserts and not test.calls for test in found):
        helpers = {function.name for function, _ in source.index.functions() if _asserts(function)}
    for test in found:
        if not is_skipped(test):
            marks.count()
            _judge(test, helpers, marks)


def _asserts(function: ast.AST) -> bool:
    """Tell whether a function asserts something, or raises."""
    nodes = inner(function)
    return any(isinstance(n, ast.Assert | ast.Raise) or (isinstance(n, ast.Call) and asserting(n)) for n in nodes)


def _judge(test: Test, helpers: set[str], marks: Marks) -> None:
    name = test.function.name
    lost = _lost(test)
    if test.asserts or test.calls:
        idle = [(node, always_true(node.test)) for node in test.asserts]
        real = [node for node, why in idle if not why and node not in lost]
        calls = [call for call in test.calls if call not in lost]
        if real or calls or _raises(test, lost):
            return
        caught = [node.lineno for node, why in idle if not why] or [call.lineno for call in test.calls if call in lost]
        if caught:
            marks.fail(caught[0], f"{name} catches the failure of its own assertion, and goes on")
        else:
            node, why = next((node, why) for node, why in idle if why)
            marks.fail(node.lineno, f"{name} cannot fail here: {why}")
        return
    _silent(test, helpers, marks)


def _silent(test: Test, helpers: set[str], marks: Marks) -> None:
    """Judge a test that asserts nothing."""
    name, owner = test.function.name, test.place.class_
    called = {last_word(node.func) for node in test.nodes if isinstance(node, ast.Call)}
    does = any(
        isinstance(node, ast.Import | ast.ImportFrom | ast.Raise | ast.Subscript | ast.Await) for node in test.nodes
    )
    if called & helpers or _raises(test, set()):
        return
    if called or does or (owner is not None and owner.bases):  # it may fail by an error, or switch off an inherited one
        marks.note(test.function.lineno, f"{name} asserts nothing itself")
    elif all(isinstance(s, ast.Pass) or _is_ellipsis(s) for s in without_docstring(test.function.body)):
        marks.fail(test.function.lineno, f"{name} is empty")
    else:
        marks.fail(test.function.lineno, f"{name} calls nothing and asserts nothing")


def _is_ellipsis(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and statement.value.value is ...
    )


def _raises(test: Test, lost: set[ast.AST]) -> bool:
    """Tell whether it can raise a failure of its own making."""
    return any(isinstance(node, ast.Raise) and node not in lost for node in test.nodes)


def _lost(test: Test) -> set[ast.AST]:
    """Return what stands in a try that takes every failure for granted."""
    lost: set[ast.AST] = set()
    for node in test.nodes:
        if isinstance(node, ast.Try):
            handler = next((handler for handler in node.handlers if _takes_failures(handler)), None)
            if handler is not None and _forgets(handler):
                lost |= {below for statement in node.body for below in (statement, *inner(statement))}
    return lost


def _takes_failures(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or last_word(kind) in _WIDE for kind in kinds)


def _forgets(handler: ast.ExceptHandler) -> bool:
    """Tell whether a handler does nothing that keeps the failure: raise, assert, leave, remember, or end the test."""
    nodes = [node for statement in handler.body for node in (statement, *inner(statement))]
    return not any(
        isinstance(node, ast.Raise | ast.Assert | ast.Return | ast.Assign | ast.AugAssign)
        or (isinstance(node, ast.Call) and (asserting(node) or last_word(node.func) in _KEEPS))
        for node in nodes
    )


RULE = Rule(
    id="TST-03",
    expected="an assertion that can be false",
    fix="Assert what the code under test must have done; delete the test if there is nothing.",
    unknown="the tree holds no test",
    options=("tests", "test_directories"),
    look=look,
    bad="""
--- tests/test_orders.py
def test_true():
    order()
    assert True  # wrong

def test_length(orders):
    assert len(orders) >= 0  # wrong

def test_either(orders):
    assert orders or True  # wrong

def test_caught(orders):
    try:
        assert orders == [1]  # wrong
    except Exception:
        pass

def test_nothing():  # wrong
    pass

def test_itself(order):
    assert order is order  # wrong
""",
    good="""
--- tests/test_orders.py
import pytest

def test_order(orders):
    assert True
    assert orders == [1]

def test_refused():
    with pytest.raises(ValueError):
        order(-1)

def test_equality(order):
    assert order == order

def test_import():
    import orders

@pytest.mark.skip
def test_later():
    pass

class TestMore(Base):
    def test_inherited(self):
        pass

def test_helper(orders):
    assert_sorted(orders)

def test_smoke():
    order()

def test_raised_again(orders):
    try:
        assert orders
    except AssertionError:
        raise
    except Exception:
        pass

def test_collected(errors, orders):
    try:
        assert orders
    except Exception as error:
        errors.append(error)
    if errors:
        raise errors[0]
""",
)
