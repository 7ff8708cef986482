"""TST-06: thresholds in tests are those of the requirements, not weaker."""

import ast

from conformance.bounds import Bounds
from contracts.config import Config
from contracts.facts import Marks
from contracts.rule import Rule
from contracts.source import Source
from contracts.syntax import last_word
from contracts.testcode import tests

_UPPER = (ast.Lt, ast.LtE)
_LOWER = (ast.Gt, ast.GtE)


def look(source: Source, config: Config, marks: Marks) -> None:
    """Compare the numbers that tests hold measured values against with those that are required."""
    if not source.is_test:
        return
    bounds = {**_catalogue(), **config.thresholds}
    for test in tests(source):
        for node in test.asserts:
            for compare in (inner for inner in ast.walk(node.test) if isinstance(inner, ast.Compare)):
                _compare(compare, bounds, marks)


def _catalogue() -> dict[str, float]:
    """Return the bounds of the catalogue by the names that say without doubt what is meant."""
    bounds = Bounds()
    latency = ("delivery_p95_ms", "p95_delivery_ms", "delivery_latency_ms", "delivery_latency_p95_ms")
    rates = ("delivery_rate", "delivered_rate", "delivery_ratio", "delivered_ratio", "delivery_success_rate")
    return {
        **dict.fromkeys(latency, bounds.delivery_p95_ms),
        **dict.fromkeys(rates, bounds.delivered),
        "first_event_p95_ms": bounds.first_event_p95_ms,
    }


def _compare(node: ast.Compare, bounds: dict[str, float], marks: Marks) -> None:
    sides = [node.left, *node.comparators]
    for left, op, right in zip(sides, node.ops, sides[1:], strict=False):
        for measured, limit, upper in ((left, right, isinstance(op, _UPPER)), (right, left, isinstance(op, _LOWER))):
            name = _name(measured)
            if name not in bounds or not isinstance(op, (*_UPPER, *_LOWER)):
                continue
            if not isinstance(limit, ast.Constant) or not isinstance(limit.value, int | float):
                continue
            marks.count()
            weaker = limit.value > bounds[name] if upper else limit.value < bounds[name]
            if weaker and upper == (bounds[name] > 1):
                marks.fail(node.lineno, f"{name} is held against {limit.value:g}; required is {bounds[name]:g}")


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return last_word(node) if isinstance(node, ast.Name | ast.Attribute) else ""


RULE = Rule(
    id="TST-06",
    expected="the threshold that is required, or a stricter one",
    fix="Take the number from where the requirement is written down; make the code meet it.",
    unknown="no test compares anything that a threshold is known for (thresholds)",
    options=("thresholds",),
    look=look,
    bad="""
--- contracts.toml
thresholds = { checkout_s = 2 }
--- tests/test_delivery.py
def test_delivery(measured, checkout_s):
    assert measured.delivery_p95_ms < 30_000  # wrong
    assert measured["delivery_rate"] >= 0.2  # wrong
    assert checkout_s <= 10  # wrong
""",
    good="""
--- tests/test_delivery.py
def test_delivery(measured):
    assert 0 < measured.delivery_p95_ms <= 500
    assert measured["delivery_rate"] >= 0.999
    assert measured.size < 30_000
""",
)
