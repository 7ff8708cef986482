"""Finding the script in a user's words (five-events/1, The script). Pure."""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from conformance import canary

_MARKER = re.compile(r"script:\s*(?=\[)")
_STRING_END = re.compile(r'(?<!\\)(?:\\\\)*"')


class BadScript(Exception):
    """A script that is not as the protocol says. The message says what was expected and what came."""


class Found(msgspec.Struct, frozen=True):
    """A script, and where in the text it begins."""

    steps: list[Any]
    start: int


def holds_script(text: str) -> bool:
    """Tell whether a text holds something that claims to be a script."""
    return _MARKER.search(text) is not None


def find_scripts(text: str) -> list[Found]:
    """Return the scripts in a text: several where a framework puts a whole conversation into one message.

    What a script says may look like a script itself; that is not one. Raises `BadScript` where none can be read.
    """
    found = list(_scripts(text))
    if not found and holds_script(text):
        raise BadScript("the script is not a JSON array: nothing can be read after 'script:'")
    return found


def _scripts(text: str) -> Iterator[Found]:
    position = 0
    while marker := _MARKER.search(text, position):
        start = marker.end()
        read = _plain(text, start) or _escaped(text, start)
        position = start
        if read is not None:
            steps, position = read
            yield Found(steps, marker.start())


def _plain(text: str, start: int) -> tuple[list[Any], int] | None:
    try:
        _, end = json.JSONDecoder().raw_decode(text, start)
        # Again by msgspec, which refuses what cannot be sent on: NaN, numbers too large, lone surrogates.
        return msgspec.json.decode(text[start:end], type=list[Any]), end
    except (ValueError, RecursionError):
        return None


def _escaped(text: str, start: int) -> tuple[list[Any], int] | None:
    """Read a script within a JSON string: a framework has put the user's words into JSON."""
    quote = _STRING_END.search(text, start)
    end = quote.end() - 1 if quote else len(text)
    try:
        inner = json.loads(f'"{text[start:end]}"')
    except ValueError:
        return None
    read = _plain(inner, 0)
    return (read[0], end) if read else None


def canary_of(text: str) -> str | None:
    """Return the canary of a message: the last one before its script, else the last one in it."""
    try:
        scripts = find_scripts(text)
    except BadScript:
        scripts = []
    before = list(canary.find(text[: scripts[-1].start].encode(errors="replace"))) if scripts else []
    found = before or list(canary.find(text.encode(errors="replace")))
    return found[-1] if found else None
