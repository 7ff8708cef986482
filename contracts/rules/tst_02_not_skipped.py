"""TST-02: no test file is wholly commented out or skipped."""

import ast
import re

from contracts.config import Config
from contracts.facts import Marks
from contracts.rule import Rule
from contracts.source import Source
from contracts.syntax import dotted, without_docstring
from contracts.testcode import is_skip, is_skipped, tests

_CODE = re.compile(r"^\s*#+\s*(async def |def |class |import |from \w[\w.]* import |assert |@pytest)")
_ENOUGH = 3


def look(source: Source, config: Config, marks: Marks) -> None:
    """Look whether anything of a test file would run."""
    if not source.is_test:
        return
    found = list(tests(source))
    body = without_docstring(source.tree.body)
    if found:
        marks.count()
    if not body:
        commented = [number for number, line in enumerate(source.text.splitlines(), start=1) if _CODE.match(line)]
        if len(commented) >= _ENOUGH:
            marks.count()
            marks.fail(commented[0], "all code of this test file is commented out")
        elif source.tree.body and re.search(
            r"^\s*(async )?def test_", ast.get_docstring(source.tree) or "", re.MULTILINE
        ):
            marks.count()
            marks.fail(1, "all code of this test file is in a string")
        return
    for statement in body:
        if _skips_all(statement):
            marks.count()
            marks.fail(statement.lineno, "the whole test file is skipped, whatever the circumstances")
            return
    if found and all(map(is_skipped, found)):
        first = min(found, key=lambda test: test.function.lineno)
        marks.fail(
            first.function.lineno, f"all {len(found)} tests of this file are skipped, whatever the circumstances"
        )


def _skips_all(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assign) and any(dotted(target) == "pytestmark" for target in statement.targets):
        value = statement.value
        return any(is_skip(mark) for mark in (value.elts if isinstance(value, ast.List | ast.Tuple) else [value]))
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        named = dotted(call.func) in ("pytest.skip", "skip")
        return named and any(keyword.arg == "allow_module_level" for keyword in call.keywords)
    return False


RULE = Rule(
    id="TST-02",
    expected="tests that run",
    fix="Bring the tests back to life, or delete them: the history of the repository keeps them.",
    unknown="the tree holds no test file",
    options=("tests", "test_directories"),
    look=look,
    bad='''
--- tests/test_orders.py
"""Orders."""
# import orders  # wrong
#
# def test_order():
#     assert orders.order()
--- tests/test_mail.py
import pytest
pytestmark = pytest.mark.skip("later")  # wrong
def test_mail():
    assert mail()
--- tests/test_web.py
import pytest
@pytest.mark.skip
def test_page():  # wrong
    assert page()
''',
    good="""
--- tests/test_orders.py
import sys
import pytest
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no sockets")
web = pytest.importorskip("web")
# def test_old():
def test_order():
    assert order()
@pytest.mark.skip
def test_later():
    assert order()
""",
)
