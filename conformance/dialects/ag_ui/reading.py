"""Reading a frame of AG-UI: in one step where it keeps the schema, else field by field, noting each deviation."""

from collections.abc import Callable
from typing import cast

from conformance.dialects.ag_ui.wire import TYPES, Wire
from conformance.dialects.tagged import TaggedReader, Untold
from conformance.events import Flaw

_WORDS = {
    "run_id": "a non-empty string",
    "timestamp": "a number of milliseconds since 1970",
    "messages": "an array of messages",
    "outcome": '{"type": "success"}, or {"type": "interrupt"} with at least one interrupt {id, reason}',
}
_READER = TaggedReader(TYPES, _WORDS)
Reader = Callable[[bytes], Wire]


def exact_reader() -> Reader:
    """Return what decodes a frame that keeps the schema; it raises where one does not."""
    return _READER.exact


def read_loosely(raw: bytes, flaws: list[Flaw]) -> Wire | str | None:
    """Return a frame's event as far as it can be read, noting what is wrong with it.

    Returns the type alone where AG-UI does not know it, and None where the frame is no event at all.
    """
    wire = _READER.loosely(raw, flaws)
    return wire.type if isinstance(wire, Untold) else cast("Wire | None", wire)
