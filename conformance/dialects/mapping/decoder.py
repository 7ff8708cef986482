"""The decoder of a mapping: the frames of one connection, in order."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET

from conformance import events
from conformance.dialects.dialect import Decoder
from conformance.dialects.fields import decode_json, describe, shorten
from conformance.dialects.mapping import kinds, paths, telling
from conformance.dialects.mapping.model import EVENT, TEXT, Mapping, Rule
from conformance.dialects.mapping.telling import Read, value
from conformance.events import Event, Flaw
from conformance.recent import Recent

_REMEMBERED = 2_048


@dataclass(slots=True, eq=False)
class _Call:
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    told: bool = False


@dataclass(slots=True, eq=False)
class _Run:
    """What a run has said so far, and its calls that are open. `told` is each message's text that was accumulated."""

    envelope: tuple[Any, ...]
    pieces: list[str] = field(default_factory=list)
    told: dict[str | None, str] = field(default_factory=dict)
    calls: dict[str | None, _Call] = field(default_factory=dict)


class MappingDecoder(Decoder):
    """Decodes frames as a mapping says."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._runs: dict[str | None, _Run] = {}
        self._over: Recent[str | None, bool] = Recent(_REMEMBERED)
        self._joins_text = any(r.kind == "run_completed" and "final_response" not in r.sources for r in mapping.rules)

    def decode(self, raw: bytes) -> Sequence[Event]:
        """Return the frame's events, each preceded by what is wrong with its form."""
        told: list[Event] = []
        frame, problem = self._frame(raw)
        matched = False
        for rule in self._mapping.rules:
            if rule.matches(frame):
                matched = True
                self._tell(rule, frame, told)
                if not rule.go_on:
                    break
        if not matched and problem is not None:
            told.append(problem)
        elif not matched:
            self._unmatched(frame, told)
        return told

    def closed(self) -> Sequence[Event]:
        """Return the ends of the runs that are open, where the mapping says that the end of the stream is one."""
        told: list[Event] = []
        for run_id, run in list(self._runs.items()) if self._mapping.completes_at_end else ():
            self._defer(run, told)
            told.append(_event(events.RunCompleted, run.envelope, events.CompletedPayload(_said(run))))
            self._end(run_id)
        return told

    # -- frames -----------------------------------------------------------------------------------------------------

    def _frame(self, raw: bytes) -> tuple[dict[str, Any], Flaw | None]:
        """Return a frame as an object; one that is none has its text only, and is flawed unless a rule is for it."""
        name, data = _named(raw) if self._mapping.event_names else (None, raw)
        named = {} if name is None else {EVENT: name}
        try:
            frame = decode_json(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            problem = Flaw("SCH-01", "frame", "a JSON object in UTF-8", f"{error}: {shorten(data)}")
            return {**named, TEXT: data.decode(errors="replace")}, problem
        if isinstance(frame, dict):
            return {**frame, **named}, None
        return {**named, TEXT: data.decode()}, Flaw("SCH-01", "frame", "a JSON object", shorten(data))

    def _unmatched(self, frame: dict[str, Any], told: list[Event]) -> None:
        """A frame that no rule is for."""
        name: str | None = None
        if self._mapping.type_path is not None:
            text, path = self._mapping.type_path
            found = paths.find(path, frame)
            name = found if isinstance(found, str) else ""
            if not name:
                told.append(Flaw("SCH-02", text, "a non-empty string", describe(None if found is UNSET else found)))
        if self._mapping.ignores_unknown:
            name = self._name(frame)
        self._beside(name, frame, self._mapping.envelope, told)

    def _name(self, frame: dict[str, Any]) -> str:
        """Return a name in the mapping's own space for a frame that tells nothing of a run."""
        found = paths.find(self._mapping.type_path[1], frame) if self._mapping.type_path else UNSET
        return f"mapping:{found if isinstance(found, str) and found else frame.get(EVENT) or 'frame'}"

    def _beside(self, name: str | None, frame: dict[str, Any], envelope: dict[str, Any], told: list[Event]) -> None:
        source = envelope.get("run_id")
        if source is None:
            of_run = None in self._runs
        else:
            of_run = any(paths.find(path, frame) is not UNSET for _, path in source.paths)
        if of_run and not (self._mapping.implicit_start and self._run_id(frame, envelope) not in self._runs):
            # of a frame that does not say what it is, nothing more is asked
            told.append(_event(events.OtherRunEvent, _envelope(envelope, frame, told if name else []), name or ""))
        else:
            told.append(events.Unknown(name or None))

    def _run_id(self, frame: dict[str, Any], envelope: dict[str, Any]) -> str | None:
        return envelope["run_id"].read(frame, []) if "run_id" in envelope else None

    # -- events -----------------------------------------------------------------------------------------------------

    def _tell(self, rule: Rule, frame: dict[str, Any], told: list[Event]) -> None:
        if rule.kind == "other":
            self._beside(self._name(frame), frame, rule.envelope, told)
            return
        flaws: list[Flaw] = []
        envelope = _envelope(rule.envelope, frame, flaws)
        read = {name: source.read(frame, flaws) for name, source in rule.sources.items()}
        if not kinds.KINDS[rule.kind].of_run:
            told += [*flaws, telling.control(rule.kind, read)]
            return
        run = self._run(rule.kind, envelope, told)
        found = self._event(rule, read, run, envelope, flaws)
        told += flaws
        if rule.kind in kinds.TERMINAL:
            self._defer(run, told)
            self._end(envelope[1])
        told += found

    def _run(self, kind: str, envelope: tuple[Any, ...], told: list[Event]) -> _Run:
        """Return the run of that id. Where the protocol has no event for a run's start, its first event is one."""
        run_id = envelope[1]
        run = self._runs.get(run_id)
        if run is not None:
            return run
        run = _Run(envelope)
        over = self._over.get(run_id) is not None
        if not over:
            self._runs[run_id] = run
        if self._mapping.implicit_start and kind != "run_started" and not over:
            told.append(_event(events.RunStarted, envelope, events.StartedPayload(None)))
        return run

    def _end(self, run_id: str | None) -> None:
        self._runs.pop(run_id, None)
        if run_id is not None or self._mapping.transport != "websocket":  # an answer over HTTP is one run
            self._over.add(run_id, True)

    def _event(self, rule: Rule, read: Read, run: _Run, envelope: tuple[Any, ...], flaws: list[Flaw]) -> list[Event]:
        kind = rule.kind
        if kind.startswith("tool_"):
            return self._of_tool(rule, read, run, envelope, flaws)
        if kind == "text":
            text = self._text(rule, read, run)
            return [] if text is UNSET else [_event(events.TextDelta, envelope, events.TextPayload(text))]
        if kind == "run_completed":
            said = read.get("final_response", UNSET)
            said = _said(run) if said is UNSET else said
            return [_event(events.RunCompleted, envelope, events.CompletedPayload(said, value(read, "duration_ms")))]
        make, payload = _PLAIN[kind]
        return [_event(make, envelope, payload(read))]

    def _text(self, rule: Rule, read: Read, run: _Run) -> Any:
        """Return a piece of text, UNSET where an accumulated one brings nothing new."""
        text = value(read, "text")
        if rule.sources["text"].accumulated and text is not None:
            message = value(read, "message_id")
            before = run.told.get(message, "")
            run.told[message] = text
            text = text[len(before) :] if text.startswith(before) else text
            if not text:
                return UNSET
        if self._joins_text or self._mapping.completes_at_end:
            run.pieces.append(text or "")
        return text

    def _of_tool(self, rule: Rule, read: Read, run: _Run, envelope: tuple[Any, ...], flaws: list[Flaw]) -> list[Event]:
        call_id = value(read, "tool_call_id")
        call = run.calls.setdefault(call_id, _Call())
        call.name = value(read, "tool_name") or call.name
        if rule.kind == "tool_arguments":
            call.pieces.append(value(read, "arguments") or "")
            return [_event(events.OtherRunEvent, envelope, "mapping:tool_arguments")]
        name = value(read, "tool_name") if "tool_name" in rule.sources else call.name
        if rule.kind == "tool_started":
            call.told = True
            parameters = value(read, "parameters") if "parameters" in read else _arguments(call)
            return [_event(events.ToolStarted, envelope, events.ToolStartedPayload(name, call_id, parameters))]
        del run.calls[call_id]
        if rule.kind == "tool_deferred":
            return [_event(events.ToolDeferred, envelope, events.ToolDeferredPayload(name, call_id))]
        return [_event(events.ToolCompleted, envelope, telling.tool_completed(read, name, flaws))]

    def _defer(self, run: _Run, told: list[Event]) -> None:
        """The run ends: calls that are the client's have no outcome in it."""
        for call_id, call in run.calls.items() if self._mapping.client_tools else ():
            if call.told:
                payload = events.ToolDeferredPayload(call.name, call_id or "")
                told.append(_event(events.ToolDeferred, run.envelope, payload))


_PLAIN: dict[str, tuple[Any, Any]] = {
    "run_started": (events.RunStarted, lambda read: events.StartedPayload(value(read, "request_id"))),
    "thinking": (
        events.Thinking,
        lambda read: events.ThinkingPayload(value(read, "thought"), value(read, "step")),
    ),
    "run_failed": (events.RunFailed, telling.failed),
    "run_stopped": (events.RunStopped, lambda read: events.StoppedPayload(value(read, "reason"))),
}


def _named(raw: bytes) -> tuple[str | None, bytes]:
    """Return the name and the data of a server-sent event that is written as `event: NAME`, then `data: DATA`."""
    if not raw.startswith(b"event: "):
        return None, raw
    name, _, data = raw.partition(b"\n")
    return name.removeprefix(b"event: ").decode(errors="replace"), data.removeprefix(b"data: ")


def _envelope(sources: dict[str, Any], frame: dict[str, Any], flaws: list[Any]) -> tuple[Any, ...]:
    """Return the fields of an event's envelope, in their order; what a protocol does not have is None."""
    read = {name: source.read(frame, flaws) for name, source in sources.items()}
    return tuple(value(read, name) for name in kinds.ENVELOPE)


def _event(make: Any, envelope: tuple[Any, ...], content: Any) -> Event:
    event: Event = make(*envelope[:-1], content, traceparent=envelope[-1])
    return event


def _said(run: _Run) -> Any:
    said = "".join(run.pieces)
    return said if said.strip() else UNSET


def _arguments(call: _Call) -> Any:
    """Return the arguments that came in pieces: what is no JSON for what it is."""
    text = "".join(call.pieces)
    try:
        return msgspec.json.decode(text) if text.strip() else {}
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return text
