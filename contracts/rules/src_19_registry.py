"""SRC-19: every import that the project's own registry document calls verified resolves."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from contracts.modules import Found
from contracts.project import Judgement, Project
from contracts.rule import Rule

_FENCE = re.compile(r"^\s*(```|~~~)")
_INLINE = re.compile(r"`([^`]+)`")
_STATEMENT = re.compile(r"^\s*(?:>>> )?((?:from\s+[\w.]+\s+import\s+|import\s+[\w.]).*)")
_DENIED = re.compile(
    r"❌|✗|🚫|\b(missing|deprecated|removed|broken|avoid|never|do not|don't|unverified|old)\b", re.IGNORECASE
)


def judge(project: Project, judgement: Judgement) -> None:
    """Resolve every import in the code and the tables of the documents."""
    for name in project.config.registry:
        path = Path(project.config.directory, name)
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            judgement.fail(str(path), 1, f"the registry document cannot be read: {error}")
            continue
        for line, statement in _statements(text):
            _resolve(project, judgement, str(path), line, statement)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield the import statements of a Markdown document, where nothing near them says that they are wrong."""
    fenced = denied = False
    pending: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if _FENCE.match(line):
            fenced = not fenced
        elif line.startswith("#") and not fenced:
            denied = bool(_DENIED.search(line))
        elif fenced and pending:
            pending.append(line.strip())
            if ")" in line:
                yield number - len(pending) + 1, " ".join(pending)
                pending = []
        elif denied or _DENIED.search(line):
            continue
        elif fenced:
            found = _STATEMENT.match(line)
            if found and "(" in found[1] and ")" not in found[1]:
                pending = [found[1]]
            elif found:
                yield number, found[1]
        else:
            yield from ((number, code) for code in _INLINE.findall(line) if _STATEMENT.match(code))


def _resolve(project: Project, judgement: Judgement, path: str, line: int, statement: str) -> None:
    try:
        tree = ast.parse(statement.strip())
    except SyntaxError:
        return
    modules = project.modules
    for node in tree.body:
        wanted: list[tuple[str, str | None]] = []
        if isinstance(node, ast.Import):
            wanted = [(name.name, None) for name in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            wanted = [(node.module or "", name.name) for name in node.names]
        for module, name in wanted:
            there = modules.has(module)
            if there in (Found.FOREIGN, Found.UNSURE):
                continue
            judgement.count()
            if there is Found.NO:
                judgement.fail(path, line, f"the document imports {module}, which does not exist")
            elif name not in (None, "*") and name is not None and modules.offers(module, name) is Found.NO:
                judgement.fail(path, line, f"the document imports {name} from {module}, which has no such name")


RULE = Rule(
    id="SRC-19",
    expected="an import that works as the document says",
    fix="Correct the document, or bring back what it promises.",
    unknown="no registry document is named, or it holds no import of this tree (registry)",
    options=("registry",),
    judge=judge,
    bad="""
--- contracts.toml
registry = "IMPORTS.md"
--- shop/__init__.py
--- shop/orders.py
class Order: ...
--- IMPORTS.md
# Verified
```python
from shop.orders import Order
from shop.orders import Invoice  # wrong
import shop.mail  # wrong
```
| `from shop.gone import Gone` | # wrong
""",
    good="""
--- contracts.toml
registry = "IMPORTS.md"
--- shop/__init__.py
--- shop/orders.py
class Order: ...
--- IMPORTS.md
# Verified
```python
from shop.orders import (
    Order,
)
import json
```
# Removed
| `from shop.gone import Gone` |
""",
)
