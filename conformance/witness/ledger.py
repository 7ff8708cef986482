"""The ledger: numbers calls, stamps them with the time, keeps secrets out of them, and knows which are open."""

from collections.abc import Callable
from itertools import count
from typing import Any, Protocol

import msgspec

from conformance import canary
from conformance.history.operations import (
    CallEnd,
    EmittedCall,
    ModelCallBegan,
    ModelCallEnded,
    Operation,
    SeenText,
    ToolCallBegan,
    ToolCallEnded,
)
from conformance.witness.caller import Caller
from conformance.witness.request import Endpoint, ModelRequest
from conformance.witness.script_text import canary_of
from conformance.witness.writer import Emitted

_LONGEST = 2_000
Record = Callable[[Operation], None]


def in_short(text: str) -> str:
    """Return a text of which what is too long to be kept is left out, but for the canaries in it."""
    if len(text) <= _LONGEST:
        return text
    tokens = dict.fromkeys(canary.find(text.encode(errors="replace")))
    return " ".join([f"{text[:_LONGEST]}… ({len(text):,} characters)", *tokens])


class Now(Protocol):
    """A clock, such as `conformance.history.recorder.Clock`."""

    def now(self) -> int:
        """Return µs since the history began."""
        ...


class Ledger:
    """Where calls are entered. `redact` replaces secrets in any text (see `Recorder.redact_text`)."""

    def __init__(self, record: Record, clock: Now, *, redact: Callable[[str], str] | None = None) -> None:
        self._record = record
        self._clock = clock
        self._redact = redact
        self._numbers = count(1)
        self._open: set[int] = set()
        self._closing = False

    @property
    def open_calls(self) -> int:
        """How many calls are under way."""
        return len(self._open)

    def close(self) -> None:
        """From here on, calls that are cut short are so because the witness ends."""
        self._closing = True

    @property
    def cut_short(self) -> CallEnd:
        """How a call ends that is cut short."""
        return CallEnd.SHUT_DOWN if self._closing else CallEnd.CLIENT_GONE

    def model_began(self, endpoint: Endpoint, request: ModelRequest | None) -> int:
        """Enter a call of the model; `request` is None where it could not be read. Return its number."""
        number = self._begin()
        if request is None:
            self._record(ModelCallBegan(self._clock.now(), number, endpoint.value))
            return number
        conversation, who = request.conversation, request.who
        newest = conversation.newest
        self._record(
            ModelCallBegan(
                self._clock.now(),
                number,
                endpoint.value,
                model=self._clean(request.model),
                stream=request.stream,
                seen=tuple(SeenText(item.role, in_short(self._clean(item.text))) for item in conversation.items),
                newest=newest,
                canary=canary_of(conversation.items[newest].text) if newest is not None else None,
                offered=request.offered,
                user=self._clean_or_none(who.user),
                run_id=who.run_id,
                thread_id=who.thread_id,
            )
        )
        return number

    def model_ended(
        self,
        number: int,
        end: CallEnd,
        *,
        steps: tuple[int, ...] = (),
        emitted: Emitted | None = None,
        status: int = 200,
        error: str | None = None,
    ) -> None:
        """Enter the end of a call of the model; only the first counts."""
        if not self._end(number):
            return
        said = emitted or Emitted()
        calls = (EmittedCall(call.id, self._clean(call.name), self._clean(call.arguments)) for call in said.calls)
        self._record(
            ModelCallEnded(
                self._clock.now(),
                number,
                end,
                steps=steps,
                thoughts=tuple(self._clean(thought) for thought in said.thoughts),
                text=self._clean(said.text),
                tool_calls=tuple(calls),
                status=status,
                error=self._clean_or_none(error),
            )
        )

    def tool_began(self, tool: str, arguments: Any, *, via: str, who: Caller) -> int:
        """Enter a call of a tool. Return its number."""
        number = self._begin()
        if self._redact is not None:
            arguments = msgspec.json.decode(self._redact(msgspec.json.encode(arguments).decode()))
        self._record(
            ToolCallBegan(
                self._clock.now(),
                number,
                self._clean(tool),
                arguments,
                via,
                user=self._clean_or_none(who.user),
                run_id=who.run_id,
                thread_id=who.thread_id,
                tool_call_id=who.tool_call_id,
            )
        )
        return number

    def tool_ended(self, number: int, end: CallEnd, *, result: str | None = None, error: str | None = None) -> None:
        """Enter the end of a call of a tool; only the first counts."""
        if self._end(number):
            clean = self._clean_or_none
            self._record(ToolCallEnded(self._clock.now(), number, end, clean(result), clean(error)))

    def _begin(self) -> int:
        number = next(self._numbers)
        self._open.add(number)
        return number

    def _end(self, number: int) -> bool:
        known = number in self._open
        self._open.discard(number)
        return known

    def _clean(self, text: str) -> str:
        return text if self._redact is None else self._redact(text)

    def _clean_or_none(self, text: str | None) -> str | None:
        return None if text is None else self._clean(text)
