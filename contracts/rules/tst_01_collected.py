"""TST-01: every test file parses and is collected."""

import ast
import configparser
import tomllib
from fnmatch import fnmatch
from pathlib import Path, PurePath

from contracts.config import Config
from contracts.facts import Binding, FileFacts, Marks
from contracts.project import Judgement, Project
from contracts.rule import Rule
from contracts.source import Source
from contracts.syntax import Function, dotted, last_word, without_docstring
from contracts.testcode import is_test, is_test_class

_USUAL = ("test_*.py", "*_test.py")


def look(source: Source, config: Config, marks: Marks) -> None:
    """Say what of a test file would be collected: tests, perhaps some, nothing, or nothing although it has tests."""
    if not source.is_test or not without_docstring(source.tree.body):
        return  # what has no code at all is the concern of TST-02
    functions = list(source.index.functions())
    collected = any(is_test(function, place) for function, place in functions)
    maybe = any(found.name == "*" for node, _ in source.index.of(ast.ImportFrom) for found in node.names)
    maybe |= any(function.name == "load_tests" for function, _ in functions) or _does_things(source)
    lost = 0
    for cls, place in source.index.of(ast.ClassDef):
        methods = [node.name for node in cls.body if isinstance(node, Function)]
        if any(last_word(base) != "object" for base in cls.bases):
            maybe = True  # it may be a TestCase, or something that a plugin collects
        elif place.function is None and cls.name.startswith("Test") and not is_test_class(cls):
            lost = lost or (cls.lineno if any(name.startswith("test_") for name in methods) else 0)
    marks.fact(lost or 1, "collected" if collected else "lost" if lost else "maybe" if maybe else "nothing")


def _does_things(source: Source) -> bool:
    """Tell whether a file does more, when it is loaded, than define: it may be a script, or make its tests."""
    return any(
        isinstance(node, ast.Assert | ast.For | ast.With | ast.If)
        or (isinstance(node, ast.Assign) and any(dotted(t).lower().startswith("test") for t in node.targets))
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
        for node in source.tree.body
    )


def judge(project: Project, judgement: Judgement) -> None:
    """Hold each test file against the patterns of pytest."""
    imported = {_file(project, module) for _, _, module in project.imports if module}
    imported |= {_file(project, f"{module}.{found.name}") for _, found, module in project.imports if module}
    known: dict[Path, tuple[str, ...] | None] = {}
    kinds = {facts.path: (fact.line, fact.words[0]) for facts, fact in project.facts(RULE.id)}
    for facts in project.files:
        if not facts.is_test or PurePath(facts.path).name in ("__init__.py", "conftest.py", "__main__.py"):
            continue
        name = PurePath(facts.path).name
        folder = Path(facts.path).parent
        if folder not in known:
            known[folder] = _patterns(folder)
        patterns = known[folder]
        named = any(fnmatch(name, pattern) for pattern in patterns or _USUAL)
        # Where no configuration of pytest is in sight, it may be one that knows such names.
        sure = patterns is not None or not name.startswith("test")
        line, kind = kinds.get(facts.path, (facts.unread_line, ""))
        if named or kind in ("collected", "lost"):
            judgement.count()
        _report(facts, judgement, line, kind, named=named, sure=sure, helper=facts.path in imported)


def _report(
    facts: FileFacts, judgement: Judgement, line: int, kind: str, *, named: bool, sure: bool, helper: bool
) -> None:
    if facts.unread:
        if named and facts.unread_sure:
            judgement.fail(facts.path, line, f"the test file {facts.unread}")
    elif kind == "lost" and named:
        judgement.fail(facts.path, line, "pytest does not collect this class: it has a constructor")
    elif kind == "nothing" and named and not helper:
        judgement.fail(facts.path, 1, "pytest finds no test in this file")
    elif kind == "collected" and not named and not helper and any(_is_test(binding) for binding in facts.bindings):
        report = judgement.fail if sure else judgement.note
        report(facts.path, 1, "pytest does not collect this file by its name, and there are tests in it")


def _is_test(binding: Binding) -> bool:
    return binding.kind == "function" and binding.name.startswith("test_")


def _file(project: Project, module: str) -> str | None:
    found = project.modules.by_name.get(module)
    return found.path if found is not None else None


def _patterns(folder: Path) -> tuple[str, ...] | None:
    """Return the patterns for test files of the nearest configuration of pytest at or above a folder, if any."""
    start = folder.resolve()
    for place in (start, *start.parents):
        for name in ("pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg"):
            found = _configured(place / name)
            if found is not None:
                return found or _USUAL
    return None


def _configured(path: Path) -> tuple[str, ...] | None:
    """Return the patterns that a file sets, an empty tuple where it configures pytest without them, or None."""
    if not path.is_file():
        return None
    try:
        if path.suffix == ".toml":
            options = tomllib.loads(path.read_text()).get("tool", {}).get("pytest", {}).get("ini_options")
        else:
            parser = configparser.RawConfigParser()
            parser.read_string(path.read_text())
            section = "tool:pytest" if path.name == "setup.cfg" else "pytest"
            options = dict(parser[section]) if section in parser else None
    except (OSError, ValueError, configparser.Error):
        return None
    if options is None:
        return None
    value = options.get("python_files", ())
    return tuple(value.split()) if isinstance(value, str) else tuple(value)


RULE = Rule(
    id="TST-01",
    expected="a file that pytest reads and finds tests in",
    fix="Name the file test_*.py, let it parse, and put tests where pytest looks for them.",
    unknown="the tree holds no test file",
    options=("tests", "test_directories"),
    look=look,
    judge=judge,
    bad="""
--- tests/test_orders.py
def test_order(:  # wrong
    assert order()
--- tests/orders_check.py
import orders  # wrong
def test_more():
    assert orders.more()
--- tests/test_mail.py
class TestMail:  # wrong
    def __init__(self):
        self.mail = 1
    def test_send(self):
        assert self.mail
--- tests/test_nothing.py
import orders  # wrong
ORDER = orders.new()
""",
    good="""
--- tests/__init__.py
--- tests/conftest.py
import pytest
--- tests/helpers.py
def order(): ...
--- tests/test_orders.py
from tests import helpers
from tests.test_base import order

class TestOrders:
    def test_one(self):
        assert order() == 1
--- tests/test_base.py
def order(): ...
""",
)
