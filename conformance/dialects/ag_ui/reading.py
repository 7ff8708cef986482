"""Reading a frame of AG-UI: in one step where it keeps the schema, else field by field, noting each deviation."""

from collections.abc import Callable
from functools import reduce
from operator import or_
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

import msgspec
from msgspec import UNSET, UnsetType

from conformance.dialects.ag_ui.wire import TYPES, Wire
from conformance.dialects.fields import Fields, describe, shorten
from conformance.events import Flaw

_WORDS = {
    "run_id": "a non-empty string",
    "timestamp": "a number of milliseconds since 1970",
    "messages": "an array of messages",
    "outcome": '{"type": "success"}, or {"type": "interrupt"} with at least one interrupt {id, reason}',
}
Reader = Callable[[bytes], Wire]


def exact_reader() -> Reader:
    """Return what decodes a frame that keeps the schema; it raises where one does not."""
    return msgspec.json.Decoder(reduce(or_, TYPES.values())).decode


def read_loosely(raw: bytes, flaws: list[Flaw]) -> Wire | str | None:
    """Return a frame's event as far as it can be read, noting what is wrong with it.

    Returns the type alone where AG-UI does not know it, and None where the frame is no event at all.
    """
    try:
        frame = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        flaws.append(Flaw("SCH-01", "frame", "a JSON object in UTF-8", f"{error}: {shorten(raw)}"))
        return None
    if not isinstance(frame, dict):
        flaws.append(Flaw("SCH-01", "frame", "a JSON object", shorten(raw)))
        return None
    name = frame.get("type", UNSET)
    if not isinstance(name, str) or not name:
        flaws.append(Flaw("SCH-02", "type", "a non-empty string", describe(name)))
        return None
    kind = TYPES.get(name)
    return name if kind is None else _read_fields(kind, frame, flaws)


def _read_fields(kind: type[Wire], frame: dict[str, Any], flaws: list[Flaw]) -> Wire:
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        value = frame.get(name, UNSET)
        if value is UNSET and not field.required:
            continue
        try:
            values[field.name] = msgspec.convert(value, field.type)
        except msgspec.ValidationError:
            values[field.name] = None if field.required else field.default
            flaws.append(_flaw(field, frame))
    return kind(**values)


def _flaw(field: msgspec.structs.FieldInfo, frame: dict[str, Any]) -> Flaw:
    """Say what is wrong with a field that does not fit its type; a missing run id has a requirement of its own."""
    name, words = field.encode_name, _WORDS.get(field.name)
    value = describe(frame.get(name, UNSET))
    if field.name == "run_id":
        return Flaw("IDN-01", name, words or "", value)
    return Flaw("SCH-02", name, words or _words(field.type), value)


def _words(kind: Any) -> str:
    options = [option for option in get_args(kind) if option not in (UnsetType, NoneType)]
    if get_origin(kind) is UnionType and len(options) == 1:
        return _words(options[0])
    if get_origin(kind) is list:
        return "an array"
    reader = Fields({})
    reader.typed("", kind)
    return reader.flaws[0].expected
