"""What a file imports, binds and exports."""

import ast
from collections.abc import Iterator

from contracts.facts import Binding, FileFacts, Import
from contracts.source import Source
from contracts.syntax import Function, Place, dotted, last_word

_CATCHES = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})

_EXPECTS = frozenset({"raises", "assertRaises", "assertRaisesRegex"})


def gather(source: Source, facts: FileFacts) -> None:
    """Put what a file imports, binds and exports into its facts."""
    index = source.index
    facts.lines = source.content.count(b"\n") + (not source.content.endswith(b"\n"))
    facts.imports = sorted(_imports(source), key=lambda found: found.line)
    facts.bindings = sorted(_bindings(source, facts.imports), key=lambda found: found.line)
    facts.exported = _exported(source)
    for call, place in index.of(ast.Call):
        _dynamic(call, place, facts)
    for assign, _ in index.of(ast.Assign):
        for target in assign.targets:
            _planted(target, facts)
        if any(isinstance(target, ast.Name) and target.id == "__path__" for target in assign.targets):
            facts.extends_path = True
    names = {binding.name for binding in facts.bindings}
    facts.dynamic |= "__getattr__" in names
    if any(binding.kind != "import" for binding in facts.bindings if binding.name == "__path__"):
        facts.extends_path = True


def catches(place: Place) -> bool:
    """Tell whether a failed import at this place is caught."""
    for around in place:
        node = around.node
        if isinstance(node, ast.Try | ast.TryStar) and around.part == "body":
            if any(_caught(handler) for handler in node.handlers):
                return True
        elif isinstance(node, ast.ExceptHandler):
            if _caught(node):
                return True
        elif isinstance(node, ast.With) and any(last_word(item.context_expr) == "suppress" for item in node.items):
            return True
        elif isinstance(node, Function):
            return False
    return False


def _meant_to_fail(place: Place) -> bool:
    """Tell whether a test expects that an import fails."""
    return any(
        isinstance(around.node, ast.With) and any(last_word(i.context_expr) in _EXPECTS for i in around.node.items)
        for around in place
    )


def _caught(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or last_word(kind) in _CATCHES for kind in kinds)


def _for_typing(place: Place) -> bool:
    return any(
        isinstance(around.node, ast.If) and around.part == "body" and last_word(around.node.test) == "TYPE_CHECKING"
        for around in place
    )


def _imports(source: Source) -> Iterator[Import]:
    for node, place in source.index.of(ast.Import):
        if _meant_to_fail(place):
            continue
        when = (place.function is not None, catches(place), _for_typing(place))
        for name in node.names:
            yield Import(name.name, 0, None, name.asname, node.lineno, *when, node.lineno)
    for found, place in source.index.of(ast.ImportFrom):
        if _meant_to_fail(place):
            continue
        when = (place.function is not None, catches(place), _for_typing(place))
        for name in found.names:
            yield Import(found.module or "", found.level, name.name, name.asname, name.lineno, *when, found.lineno)


def _bindings(source: Source, imports: list[Import]) -> Iterator[Binding]:
    index = source.index
    for function, place in index.functions():
        if place.at_module_level:
            yield Binding(function.name, "function", function.lineno)
    for cls, place in index.of(ast.ClassDef):
        if place.at_module_level:
            yield Binding(cls.name, "class", cls.lineno)
    for found in imports:
        if not found.lazy and found.name != "*":
            yield Binding(found.alias or found.name or found.module.partition(".")[0], "import", found.line)
    for assigned, place in index.assignments():
        if place.at_module_level:
            made = not isinstance(assigned.value, ast.Name | ast.Attribute | None)
            for target in assigned.targets:
                yield from (Binding(name, "value", assigned.line, made) for name in _names(target))
    for line, target, place in _taken(source):
        if place.at_module_level:
            yield from (Binding(name, "value", line, False) for name in _names(target))
    for told, _ in index.of(ast.Global):
        yield from (Binding(name, "value", told.lineno, False) for name in told.names)
    for match, place in index.of(ast.MatchAs):
        if match.name and place.at_module_level:
            yield Binding(match.name, "value", match.lineno)
    if hasattr(ast, "TypeAlias"):
        for alias, _ in index.of(ast.TypeAlias):
            yield Binding(alias.name.id, "value", alias.lineno)


def _taken(source: Source) -> Iterator[tuple[int, ast.expr, Place]]:
    """Yield what loops, walruses and `with` give a value to."""
    index = source.index
    for loop, place in index.of(ast.For):
        yield loop.lineno, loop.target, place
    for walrus, place in index.of(ast.NamedExpr):
        yield walrus.lineno, walrus.target, place
    for block, place in index.of(ast.With):
        yield from ((block.lineno, item.optional_vars, place) for item in block.items if item.optional_vars)


def _names(target: ast.AST) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Starred):
        yield from _names(target.value)
    elif isinstance(target, ast.Tuple | ast.List):
        for item in target.elts:
            yield from _names(item)


def _exported(source: Source) -> list[str] | None:
    """Return the names in `__all__`, as far as they are literals; None where there is none."""
    found: list[str] | None = None
    for assigned, place in source.index.assignments():
        if place.at_module_level and any(isinstance(t, ast.Name) and t.id == "__all__" for t in assigned.targets):
            items = assigned.value.elts if isinstance(assigned.value, ast.List | ast.Tuple) else []
            found = (found or []) + [i.value for i in items if isinstance(i, ast.Constant) and isinstance(i.value, str)]
    return found


def _dynamic(call: ast.Call, place: Place, facts: FileFacts) -> None:
    """Find what fills the namespace at run time, or says that the module is deprecated."""
    name = dotted(call.func)
    of_module = name == "setattr" and bool(call.args) and "sys.modules" in ast.unparse(call.args[0])
    at_load = name in ("exec", "vars", "locals") and place.at_module_level
    if name == "globals" or of_module or at_load:
        facts.dynamic = True
    elif name.endswith(("extend_path", "__path__.append", "__path__.extend", "declare_namespace")):
        facts.extends_path = True
    elif name.endswith(("lazy_loader.attach", "lazy.attach", "attach_stub")):
        facts.dynamic = True
    elif name in ("warnings.warn", "warn") and place.at_module_level:
        facts.warns_deprecated |= any(last_word(argument) == "DeprecationWarning" for argument in _arguments(call))


def _arguments(call: ast.Call) -> Iterator[ast.expr]:
    yield from call.args
    yield from (keyword.value for keyword in call.keywords)


def _planted(target: ast.expr, facts: FileFacts) -> None:
    if isinstance(target, ast.Subscript) and dotted(target.value) == "sys.modules":
        if isinstance(target.slice, ast.Constant) and isinstance(target.slice.value, str):
            facts.planted.append(target.slice.value)
        else:
            facts.dynamic = True
