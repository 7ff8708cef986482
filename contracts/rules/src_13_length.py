"""SRC-13: functions stay under the length limit."""

from contracts.config import Config
from contracts.facts import Marks
from contracts.rule import Rule
from contracts.source import Source
from contracts.syntax import without_docstring


def look(source: Source, config: Config, marks: Marks) -> None:
    """Count the lines of each function, without decorators, docstring and blank lines."""
    if source.is_test:
        return
    blank = [not line.strip() or line.lstrip().startswith("#") for line in source.text.split("\n")]
    for function, _ in source.index.functions():
        marks.count()
        end = function.end_lineno or function.lineno
        if end - function.lineno < config.max_function_lines:
            continue
        body = without_docstring(function.body)
        docstring = 0 if len(body) == len(function.body) else _lines(function.body[0])
        lines = end - function.lineno + 1 - docstring - sum(blank[function.lineno - 1 : end])
        if lines > config.max_function_lines:
            marks.fail(function.lineno, f"{function.name} has {lines} lines, more than {config.max_function_lines}")


def _lines(node: object) -> int:
    start, end = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)
    return int(end) - int(start) + 1


RULE = Rule(
    id="SRC-13",
    expected="a function that does one thing",
    fix="Take steps out into functions of their own, each with a name that says what it does.",
    unknown="the tree holds no function",
    options=("max_function_lines",),
    look=look,
    bad="""
--- contracts.toml
max_function_lines = 3
--- shop/orders.py
def order(items):  # wrong
    first = items[0]
    second = items[1]
    return first + second
""",
    good='''
--- contracts.toml
max_function_lines = 3
--- shop/orders.py
def order(items):
    """Order.

    The docstring does not count.
    """
    total = sum(items)

    return total
''',
)
