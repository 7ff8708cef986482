"""Reading a mapping file. Strict: an unknown key, a bad path, a missing place are told by file and key."""

import tomllib
from collections.abc import Collection
from pathlib import Path as File
from typing import Any, cast, get_args

import msgspec

from conformance.capabilities import CAPABILITIES, OF_PROTOCOLS
from conformance.dialects.dialect import Framing
from conformance.dialects.mapping import kinds, paths, template
from conformance.dialects.mapping.model import EVENT, FRAMINGS, Mapping, Request, Rule, Transport
from conformance.dialects.mapping.source import FORMS, RFC3339, Source
from conformance.dialects.mapping.table import Table
from conformance.errors import UsageError
from conformance.nearest import choices

_REQUESTS = ("start", "continue", "stop", "resume", "ping", "read")
_NEEDED = {"stop": ("stop",), "resume": ("resume", "read")}


def load(path: File) -> Mapping:
    """Read a mapping file. Raises `UsageError` that names file, key and what was expected."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise UsageError(f"{path}: no such mapping file (a dialect that ends in .toml is one)") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    return parse(text, str(path))


def parse(text: str, file: str) -> Mapping:
    """Read a mapping from its text; `file` is what messages call it."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file}: not a mapping file: {error}") from error
    top = Table(data, file, "")
    head = top.table("mapping", "[mapping]")
    if head is None:
        raise UsageError(f"{file}: [mapping]: expected this table with name and transport, found none")
    fields = top.table("fields", "[fields]")
    envelope = _sources(fields, kinds.ENVELOPE) if fields else {}
    if fields:
        fields.finish()
    mapping = _mapping(head, text, envelope, _rules(top, file, envelope), _requests(top, head))
    top.finish()
    _check(mapping, head, top)
    return mapping


def _mapping(
    head: Table, text: str, envelope: dict[str, Source], rules: tuple[Rule, ...], requests: dict[str, Request]
) -> Mapping:
    type_path: str | None = head.text("type", None)
    mapping = Mapping(
        name=head.text("name", None) or _missing(head, "name", "the name of the protocol"),
        text=text,
        transport=_transport(head),
        type_path=(type_path, head.parsed("type", type_path, paths.parse)) if type_path else None,
        event_names=head.flag("event_names"),
        ignores_unknown=head.choice("unknown", ("report", "ignore"), "report") == "ignore",
        implied=frozenset(head.words("capabilities", CAPABILITIES)),
        intrinsic=frozenset(head.words("always", OF_PROTOCOLS)),
        client_names_threads=head.choice("threads", ("client", "server"), "server") == "client",
        client_tools=head.flag("client_tools"),
        implicit_start=head.flag("implicit_start"),
        completes_at_end=head.choice("end_of_stream", ("cut", "completed"), "cut") == "completed",
        envelope=envelope,
        rules=rules,
        requests=requests,
        malformed=head.strings("malformed"),
    )
    head.finish()
    return mapping


def _transport(head: Table) -> Transport:
    return cast(Transport, head.choice("transport", get_args(Transport), "") or _missing(head, "transport", "one of"))


def _missing(table: Table, key: str, what: str) -> Any:
    options = f" {', '.join(get_args(Transport))}" if key == "transport" else ""
    raise table.error(key, f"expected {what}{options}, found none")


# -- what a frame means -----------------------------------------------------------------------------------------------


def _rules(top: Table, file: str, envelope: dict[str, Source]) -> tuple[Rule, ...]:
    tables = top.raw("event")
    if not isinstance(tables, list) or not all(isinstance(data, dict) for data in tables) or not tables:
        raise top.error("[[event]]", "expected at least one such table, each saying what a frame means")
    return tuple(_rule(data, number, file, envelope) for number, data in enumerate(tables, start=1))


def _rule(data: dict[str, Any], number: int, file: str, envelope: dict[str, Source]) -> Rule:
    name = data.get("is")
    table = Table(data, file, f"[[event]] {number}" + (f" ({name})" if isinstance(name, str) else ""))
    kind = kinds.KINDS.get(table.choice("is", tuple(kinds.KINDS), ""))
    if kind is None:
        raise table.error("is", f"expected what the frame means, found none; {choices('', kinds.KINDS)}")
    sources = _sources(table, kind.fields, lenient=() if kind.of_run else kind.fields)
    for field in kind.needs:
        if field not in sources:
            raise table.error(field, f"expected where the {field} of this event is, found none")
    rule = Rule(
        kind=str(name),
        when=tuple(_conditions(table, "when", table.raw("when"), "")),
        has=tuple(table.parsed("has", path, paths.parse) for path in table.words("has")),
        lacks=tuple(table.parsed("lacks", path, paths.parse) for path in table.words("lacks")),
        go_on=table.flag("go_on"),
        sources=sources,
        envelope={**envelope, **_sources(table, kinds.ENVELOPE)} if kind.of_run else {},
    )
    table.finish()
    if not (rule.when or rule.has or rule.lacks):
        raise table.error("when", 'expected which frames are meant, e.g. when = { type = "done" }, found nothing')
    return rule


