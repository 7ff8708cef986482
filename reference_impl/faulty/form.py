"""Faults of form: times that are none, and fields where they do not belong."""

from collections.abc import Mapping
from typing import Any

import msgspec

from reference_impl.emitter import UserEventEmitter
from reference_impl.events import Event, EventType
from reference_impl.faulty.fault import fault
from reference_impl.faulty.rewriting import rewritten
from reference_impl.messages import ClientMessage, StartAgent
from reference_impl.session import ClientSession


@fault(
    "naive-timestamps",
    "Timestamps have no time zone.",
    stands_for="datetime.now().isoformat(), right on every machine that runs in UTC.",
    breaks=("SCH-03",),
)
class NaiveTimestamps(UserEventEmitter):
    """Has never been abroad."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event, at some local time."""
        event = super().encode(type, payload)
        timestamp = msgspec.json.decode(event.text)["timestamp"]
        return rewritten(event, timestamp=timestamp.removesuffix("Z"))


@fault(
    "seconds-for-milliseconds",
    "Timestamps are of January 1970: seconds were taken for milliseconds.",
    stands_for="A clock in seconds whose value goes to a function that expects milliseconds.",
    breaks=("SCH-03",),
)
class SecondsForMilliseconds(UserEventEmitter):
    """Lives a thousand times more slowly."""

    def now(self) -> float:
        """Seconds since the epoch, or so it believes."""
        return super().now() / 1000


@fault(
    "payload-overrides-envelope",
    "A field of a request's context replaces the field of the same name in the envelope of events.",
    stands_for="Dicts merged in the wrong order: {**envelope, **whatever_the_client_sent}.",
    breaks=("SCH-05",),
)
class PayloadOverridesEnvelope(ClientSession):
    """Lets the client fill in the form."""

    async def handle(self, message: ClientMessage) -> None:
        """Do what `message` asks for, in the name that its context gives."""
        if isinstance(message, StartAgent) and message.context and "agent_name" in message.context:
            message = msgspec.structs.replace(message, agent=message.context["agent_name"])
        await super().handle(message)
