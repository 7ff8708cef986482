"""Odd forms: what an event or a frame may look like and seldom does."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from reference_impl.agui import AguiRoute
from reference_impl.agui_events import AguiTeller
from reference_impl.connection import Connection
from reference_impl.emitter import UserEventEmitter
from reference_impl.events import Event, EventType
from reference_impl.faulty.rewriting import rewritten
from reference_impl.messages import ClientMessage, encode_answer
from reference_impl.odd.odd import odd
from reference_impl.run import StoredRun
from reference_impl.session import ClientSession

BABEL = (
    "\0\b \u202eright to left\u202c e\u0301 \u2028\u2029\u0085 \ufeff\ufffd\uffff \U0001f469\u200d\U0001f680 \U0010ffff"
)
"""A control character, bidirectional and combining ones, line breaks that JSON leaves alone, non-characters, emoji."""
HIGH, LOW = "one half of a pair", "the other half"
PADDING = "lorem ipsum dolor sit amet " * 4_000


def _with_payload(event: Event, **fields: Any) -> Event:
    return rewritten(event, payload={**msgspec.json.decode(event.text)["payload"], **fields})


@odd(
    "unknown-fields",
    "Envelopes and payloads hold fields that nobody asked for.",
    legal="five-events/1 says what a frame must hold, not what else it may.",
)
class UnknownFields(UserEventEmitter):
    """Has more to tell."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event, and more."""
        more = {"acme.cost": {"eur": 0.25, "tokens": [1, 2]}, "version": 2, "annotations": None, "": "no name"}
        event = _with_payload(super().encode(type, payload), **more)
        return rewritten(event, **{"acme.region": "eu-1", "schema_version": 3, "meta": {"type": "other", "seq": -1}})


class _Gossip(ClientSession):
    """Tells something that belongs to no run with each answer."""

    async def handle(self, message: ClientMessage) -> None:
        """Do what `message` asks for, and mention something else."""
        self._connection.offer(encode_answer("acme.presence", {"online": 1}))
        await super().handle(message)


@odd(
    "unknown-events",
    "Events of namespaced types come between the known ones, of runs and of none.",
    legal="SCH-04: unknown event types are namespaced.",
    with_parts=(_Gossip,),
)
class UnknownEvents(UserEventEmitter):
    """Reports its progress."""

    def emit(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """Put one event on record, unless it is the first with one of another type before it."""
        if type is not EventType.AGENT_STARTED:
            percent = self.encode(EventType.MESSAGE_CHUNK, {"text": ""})
            self._journal.append(rewritten(percent, type="acme.progress", payload={"percent": 50}))
        return super().emit(type, payload)


@odd(
    "every-script",
    "Names, thoughts and errors hold control characters, bidirectional text, emoji and non-characters.",
    legal="RFC 8259, section 7: any Unicode character may stand in a string.",
)
class EveryScript(UserEventEmitter):
    """Speaks in tongues."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event, in many scripts."""
        texts = {name: f"{payload[name]} {BABEL}" for name in ("thought", "message", "reason") if name in payload}
        keys = {BABEL: BABEL} if type is EventType.TOOL_COMPLETED else {}
        return rewritten(_with_payload(super().encode(type, payload), **texts, **keys), agent_name=f"agent {BABEL}")


class _HalvesOnSocket(Connection):
    """Writes halves of pairs as their escapes."""

    def offer(self, text: str) -> None:
        """Queue one frame."""
        super().offer(_halved(text))


class _HalvesOverHttp(AguiRoute):
    """Writes halves of pairs as their escapes."""

    async def tell(self, run: StoredRun, teller: AguiTeller) -> AsyncIterator[str]:
        """The run's events as server-sent events."""
        async for told in super().tell(run, teller):
            yield _halved(told)


def _halved(text: str) -> str:
    return text.replace(HIGH, "\\uD83D").replace(LOW, "\\ude80")


@odd(
    "lone-surrogates",
    "Thoughts hold the escape of half a surrogate pair, as a text that was cut by UTF-16 units does.",
    legal="RFC 8259, section 8.2: the grammar allows them; UTF-8 on the wire they are not.",
    with_parts=(_HalvesOnSocket, _HalvesOverHttp),
)
class LoneSurrogates(UserEventEmitter):
    """Has its emoji cut in two."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event; a thought with the two halves of an emoji apart."""
        halves = {"thought": f"{HIGH}{payload['thought']} {LOW}"} if type is EventType.AGENT_THINKING else {}
        return _with_payload(super().encode(type, payload), **halves)


@odd(
    "huge-payloads",
    "A thought of each run has 108 kB, and so has an unknown field of its end.",
    legal="five-events/1 limits what clients send, not what they are sent.",
)
class HugePayloads(UserEventEmitter):
    """Is not brief."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event, with a lot of padding where a run thinks first or ends."""
        event = super().encode(type, payload)
        if payload.get("step") == 1:
            return _with_payload(event, thought=f"{payload['thought']} {PADDING}")
        return _with_payload(event, **{"acme.log": PADDING}) if type.terminal else event


@odd(
    "timestamps-of-all-kinds",
    "Timestamps have 3, 6 or 9 digits, end in Z, z, +00:00 or -00:00, and some write a small t.",
    legal="RFC 3339, sections 4.3 and 5.6; five-events/1: UTC, at least milliseconds.",
)
class TimestampsOfAllKinds(UserEventEmitter):
    """Tells the time in its own way, the same throughout a run."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event, with its time in the run's form."""
        event = super().encode(type, payload)
        moment: str = msgspec.json.decode(event.text)["timestamp"].removesuffix("Z")
        forms = (moment[:-3] + "Z", moment + "250Z", moment + "+00:00", moment[:-3] + "-00:00", moment.lower() + "z")
        return rewritten(event, timestamp=forms[event.run_id.encode()[0] % len(forms)])


@odd(
    "strange-json",
    "Every frame is JSON with its keys the other way round, white space everywhere and every letter escaped.",
    legal="RFC 8259, sections 2, 4 and 7.",
)
class StrangeJson(Connection):
    """Writes as the standard allows."""

    def offer(self, text: str) -> None:
        """Queue one frame, in its strangest form."""
        super().offer(_strange(msgspec.json.decode(text)))


def _strange(value: Any) -> str:
    match value:
        case str():
            return '"' + "".join(f"\\u{unit:04X}" for unit in _utf16(value)) + '"'
        case dict():
            return "{\t" + " ,\r\n ".join(f"{_strange(k)} : {_strange(v)}" for k, v in reversed(value.items())) + "\n}"
        case list():
            return "[\n" + " , ".join(map(_strange, value)) + " ]"
        case _:
            return msgspec.json.encode(value).decode()


def _utf16(text: str) -> memoryview:
    return memoryview(text.encode("utf-16-le")).cast("H")
