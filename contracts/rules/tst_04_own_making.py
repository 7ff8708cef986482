"""TST-04: a test does not assert on what it made itself."""

import ast
from collections import Counter

from contracts.config import Config
from contracts.facts import Marks
from contracts.rule import Rule
from contracts.source import Source
from contracts.syntax import dotted, last_word
from contracts.testcode import Test, always_true, names_in, same, tests

_MOCKS = frozenset({"Mock", "MagicMock", "AsyncMock", "NonCallableMock"})
_HARMLESS = frozenset({"len", "isinstance", "str", "int", "list", "dict", "sorted", "set", "print", "repr", "type"})

_PARTS = (ast.Subscript, ast.Attribute)
_TAKES = (ast.AugAssign, ast.For, ast.FunctionDef, ast.AsyncFunctionDef, ast.With, ast.AsyncWith)


def look(source: Source, config: Config, marks: Marks) -> None:
    """Follow what each test makes to what it asserts."""
    if not source.is_test:
        return
    for test in tests(source):
        real = [node for node in test.asserts if not always_true(node.test)]
        if real:
            marks.count()
            _judge(test, real, marks)


def _judge(test: Test, real: list[ast.Assert], marks: Marks) -> None:
    values = _once(test)
    literals = {name for name, value in values.items() if _literal(value)}
    literals -= _touched(test) if literals else set()
    own = _answers(test, values)
    found: list[tuple[ast.Assert, str]] = []
    for node in real:
        if _is_own_literal(node.test, literals):
            found.append((node, "what the test wrote down itself"))
        elif _is_own_answer(node.test, own):
            found.append((node, "what its own mock was told to return"))
    whole = len(found) == len(real) and not test.calls
    for node, what in found:
        report = marks.fail if whole else marks.note
        report(node.lineno, f"{test.function.name} asserts {what}")


def _once(test: Test) -> dict[str, ast.expr]:
    """Return the local names that are assigned exactly once, with their values."""
    stored = Counter(
        node.id for node in test.nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    )
    return {
        node.targets[0].id: node.value
        for node in test.nodes
        if isinstance(node, ast.Assign)
        and len(node.targets) == 1
        and isinstance(node.targets[0], ast.Name)
        and stored[node.targets[0].id] == 1
    }


def _literal(value: ast.expr) -> bool:
    if isinstance(value, ast.Constant):
        return True
    if isinstance(value, ast.List | ast.Tuple | ast.Set):
        return all(map(_literal, value.elts))
    if isinstance(value, ast.Dict):
        return all(key is not None and _literal(key) for key in value.keys) and all(map(_literal, value.values))
    return False


def _touched(test: Test) -> set[str]:
    """Return the names that are handed to a call, changed through a subscript, or used by an inner function."""
    touched: set[str] = set()
    for node in test.nodes:
        if isinstance(node, ast.Call):
            if last_word(node.func) in _HARMLESS and isinstance(node.func, ast.Name):
                continue
            touched |= names_in(node)
        elif isinstance(node, _TAKES) or (isinstance(node, _PARTS) and isinstance(node.ctx, ast.Store | ast.Del)):
            touched |= names_in(node)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            touched |= set(node.names)
    return touched


def _is_own_literal(condition: ast.expr, literals: set[str]) -> bool:
    """Tell whether a condition speaks of literals alone, and of at least one that the test named."""
    names = names_in(condition) - _HARMLESS
    calls = [node for node in ast.walk(condition) if isinstance(node, ast.Call)]
    plain = all(isinstance(call.func, ast.Name) and call.func.id in _HARMLESS for call in calls)
    return bool(names) and names <= literals and plain


def _answers(test: Test, values: dict[str, ast.expr]) -> dict[str, ast.expr]:
    """Return the names that hold what a mock of the test returned, with what it was told to return."""
    mocks = {name for name, value in values.items() if isinstance(value, ast.Call) and last_word(value.func) in _MOCKS}
    told: dict[str, ast.expr] = {}
    for name in mocks:
        value = values[name]
        assert isinstance(value, ast.Call)
        for keyword in value.keywords:
            if keyword.arg == "return_value":
                told[name] = keyword.value
    for node in test.nodes:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Attribute):
            place, _, last = dotted(node.targets[0]).rpartition(".")
            if last == "return_value" and place.partition(".")[0] in mocks:
                told[place] = node.value
    answers: dict[str, ast.expr] = {}
    for name, value in values.items():
        call = value.value if isinstance(value, ast.Await) else value
        if isinstance(call, ast.Call) and dotted(call.func) in told:
            answers[name] = told[dotted(call.func)]
    return answers


def _is_own_answer(condition: ast.expr, own: dict[str, ast.expr]) -> bool:
    if not isinstance(condition, ast.Compare) or len(condition.ops) != 1:
        return False
    if not isinstance(condition.ops[0], ast.Eq | ast.Is):
        return False
    sides = (condition.left, condition.comparators[0])
    for one, other in (sides, sides[::-1]):
        if isinstance(one, ast.Name) and one.id in own and same(own[one.id], other):
            return True
    return False


RULE = Rule(
    id="TST-04",
    expected="an assertion on what the code under test did",
    fix="Call the code under test between what the test makes and what it asserts.",
    unknown="no test asserts anything",
    options=("tests", "test_directories"),
    look=look,
    bad="""
--- tests/test_events.py
from unittest.mock import Mock

def test_message():
    message = {"type": "order", "id": 7}
    assert message["type"] == "order"  # wrong
    assert len(message) == 2  # wrong

def test_mock():
    bus = Mock()
    bus.publish.return_value = "sent"
    result = bus.publish("order")
    assert result == "sent"  # wrong
""",
    good="""
--- tests/test_events.py
from unittest.mock import Mock
from shop.events import publish

def test_message():
    message = {"type": "order", "id": 7}
    publish(message)
    assert message["type"] == "order"

def test_mock():
    bus = Mock()
    bus.publish.return_value = "sent"
    result = publish("order", bus)
    assert result == "sent"
    bus.publish.assert_called_once_with("order")
""",
)
