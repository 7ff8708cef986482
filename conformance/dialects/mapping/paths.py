"""Paths: where in a frame something is. Written `a.b[0].c`, or as a JSON Pointer (RFC 6901) `/a/b/0/c`."""

import re
from typing import Any

from msgspec import UNSET

Path = tuple[str | int, ...]
_SEGMENT = re.compile(r"([^.\[\]\s](?:[^.\[\]]*[^.\[\]\s])?)((?:\[\d+\])*)")
_INDEX = re.compile(r"\[(\d+)\]")


def parse(text: str) -> Path:
    """Return the path that `text` writes. Raises `ValueError` with what is wrong with it."""
    if text.startswith("/"):
        steps = [step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/")]
        return tuple(int(step) if step.isdigit() else step for step in steps)
    path: list[str | int] = []
    for segment in text.split("."):
        match = _SEGMENT.fullmatch(segment)
        if match is None:
            what = f"{segment!r} is no field" if segment else "a field between two dots, or at an end, is empty"
            raise ValueError(f"{text!r} is no path: {what}; expected one such as data.items[0].id or /data/items/0/id")
        path += [match[1], *(int(index) for index in _INDEX.findall(match[2]))]
    return tuple(path)


def find(path: Path, frame: Any) -> Any:
    """Return what is there; UNSET where nothing is."""
    value = frame
    for step in path:
        if isinstance(value, dict):
            value = value.get(str(step), UNSET)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return UNSET
    return value