def _conditions(table: Table, key: str, value: Any, above: str) -> list[tuple[paths.Path, tuple[Any, ...]]]:
    if value is None:
        return []
    if not isinstance(value, dict):
        raise table.error(key, f"expected a table of paths and values, got {value!r}")
    found: list[tuple[paths.Path, tuple[Any, ...]]] = []
    for name, expected in value.items():
        path = f"{above}.{name}" if above else name
        if isinstance(expected, dict):
            found += _conditions(table, key, expected, path)
            continue
        values = tuple(expected) if isinstance(expected, list) else (expected,)
        if not values or not all(isinstance(item, str | int | float | bool) for item in values):
            raise table.error(key, f"{path}: expected a value or a list of values, got {expected!r}")
        found.append((table.parsed(key, path, paths.parse), values))
    return found


def _sources(table: Table, fields: dict[str, Any], lenient: Collection[str] = ("traceparent",)) -> dict[str, Source]:
    """Return where the fields are that the table places; `lenient` are those not held to their type if optional."""
    found = {name: _source(table, name, kind) for name, kind in fields.items() if table.raw(name) is not None}
    return {name: msgspec.structs.replace(source, lenient=name in lenient) for name, source in found.items()}


def _source(table: Table, key: str, kind: Any) -> Source:
    value = table.raw(key)
    inner = table.table(key, f"{table.place} {key}") if isinstance(value, dict) else None
    if inner is None:
        return _placed(table, key, value, {"kind": kind})
    options: dict[str, Any] = {"kind": kinds.TYPES[inner.choice("type", tuple(kinds.TYPES), "any")]}
    options |= {} if "type" in inner else {"kind": kind}
    options |= {
        "json": inner.flag("json"),
        "accumulated": inner.flag("accumulated"),
        "optional": inner.flag("optional"),
    }
    if kind == kinds.TIME:
        options |= {"form": inner.choice("form", FORMS, RFC3339)}
    options |= {"values": inner.raw("values")}
    if options["values"] is not None and not (isinstance(options["values"], dict) and options["values"]):
        raise inner.error("values", f'expected a table such as {{ done = "ok" }}, got {options["values"]!r}')
    constant, path = inner.raw("value"), inner.raw("path")
    if (constant is None) == (path is None):
        raise inner.error("path", "expected either path, or value for one that is always the same")
    source = (
        _placed(inner, "path", path, options)
        if constant is None
        else Source(**{**options, "constant": constant, "kind": kind})
    )
    inner.finish()
    if source.accumulated and key != "text":
        raise inner.error("accumulated", "only the text of an event can be accumulated")
    return source


def _placed(table: Table, key: str, value: Any, options: dict[str, Any]) -> Source:
    """Return a source at one path, or at the first of several that is there; `?` at the end: it may be absent."""
    texts = value if isinstance(value, list) else [value]
    if not texts:
        raise table.error(key, "expected a path, got an empty list")
    places = []
    optional = options.get("optional", False)
    for text in texts:
        bare = text.removesuffix("?") if isinstance(text, str) else text
        optional = optional or bare != text
        places.append((str(bare), table.parsed(key, bare, paths.parse)))
    return Source(**{**options, "paths": tuple(places), "optional": optional})


# -- how things are asked for -----------------------------------------------------------------------------------------


def _requests(top: Table, head: Table) -> dict[str, Request]:
    tables = top.table("requests", "[requests]")
    if tables is None:
        return {}
    found: dict[str, Request] = {}
    for name in _REQUESTS:
        table = tables.table(name, f"[requests.{name}]")
        if table is not None:
            found[name] = _request(table, head)
    tables.finish()
    return found


def _request(table: Table, head: Table) -> Request:
    body = table.raw("body")
    for text in (*template.texts(body), table.text("url", ""), *table.strings("headers").values()):
        table.parsed("body", text, template.checked)
    transport = head.choice("transport", get_args(Transport), "sse")
    answer = table.choice("answer", tuple(FRAMINGS), "sse" if transport == "websocket" else transport)
    request = Request(
        body=body,
        url=table.text("url", None),
        method=table.choice("method", ("GET", "POST", "PUT", "PATCH", "DELETE"), "POST"),
        headers=table.strings("headers"),
        planted=tuple(_place(table, place) for place in table.words("planted")),
        framing=FRAMINGS.get(answer, Framing.EVENTS),
    )
    table.finish()
    return request


def _place(table: Table, text: str) -> paths.Path:
    """Return the path of an object in the body; "." is the body itself."""
    return () if text == "." else table.parsed("planted", text, paths.parse)


# -- what must fit together -------------------------------------------------------------------------------------------


def _check(mapping: Mapping, head: Table, top: Table) -> None:
    for capability, requests in _NEEDED.items():
        if capability in mapping.implied | mapping.intrinsic and not mapping.requests.keys() & set(requests):
            names = " or ".join(f"[requests.{name}]" for name in requests)
            raise head.error("capabilities", f"{capability}: expected {names}, which says how it is asked for")
    if mapping.requests and "start" not in mapping.requests:
        raise top.error("[requests]", "expected [requests.start], which says how a run is asked for")
    for number, rule in enumerate(mapping.rules, start=1):
        named = [path for path, _ in rule.when]
        if (EVENT,) in named and not mapping.event_names:
            raise top.error(f"[[event]] {number} when", f"{EVENT}: expected event_names = true in [mapping]")
    if mapping.event_names and mapping.transport != "sse":
        raise head.error("event_names", f'only with transport = "sse", found "{mapping.transport}"')
    answers = {rule.kind for rule in mapping.rules}
    if not answers & kinds.TERMINAL and not mapping.completes_at_end:
        ends = ", ".join(sorted(kinds.TERMINAL))
        raise top.error(
            "[[event]]", f'no frame ends a run: expected one that is {ends}, or end_of_stream = "completed"'
        )
