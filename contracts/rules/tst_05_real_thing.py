"""TST-05: the system under test is not replaced by a mock of itself."""

import ast
import re

from contracts.config import Config
from contracts.facts import Marks
from contracts.rule import Rule
from contracts.source import Source
from contracts.syntax import dotted, last_word
from contracts.testcode import Test, names_in, tests

_MOCKS = frozenset({"Mock", "MagicMock", "AsyncMock", "create_autospec"})


def look(source: Source, config: Config, marks: Marks) -> None:
    """Look for mocks of the class that the test is named after."""
    if not source.is_test:
        return
    imported = {name.asname or name.name for node, _ in source.index.of(ast.ImportFrom) for name in node.names}
    for test in tests(source):
        specs = [node for node in test.nodes if isinstance(node, ast.Call) and last_word(node.func) in _MOCKS]
        patches = [node for node in _patches(test) if node.args]
        marks.count(bool(specs or patches))
        subject = _subject(test)
        for call in patches:
            _patched(call, subject, test, marks)
        for call in specs:
            spec = next((k.value for k in call.keywords if k.arg in ("spec", "spec_set")), None)
            if last_word(call.func) == "create_autospec" and call.args:
                spec = call.args[0]
            if (
                spec is not None
                and last_word(spec) in subject & imported
                and _nothing_else(test, last_word(spec), imported)
            ):
                marks.fail(call.lineno, f"{test.function.name} tests a mock of {last_word(spec)}, nothing else")


def _subject(test: Test) -> set[str]:
    """Return the name of the class under test, from the name of the test's class."""
    owner = test.place.class_
    name = re.sub(r"^Test|(Tests?|TestCase)$", "", owner.name) if owner is not None else ""
    return {name} - {""}


def _patches(test: Test) -> list[ast.Call]:
    nodes = [*test.function.decorator_list, *test.nodes]
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    return [call for call in calls if last_word(call.func) == "patch" or dotted(call.func).endswith("patch.object")]


def _patched(call: ast.Call, subject: set[str], test: Test, marks: Marks) -> None:
    first = call.args[0]
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        name = first.value.rpartition(".")[2]
    elif len(call.args) > 1 and isinstance(call.args[1], ast.Constant):
        name = str(call.args[1].value)
    else:
        return
    if name in subject:
        marks.fail(call.lineno, f"{test.function.name} replaces {name}, which it is there to test")


def _nothing_else(test: Test, subject: str, imported: set[str]) -> bool:
    """Tell whether a test uses nothing imported but the spec of its mock and what mocks are made of."""
    used = {name for node in test.nodes if isinstance(node, ast.Call) for name in names_in(node.func)}
    return not (used & imported) - _MOCKS - {"patch", subject} and subject not in used


RULE = Rule(
    id="TST-05",
    expected="the real class, with doubles for what it talks to",
    fix="Make the real object in the test, and patch its collaborators only.",
    unknown="no test uses a mock",
    options=("tests", "test_directories"),
    look=look,
    bad="""
--- tests/test_agent.py
from unittest.mock import Mock, patch
from shop.agent import Agent

class TestAgent:
    def test_run(self):
        with patch("shop.agent.Agent") as agent:  # wrong
            agent.run.return_value = 1
            assert agent.run() == 1

    def test_spec(self):
        agent = Mock(spec=Agent)  # wrong
        agent.run()
        agent.run.assert_called_once()
""",
    good="""
--- tests/test_agent.py
from unittest.mock import Mock, patch
from shop.agent import Agent
from shop.store import Store

class TestAgent:
    def test_run(self):
        with patch("shop.agent.Model") as model:
            assert Agent(model).run() == 1

    def test_store(self):
        store = Mock(spec=Store)
        Agent(store).run()
        store.save.assert_called_once()
""",
)
