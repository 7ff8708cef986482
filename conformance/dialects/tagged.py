"""Reading JSON objects whose field `type` says what they are, for dialects whose frames are all of that kind.

In one step where they keep the schema, else field by field: then each deviation is noted as a `Flaw`.
"""

from collections.abc import Callable, Mapping
from functools import reduce
from operator import or_
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

import msgspec
from msgspec import UNSET, UnsetType

from conformance.dialects.fields import Fields, decode_json, describe, shorten
from conformance.events import Flaw


class Untold(msgspec.Struct, frozen=True):
    """A frame whose type is none of the dialect's."""

    type: str
    frame: dict[str, Any]


class TaggedReader:
    """Reads frames into the structs of `types`, by their tag.

    `exact` decodes a frame that keeps the schema, and raises where one does not. `words` says what is expected of a
    field, by its name in Python, where the type alone does not say it well.
    """

    def __init__(self, types: Mapping[str, type[msgspec.Struct]], words: Mapping[str, str]) -> None:
        self._types = types
        self._words = words
        self.exact: Callable[[bytes], Any] = msgspec.json.Decoder(reduce(or_, types.values())).decode

    def loosely(self, raw: bytes, flaws: list[Flaw]) -> msgspec.Struct | Untold | None:
        """Return a frame's struct as far as it can be read, noting what is wrong with it; None where it is no frame."""
        try:
            frame = decode_json(raw)
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
        kind = self._types.get(name)
        return Untold(name, frame) if kind is None else self._read_fields(kind, frame, flaws)

    def _read_fields(self, kind: type[msgspec.Struct], frame: dict[str, Any], flaws: list[Flaw]) -> msgspec.Struct:
        values: dict[str, Any] = {}
        for field in msgspec.structs.fields(kind):
            value = frame.get(field.encode_name, UNSET)
            if value is UNSET and not field.required:
                continue
            try:
                values[field.name] = msgspec.convert(value, field.type)
            except msgspec.ValidationError:
                values[field.name] = None if field.required else field.default
                flaws.append(self._flaw(field, frame))
        return kind(**values)

    def _flaw(self, field: msgspec.structs.FieldInfo, frame: dict[str, Any]) -> Flaw:
        """Say what is wrong with a field that does not fit its type; a missing run id has a requirement of its own."""
        name, words = field.encode_name, self._words.get(field.name)
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
