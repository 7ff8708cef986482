"""The tool calls of AG-UI: from their start, over their arguments, to what came of them.

A call is reported as started when its arguments are whole, for then it can run. AG-UI does not say who runs it: many
calls are the client's, and their results never come in the same run. What has no result when its run ends is deferred.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET

from conformance import events
from conformance.dialects.ag_ui import wire as wires
from conformance.dialects.ag_ui.run import Call, Run, Telling
from conformance.dialects.fields import describe, shorten
from conformance.dialects.outcome import failure
from conformance.events import ToolError

Handler = Callable[[Run, Any, Telling], None]


def _start(run: Run, wire: wires.ToolStart, told: Telling) -> None:
    identifier = wire.tool_call_id
    if identifier in run.calls_open:
        told.unpaired("AGU-07", run, "tool call", identifier, "starts while it is open")
    elif identifier is not None:
        run.calls_open[identifier] = _new_call(run, identifier, wire.tool_call_name, told)
    told.other(run, "TOOL_CALL_START")


def _args(run: Run, wire: wires.ToolArgs, told: Telling) -> None:
    call = run.calls_open.get(wire.tool_call_id)
    if call is not None:
        call.pieces.append(wire.delta or "")
    elif wire.tool_call_id is not None:
        told.unpaired("AGU-07", run, "tool call", wire.tool_call_id, "has arguments while it is not open")
    told.other(run, "TOOL_CALL_ARGS")


def _end(run: Run, wire: wires.ToolEnd, told: Telling) -> None:
    call = run.calls_open.pop(wire.tool_call_id, None)
    if call is None and wire.tool_call_id is not None:
        told.unpaired("AGU-07", run, "tool call", wire.tool_call_id, "ends while it is not open")
    if call is None or call.told:
        told.other(run, "TOOL_CALL_END")
    else:
        _tell_start(run, call, told)


def _chunk(run: Run, wire: wires.ToolChunk, told: Telling) -> None:
    call, identifier, name = run.chunk, wire.tool_call_id, wire.tool_call_name
    if not isinstance(call, Call) or identifier not in (UNSET, call.call_id):
        close_chunk(run, told)
        if not isinstance(identifier, str) or not isinstance(name, str):
            told.nameless(run, "TOOL_CALL_CHUNK", "toolCallId and toolCallName")
            told.other(run, "TOOL_CALL_CHUNK")
            return
        if identifier in run.calls_open:
            told.unpaired("AGU-07", run, "tool call", identifier, "starts as a chunk while it is open")
        run.chunk = call = _new_call(run, identifier, name, told)
    told.other(run, "TOOL_CALL_CHUNK")
    if isinstance(wire.delta, str) and wire.delta:
        call.pieces.append(wire.delta)
        # no event says that a chunked call is whole: an object that can be parsed is taken to be all of it
        if not call.told and wire.delta.rstrip().endswith("}") and isinstance(_arguments(call), dict):
            _tell_start(run, call, told)


def close_chunk(run: Run, told: Telling) -> None:
    """What came in chunks is whole: a tool call is reported as started, if it was not yet."""
    call, run.chunk = run.chunk, None
    if isinstance(call, Call):
        if not call.told:
            _tell_start(run, call, told)
        elif not isinstance(_arguments(call), dict):
            _bad_arguments(run, call, told)


def _result(run: Run, wire: wires.ToolResult, told: Telling) -> None:
    identifier = wire.tool_call_id
    told.identify(run, "messageId", wire.message_id)
    call = run.calls.get(identifier)
    if call is None:
        _result_of_elsewhere(run, wire, told)
        return
    if call.from_snapshot:
        call.from_snapshot = False
        told.other(run, "TOOL_CALL_RESULT")
        return
    if identifier in run.calls_open:
        told.violates(
            "AGU-17",
            f"the result of tool call {identifier} comes before its TOOL_CALL_END",
            expected="TOOL_CALL_END, then TOOL_CALL_RESULT",
            actual="TOOL_CALL_RESULT while the arguments are open",
            run=run,
        )
    _complete(run, call, told, wire.content or "")


def _result_of_elsewhere(run: Run, wire: wires.ToolResult, told: Telling) -> None:
    """A result of no call of this run: where all that was before is known, it must be of a call of that."""
    identifier = wire.tool_call_id
    if identifier is None or not run.announced or run.known.get(identifier) is not None:
        told.other(run, "TOOL_CALL_RESULT")
        return
    if run.continues or not run.history:
        payload = _outcome(Call(identifier, ""), wire.content or "")
        told.event(events.ToolCompletedElsewhere, run, payload)
        return
    told.violates(
        "AGU-15",
        f"a result of tool call {identifier}, which nobody made",
        expected="the toolCallId of a TOOL_CALL_START before it",
        actual=f"toolCallId: {describe(identifier)}",
        run=run,
    )
    _complete(run, Call(identifier, "", told=True), told, wire.content or "")


def _new_call(run: Run, identifier: str, name: str | None, told: Telling) -> Call:
    told.identify(run, "toolCallId", identifier)
    told.identify(run, "toolCallName", name)
    before = run.calls.get(identifier)
    if before is not None:
        told.reused(run, "toolCallId", identifier)
        _defer(run, before, told)
    call = run.calls[identifier] = Call(identifier, name or "")
    run.known.add(identifier, call)
    return call


def _arguments(call: Call) -> Any:
    """Return a call's parameters: nothing, or null, is taken for none; what is no JSON for what it is."""
    text = "".join(call.pieces)
    if not text.strip():
        return {}
    try:
        parameters = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return text
    return {} if parameters is None else parameters


