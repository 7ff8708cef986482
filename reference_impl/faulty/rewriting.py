"""For faults of what is on the wire: an event under other words than the engine's own."""

from typing import Any

import msgspec

from reference_impl.events import Event, EventType


def rewritten(event: Event, **fields: Any) -> Event:
    """Return `event` with these envelope fields on the wire; the engine's own books keep the true ones."""
    envelope = msgspec.json.decode(event.text)
    return msgspec.structs.replace(event, text=msgspec.json.encode({**envelope, **fields}).decode(), own=None)


def off_the_books(event: Event) -> Event:
    """Return a terminal event that the journal takes though the run is over: to its books it is a chunk of text."""
    return msgspec.structs.replace(event, type=EventType.MESSAGE_CHUNK, own=None)
