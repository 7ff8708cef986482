"""SRC-16: errors around event delivery are not swallowed."""

import ast
import re
from collections.abc import Iterator, Sequence

from contracts.config import Config
from contracts.facts import Marks
from contracts.rule import Rule
from contracts.source import Source
from contracts.syntax import dotted, inside, last_word, without_docstring

_BROAD = frozenset({"Exception", "BaseException"})
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_EVERYBODYS = re.compile(r"(?:^|_)(?:shared|global|default|fallback|legacy|singleton)(?:_|$)", re.IGNORECASE)
_ASIDE = re.compile(r"telemetry|metric|trac|span|log|callback|debug|close|stop|shutdown|cleanup", re.IGNORECASE)


def look(source: Source, config: Config, marks: Marks) -> None:
    """Look at the broad handlers in functions that deliver, by their name."""
    if source.is_test:
        return
    words = set(config.delivery)
    instances = _instances(source)
    marks.count(sum(bool(words & _words(function.name)) for function, _ in source.index.functions()))
    for node, place in source.index.of(ast.Try):
        function = place.function
        if function is None or not words & _words(function.name):
            continue
        for handler in node.handlers:
            if not _broad(handler):
                continue
            shared = _falls_back(handler, instances, words)
            swallows = f"falls back to {shared}, which is everybody's" if shared else _swallows(handler)
            if not swallows:
                continue
            delivers = _delivers(node, words) and not _ASIDE.search(f"{function.name} {place.qualified}")
            report = marks.fail if delivers and swallows != "returns" else marks.note
            report(handler.lineno, f"{function.name} catches every error and {swallows}")


def _words(name: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(name)}


def _broad(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or last_word(kind) in _BROAD for kind in kinds)


def _delivers(block: ast.Try, words: set[str]) -> bool:
    """Tell whether something is sent in the block itself."""
    calls = [last_word(call.func) for call in _calls(block.body)]
    return any(words & _words(name) or name == "put" for name in calls)


def _calls(body: Sequence[ast.stmt]) -> Iterator[ast.Call]:
    for statement in body:
        for node in (statement, *inside(statement)):
            if isinstance(node, ast.Call):
                yield node


def _instances(source: Source) -> set[str]:
    """Return the names of the objects that are made at module level."""
    return {
        target.id
        for made, place in source.index.assignments()
        if place.at_module_level and isinstance(made.value, ast.Call)
        for target in made.targets
        if isinstance(target, ast.Name)
    }


def _falls_back(handler: ast.ExceptHandler, instances: set[str], words: set[str]) -> str:
    """Return the object by which a handler delivers, where it is made at module level and named as everybody's."""
    through = [
        dotted(call.func).partition(".")[0] for call in _calls(handler.body) if words & _words(last_word(call.func))
    ]
    return next((name for name in through if name in instances and _EVERYBODYS.search(name)), "")


def _swallows(handler: ast.ExceptHandler) -> str:
    """Say what a handler does instead of telling of the error; nothing where it tells."""
    body = without_docstring(handler.body)
    if all(isinstance(s, ast.Pass | ast.Continue) or _is_ellipsis(s) for s in body):
        return "passes"
    last = body[-1]
    if len(body) > 1 or not isinstance(last, ast.Return):
        return ""
    if isinstance(last.value, ast.Constant) and last.value.value is True:
        return "returns success"
    return (
        "returns" if last.value is None or (isinstance(last.value, ast.Constant) and last.value.value is None) else ""
    )


def _is_ellipsis(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and statement.value.value is ...
    )


RULE = Rule(
    id="SRC-16",
    expected="an error that is raised, or told to somebody who acts on it",
    fix="Catch only what is expected there; let the rest rise, or record it and mark the event as undelivered.",
    unknown="no function delivers, by its name",
    options=("delivery",),
    look=look,
    bad="""
--- shop/events.py
async def send_event(socket, event):
    try:
        await socket.send(event)
    except Exception:  # wrong
        pass

def publish_all(bus, events):
    for event in events:
        try:
            bus.publish(event)
        except:  # wrong
            return True

default_bus = Bus()

async def emit_event(bus, event):
    try:
        await bus.emit(event)
    except Exception:  # wrong
        await default_bus.emit(event)
""",
    good="""
--- shop/events.py
async def send_event(socket, event):
    try:
        await socket.send(event)
    except ConnectionError:
        pass
    except Exception as error:
        report(error)
        raise

def parse(text):
    try:
        return int(text)
    except Exception:
        pass

default_log = Log()

async def emit_event(bus, event):
    try:
        await bus.emit(event)
    except Exception as error:
        default_log.write(error)
        await bus.emit(Undelivered(event))
""",
)
