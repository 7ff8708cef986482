"""Who a request is for: ids that are real, bound together once and never changed (IDN-01 to IDN-03)."""

import secrets
from typing import NewType
from uuid import uuid4

import msgspec

from reference_impl.errors import InvalidIdentity

UserId = NewType("UserId", str)
RunId = NewType("RunId", str)
ThreadId = NewType("ThreadId", str)

MAX_ID_CHARACTERS = 256

PLACEHOLDERS = frozenset(
    {
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
    if not value.strip():
        raise InvalidIdentity(f"{name} is empty: give a unique id, such as a UUID.")
    if len(value) > MAX_ID_CHARACTERS:
        raise InvalidIdentity(f"{name} has {len(value)} characters: give one of at most {MAX_ID_CHARACTERS}.")
    if not value.isprintable():
        raise InvalidIdentity(f"{name} has unprintable characters: give a unique id, such as a UUID.")
    if value.strip().lower() in PLACEHOLDERS:
        raise InvalidIdentity(f"{name} {value!r} is a placeholder: give a unique id, such as a UUID.")
    return value


def new_id() -> str:
    """A fresh id that cannot be guessed: a version 4 UUID with 122 random bits (IDN-05)."""
    return str(uuid4())


def new_traceparent() -> str:
    """A fresh W3C trace context, one per run."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


class UserExecutionContext(msgspec.Struct, frozen=True, kw_only=True):
    """The identity of one run: made once when the run is accepted, then passed along, never changed.

    Raises InvalidIdentity if an id is None, empty or a placeholder.
    """

    user_id: UserId
    thread_id: ThreadId
    run_id: RunId
    request_id: str
    agent_name: str
    traceparent: str

    def __post_init__(self) -> None:
        for name in ("user_id", "thread_id", "run_id", "request_id", "agent_name"):
            require_id(getattr(self, name), name)
