"""What a project says about itself: `contracts.toml`, or `[tool.agent-conformance]` in its pyproject.toml."""

import os
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from conformance.catalogue import load as catalogue
from conformance.errors import UsageError
from conformance.nearest import guess

TABLE = "agent-conformance"
FILE = "contracts.toml"
_AT = re.compile(r"^(?P<problem>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_WORDS = (("str", "a string"), ("int", "an integer"), ("float", "a number"), ("array", "a list"), ("object", "a table"))


class SingleSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A symbol that only one module defines, and that is imported from there."""

    symbol: str
    module: str


class Deprecated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A module or a symbol, by its dotted name, that must not be used from the day `until` on (at once without it)."""

    name: str
    replacement: str
    until: date | None = None


class Ignore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Findings of a requirement that are no concern in the files that match `path`, until the day `expires`."""

    rule: str
    reason: str
    path: str = "*"
    expires: date | None = None


class NotApplicable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A requirement that does not apply to a tree, and why: it is not undecided where nothing could show it."""

    rule: str
    reason: str


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings, with what holds where a project says nothing. Patterns are those of fnmatch.

    `file` is where they were read from (no setting): `roots` and `registry` are relative to its folder.
    """

    roots: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    first_party: tuple[str, ...] = ()
    tests: tuple[str, ...] = ("test_*.py", "*_test.py", "conftest.py")
    test_directories: tuple[str, ...] = ("test", "tests", "testing", "test_utils", "testutils")
    identity: tuple[str, ...] = ("run_id", "user_id", "thread_id", "request_id")
    placeholders: tuple[str, ...] = ()
    single_source: tuple[SingleSource, ...] = ()
    deprecated: tuple[Deprecated, ...] = ()
    per_user: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    environment: str | None = None
    max_function_lines: int = 25
    max_bytes: int = 4_000_000
    delivery: tuple[str, ...] = ("send", "publish", "deliver", "broadcast", "emit")
    thresholds: dict[str, float] = {}
    registry: tuple[str, ...] = ()
    ignore: tuple[Ignore, ...] = ()
    not_applicable: tuple[NotApplicable, ...] = ()
    file: str = FILE

    @property
    def directory(self) -> str:
        """The folder that paths in the settings are relative to."""
        return str(Path(self.file).parent)


def shown(path: Path) -> Path:
    """Return a path as it is shown: relative to the current folder where it lies below that."""
    if not path.is_absolute():
        return Path(os.path.normpath(path))
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path


def find(path: Path) -> Path | None:
    """Return the configuration of the project that a folder or file belongs to: in it or in the nearest above it."""
    start = path.resolve()
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder / FILE
        project = folder / "pyproject.toml"
        if project.is_file():
            return project if TABLE in _tools(project) else None
    return None


def load(path: Path) -> Config:
    """Read a configuration. Raises `UsageError` that names file, key, and what was expected there."""
    data = _tools(path).get(TABLE, {}) if path.name == "pyproject.toml" else _document(path)
    return parse(data, path=path)


def parse(data: dict[str, Any], *, path: Path) -> Config:
    """Make a configuration of the data of a file."""
    given = {key: value for key, value in data.items() if key != "file"}
    if isinstance(given.get("registry"), str):
        given["registry"] = [given["registry"]]
    try:
        config = msgspec.convert({**given, "file": str(shown(path))}, Config)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {_explain(str(error))}") from error
    known = {requirement.id for requirement in catalogue() if requirement.family in ("SRC", "TST")}
    for table, entries in (("ignore", config.ignore), ("not_applicable", config.not_applicable)):
        for entry in entries:
            if entry.rule not in known:
                raise UsageError(f"{path}: [[{table}]] rule: there is no {entry.rule!r}; {guess(entry.rule, known)}")
            if not entry.reason.strip():
                raise UsageError(f"{path}: [[{table}]] reason: expected a text that is not empty for {entry.rule}")
    return config


def _tools(path: Path) -> dict[str, Any]:
    tools = _document(path).get("tool", {})
    return tools if isinstance(tools, dict) else {}


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; `agent-conformance audit PATH --suggest` proposes one") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: not a configuration: {error}") from error


def _explain(error: str) -> str:
    match = _AT.match(error)
    assert match is not None
    problem, path = match["problem"], (match["path"] or "").lstrip(".")
    unknown = re.search(r"unknown field `(.+)`", problem)
    if not unknown:
        plain = problem[:1].lower() + problem[1:].replace("`", "")
        for name, word in _WORDS:
            plain = re.sub(rf"\b{name}\b", word, plain)
        return f"{path}: {plain.replace(' | null', '')}"
    table = path.partition("[")[0]
    struct: Any = {
        "single_source": SingleSource,
        "deprecated": Deprecated,
        "ignore": Ignore,
        "not_applicable": NotApplicable,
    }.get(table, Config)
    names = [name for name in struct.__struct_fields__ if name != "file"]
    place = f"[[{table}]] {unknown[1]}" if table else unknown[1]
    return f"{place}: unknown key; {guess(unknown[1], names)}"
