"""The output of one response: its items, what was streamed of them, and what one frame tells."""

from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET

from conformance import events
from conformance.dialects.fields import describe, shorten
from conformance.events import Event, Flaw, Violation

PREFIX = "openai-responses:"


@dataclass(slots=True, eq=False)
class Item:
    """An item of the output.

    `parts` are its content parts by index, or summaries, with the pieces that were streamed; `pieces` those of a call's
    arguments. A call was `told` when it was reported as started, and is `over` when it has an outcome, or has none in
    this response.
    """

    type: str
    id: str | None = None
    call_id: str = ""
    name: str = ""
    parts: dict[int, list[str]] = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)
    done: bool = False
    told: bool = False
    over: bool = False


@dataclass(slots=True, eq=False)
class Run:
    """A response: the answer to one request. `items` are known by their place in the output, `calls` by their id.

    `pieces` are those of the answer in the order in which they came, `texts` the same, put together part by part.
    `failed` is what an error event said; the response fails with it unless it says more itself.
    """

    run_id: str | None = None
    thread_id: str | None = None
    begun: bool = False
    created: bool = False
    ended: bool = False
    items: dict[int, Item] = field(default_factory=dict)
    calls: dict[str, Item] = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)
    texts: list[list[str]] = field(default_factory=list)
    failed: events.FailedPayload | None = None


class Telling:
    """What one frame tells."""

    __slots__ = ("events", "run")

    def __init__(self, run: Run, told: list[Event]) -> None:
        self.run = run
        self.events = told

    def event(self, make: Any, *content: Any) -> None:
        """Add an event of the response."""
        self.events.append(make(None, self.run.run_id, self.run.thread_id, None, None, None, None, *content))

    def other(self, wire_type: str) -> None:
        """Add an event that has no canonical form; it belongs to no run where none has begun."""
        name = wire_type if wire_type.startswith("response.") else PREFIX + wire_type
        if self.run.begun:
            self.event(events.OtherRunEvent, name)
        else:
            self.events.append(events.Unknown(name))

    def flaw(self, field_name: str, expected: str, actual: object) -> None:
        """Add that a field has a value that does not fit what came before."""
        self.events.append(Flaw("SCH-02", field_name, shorten(expected), shorten(actual)))

    def another_id(self, wire_type: str, came: str) -> None:
        """Add that the id of the response changes."""
        message = f"{wire_type} has another response.id than response.created"
        run_id = self.run.run_id
        self.events.append(Violation("IDN-03", message, f"response.id: {run_id}", f"response.id: {came}", run_id))

    def same(self, field_name: str, pieces: list[str], whole: str | None) -> None:
        """Hold what was streamed against what it is said to be together."""
        streamed = "".join(pieces)
        if pieces and whole is not None and streamed != whole:
            self.flaw(field_name, f"what was streamed: {describe(streamed)}", describe(whole))

    def say(self, item: Item, index: int, text: str, wire_type: str) -> None:
        """Add a piece of the answer."""
        pieces = item.parts.setdefault(index, [])
        if text and not pieces:
            self.run.texts.append(pieces)
        if text:
            pieces.append(text)
            self.run.pieces.append(text)
            self.event(events.TextDelta, events.TextPayload(text))
        else:
            self.other(wire_type)


def answer(run: Run, output: list[dict[str, Any]] | None) -> Any:
    """Return what the response says: its own output's text, in the order in which it was streamed if it was all.

    UNSET where there is none.
    """
    texts = [text for item in output or () if item.get("type") == "message" for text in texts_of(item).values() if text]
    all_streamed = sorted(texts) == sorted("".join(pieces) for pieces in run.texts)
    said = "".join(texts if texts and not all_streamed else run.pieces)
    return said if said.strip() else UNSET


def texts_of(item: dict[str, Any]) -> dict[int, str]:
    """Return the texts of a message's parts, by their index: what it says, or why it says nothing."""
    content = item.get("content")
    found: dict[int, str] = {}
    for index, part in enumerate(content if isinstance(content, list) else ()):
        for kind, name in (("output_text", "text"), ("refusal", "refusal")):
            if isinstance(part, dict) and part.get("type") == kind and isinstance(part.get(name), str):
                found[index] = part[name]
    return found
