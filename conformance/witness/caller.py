"""Who calls, as far as the target says: user, run, thread, and the id of the tool call."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

HEADERS = ("X-User-Id", "X-Run-Id", "X-Thread-Id", "X-Tool-Call-Id")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_FIELDS = {
    "user_id": "user",
    "user": "user",
    "safety_identifier": "user",
    "run_id": "run_id",
    "thread_id": "thread_id",
    "tool_call_id": "tool_call_id",
}


class Caller(msgspec.Struct, frozen=True):
    """What a target says of a call, in its own ids; None is what it does not say."""

    user: str | None = None
    run_id: str | None = None
    thread_id: str | None = None
    tool_call_id: str | None = None


def caller(*sources: Mapping[str, Any] | None) -> Caller:
    """Read who calls out of headers, `_meta` or `metadata`; the first source that names something counts.

    `X-Run-Id`, `run_id`, `runId` and `com.example/run-id` are all the same name.
    """
    found: dict[str, str] = {}
    for source in sources:
        for name, value in _named(source.items() if source else ()):
            found.setdefault(name, value)
    return Caller(**found)


def _named(fields: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, str]]:
    for key, value in fields:
        plain = _HUMP.sub("_", key.rpartition("/")[2]).lower().replace("-", "_").removeprefix("x_")
        if plain in _FIELDS and isinstance(value, str | int) and value != "":
            yield _FIELDS[plain], str(value)
