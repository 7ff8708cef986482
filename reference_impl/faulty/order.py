"""Faults of order: numbers that do not count."""

from collections.abc import Mapping
from typing import Any

from reference_impl.emitter import UserEventEmitter
from reference_impl.events import Event, EventType
from reference_impl.faulty.fault import fault


@fault(
    "seq-gaps",
    "Each tool takes two numbers, one of which no event ever has.",
    stands_for="Internal events that are numbered with the others and filtered out before they are sent.",
    breaks=("ORD-01", "DLV-01", "DLV-05", "DLV-06", "DLV-08"),
)
class SeqGaps(UserEventEmitter):
    """Counts what it does not tell."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event; before a tool's start something happens that nobody hears of."""
        if type is EventType.TOOL_EXECUTING:
            self._seq += 1
        return super().encode(type, payload)
