"""The target: what to test, how to reach it, how to speak to it. Read from `target.toml` and the command line."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from conformance.bounds import Bounds
from conformance.capabilities import CAPABILITIES
from conformance.errors import UsageError
from conformance.nearest import choices

Behaviour = Literal["chat", "tool", "tool_failure", "parallel_tools", "model_failure", "hang", "recall", "long"]
BEHAVIOURS: tuple[str, ...] = get_args(Behaviour)
Scheme = Literal["none", "tokens", "jwt-hs256", "command"]
_SCHEMES: tuple[str, ...] = get_args(Scheme)
_WORDS = (
    ("str", "a string"),
    ("int", "an integer"),
    ("float", "a number"),
    ("bool", "true or false"),
    ("array", "a list"),
    ("object", "a table"),
)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_AT = re.compile(r"^(?P<problem>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)


class TargetTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[target]`: what it is and how it is started."""

    url: str | None = None
    name: str | None = None
    command: str | None = None
    app: str | None = None
    health: str | None = None
    dialect: str = "five-events"
    capabilities: tuple[str, ...] | None = None


class AuthTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[auth]`: how users show who they are."""

    scheme: Scheme = "none"
    secret_env: str | None = None
    tokens: str | None = None
    command: str | None = None


class WitnessTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[witness]`: which of the kit's own parts the target is wired to.

    `port` is where they listen; 0 is a free port, which only a target that the kit starts can be told of. A table that
    holds a port alone means both.
    """

    model: bool = False
    tools: bool = False
    port: int = 0


class Goals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Objectives of a behaviour, as in `Objectives`; None where there is none."""

    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    first_event_ms: float | None = None
    run_p95_ms: float | None = None
    delivered: float | None = None
    errors: float | None = None

    def __post_init__(self) -> None:
        for name in ("p50_ms", "p95_ms", "p99_ms", "first_event_ms", "run_p95_ms"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be greater than 0")
        for name in ("delivered", "errors"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1:
                raise ValueError(f"{name} must lie between 0 and 1")


class Objectives(Goals, frozen=True, forbid_unknown_fields=True):
    """`[objectives]`: what a load must show, of all behaviours together, and in `behaviours` of each.

    `p50_ms`, `p95_ms` and `p99_ms` bound percentiles of the delivery of events, `first_event_ms` the 95th percentile of
    the wait for a run's first event, `run_p95_ms` that of whole runs. `delivered` is the least share of events that
    arrive, `errors` the largest share of runs that do not end well.
    """

    behaviours: dict[str, Goals] = {}


class LoadTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[load]`: how users behave under load.

    `mix` weighs the behaviours by name, `think_s` is the mean pause of a user between two of them.
    """

    mix: dict[str, float] = {}
    think_s: float = 5.0


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A target file. `directory` is what its relative paths are relative to."""

    target: TargetTable = TargetTable()
    auth: AuthTable = AuthTable()
    say: dict[str, str] = {}
    bounds: Bounds = Bounds()
    witness: WitnessTable = WitnessTable()
    objectives: Objectives = Objectives()
    load: LoadTable = LoadTable()
    directory: str = "."

    @property
    def name(self) -> str:
        """Its name, or what it is reached by."""
        table = self.target
        return table.name or table.app or table.url or "target"


_TABLES: dict[str, Any] = {
    "target": TargetTable,
    "auth": AuthTable,
    "bounds": Bounds,
    "witness": WitnessTable,
    "objectives": Objectives,
    "load": LoadTable,
}


def load(path: Path) -> Target:
    """Read a target file that is complete. Raises `UsageError` that names file, key and what was expected."""
    target = read(path)
    check(target, str(path))
    return target


def read(path: Path) -> Target:
    """Read a target file, which may leave out what the command line says. Raises `UsageError`, as `load` does."""
    try:
        data = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; `agent-conformance init URL` writes one") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: not a target file: {error}") from error
    data.pop("directory", None)
    expanded = _expand(data, str(path), "")
    witness = expanded.get("witness")
    if isinstance(witness, dict) and witness.keys() == {"port"}:
        expanded["witness"] = {"model": True, "tools": True, **witness}
    try:
        target = msgspec.convert({**expanded, "directory": str(path.parent)}, Target)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {_explain(str(error))}") from error
    return _with_mapping(target)


def _with_mapping(target: Target) -> Target:
    """Take the path of a mapping as relative to the target file, as all its paths are."""
    dialect = target.target.dialect
    if not dialect.endswith(".toml"):
        return target
    table = msgspec.structs.replace(target.target, dialect=str(Path(target.directory, dialect)))
    return msgspec.structs.replace(target, target=table)


def check(target: Target, path: str) -> None:
    """Raise `UsageError` where the parts of a target do not fit together; `path` is where it comes from."""
    table, auth = target.target, target.auth
    if table.command and table.app:
        raise UsageError(f"{path}: [target] command and app: expected one of them, found both")
    if not table.url:
        raise UsageError(f'{path}: [target] url: expected a URL such as "ws://127.0.0.1:8000/ws", found none')
    needs = {"jwt-hs256": "secret_env", "tokens": "tokens", "command": "command"}.get(auth.scheme)
    if needs is not None and getattr(auth, needs) is None:
        raise UsageError(f'{path}: [auth] {needs}: expected with scheme = "{auth.scheme}", found none')
    if (target.witness.model or target.witness.tools) and not (table.command or table.app or target.witness.port):
        raise UsageError(f"{path}: [witness] port: expected for a target that the kit does not start, found none")
    for name in target.say:
        _known(name, BEHAVIOURS, f"{path}: [say] {name}: not a behaviour")
    for name in table.capabilities or ():
        _known(name, CAPABILITIES, f"{path}: [target] capabilities: {name!r} is not a capability")


def _known(name: str, names: tuple[str, ...], message: str) -> None:
    if name not in names:
        raise UsageError(f"{message}; {choices(name, names)}")


def _expand(value: Any, path: str, key: str) -> Any:
    """Put environment variables in the place of `${NAME}`."""
    if isinstance(value, dict):
        return {name: _expand(item, path, f"{key}.{name}") for name, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, path, key) for item in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if found is None:
            raise UsageError(f"{path}: {_place(key)}: the environment variable {match[1]} is not set")
        return found

    return _VARIABLE.sub(replace, value)


def _place(path: str) -> str:
    table, _, key = path.lstrip(".").partition(".")
    return f"[{table}] {key}".strip() if table else "top level"


def _explain(error: str) -> str:
    match = _AT.match(error)
    assert match is not None
    problem, path = match["problem"], match["path"] or ""
    unknown = re.search(r"unknown field `(.+)`", problem)
    if unknown:
        table = path.lstrip(".")
        struct: Any = _TABLES.get(table, Goals if table.startswith("objectives") else Target)
        names = struct.__struct_fields__
        names = tuple(name for name in names if name != "directory")
        what = f"[{table}] {unknown[1]}: unknown key" if table else f"[{unknown[1]}]: unknown table"
        return f"{what}; {choices(unknown[1], names)}"
    return f"{_place(path)}: {_in_words(problem, path)}"


def _in_words(problem: str, path: str) -> str:
    """Say what was expected in the words of TOML."""
    enum = re.search(r"Invalid enum value (.+)", problem)
    if enum and path == ".auth.scheme":
        return f"expected one of {', '.join(_SCHEMES)}, got {enum[1]}"
    plain = problem[:1].lower() + problem[1:].replace("`", "")
    for name, word in _WORDS:
        plain = re.sub(rf"\b{name}\b", word, plain)
    return plain.replace(" | null", "")
