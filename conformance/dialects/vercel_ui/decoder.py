"""The decoder of the UI message stream: the parts of one response, in order.

What the official client (`processUIMessageStream` of the package `ai`) rejects is a `Flaw`; what it lets pass gives no
finding: text ids that come again in the next step, texts that an error leaves open, merged streams with several starts.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from conformance import events
from conformance.dialects.dialect import Decoder
from conformance.dialects.tagged import TaggedReader, Untold
from conformance.dialects.vercel_ui import tools
from conformance.dialects.vercel_ui import wire as wires
from conformance.dialects.vercel_ui.message import PREFIX, Message, Telling
from conformance.events import Event, Flaw

_DONE = b"[DONE]"
_READER = TaggedReader(wires.TYPES, {})
_DATA_READER = TaggedReader({wires.DATA: wires.Data}, {})
# what an application may add when the message is complete: it changes nothing of what was told
_BESIDE = (wires.Data, wires.MessageMetadata, wires.SourceUrl, wires.SourceDocument, wires.File, wires.StartStep)


class VercelUiDecoder(Decoder):
    """Decodes the frames of one response."""

    def __init__(self) -> None:
        self._message = Message()

    def decode(self, raw: bytes) -> Sequence[Event]:
        """Return the frame's events, among them what is wrong with its form and its place."""
        if raw == _DONE:
            return self._done()
        told: list[Event] = []
        try:
            part: Any = _READER.exact(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            flaws: list[Flaw] = []
            part = _READER.loosely(raw, flaws)
            if isinstance(part, Untold) and part.type.startswith(wires.DATA):
                part = _DATA_READER.loosely(msgspec.json.encode({**part.frame, "type": wires.DATA}), flaws)
            told += flaws
        telling = Telling(self._message, told)
        if isinstance(part, Untold):
            self._unknown(part.type, telling)
        elif part is not None:
            self._read(part, telling)
        return told

    def closed(self) -> Sequence[Event]:
        """Return the end of a run that only an error has told so far."""
        return self._done() if self._message.failed is not None else ()

    def _unknown(self, part_type: str, told: Telling) -> None:
        if self._message.begun and not self._message.ended:
            told.event(events.OtherRunEvent, part_type)
        else:
            told.events.append(events.Unknown(part_type))

    def _read(self, part: wires.Part, told: Telling) -> None:
        message = self._message
        beside = isinstance(part, _BESIDE)
        if (message.ended and beside) or message.again:
            told.events.append(events.Unknown(f"{PREFIX}{type(part).__struct_config__.tag}"))
        elif isinstance(part, wires.Start):
            self._start(told)
        elif isinstance(part, wires.Finish):
            self._finish(told)
        elif isinstance(part, wires.FinishStep):
            message.texts.clear()
            message.thoughts.clear()
            told.aside("finish-step")
        elif isinstance(part, wires.Error):
            self._error(part, told)
        elif isinstance(part, wires.Abort):
            tools.defer_all(told)
            told.event(events.RunStopped, events.StoppedPayload(None if part.reason is UNSET else part.reason))
            message.ended = True
        elif not (tools.read(part, told) or _say(part, told) or _think(part, told)):
            told.aside(str(type(part).__struct_config__.tag))

    # -- how it begins and ends -------------------------------------------------------------------------------------

    def _start(self, told: Telling) -> None:
        message = self._message
        message.open += 1
        if message.ended:
            message.again = True  # another stream, merged into this one after its end
            told.aside("start")
        elif message.begun:
            told.aside("start")
        else:
            message.begun = True
            told.event(events.RunStarted, events.StartedPayload(None))

    def _finish(self, told: Telling) -> None:
        message = self._message
        message.open -= 1
        if message.open > 0:
            told.aside("finish")
        else:
            self._end(told)

    def _error(self, part: wires.Error, told: Telling) -> None:
        message = self._message
        if message.ended:
            told.event(events.RunFailed, events.FailedPayload("error", part.error_text))
        else:
            # the message ends when the stream says so: tools that run meanwhile may still come to their end
            message.failed = part.error_text or ""
            told.aside("error")

    def _done(self) -> Sequence[Event]:
        told = Telling(self._message, [])
        if self._message.begun or self._message.failed is not None:
            if not self._message.ended:
                self._end(told)
            else:
                told.aside("done")
        else:
            told.aside("done")
        return told.events

    def _end(self, told: Telling) -> None:
        message = self._message
        tools.defer_all(told)
        if message.failed is not None and not message.begun:
            told.events.append(events.Refusal("error", message.failed))
        elif message.failed is not None:
            told.event(events.RunFailed, events.FailedPayload("error", message.failed))
        else:
            said = "".join(message.pieces)
            told.event(events.RunCompleted, events.CompletedPayload(said if said.strip() else UNSET))
        message.ended = True


# -- what it says -----------------------------------------------------------------------------------------------------


def _say(part: wires.Part, told: Telling) -> bool:
    message = told.message
    match part:
        case wires.TextStart():
            _open(message.texts, part.id, "text-start", told)
        case wires.TextDelta():
            _needs(message.texts, part.id, "text", told)
            if part.delta:
                message.pieces.append(part.delta)
                told.event(events.TextDelta, events.TextPayload(part.delta))
            else:
                told.aside("text-delta")
        case wires.TextEnd():
            _close(message.texts, part.id, "text", told)
        case _:
            return False
    return True


def _think(part: wires.Part, told: Telling) -> bool:
    message = told.message
    match part:
        case wires.ReasoningStart():
            _open(message.thoughts, part.id, "reasoning-start", told)
        case wires.ReasoningDelta():
            _needs(message.thoughts, part.id, "reasoning", told)
            if part.delta:
                told.event(events.Thinking, events.ThinkingPayload(part.delta))
            else:
                told.aside("reasoning-delta")
        case wires.ReasoningEnd():
            _close(message.thoughts, part.id, "reasoning", told)
        case _:
            return False
    return True


def _open(parts: set[str], identifier: str | None, part_type: str, told: Telling) -> None:
    if identifier is not None:
        parts.add(identifier)
    told.aside(part_type)


def _needs(parts: set[str], identifier: str | None, thing: str, told: Telling) -> None:
    if identifier not in parts:
        told.dangling("id", identifier, f"the id of a {thing}-start before it in the same step")


def _close(parts: set[str], identifier: str | None, thing: str, told: Telling) -> None:
    _needs(parts, identifier, thing, told)
    parts.discard(identifier or "")
    told.aside(f"{thing}-end")
