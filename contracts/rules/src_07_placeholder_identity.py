"""SRC-07: no placeholder literal stands in for an identity."""

import ast
from collections.abc import Iterator

from conformance.identity import is_no_id
from contracts.config import Config
from contracts.facts import Marks
from contracts.rule import Rule
from contracts.source import Source
from contracts.syntax import defaults, dotted, last_word


def look(source: Source, config: Config, marks: Marks) -> None:
    """Look at every place where a literal meets an identity."""
    if source.is_test:
        return
    words = {word.lower() for word in config.placeholders}
    for line, name, value in _meetings(source, set(config.identity)):
        marks.count()
        if not value.strip("{}[] "):
            continue  # empty is the lack of an identity, which SRC-06 is about
        if is_no_id(value) or value.strip().lower() in words:
            marks.fail(line, f"{value!r} stands in for {name}")


def _meetings(source: Source, names: set[str]) -> Iterator[tuple[int, str, str]]:
    index = source.index
    for call, _ in index.of(ast.Call):
        for keyword in call.keywords:
            if keyword.arg in names:
                yield from _literal(keyword.arg or "", keyword.value)
        if last_word(call.func) in ("get", "pop", "getattr", "setdefault", "getenv") and len(call.args) >= 2:
            key, fallback = call.args[-2:]
            if isinstance(key, ast.Constant) and key.value in names:
                yield from _literal(str(key.value), fallback)
    for function, _ in index.functions():
        for parameter, default in defaults(function):
            if parameter.arg in names:
                yield from _literal(parameter.arg, default)
    for node, _ in index.assignments():
        for target in node.targets:
            name = last_word(target)
            if name in names and isinstance(target, ast.Name | ast.Attribute) and node.value is not None:
                yield from _literal(name, node.value)
    for either, _ in index.of(ast.BoolOp):
        if isinstance(either.op, ast.Or) and _identity(either.values[0]) in names:
            yield from _literal(_identity(either.values[0]), either.values[-1])


def _identity(node: ast.expr) -> str:
    """Return the name that a value goes by: of a variable, an attribute, or the key that it is got by."""
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        return str(node.args[0].value) if dotted(node.func).endswith(".get") else ""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return last_word(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def _literal(name: str, value: ast.expr) -> Iterator[tuple[int, str, str]]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.lineno, name, value.value
    elif isinstance(value, ast.IfExp):
        yield from _literal(name, value.body)
        yield from _literal(name, value.orelse)


RULE = Rule(
    id="SRC-07",
    expected="the identity of somebody in particular",
    fix="Refuse what comes without an identity, instead of making one up.",
    unknown="no literal meets an identity anywhere",
    options=("identity", "placeholders"),
    look=look,
    bad="""
--- contracts.toml
placeholders = ["guest"]
--- shop/events.py
def publish(event, user_id="default"):  # wrong
    run_id = event.get("run_id", "unknown")  # wrong
    thread_id = event.thread_id or "default_thread"  # wrong
    send(event, user_id="guest")  # wrong
""",
    good="""
--- shop/events.py
def publish(event, user_id, kind="default"):
    send(event, user_id="usr_5gT2", kind="unknown")
""",
)
