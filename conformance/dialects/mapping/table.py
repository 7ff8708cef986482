"""A table of a mapping file, read strictly: whatever is wrong is a `UsageError` that names file, key and the remedy."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from conformance.errors import UsageError
from conformance.nearest import choices

T = TypeVar("T")


class Table:
    """One table; `place` is how it is called in messages. Every key must be asked for before `finish`."""

    def __init__(self, data: dict[str, Any], file: str, place: str) -> None:
        self._data = data
        self._file = file
        self.place = place
        self._asked: list[str] = []

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def error(self, key: str, problem: str) -> UsageError:
        """Return the error about a key."""
        return UsageError(f"{self._file}: {f'{self.place} {key}'.strip()}: {problem}")

    def raw(self, key: str) -> Any:
        """Return what stands under a key, None where it is not there."""
        self._asked.append(key)
        return self._data.get(key)

    def text(self, key: str, default: str | None) -> str | None:
        """Return a string that is not empty."""
        value = self.raw(key)
        if value is not None and not (isinstance(value, str) and value):
            raise self.error(key, f"expected a string that is not empty, got {value!r}")
        return default if value is None else value

    def flag(self, key: str) -> bool:
        """Return a boolean, False where the key is not there."""
        value = self.raw(key)
        if value is not None and not isinstance(value, bool):
            raise self.error(key, f"expected true or false, got {value!r}")
        return bool(value)

    def choice(self, key: str, options: Sequence[str], default: str) -> str:
        """Return one of several words."""
        value = self.raw(key)
        if value is not None and value not in options:
            raise self.error(key, f"{value!r} is not known; {choices(str(value), options)}")
        return default if value is None else str(value)

    def words(self, key: str, options: Sequence[str] | None = None) -> tuple[str, ...]:
        """Return a list of strings, each one of `options` where they are given."""
        value = self.raw(key)
        if value is not None and not (isinstance(value, list) and all(isinstance(word, str) for word in value)):
            raise self.error(key, f"expected a list of strings, got {value!r}")
        for word in value or ():
            if options is not None and word not in options:
                raise self.error(key, f"{word!r} is not known; {choices(str(word), options)}")
        return tuple(value or ())

    def strings(self, key: str) -> dict[str, str]:
        """Return a table of strings."""
        value = self.raw(key)
        if value is not None and not (isinstance(value, dict) and all(isinstance(v, str) for v in value.values())):
            raise self.error(key, f"expected a table of strings, got {value!r}")
        return value or {}

    def table(self, key: str, place: str) -> "Table | None":
        """Return a table within this one."""
        value = self.raw(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.error(key, f"expected a table, got {value!r}")
        return Table(value, self._file, place)

    def parsed(self, key: str, text: Any, parse: Callable[[str], T]) -> T:
        """Return what `parse` makes of a text that stands under a key; its `ValueError` becomes ours."""
        if not isinstance(text, str):
            raise self.error(key, f"expected a string, got {text!r}")
        try:
            return parse(text)
        except ValueError as error:
            raise self.error(key, str(error)) from error

    def finish(self) -> None:
        """Raise where there is a key that nobody asked for."""
        for key in self._data:
            if key not in self._asked:
                raise self.error(key, f"unknown key; {choices(key, self._asked)}")
