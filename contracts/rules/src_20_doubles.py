"""SRC-20: no mock or test double is imported by production code."""

import re
from pathlib import PurePath

from contracts.project import Judgement, Project
from contracts.rule import Rule

_MODULES = frozenset({"unittest.mock", "mock", "pytest", "pytest_mock"})
_DOUBLE = re.compile(r"^_?(Mock|Fake|Stub|Dummy)([A-Z]\w*)$")
"""A double of something that there is, as the rest of its name says; of anything else that cannot be told."""

_FOR_TESTS = re.compile(r"(^|[._])(test|tests|testing|mock|mocks|fake|fakes|fixtures?|pytest)([._]|$)")


def judge(project: Project, judgement: Judgement) -> None:
    """Look for imports of test doubles in files that are no tests."""
    for facts, found, module in project.imports:
        if facts.is_test or found.typing:
            continue
        judgement.count()
        target = project.modules.by_name.get(module or "")
        double = _library(found.module, found.name)
        sure = double is not None
        if double is None and found.name is not None and _DOUBLE.match(found.name):
            double = found.name
            sure = any(True for _ in project.defined(_DOUBLE.sub(r"\2", found.name) or found.name))
        if double is None and target is not None and target.path and project.modules.files[target.path].is_test:
            double = f"the test module {module}"
            sure = any(part in project.config.test_directories for part in PurePath(target.path).parts[:-1])
        if double is None:
            continue
        helper = _FOR_TESTS.search(project.modules.names.get(facts.path, ""))
        soft = not sure or helper or found.guarded or (found.lazy and found.module in _MODULES)
        report = judgement.note if soft else judgement.fail
        report(facts.path, found.line, f"production code imports {double}")


def _library(module: str, name: str | None) -> str | None:
    """Return the library for tests that an import is of."""
    whole = f"{module}.{name}" if module == "unittest" else module
    return whole if whole in _MODULES or whole.startswith("unittest.mock.") else None


RULE = Rule(
    id="SRC-20",
    expected="the real thing",
    fix="Inject the collaborator, and build the double in the test.",
    unknown="nothing is imported",
    options=("tests", "test_directories"),
    judge=judge,
    bad="""
--- shop/__init__.py
--- shop/orders.py
from unittest.mock import MagicMock  # wrong
from unittest import mock  # wrong
from shop.mail import FakeMail  # wrong
from tests.helpers import order  # wrong
--- shop/mail.py
class Mail: ...
class FakeMail(Mail): ...
--- tests/__init__.py
--- tests/helpers.py
def order(): ...
""",
    good="""
--- shop/__init__.py
--- shop/orders.py
from typing import TYPE_CHECKING
from shop.mail import Mail, MockStrategy, stub_mail
if TYPE_CHECKING:
    from unittest.mock import Mock
--- shop/mail.py
class Mail: ...
class MockStrategy: ...
def stub_mail(): ...
--- tests/test_orders.py
from unittest.mock import Mock
""",
)
