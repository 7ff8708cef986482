"""The decoder of AG-UI: one stream of events, in order.

Only RUN_STARTED and RUN_FINISHED name their run. Every other event belongs to the run that is active; where a stream
interleaves several, against the rules, to the one that its message or call belongs to.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET

from conformance import events
from conformance.dialects.ag_ui import text, tools
from conformance.dialects.ag_ui import wire as wires
from conformance.dialects.ag_ui.clock import Clock
from conformance.dialects.ag_ui.ends import answer, answerable, nothing_open, read_input, same_ids
from conformance.dialects.ag_ui.reading import exact_reader, read_loosely
from conformance.dialects.ag_ui.run import PREFIX, Call, Message, Run, Telling
from conformance.dialects.ag_ui.shared import Shared
from conformance.dialects.ag_ui.tools import close_chunk, defer
from conformance.dialects.dialect import Decoder
from conformance.dialects.fields import describe, shorten
from conformance.events import Event, Flaw, TextDelta, TextPayload
from conformance.recent import Recent

_HANDLERS = text.HANDLERS | tools.HANDLERS
_CHUNKS = (wires.TextChunk, wires.ToolChunk, wires.ReasoningChunk)
_TRANSPARENT = (wires.Raw, wires.ActivitySnapshot, wires.ActivityDelta, wires.ReasoningEncrypted)
_ENDS = (wires.RunFinished, wires.RunError)
_DRAFTS = frozenset({"META"})
_REMEMBERED = 2_048
_NO_TEXTS: dict[str, Message] = {}


class AgUiDecoder(Decoder):
    """Decodes the frames of one stream, and notes where they break AG-UI's rules (`Violation`)."""

    def __init__(self) -> None:
        self._read = exact_reader()
        self._run: Run | None = None
        self._active: list[Run] = []
        self._texts = _NO_TEXTS
        self._shared = Shared()
        self._calls: Recent[str, Call] = Recent(_REMEMBERED)
        self._threads: Recent[str, str] = Recent(_REMEMBERED)
        self._clock = Clock()
        self._joining: tuple[Message | Run, ...] = ()

    def decode(self, raw: bytes) -> Sequence[Event]:
        """Return the frame's events, among them what is wrong with its form and its place."""
        try:
            wire: Any = self._read(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._deviating(raw)
        kind = wire.__class__
        if kind is wires.TextContent:
            # nearly every event of a run, so the short way: it goes on with an open message of the assistant's
            message, run, delta = self._texts.get(wire.message_id), self._run, wire.delta
            if message is not None and delta and message.answers and run is not None and run.chunk is None:
                time = wire.timestamp
                stamp = None if time is UNSET else self._clock.read(time)
                if stamp is not None or time is UNSET:
                    message.pieces.append(delta)
                    run.pieces.append(delta)
                    return (TextDelta(None, run.run_id, run.thread_id, None, None, stamp, None, TextPayload(delta)),)
        return self._tell(wire, [])

    def joined(self, raws: Sequence[bytes]) -> TextDelta | None:
        """Return what the contents of one open message say together, where no clock goes back between them."""
        run = self._run
        try:
            wires_read: list[Any] = list(map(self._read, raws))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        if {wire.__class__ for wire in wires_read} != {wires.TextContent} or run is None or run.chunk is not None:
            return None
        ids = {wire.message_id for wire in wires_read}
        message = self._texts.get(wires_read[0].message_id) if len(ids) == 1 else None
        deltas = [wire.delta for wire in wires_read]
        if message is None or not message.answers or not all(deltas):
            return None
        times = [wire.timestamp for wire in wires_read]
        stamp = None
        if times.count(UNSET) < len(times):
            if UNSET in times or sorted(times) != times or times[0] < self._clock.latest:
                return None
            stamp = self._clock.read(times[-1])
            if stamp is None or self._clock.read(times[0]) is None:
                return None
        self._joining = message, run
        payload = TextPayload("".join(deltas))
        return TextDelta(None, run.run_id, run.thread_id, None, None, stamp, None, payload)

    def join(self, text: TextDelta) -> None:
        """Take in the contents that `joined` has just returned as one."""
        for told in self._joining:
            told.pieces.append(text.payload.text)

    def _deviating(self, raw: bytes) -> Sequence[Event]:
        flaws: list[Flaw] = []
        wire = read_loosely(raw, flaws)
        told: list[Event] = [*flaws]
        if isinstance(wire, wires.Wire):
            return self._tell(wire, told)
        if wire is not None:
            self._unknown(wire, Telling(told))
        return told

    def _unknown(self, wire_type: str, told: Telling) -> None:
        run = self._run or Run(announced=False)
        if wire_type not in _DRAFTS:
            told.violates(
                "AGU-24",
                f"an event of the type {shorten(wire_type, 60)!r}, which AG-UI does not have",
                expected="a type of AG-UI: what is the application's own goes into CUSTOM",
                actual=shorten(wire_type, 60),
                run=run,
            )
        if run.announced and not run.ended:
            told.event(events.OtherRunEvent, run, f"{PREFIX}{wire_type}")
        else:
            told.events.append(events.Unknown(f"{PREFIX}{wire_type}"))

    def _tell(self, wire: wires.Wire, told_already: list[Event]) -> Sequence[Event]:
        told = Telling(told_already)
        told.stamp = self._read_time(wire.timestamp, told)
        current = self._run
        if current is not None and current.chunk is not None and not isinstance(wire, (*_CHUNKS, *_TRANSPARENT)):
            close_chunk(current, told)
        if isinstance(wire, wires.RunStarted):
            self._run_started(wire, told)
            return told.events
        run = self._run_of(wire, told)
        handler = _HANDLERS.get(wire.__class__)
        if handler is not None:
            handler(run, wire, told)
        elif isinstance(wire, wires.RunFinished):
            self._run_finished(run, wire, told)
        elif isinstance(wire, wires.RunError):
            self._run_error(run, wire, told)
        else:
            self._beside(run, wire, told)
        return told.events

    def _read_time(self, value: Any, told: Telling) -> datetime | None:
        stamp = None if value is UNSET else self._clock.read(value)
        if stamp is None and value is not UNSET:
            hint = " (that many seconds since 1970?)" if 1e8 <= value < 1e11 else ""
            told.events.append(
                Flaw("SCH-03", "timestamp", "milliseconds since 1970, e.g. 1769851800125", f"{describe(value)}{hint}")
            )
        return stamp

    # -- which run --------------------------------------------------------------------------------------------------

    def _run_of(self, wire: wires.Wire, told: Telling) -> Run:
        """Return the run that an event belongs to, noting where none may have one now."""
        run = self._run
        if run is None:
            run = self._run = Run(announced=False, known=self._calls)
            if not isinstance(wire, wires.RunError):
                told.violates(
                    "AGU-01",
                    f"the stream begins with {_name(wire)}",
                    expected="RUN_STARTED or RUN_ERROR first",
                    actual=_name(wire),
                )
        elif run.ended:
            ended_again = isinstance(wire, _ENDS)
            told.violates(
                "AGU-04" if ended_again else "AGU-03",
                f"{_name(wire)} follows {run.ended}",
                expected="one RUN_FINISHED or RUN_ERROR" if ended_again else "a new RUN_STARTED, or nothing",
                actual=_name(wire),
                run=run,
            )
        if len(self._active) > 1:
            return self._owner(wire) or run
        return run

    def _owner(self, wire: wires.Wire) -> Run | None:
        """Among several active runs, return the one that an event's id belongs to."""
        if isinstance(wire, _ENDS):
            return next((run for run in self._active if run.run_id == wire.run_id), None)
        message, call = getattr(wire, "message_id", None), getattr(wire, "tool_call_id", None)
        for run in reversed(self._active):
            if call in run.calls or message in run.texts or message in run.thoughts or message in run.phases:
                return run
        return None

    # -- a run's start and end --------------------------------------------------------------------------------------

    def _run_started(self, wire: wires.RunStarted, told: Telling) -> None:
        run_id, thread_id, parent = wire.run_id or None, wire.thread_id, wire.parent_run_id
        run = Run(run_id, thread_id or None, known=self._calls)
        if wire.run_id == "":
            told.events.append(Flaw("IDN-01", "runId", "a non-empty string", '""'))
        told.identify(run, "threadId", thread_id)
        again = next((other for other in self._active if other.run_id == run_id), None)
        if self._active:
            open_ones = ", ".join(str(other.run_id) for other in self._active)
            told.violates(
                "AGU-02",
                f"run {run_id} starts while run {open_ones} is active",
                expected="RUN_FINISHED or RUN_ERROR before the next RUN_STARTED",
                actual=f"RUN_STARTED while {open_ones} is active",
                run=run,
            )
        elif run_id is not None and self._threads.get(run_id) is not None:
            told.reused(run, "runId", run_id)
        if isinstance(parent, str):
            self._parent(run, parent, told)
        if run_id is not None and thread_id:
            if self._run is not None and self._run.thread_id not in (None, thread_id):
                self._shared = Shared()
            self._threads.add(run_id, thread_id)
        read_input(run, wire.input)
        told.event(events.RunStarted, run, events.StartedPayload(run_id))
        if again is None:
            self._active.append(run)
            self._to(run)

    def _parent(self, run: Run, parent: str, told: Telling) -> None:
        run.continues = True
        thread = self._threads.get(parent)
        if parent == run.run_id or (thread is not None and run.thread_id is not None and thread != run.thread_id):
            told.violates(
                "AGU-05",
                f"the parentRunId of run {run.run_id} is no earlier run of its thread",
                expected="an earlier run of the same thread",
                actual="the run itself" if parent == run.run_id else f"{parent}, a run of thread {thread}",
                run=run,
            )

    def _to(self, run: Run) -> None:
        self._run = run
        self._texts = _NO_TEXTS if run.ended else run.texts

    def _run_finished(self, run: Run, wire: wires.RunFinished, told: Telling) -> None:
        if not run.announced:
            run.announced, run.run_id, run.thread_id = True, wire.run_id or None, wire.thread_id or None
        elif not run.ended:
            same_ids(run, wire, told)
        if not run.ended:
            nothing_open(run, told)
        outcome = wire.outcome
        interrupts = outcome.interrupts if isinstance(outcome, wires.Interrupted) else []
        answerable(run, interrupts, told)
        waiting = frozenset(i.tool_call_id for i in interrupts if isinstance(i.tool_call_id, str))
        defer(run, told, waiting=waiting, failed=False)
        if interrupts:
            told.event(events.RunStopped, run, events.StoppedPayload("interrupt"))
        else:
            told.event(events.RunCompleted, run, events.CompletedPayload(answer(run, wire)))
        self._ended(run, "RUN_FINISHED")

    def _run_error(self, run: Run, wire: wires.RunError, told: Telling) -> None:
        # AG-UI's code is optional: an error without one is told by its type
        code = wire.code if isinstance(wire.code, str) else "RUN_ERROR"
        if run.announced:
            defer(run, told, waiting=frozenset(), failed=True)
            told.event(events.RunFailed, run, events.FailedPayload(code, wire.message))
        else:
            told.events.append(events.Refusal(code, wire.message))
        self._ended(run, "RUN_ERROR")

    def _ended(self, run: Run, wire_type: str) -> None:
        run.ended = run.ended or wire_type
        if run in self._active:
            self._active.remove(run)
        self._to(self._active[-1] if self._active else run)

    # -- beside the run's story -------------------------------------------------------------------------------------

    def _beside(self, run: Run, wire: wires.Wire, told: Telling) -> None:
        shared = self._shared
        match wire:
            case wires.StateSnapshot():
                shared.state_snapshot(run, wire, told)
            case wires.StateDelta():
                shared.state_delta(run, wire, told)
            case wires.MessagesSnapshot():
                shared.messages_snapshot(run, wire, told)
            case wires.ActivitySnapshot():
                shared.activity_snapshot(run, wire, told)
            case wires.ActivityDelta():
                shared.activity_delta(run, wire, told)
            case wires.ReasoningEncrypted():
                told.identify(run, "entityId", wire.entity_id)
                told.other(run, _name(wire))
            case _:
                told.other(run, _name(wire))


def _name(wire: wires.Wire) -> str:
    return str(wire.__struct_config__.tag)
