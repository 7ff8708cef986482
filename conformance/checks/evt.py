"""EVT: what is told of tools."""

from typing import Any

import msgspec
from msgspec import UNSET

from conformance.checks.check import Check, on, on_odd
from conformance.checks.silence import silent
from conformance.dialects.fields import describe, shorten
from conformance.events import Kind, ToolCompletedElsewhere
from conformance.express.stretch import Call, Stretch
from conformance.history import operations as ops
from conformance.history.operations import Awaited
from conformance.story import Sighting, Story, Tool

_TERMINAL = (Kind.COMPLETED, Kind.FAILED, Kind.STOPPED)


class Tools(Check):
    """Tool events come in pairs, and say how it went."""

    decides = ("EVT-05", "EVT-06", "EVT-07", "EVT-08", "EVT-11", "EVT-13")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._given_up: dict[int, ops.GaveUp] = {}
        self._hasty: dict[int, Sighting] = {}
        self._waiting: dict[int, list[Sighting]] = {}

    @on(Kind.TOOL_STARTED)
    def started(self, seen: Sighting) -> None:
        """Judge a tool's start."""
        if seen.foreign or not seen.fresh:
            return
        tool = seen.story.tools.get(seen.event.payload.tool_call_id)
        if tool is not None:
            self.fail(
                "EVT-05",
                f"tool call {seen.event.payload.tool_call_id} starts a second time",
                expected="one start a tool call",
                actual="two",
                witnesses=[tool.started, seen],
                run=seen.story,
            )

    @on(Kind.TOOL_COMPLETED)
    def completed(self, seen: Sighting) -> None:
        """Judge a tool's completion, against its start and by itself."""
        if seen.foreign or not seen.fresh:
            return
        story = seen.story
        payload = seen.event.payload
        tool = story.tools.get(payload.tool_call_id)
        if tool is None:
            if seen.incomplete:
                self._waiting.setdefault(story.number, []).append(seen)
            elif story.request is not None or not isinstance(seen.event, ToolCompletedElsewhere):
                self._without_start(seen)
        elif tool.completed is not None:
            self.fail(
                "EVT-05",
                f"tool call {payload.tool_call_id} completes a second time",
                expected="one completion a tool call",
                actual="two",
                witnesses=[tool.completed, seen],
                run=story,
            )
        else:
            self._paired(seen, tool)
        self._outcome(seen)

    def _without_start(self, seen: Sighting) -> None:
        self.exercised["EVT-06"] += 1
        self.fail(
            "EVT-06",
            f"a completion of tool call {seen.event.payload.tool_call_id} without its start",
            expected="a start with the same tool_call_id before it",
            actual="none",
            witnesses=[seen],
            run=seen.story,
        )

    def _outcome(self, seen: Sighting) -> None:
        payload = seen.event.payload
        self.exercised["EVT-08"] += 1
        result, error, status = payload.result is not UNSET, payload.error is not UNSET, _status(payload)
        if status == "ok" and result and not error:
            return
        if status == "error" and error and payload.error.code and payload.error.message and not result:
            return
        if result and payload.result is None and error and status == "error":
            return  # result: null beside an error is no second outcome
        held = [name for name, present in (("a result", result), ("an error", error)) if present]
        self.fail(
            "EVT-08",
            f"a tool's completion does not say how it went: status {status!r} with {' and '.join(held) or 'neither'}",
            expected='status "ok" with a result, or "error" with an error {code, message}',
            actual=f"status {status!r}, {' and '.join(held) or 'neither result nor error'}",
            witnesses=[seen],
            run=seen.story,
        )

    def _paired(self, seen: Sighting, tool: Tool) -> None:
        story, payload, start = seen.story, seen.event.payload, tool.started.event.payload
        self.exercised["EVT-05"] += 1
        self.exercised["EVT-06"] += 1
        if story.open_tools > 1:
            self.exercised["EVT-13"] += 1
            if payload.tool_name != start.tool_name:
                self._swapped(seen, tool, f"tool {start.tool_name!r} started, {payload.tool_name!r} completed")
            elif _status(payload) == "ok" and payload.result is not UNSET:
                self._another_calls_result(seen, tool)
        failed = _status(payload) == "error"
        if (
            story.script is not None
            and start.tool_name == "fail"
            and (failed or self.world.dialect.tells_tool_failures)
        ):
            self.exercised["EVT-11"] += 1
            if not failed:
                self.fail(
                    "EVT-11",
                    "a tool that failed is reported as a success",
                    expected='status "error" for a call of the tool "fail"',
                    actual=f"status {payload.status!r}, result {describe(payload.result)}",
                    witnesses=[tool.started, seen],
                    run=story,
                )

    def screen(self, told: Stretch) -> bool:
        """Every call says how it went, and none can be taken for another."""
        return all(self._plain(call, told) for call in told.calls)

    def _plain(self, call: Call, told: Stretch) -> bool:
        start = call.payload
        if start.tool_name == "fail":
            return False
        if call.stop < 0:
            return True
        payload = told.events[call.stop].payload
        if payload.status != "ok" or payload.result is UNSET or payload.error is not UNSET:
            return False
        if not call.others:
            return True
        own = _text_in(start.parameters)
        return payload.tool_name == start.tool_name and (own is None or own in describe(payload.result))

    def tally(self, told: Stretch) -> None:
        """Count the calls."""
        completed = [call for call in told.calls if call.stop >= 0]
        for requirement in ("EVT-05", "EVT-06", "EVT-08"):
            self.exercised[requirement] += len(completed)
        self.exercised["EVT-13"] += sum([call.others for call in completed])
        self.exercised["EVT-07"] += sum([run.tooled for run in told.ended])

    def _another_calls_result(self, seen: Sighting, tool: Tool) -> None:
        own = _text_of(tool)
        told = seen.event.payload.result
        result = told if isinstance(told, str) else msgspec.json.encode(told).decode()
        if own is None or own in result or msgspec.json.encode(own).decode()[1:-1] in result:
            return
        for other in seen.story.tools.values():
            text = _text_of(other)
            if other is not tool and text is not None and text in result:
                self._swapped(seen, tool, f"the result of call {other.started.event.payload.tool_call_id}")

    def _swapped(self, seen: Sighting, tool: Tool, actual: str) -> None:
        self.fail(
            "EVT-13",
            f"parallel tool calls are mixed up: {seen.event.payload.tool_call_id} completes as another call",
            expected=f"the outcome of {tool.started.event.payload.tool_name}({shorten(describe(_args(tool)), 80)})",
            actual=actual,
            witnesses=[tool.started, seen],
            run=seen.story,
        )

    @on(*_TERMINAL)
    def ended(self, seen: Sighting) -> None:
        """A run ends: no tool may still be open. Events with a lower seq that were overtaken are waited for."""
        story = seen.story
        if seen.foreign or not seen.fresh or story.terminal is not None:
            return
        if seen.incomplete:
            self._hasty[story.number] = seen
        elif story.tools:
            self._none_open(seen)

    def _none_open(self, seen: Sighting) -> None:
        story = seen.story
        self.exercised["EVT-07"] += 1
        for call_id, tool in story.tools.items():
            if tool.completed is None:
                self.fail(
                    "EVT-07",
                    f"the run ends while tool call {call_id} is open",
                    expected="a completion of every tool before the run's end",
                    actual=f"{seen.event.kind.name.lower()} with {tool.started.event.payload.tool_name} still open",
                    witnesses=[tool.started, seen],
                    run=story,
                )

    @on(ops.GaveUp)
    def gave_up(self, op: ops.GaveUp) -> None:
        """Remember runs of which nothing more came."""
        request = self.world.request_of(op.ask)
        if request is not None and request.story is not None and op.awaited is Awaited.TERMINAL and not op.late:
            self._given_up[request.story.number] = op

    @on_odd(Story)
    def settled(self, story: Story) -> None:
        """Nothing more comes: what is open now never completed, unless that may be an event that was lost."""
        hasty = self._hasty.pop(story.number, None)
        waiting = self._waiting.pop(story.number, [])
        if story.missing:
            return
        for early in waiting:
            tool = story.tools.get(early.event.payload.tool_call_id)
            if tool is not None and tool.completed is early:
                self._paired(early, tool)
            else:
                self._without_start(early)
        for call_id, alone in story.early.items():
            if story.request is None and isinstance(alone.event, ToolCompletedElsewhere):
                continue  # it was called where nobody recorded
            self.fail(
                "EVT-05",
                f"tool call {call_id} ({alone.event.payload.tool_name}) never starts",
                expected="exactly one start for every completion",
                actual="none",
                witnesses=[alone],
                run=story,
            )
        if hasty is not None and story.tools:
            self._none_open(hasty)
        wait = self._given_up.pop(story.number, None)
        if story.terminal is None and (wait is None or not silent(story, wait, self.world.run_limit_s)):
            return
        if story.terminal is not None and story.terminal.connection.held_back:
            return  # what came after the end may not have been read, or still have been on its way through a proxy
        for call_id, tool in story.tools.items():
            if tool.completed is None:
                self.fail(
                    "EVT-05",
                    f"tool call {call_id} ({tool.started.event.payload.tool_name}) never completes",
                    expected="exactly one completion for every start",
                    actual="none",
                    witnesses=[tool.started, *([story.terminal] if story.terminal else [])],
                    run=story,
                )


def _status(payload: Any) -> str | None:
    """Return how a tool went; where that is said in a word that does not exist, which is SCH-02's, by what is there."""
    if payload.status in ("ok", "error") or (payload.result is UNSET) == (payload.error is UNSET):
        return payload.status  # type: ignore[no-any-return]
    return "ok" if payload.error is UNSET else "error"


def _args(tool: Tool) -> Any:
    return tool.started.event.payload.parameters


def _text_of(tool: Tool) -> str | None:
    return _text_in(_args(tool))


def _text_in(args: Any) -> str | None:
    text = args.get("text") if isinstance(args, dict) else None
    return text if isinstance(text, str) and len(text) >= 4 else None