def _tell_start(run: Run, call: Call, told: Telling) -> None:
    call.told = True
    parameters = _arguments(call)
    if not isinstance(parameters, dict):
        _bad_arguments(run, call, told)
    if run.announced:
        payload = events.ToolStartedPayload(call.name, call.call_id, parameters, announced=True)
        told.event(events.ToolStarted, run, payload)
    else:
        told.other(run, "TOOL_CALL_END")


def _bad_arguments(run: Run, call: Call, told: Telling) -> None:
    told.violates(
        "AGU-14",
        f"the arguments of tool call {call.call_id} are no JSON object",
        expected="pieces that make one JSON object",
        actual=shorten("".join(call.pieces)),
        run=run,
    )


def _complete(run: Run, call: Call, told: Telling, content: str, error: str | None = None) -> None:
    if not call.told:
        _tell_start(run, call, told)
    call.completed = True
    if not run.announced:
        told.other(run, "TOOL_CALL_RESULT")
        return
    told.event(events.ToolCompleted, run, _outcome(call, content, error))


def _outcome(call: Call, content: str, error: str | None = None) -> events.ToolCompletedPayload:
    reason = error or failure(content)
    if reason is None:
        return events.ToolCompletedPayload(call.name, call.call_id, "ok", result=content)
    return events.ToolCompletedPayload(call.name, call.call_id, "error", error=ToolError("tool_error", reason))


def result_in_snapshot(run: Run, identifier: str, content: str, error: str | None, told: Telling) -> None:
    """A tool message among the messages: the result of a call of this run, where none came by itself."""
    call = run.calls.get(identifier)
    if call is not None and not call.completed and identifier not in run.calls_open:
        call.from_snapshot = True
        _complete(run, call, told, content, error)


def mention(run: Run, identifier: str) -> None:
    """Remember a call that the thread's messages hold: its result may come with this run."""
    if run.known.get(identifier) is None:
        run.known.add(identifier, Call(identifier, "", deferred=True))


def defer(run: Run, told: Telling, *, waiting: frozenset[str], failed: bool) -> None:
    """The run ends. `waiting` are the calls that an interrupt waits for."""
    for call in run.calls.values():
        if not _defer(run, call, told):
            continue
        tools = run.client_tools
        if tools is not None and call.name not in tools and call.call_id not in waiting and not failed:
            told.violates(
                "AGU-22",
                f"tool call {call.call_id} ({call.name}) has no result",
                expected="a TOOL_CALL_RESULT for each tool that is not the client's",
                actual="RUN_FINISHED without it",
                run=run,
            )


def _defer(run: Run, call: Call, told: Telling) -> bool:
    """A call has no result in its run, if it has none yet; return whether that is so."""
    if call.completed or call.deferred or not call.told:
        return False
    call.deferred = True
    if run.announced:
        told.event(events.ToolDeferred, run, events.ToolDeferredPayload(call.name, call.call_id))
    return True


HANDLERS: dict[type[wires.Wire], Handler] = {
    wires.ToolStart: _start,
    wires.ToolArgs: _args,
    wires.ToolEnd: _end,
    wires.ToolChunk: _chunk,
    wires.ToolResult: _result,
}
