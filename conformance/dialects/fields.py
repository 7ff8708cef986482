"""Reading fields out of a JSON object that may break every rule, noting each deviation as a `Flaw`."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

import msgspec

from conformance.events import Flaw, ToolError

_RFC3339_UTC = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d\.\d{3,}([Zz]|[+-]00:00)")
_IN_MILLISECONDS = re.compile(rb'"timestamp":\s*"[^"]*\.\d{3,}(?:[Zz]|[+-]00:00)"')
_LEAP_SECOND, _BEFORE = re.compile(r"23:59:60\.\d+"), "23:59:59.999999"
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)
_WORDS = {str: "a string", int: "an integer", float: "a number", bool: "true or false"}


def shorten(value: object, limit: int = 160) -> str:
    """Return a value as one short line of text, for a finding."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def describe(value: object) -> str:
    """Return a JSON value as it would stand on the wire, shortened."""
    return "missing" if value is msgspec.UNSET else shorten(msgspec.json.encode(value))


def decode_json(raw: bytes | str) -> Any:
    """Return the value of a JSON text; half a surrogate pair in it, which no character is, becomes U+FFFD.

    RFC 8259 (section 8.2) leaves it to the receiver what to make of `"\\ud83d"`, which the grammar allows; a text that
    was cut by UTF-16 units has it. Raises what msgspec raises where the text is no JSON.
    """
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        text = raw.decode() if isinstance(raw, bytes) else raw
        whole = _ESCAPE.sub(lambda found: "\\ufffd" if found[1] else found[0], text)
        if whole == text:
            raise
        return msgspec.json.decode(whole)


def number(value: object) -> float | None:
    """Return a JSON number as a float, anything else as None."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def well_stamped(stamp: datetime, raw: bytes) -> bool:
    """Tell whether a frame's `timestamp`, read as `stamp`, is written in UTC and at least in milliseconds."""
    if stamp.tzinfo is not UTC:
        return False
    if stamp.microsecond % 10_000:
        return True  # three digits at least
    return len(_IN_MILLISECONDS.findall(raw)) == raw.count(b'"timestamp"')


class Fields:
    """The fields of one JSON object; `flaws` collects what is wrong with those that were read."""

    def __init__(self, data: dict[str, Any], *, prefix: str = "") -> None:
        self.data = data
        self.flaws: list[Flaw] = []
        self._prefix = prefix

    def take(self, name: str, kind: type, words: str) -> Any:
        """Return a required field of that type, or None and a flaw."""
        value = self.data.get(name, msgspec.UNSET)
        if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
            return value
        self.flaws.append(Flaw("SCH-02", self._prefix + name, words, describe(value)))
        return None

    def typed(self, name: str, kind: Any, *, into: "Fields | None" = None) -> Any:
        """Return a required field of a type as used in structs (a type, a union or literals), or None and a flaw.

        The flaw is noted in `into`, where given.
        """
        value = self.data.get(name, msgspec.UNSET)
        if value is not msgspec.UNSET:
            try:
                return msgspec.convert(value, kind)
            except msgspec.ValidationError:
                pass
        flaw = Flaw("SCH-02", self._prefix + name, _words(kind), describe(value))
        (into or self).flaws.append(flaw)
        return None

    def run_id(self) -> str | None:
        """Return the run id, or None and an IDN-01 flaw: absent, null, empty or no string at all."""
        value = self.data.get("run_id", msgspec.UNSET)
        if isinstance(value, str) and value:
            return value
        self.flaws.append(Flaw("IDN-01", "run_id", "a non-empty string", describe(value)))
        return None

    def timestamp(self, name: str, *, into: "Fields | None" = None) -> datetime | None:
        """Return an RFC 3339 timestamp in UTC with at least milliseconds, or None or a flaw of SCH-03."""
        value = self.data.get(name, msgspec.UNSET)
        flaws = (into or self).flaws
        form = "RFC 3339 in UTC with at least milliseconds, e.g. 2026-01-31T09:30:00.125Z"
        if value is msgspec.UNSET:
            flaws.append(Flaw("SCH-02", self._prefix + name, form, "missing"))
            return None
        try:
            moment = msgspec.convert(_LEAP_SECOND.sub(_BEFORE, value), datetime) if isinstance(value, str) else None
        except msgspec.ValidationError:
            moment = None
        if moment is None or moment.utcoffset() != timedelta(0) or not _RFC3339_UTC.fullmatch(value):
            flaws.append(Flaw("SCH-03", self._prefix + name, form, describe(value)))
        return moment if moment is not None and moment.tzinfo is not None else None

    def tool_error(self, name: str) -> Any:
        """Return a tool's error {code, message}, UNSET where it is null, or a flaw."""
        value = self.data[name]
        if value is None:
            return msgspec.UNSET
        try:
            return msgspec.convert(value, ToolError)
        except msgspec.ValidationError:
            self.flaws.append(Flaw("SCH-02", self._prefix + name, "an object {code, message}", describe(value)))
            return ToolError(code="", message=shorten(value))


def _words(kind: Any) -> str:
    if kind in _WORDS:
        return _WORDS[kind]
    options = get_args(kind)
    if kind is not Any and options and getattr(kind, "__origin__", None) is Literal:
        return " or ".join(map(str, options))
    if kind == dict[str, Any]:
        return "an object"
    return " or ".join(_words(option) for option in options) or str(kind)
