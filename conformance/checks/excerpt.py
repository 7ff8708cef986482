"""Which part of what a run told has to be looked through, and where in it something was found."""

from conformance.events import Kind, RunEvent
from conformance.story import Sighting


def parts_with(parts: list[Sighting], token: str) -> list[Sighting]:
    """Return the events over which a token is spread; all where it is encoded."""
    texts = [part.event.payload.text or "" for part in parts]
    start = "".join(texts).find(token)
    if start < 0:
        return [parts[0], parts[-1]]
    found, position = [], 0
    for part, text in zip(parts, texts, strict=True):
        if position < start + len(token) and position + len(text) > start:
            found.append(part)
        position += len(text)
    return found


def novel(seen: Sighting) -> bytes:
    """Return the part of an event's frame that was not compared with its predecessor's.

    The text of a streamed answer is searched as a whole, with its neighbours', at the run's end.
    """
    event, first = seen.event, seen.story.first
    if first is None or not event.exact or _named(event) != _named(first.event):
        return seen.op.raw
    if event.kind is Kind.TEXT:
        return b""
    raw = seen.op.raw
    start = raw.find(b'"payload"')
    return raw[start:] if start > 0 else raw


def _named(event: RunEvent) -> tuple[str | None, ...]:
    return event.agent_name, event.thread_id, event.user_id, event.traceparent


def without(raw: bytes, text: str | None) -> bytes:
    """Return a frame without this text of its, where that stands there as it is and is ASCII."""
    if not text or not text.isascii():
        return raw
    before, _, after = raw.partition(b'"%b"' % text.encode())
    return before + b" " + after
