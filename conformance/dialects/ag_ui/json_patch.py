"""JSON Patch (RFC 6902) on plain data. Nothing is changed in place: a patched document shares what was not touched."""

import re
from typing import Any

from msgspec import UNSET

_MEMBERS = {
    "add": ("value",),
    "remove": (),
    "replace": ("value",),
    "move": ("from",),
    "copy": ("from",),
    "test": ("value",),
}
_INDEX = re.compile(r"0|[1-9][0-9]*")
_ESCAPE = re.compile(r"~(?![01])")


class PatchError(ValueError):
    """An operation cannot be carried out; its text says which and why."""


def malformed(patch: list[Any]) -> str | None:
    """Return what is wrong with the first operation that is none (RFC 6902 section 4), or None."""
    for number, operation in enumerate(patch):
        problem = _malformed(operation)
        if problem:
            return f"operation {number}: {problem}"
    return None


def _malformed(operation: Any) -> str | None:
    if not isinstance(operation, dict):
        return f"an object expected, {operation!r} found"
    op = operation.get("op", UNSET)
    members = _MEMBERS.get(op) if isinstance(op, str) else None
    if members is None:
        return f"op is {'missing' if op is UNSET else repr(op)}, not one of {', '.join(_MEMBERS)}"
    for name in ("path", *members):
        if name not in operation:
            return f"{op} without {name}"
        value = operation[name]
        if name != "value" and not (isinstance(value, str) and (not value or value[0] == "/")):
            return f"{name} is no JSON Pointer: {value!r}"
        if name != "value" and _ESCAPE.search(value):
            return f"{name} has a ~ that is neither ~0 nor ~1: {value!r}"
    return None


def apply(document: Any, patch: list[Any]) -> Any:
    """Return the document with a well-formed patch applied. Raises `PatchError` where an operation cannot be."""
    for number, operation in enumerate(patch):
        try:
            document = _carry_out(document, operation)
        except PatchError as error:
            raise PatchError(f"operation {number}: {operation['op']} {operation['path']}: {error}") from None
    return document


def _carry_out(document: Any, operation: dict[str, Any]) -> Any:
    op, path = operation["op"], _tokens(operation["path"])
    if op == "add":
        return _edit(document, path, operation["value"], insert=True)
    if op == "remove":
        return _edit(document, path, UNSET)
    if op == "replace":
        return _edit(document, path, operation["value"])
    if op == "test":
        found = _at(document, path)
        if not _equal(found, operation["value"]):
            raise PatchError(f"{operation['value']!r} expected, {found!r} found")
        return document
    source = _tokens(operation["from"])
    value = _at(document, source)
    if op == "move":
        if path[: len(source)] == source and path != source:
            raise PatchError("a value cannot be moved into itself")
        document = _edit(document, source, UNSET)
    return _edit(document, path, value, insert=True)


def _tokens(pointer: str) -> list[str]:
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def _at(document: Any, path: list[str]) -> Any:
    for token in path:
        document = document[_key(document, token)]
    return document


def _key(container: Any, token: str, *, insert: bool = False) -> Any:
    """Return the key or index that a token names in a container; it need not exist where a value is inserted."""
    if isinstance(container, dict):
        if token not in container and not insert:
            raise PatchError(f"there is no {token!r}")
        return token
    if not isinstance(container, list):
        raise PatchError(f"{token!r} is looked for in a value that is neither object nor array")
    if token == "-" and insert:
        return len(container)
    if not _INDEX.fullmatch(token) or int(token) >= len(container) + insert:
        raise PatchError(f"{token!r} is no index of an array of length {len(container)}")
    return int(token)


def _edit(document: Any, path: list[str], value: Any, *, insert: bool = False) -> Any:
    """Return the document with `value` at `path`; UNSET removes what is there."""
    if not path:
        return None if value is UNSET else value
    head, *rest = path
    key = _key(document, head, insert=insert and not rest)
    copy: Any = document.copy()
    if rest:
        copy[key] = _edit(document[key], rest, value, insert=insert)
    elif value is UNSET:
        del copy[key]
    elif insert and isinstance(copy, list):
        copy.insert(key, value)
    else:
        copy[key] = value
    return copy


def _equal(one: Any, other: Any) -> bool:
    """Compare as JSON does: true is not 1, but 1 is 1.0."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)
