"""Scenario files: steps to take, in TOML, one a line. The explorer writes them, `verify --scenario` replays them."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from conformance.errors import UsageError
from conformance.explore.steps import AnyStep

FORMAT = 1


class ScenarioFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a scenario file holds. All but `steps` is for the reader: what it violated, where, and how it was found."""

    steps: tuple[AnyStep, ...]
    format: int = FORMAT
    title: str = ""
    violates: tuple[str, ...] = ()
    target: str = ""
    seed: int | None = None
    reproduced: str = ""


def read(path: Path) -> ScenarioFile:
    """Read a scenario file. Raises `UsageError` that says where it is wrong."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--scenario {path}: not a scenario file: {error}") from error
    return parse(text, path=str(path))


def parse(text: str, *, path: str) -> ScenarioFile:
    """Read the text of a scenario file."""
    try:
        document = tomllib.loads(text)
        found = msgspec.convert(document, ScenarioFile)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: not a scenario file: {error}") from error
    if found.format != FORMAT:
        raise UsageError(f"{path}: format {found.format}: expected {FORMAT}; it is for another version of the kit")
    for number, step in enumerate(found.steps, 1):
        _check_script(step, f"{path}: step {number}")
    return found


def _check_script(step: AnyStep, place: str) -> None:
    for part in getattr(step, "script", ()):
        known = ("think", "tool", "parallel", "say", "stall_ms", "slow_ms", "fail", "recall")
        if not any(name in part for name in known):
            raise UsageError(f"{place}: script: expected a step with one of {', '.join(known)}, got {part}")
        for call in (*([part] if "tool" in part else []), *part.get("parallel", ())):
            if not isinstance(call, dict) or not isinstance(call.get("args"), dict) or "tool" not in call:
                raise UsageError(f"{place}: script: expected {{ tool = …, args = {{ … }} }}, got {call}")


def write(scenario: ScenarioFile) -> str:
    """Return the text of a scenario file."""
    head: dict[str, Any] = msgspec.to_builtins(scenario)
    steps = head.pop("steps")
    lines = [f"{name} = {_value(value)}" for name, value in {"format": FORMAT, **head}.items()]
    return "\n".join([*lines, "", "steps = [", *(f"  {_value(step)}," for step in steps), "]", ""])


def _value(value: Any) -> str:
    """Return a value as TOML writes it. Strings of JSON are strings of TOML but for DEL."""
    if isinstance(value, Mapping):
        items = ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items())
        return f"{{ {items} }}" if items else "{}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_value, value)) + "]"
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return key if key.isascii() and key.replace("_", "").replace("-", "").isalnum() else _value(key)
