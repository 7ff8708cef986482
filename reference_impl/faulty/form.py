"""Faults of form: times that are none, and fields where they do not belong."""

import asyncio
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


_NAMED: dict[str, str] = {}


class NamedByContext(UserEventEmitter):
    """Gives thinking events the type that their request's context names."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event."""
        event = super().encode(type, payload)
        name = _NAMED.get(self.context.request_id)
        return rewritten(event, type=name) if name and type is EventType.AGENT_THINKING else event


@fault(
    "payload-overrides-type",
    "A field `type` in a request's context replaces the type of the run's thinking events.",
    stands_for="{**event, **context}, where the context may hold anything.",
    breaks=("SCH-05", "SCH-04", "EVT-04"),
    with_parts=(NamedByContext,),
)
class PayloadOverridesType(ClientSession):
    """Puts what it is given on top."""

    async def handle(self, message: ClientMessage) -> None:
        """Do what `message` asks for, and remember under which request its context names a type."""
        if isinstance(message, StartAgent) and message.context and "type" in message.context:
            _NAMED[message.request_id] = message.context["type"]
        await super().handle(message)


@fault(
    "enum-not-serialised",
    "The status of a tool is the name of a member of an enumeration: ToolStatus.OK.",
    stands_for="str() of an enum that is no StrEnum.",
    breaks=("SCH-02",),
)
class EnumNotSerialised(UserEventEmitter):
    """Shows how it is made."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event, with its status in the words of the source."""
        if type is EventType.TOOL_COMPLETED:
            payload = {**payload, "status": f"ToolStatus.{payload['status'].upper()}"}
        return super().encode(type, payload)


@fault(
    "numbers-as-text",
    'Durations are text: "duration_ms": "12".',
    stands_for="A row of a database, or of CSV, sent as it came.",
    breaks=("SCH-02",),
)
class NumbersAsText(UserEventEmitter):
    """Spells everything out."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event, with its duration in words."""
        if "duration_ms" in payload:
            payload = {**payload, "duration_ms": str(payload["duration_ms"])}
        return super().encode(type, payload)


@fault(
    "bare-heartbeat",
    "The heartbeat is the bare word ping, which is no JSON.",
    stands_for="A keep-alive added by hand, past the function that encodes frames.",
    breaks=("SCH-01",),
)
class BareHeartbeat(ClientSession):
    """Knocks."""

    async def _send_heartbeats(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_s)
            self._connection.offer("ping")


@fault(
    "undeclared-event-type",
    "Runs report their progress in events of a type of their own, without a namespace.",
    stands_for="An event for one's own interface, added to a protocol that others read.",
    breaks=("SCH-04",),
)
class UndeclaredEventType(UserEventEmitter):
    """Makes up words."""

    def emit(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """Put one event on record, and before an end one that nobody knows."""
        if type.terminal:
            progress = self.encode(EventType.AGENT_THINKING, {"percent": 100})
            self._journal.append(rewritten(progress, type="agent_progress"))
        return super().emit(type, payload)
