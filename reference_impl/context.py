"""Who a request is for: ids that are real, bound together once and never changed (IDN-01 to IDN-03)."""

import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from enum import Enum
from os import urandom
from typing import Any, NewType

import msgspec

from reference_impl.errors import InvalidIdentity, SharedState

UserId = NewType("UserId", str)
RunId = NewType("RunId", str)
ThreadId = NewType("ThreadId", str)

MAX_ID_CHARACTERS = 256

PLACEHOLDERS = frozenset(
    {
        "",
        "none",
        "null",
        "nil",
        "undefined",
        "registry",
        "default",
        "default_user",
        "unknown",
        "anonymous",
        "placeholder",
        "test",
        "00000000-0000-0000-0000-000000000000",
    }
)


def require_id(value: object, name: str) -> str:
    """Return `value` if it is a usable id, else raise InvalidIdentity saying what to do about `name` (IDN-02)."""
    if not isinstance(value, str):
        raise InvalidIdentity(f"{name} must be a string, not {type(value).__name__}: give the id of a real {name}.")
    if len(value) <= MAX_ID_CHARACTERS and value.isprintable() and value.strip().lower() not in PLACEHOLDERS:
        return value
    if not value.strip():
        raise InvalidIdentity(f"{name} is empty: give a unique id, such as a UUID.")
    if len(value) > MAX_ID_CHARACTERS:
        raise InvalidIdentity(f"{name} has {len(value)} characters: give one of at most {MAX_ID_CHARACTERS}.")
    if not value.isprintable():
        raise InvalidIdentity(f"{name} has unprintable characters: give a unique id, such as a UUID.")
    raise InvalidIdentity(f"{name} {value!r} is a placeholder: give a unique id, such as a UUID.")


def random_ids() -> Iterator[str]:
    """For ever ids that cannot be guessed (IDN-05): 32 hexadecimal digits, of which 20 are random and 12 are the time.

    They begin with the time, in milliseconds since the epoch, so that new ones go to the end of the journal's indices:
    fewer pages to write. The system is asked for time and random bits for some 400 ids at once.
    """
    while True:
        digits = urandom(4_096).hex()
        began = f"{time.time_ns() // 1_000_000:012x}"
        for start in range(0, len(digits) - 19, 20):
            yield began + digits[start : start + 20]


new_id = random_ids().__next__
"""A fresh id that cannot be guessed."""


ATOMS = frozenset({type(None), bool, int, float, str, bytes})


def require_immutable(value: object, name: str) -> None:
    """Raise SharedState unless nobody can change `value`: what two runs can change, one leaks to the other (ISO-01)."""
    kind: Any = type(value)
    if kind in ATOMS:
        return
    match value:
        case Enum():
            return
        case tuple() | frozenset():
            parts = list(value)
        case msgspec.Struct() if kind.__struct_config__.frozen:
            parts = [getattr(value, field) for field in kind.__struct_fields__]
        case _ if is_dataclass(value) and vars(kind)["__dataclass_params__"].frozen:
            parts = [getattr(value, field.name) for field in fields(value)]
        case _:
            raise SharedState(
                f"{name} holds a {kind.__name__}, which whoever else has it can change under this run: give values that"
                " cannot change (text, numbers, tuples, frozen structs), such as the JSON text of it."
            )
    for part in parts:
        require_immutable(part, name)


running_for: ContextVar["UserExecutionContext | None"] = ContextVar("running_for", default=None)
"""Whose run the current task is at work on; for logs only."""


class UserExecutionContext(msgspec.Struct, frozen=True, kw_only=True):
    """The identity of one run: made once when the run is accepted, then passed along, never changed.

    `traceparent` is its W3C trace context; `details` is what the client sent along, such as JSON text. Raises
    InvalidIdentity if an id is None, empty or a placeholder, and SharedState if `details` can be changed.
    """

    user_id: UserId
    thread_id: ThreadId
    run_id: RunId
    request_id: str
    agent_name: str
    traceparent: str
    details: object = None

    def __post_init__(self) -> None:
        require_id(self.user_id, "user_id")
        require_id(self.thread_id, "thread_id")
        require_id(self.run_id, "run_id")
        require_id(self.request_id, "request_id")
        require_id(self.agent_name, "agent_name")
        require_immutable(self.details, "details")
