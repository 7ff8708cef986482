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
    lines = source.text.split("\n")
    for function, _ in source.index.functions():
        marks.count()
        end = function.end_lineno or function.lineno
        if end - function.lineno < config.max_function_lines:
            continue
        inner = range(function.lineno, end + 1)
        said = function.body[0] if len(without_docstring(function.body)) < len(function.body) else None
        docstring = range(said.lineno, (said.end_lineno or said.lineno) + 1) if said is not None else range(0)
        count = sum(number not in docstring and _is_code(lines[number - 1]) for number in inner)
        if count > config.max_function_lines:
            marks.fail(function.lineno, f"{function.name} has {count} lines, more than {config.max_function_lines}")


def _is_code(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


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
