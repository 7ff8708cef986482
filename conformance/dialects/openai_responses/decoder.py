"""The decoder of a streamed response: its events, in order."""

from collections.abc import Sequence
from typing import Any

import msgspec

from conformance import events
from conformance.dialects.dialect import Decoder
from conformance.dialects.fields import describe
from conformance.dialects.openai_responses import tools
from conformance.dialects.openai_responses import wire as wires
from conformance.dialects.openai_responses.output import PREFIX, Item, Run, Telling, answer, texts_of
from conformance.dialects.tagged import TaggedReader, Untold
from conformance.events import Event, Flaw

_DONE = b"[DONE]"
_WORDS = {
    "sequence_number": "an integer",
    "response": "the response: an object with its id",
    "item": "an object",
    "part": "an object",
}
_READER = TaggedReader(wires.TYPES, _WORDS)


class OpenAiResponsesDecoder(Decoder):
    """Decodes the frames of one answer, and notes where they do not fit each other."""

    def __init__(self) -> None:
        self._run = Run()
        self._last: int | None = None

    def decode(self, raw: bytes) -> Sequence[Event]:
        """Return the frame's events, among them what is wrong with its form and its place."""
        if raw == _DONE:
            return self.closed() or (events.Unknown(f"{PREFIX}done"),)
        told: list[Event] = []
        wire: Any
        try:
            wire = _READER.exact(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            flaws: list[Flaw] = []
            wire = _READER.loosely(raw, flaws)
            told += flaws
        if isinstance(wire, Untold):
            number = wire.frame.get("sequence_number")
            self._number(number if isinstance(number, int) else None, told)
            self._other(wire.type, Telling(self._run, told))
        elif wire is not None:
            self._number(wire.sequence_number, told)
            self._read(wire, Telling(self._run, told))
        return told

    def closed(self) -> Sequence[Event]:
        """Return the end of a response of which only an error event has told so far."""
        run = self._run
        told = Telling(run, [])
        if run.failed is not None and not run.ended:
            if run.begun:
                self._end(told, events.RunFailed, run.failed)
            else:
                run.ended = True
                told.events.append(events.Refusal(run.failed.code, run.failed.message))
        return told.events

    def _number(self, number: int | None, told: list[Event]) -> None:
        """Events are numbered in the order in which they are sent."""
        if number is None:
            return
        if self._last is not None and number <= self._last:
            told.append(Flaw("SCH-02", "sequence_number", f"a number above {self._last}", str(number)))
        self._last = number if self._last is None else max(number, self._last)

    def _other(self, wire_type: str, told: Telling) -> None:
        if wire_type.startswith("response."):
            told.other(wire_type)
        elif self._run.begun:
            told.event(events.OtherRunEvent, wire_type)
        else:
            told.events.append(events.Unknown(wire_type))

    def _read(self, wire: wires.Wire, told: Telling) -> None:
        match wire:
            case wires.Created() | wires.Queued() | wires.InProgress():
                self._begins(wire, told)
            case wires.Completed() | wires.Failed() | wires.Incomplete():
                self._ends(wire, told)
            case wires.Error():
                self._run.failed = events.FailedPayload(wire.code or "error", wire.message)
                told.other("error")
            case wires.ItemAdded():
                self._item_added(wire, told)
            case wires.ItemDone():
                self._item_done(wire, told)
            case wires.Inside():
                self._inside(wire, told)
            case _:
                told.other(str(type(wire).__struct_config__.tag))

    # -- how it begins and ends -------------------------------------------------------------------------------------

    def _begins(self, wire: wires.Created | wires.Queued | wires.InProgress, told: Telling) -> None:
        run, response = self._run, wire.response
        tag = str(type(wire).__struct_config__.tag)
        if run.ended and isinstance(wire, wires.Created):
            run = told.run = self._run = Run()
        self._identify(response, tag, told)
        again = isinstance(wire, wires.Created) and run.created
        run.created = run.created or isinstance(wire, wires.Created)
        if run.begun and not again:
            told.other(tag)
        else:
            run.begun = True
            told.event(events.RunStarted, events.StartedPayload(None))

    def _identify(self, response: wires.Response | None, wire_type: str, told: Telling) -> None:
        run = self._run
        if response is None:
            return
        if response.conversation is not None:
            run.thread_id = run.thread_id or response.conversation.id
        if run.run_id is None:
            run.run_id = response.id
            if not response.id:
                told.events.append(Flaw("IDN-01", "response.id", "a non-empty string", '""'))
        elif run.run_id != response.id:
            told.another_id(wire_type, response.id)

    def _ends(self, wire: wires.Completed | wires.Failed | wires.Incomplete, told: Telling) -> None:
        run, response = self._run, wire.response
        tag = str(type(wire).__struct_config__.tag)
        self._identify(response, tag, told)
        status = response.status if response is not None else None
        if status is not None and f"response.{status}" != tag:
            told.flaw("response.status", tag.removeprefix("response."), describe(status))
        run.begun = True
        match wire:
            case wires.Completed():
                said = answer(run, response.output if response is not None else None)
                self._end(told, events.RunCompleted, events.CompletedPayload(said))
            case wires.Failed():
                error = (response.error if response is not None else None) or wires.Failure()
                before = run.failed or events.FailedPayload(None, None)
                payload = events.FailedPayload(error.code or before.code, error.message or before.message)
                self._end(told, events.RunFailed, payload)
            case wires.Incomplete():
                details = response.incomplete_details if response is not None else None
                self._end(told, events.RunStopped, events.StoppedPayload(details.reason if details else None))

    def _end(self, told: Telling, make: Any, payload: Any) -> None:
        tools.defer_all(told)
        told.event(make, payload)
        self._run.ended = True

    # -- the output ---------------------------------------------------------------------------------------------------

    def _item_added(self, wire: wires.ItemAdded, told: Telling) -> None:
        item = self._new_item(wire, told)
        if tools.is_call(item.type):
            tools.added(item, told)
        else:
            told.other("response.output_item.added")

    def _new_item(self, wire: wires.ItemAdded | wires.ItemDone, told: Telling) -> Item:
        data = wire.item or {}
        if wire.output_index in self._run.items and wire.output_index is not None:
            told.flaw("output_index", "a place of the output that is free", f"{wire.output_index}, which has an item")
        kind, identifier = data.get("type"), data.get("id")
        call_id, name = data.get("call_id"), data.get("name")
        if wire.item is not None and not (isinstance(kind, str) and kind):
            told.flaw("item.type", "a non-empty string", describe(kind))
        item = Item(kind if isinstance(kind, str) else "", identifier if isinstance(identifier, str) else None)
        item.call_id = call_id if isinstance(call_id, str) and call_id else item.id or f"item-{wire.output_index}"
        item.name = name if isinstance(name, str) else item.type.removesuffix("_call")
        content = data.get("content")
        item.parts = {index: [] for index in range(len(content) if isinstance(content, list) else 0)}
        self._run.items[wire.output_index] = item
        return item

    def _item_done(self, wire: wires.ItemDone, told: Telling) -> None:
        data = wire.item or {}
        item = self._run.items.get(wire.output_index)
        if item is None:
            item = self._new_item(wire, told)  # an item that came at once
            if tools.is_call(item.type):
                self._run.calls.setdefault(item.call_id, item)
        elif item.done:
            told.flaw("output_index", "an item that is not done", f"{wire.output_index}, which was done before")
        item.done = True
        if tools.is_call(item.type):
            tools.done(item, data, told)
        elif item.type.endswith("_call_output"):
            tools.output(data, told)
        else:
            told.other("response.output_item.done")
            for index, text in texts_of(data).items() if item.type == "message" else ():
                pieces = item.parts.get(index)
                if pieces:
                    told.same(f"item.content[{index}]", pieces, text)
                elif text:
                    told.say(item, index, text, "response.output_item.done")

    def _inside(self, wire: wires.Inside, told: Telling) -> None:
        tag = str(type(wire).__struct_config__.tag)
        item = self._run.items.get(wire.output_index)
        if item is None:
            if wire.output_index is not None:
                told.flaw("output_index", "the place of an item that was added", wire.output_index)
            item = Item("message" if isinstance(wire, wires.TEXT) else "")
        elif item.id is not None and wire.item_id not in (None, item.id):
            told.flaw("item_id", f"the id of the item at {wire.output_index}: {item.id}", wire.item_id)
        if item.done:
            told.flaw("output_index", "an item that is not done", f"{wire.output_index}, which was done before")
        if tools.streamed(wire, item, told):
            return
        match wire:
            case wires.PartAdded():
                if wire.content_index is not None:
                    item.parts.setdefault(wire.content_index, [])
                told.other(tag)
            case wires.TextDelta() | wires.RefusalDelta():
                if wire.content_index not in item.parts and wire.content_index is not None:
                    told.flaw("content_index", "the index of a content part that was added", wire.content_index)
                told.say(item, wire.content_index, wire.delta or "", tag)
            case wires.TextDone() | wires.RefusalDone():
                self._text_done(wire, item, told)
            case wires.SummaryDelta() | wires.ReasoningDelta():
                self._thought(wire, item, told)
            case wires.SummaryDone() | wires.ReasoningDone():
                told.same("text", item.parts.get(_index(wire), []), wire.text)
                told.other(tag)
            case _:
                told.other(tag)

    def _text_done(self, wire: wires.TextDone | wires.RefusalDone, item: Item, told: Telling) -> None:
        name, text = ("text", wire.text) if isinstance(wire, wires.TextDone) else ("refusal", wire.refusal)
        pieces = item.parts.get(wire.content_index)
        if pieces:
            told.same(name, pieces, text)
            told.other(str(type(wire).__struct_config__.tag))
        else:
            told.say(item, wire.content_index, text or "", str(type(wire).__struct_config__.tag))

    def _thought(self, wire: wires.SummaryDelta | wires.ReasoningDelta, item: Item, told: Telling) -> None:
        if wire.delta:
            item.parts.setdefault(_index(wire), []).append(wire.delta)
            told.event(events.Thinking, events.ThinkingPayload(wire.delta))
        else:
            told.other(str(type(wire).__struct_config__.tag))


def _index(wire: Any) -> int:
    """Return the key of a piece of reasoning: a summary's stand apart from those of the reasoning itself."""
    summary = isinstance(wire, wires.SummaryDelta | wires.SummaryDone)
    return -1 - (wire.summary_index or 0) if summary else (wire.content_index or 0)
