"""Where a field's value comes from, and how it is read: what is wrong with it is a `Flaw`."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET

from conformance.dialects.fields import Fields, describe
from conformance.dialects.mapping import kinds
from conformance.dialects.mapping.paths import Path, find
from conformance.events import Flaw

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000}
_EARLIEST, _LATEST = 10**8, 10**11
RFC3339, ISO = "rfc3339", "iso"
FORMS = (RFC3339, ISO, *_PER_SECOND)
_WORDS = {
    RFC3339: "RFC 3339 in UTC with at least milliseconds, e.g. 2026-01-31T09:30:00.125Z",
    ISO: "a date and time with its zone, as in ISO 8601, e.g. 2026-01-31T09:30:00+01:00",
    "s": "seconds since 1970, e.g. 1769851800.125",
    "ms": "milliseconds since 1970, e.g. 1769851800125",
    "us": "microseconds since 1970, e.g. 1769851800125000",
}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a mapping.

    `paths` are tried in turn, by their text; `constant` is the value itself. `values` translates what stands on the
    wire, `json` tells that it is JSON within a string, `accumulated` that it is all the text so far. An optional value
    of another type is a flaw, unless the source is `lenient`: then it is taken for absent.
    """

    kind: Any
    paths: tuple[tuple[str, Path], ...] = ()
    constant: Any = UNSET
    optional: bool = False
    lenient: bool = False
    form: str = RFC3339
    values: dict[str, Any] | None = None
    json: bool = False
    accumulated: bool = False

    def read(self, frame: dict[str, Any], flaws: list[Flaw]) -> Any:
        """Return the value: UNSET where an optional one is not there, None and a flaw where it is not as expected."""
        if self.constant is not UNSET:
            return self.constant
        name, value = self._find(frame)
        if self.optional and (value is UNSET or (value is None and self.kind is not Any)):
            return UNSET
        if self.kind == kinds.ID:
            return self._run_id(name, value, flaws)
        if self.kind == kinds.TIME:
            return self._time(name, value, flaws)
        if value is UNSET:
            flaws.append(Flaw("SCH-02", name, self._words(), "missing"))
            return None
        if self.json and isinstance(value, str):
            value = _decoded(value)
        if self.values is not None:
            value = self.values.get(value if isinstance(value, str) else describe(value), UNSET)
        try:
            if value is not UNSET:
                return msgspec.convert(value, self.kind)
        except msgspec.ValidationError:
            if self.optional and self.lenient:
                return UNSET
        flaws.append(Flaw("SCH-02", name, self._words(), describe(self._find(frame)[1])))
        return None

    def _find(self, frame: dict[str, Any]) -> tuple[str, Any]:
        for name, path in self.paths:
            value = find(path, frame)
            if value is not UNSET:
                return name, value
        return self.paths[0][0], UNSET

    def _words(self) -> str:
        if self.values is not None:
            return " or ".join(self.values)
        if self.kind is Any:
            return "a value"
        reader = Fields({})
        reader.typed("", self.kind)
        return reader.flaws[0].expected

    def _run_id(self, name: str, value: Any, flaws: list[Flaw]) -> str | None:
        if isinstance(value, str) and value:
            return value
        flaws.append(Flaw("IDN-01", name, "a non-empty string", describe(value)))
        return None

    def _time(self, name: str, value: Any, flaws: list[Flaw]) -> datetime | None:
        if self.form == RFC3339:
            fields = Fields({name: value} if value is not UNSET else {})
            moment = fields.timestamp(name)
            flaws += fields.flaws
            return moment
        if value is UNSET:
            flaws.append(Flaw("SCH-02", name, _WORDS[self.form], "missing"))
            return None
        moment = _iso(value) if self.form == ISO else _epoch(value, _PER_SECOND[self.form])
        if moment is None:
            flaws.append(Flaw("SCH-03", name, _WORDS[self.form], describe(value)))
        return moment


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return UNSET


def _iso(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _epoch(value: Any, per_second: int) -> datetime | None:
    """Return the moment; None where the number cannot be one of that unit: it lies before 1973 or after 5138."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    if not _EARLIEST * per_second <= value < _LATEST * per_second:
        return None
    whole, rest = divmod(value, per_second)
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=whole, microseconds=rest * 1_000_000 / per_second)
