"""EVT: every run tells its whole story."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET

from conformance import script
from conformance.checks.check import EVERY_EVENT, Check, Evidence, Here, on, on_odd
from conformance.dialects.fields import describe, shorten
from conformance.events import Kind, ToolCompletedElsewhere
from conformance.express.stretch import Call, Stretch
from conformance.history import operations as ops
from conformance.history.operations import Awaited, ClosedBy
from conformance.recent import Recent
from conformance.story import Request, Sighting, Story, Tool

_TERMINAL = (Kind.COMPLETED, Kind.FAILED, Kind.STOPPED)
_CLOSES_WITH_NOTICE = frozenset({1001, 1003, 1007, 1008, 1009, 1012, 1013, 4408})


class Lifecycle(Check):
    """A run begins with its start, ends once, and is silent afterwards."""

    decides = ("EVT-01", "EVT-02", "EVT-03", "EVT-14")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._run_of: Recent[tuple[str, str], Story] = Recent(1_024)
        self._cut: dict[int, tuple[Story, ops.Closed, int]] = {}
        self._silent: dict[int, tuple[Request, Here]] = {}
        self._startless: dict[int, Sighting] = {}
        self._late_start: dict[int, Sighting] = {}

    @on_odd(*EVERY_EVENT)
    def event(self, seen: Sighting) -> None:
        """Judge the place of an event in its run."""
        if seen.foreign or not seen.fresh:
            return
        story = seen.story
        kind = seen.event.kind
        if story.first is None:
            if kind is not Kind.STARTED:
                self._no_start_first(seen)
        elif kind is Kind.STARTED:
            self._start_again(seen, story.first)
        if kind is Kind.STARTED:
            self.exercised["EVT-01"] += 1
            self._one_run_per_request(seen)
        if story.terminal is not None:
            self._after_the_end(seen, story.terminal)

    @on(*_TERMINAL)
    def ended(self, seen: Sighting) -> None:
        """Count the ends."""
        if seen.fresh and not seen.foreign and seen.story.terminal is None:
            self.exercised["EVT-02"] += 1
            self.exercised["EVT-03"] += 1
            self._cut.pop(seen.story.number, None)
            request = seen.story.request
            if request is not None:
                self._silent.pop(request.asked.ask, None)

    def screen(self, told: Stretch) -> bool:
        """Each request starts its first run."""
        keys = {(run.user, run.asked.request_id or "") for run in told.begun}
        return len(keys) == len(told.begun) and not self._run_of.any_of(keys)

    def tally(self, told: Stretch) -> None:
        """Count starts and ends."""
        begun, ended = len(told.begun), len(told.ended)
        for requirement, times in (("EVT-01", begun), ("EVT-14", begun), ("EVT-02", ended), ("EVT-03", ended)):
            self.exercised[requirement] += times
        for run in told.begun:
            assert run.story is not None
            self._run_of.add((run.user, run.asked.request_id or ""), run.story)
        for run in told.ended:
            assert run.story is not None
            self._cut.pop(run.story.number, None)
            self._silent.pop(run.asked.ask, None)

    def _no_start_first(self, seen: Sighting) -> None:
        """Another event came first: by its seq it may be a later one, and the start still under way."""
        if not seen.incomplete:
            self._startless_run(seen)
        elif not seen.stream.joined_late and len(self._startless) < 4_096:
            self._startless[seen.story.number] = seen

    def _start_again(self, seen: Sighting, first: Sighting) -> None:
        """A start that is not the first event: the run's own, come late or after another, or a second one."""
        self._startless.pop(seen.story.number, None)
        known = first if first.event.kind is Kind.STARTED else self._late_start.setdefault(seen.story.number, seen)
        if known is not seen:
            self._second_start(seen, known)

    def _startless_run(self, seen: Sighting) -> None:
        kind = seen.event.kind.name.lower()
        self.fail(
            "EVT-01",
            f"a run's first event is {kind}, not its start",
            expected="the start event first",
            actual=f"{kind} first",
            witnesses=[seen],
            run=seen.story,
        )

    @on(Story)
    def settled(self, story: Story) -> None:
        """Nothing more comes: a start that was awaited is missing, unless it may be an event that was lost."""
        self._late_start.pop(story.number, None)
        seen = self._startless.pop(story.number, None)
        if seen is not None and not story.missing:
            self._startless_run(seen)

    def _second_start(self, seen: Sighting, first: Sighting) -> None:
        for requirement in ("EVT-01", "EVT-14"):
            self.fail(
                requirement,
                "a run starts a second time",
                expected="one start event a run",
                actual="another start event under the same run_id",
                witnesses=[first, seen],
                run=seen.story,
            )

    def _one_run_per_request(self, seen: Sighting) -> None:
        story = seen.story
        request_id = seen.event.payload.request_id
        if not request_id or story.user is None:
            return
        self.exercised["EVT-14"] += 1
        known = self._run_of.get((story.user, request_id))
        if known is None:
            self._run_of.add((story.user, request_id), story)
        elif known.request is not None and story.request not in (None, known.request):
            return  # the kit asked twice: LIF-01
        elif known is not story and known.first is not None and known.run_id != story.run_id:
            self.fail(
                "EVT-14",
                f"one request started two runs: {known.run_id} and {story.run_id}",
                expected="one run for one request",
                actual=f"a second start for request {request_id}",
                witnesses=[known.first, seen],
                run=story,
            )

    def _after_the_end(self, seen: Sighting, terminal: Sighting) -> None:
        event, end = seen.event, terminal.event
        if event.seq is not None and end.seq is not None and event.seq < end.seq:
            return  # overtaken on another connection: ORD decides on that
        if event.terminal:
            self.fail(
                "EVT-02",
                f"a run ends twice: {end.kind.name.lower()}, then {event.kind.name.lower()}",
                expected="exactly one terminal event",
                actual="a second terminal event",
                witnesses=[terminal, seen],
                run=seen.story,
            )
        self.fail(
            "EVT-03",
            f"{event.kind.name.lower()} follows the run's terminal event",
            expected=f"nothing after {end.kind.name.lower()}",
            actual=f"{event.kind.name.lower()} after it",
            witnesses=[terminal, seen],
            run=seen.story,
        )

    @on(ops.GaveUp)
    def gave_up(self, op: ops.GaveUp) -> None:
        """A run of which nothing more came, although the kit listened with full patience."""
        request = self.world.requests.get(op.ask) if op.ask is not None else None
        if request is None or not request.runs or op.late or request.refusal is not None:
            return
        if op.awaited not in (Awaited.TERMINAL, Awaited.STARTED, Awaited.ANSWER):
            return
        if op.awaited is Awaited.ANSWER and request.asked.behaviour == "greedy":
            return  # it may wait for the user's other runs to end
        story = request.story
        if op.awaited is Awaited.STARTED and story is not None:
            return  # it was taken on, and only has not come as far as the kit wanted
        if _queued(request, self.world.open_of.get(request.asked.user, ())):
            return
        if (story is None or story.terminal is None) and len(self._silent) < 4_096:
            self._silent[request.asked.ask] = (request, self.here(op))

    def _fell_silent(self, request: Request, gave_up: Here) -> None:
        story, op = request.story, gave_up.op
        assert isinstance(op, ops.GaveUp)
        told: list[Evidence] = [request]
        if story is not None and story.last is not None:
            told.append(story.last)
            actual = f"the last of {story.events} events was {story.last.event.kind.name.lower()}, then silence"
        elif request.accepted is not None:
            actual = "the run was accepted, then silence"
        else:
            actual = "neither accepted nor refused, and no event"
        self.exercised["EVT-02"] += 1
        self.fail(
            "EVT-02",
            "a run never ends",
            expected=f"one terminal event within {op.waited_ms:,} ms",
            actual=actual,
            witnesses=[*told, gave_up],
            run=story,
            user=request.asked.user,
            scenario=request.connection.op.scenario,
        )

    @on(ops.Closed)
    def closed(self, op: ops.Closed) -> None:
        """A connection that the target closed under a running run, without a code that says why."""
        if op.by is ClosedBy.KIT or op.code in _CLOSES_WITH_NOTICE:
            return
        connection = self.world.connections[op.conn]
        if connection.was_paused:
            return  # whether a slow reader is told of it is for DLV-06 to judge
        if self.world.taken_for_dead(connection, op):
            return
        for story in self.world.stories.values():
            mine = story.connection is connection
            if mine and story.terminal is None and story.events:
                self._cut[story.number] = (story, op, self.world.line)

    def finish(self) -> None:
        """Runs that fell silent, or whose connection the target dropped, and that were never seen to end."""
        for request, gave_up in self._silent.values():
            if request.refusal is None and not _ended_somewhere(request.story) and _silent(request.story, gave_up.op):
                self._fell_silent(request, gave_up)
        for story, op, line in self._cut.values():
            if story.terminal is None and story.last is not None:
                self.exercised["EVT-02"] += 1
                self.fail(
                    "EVT-02",
                    "the target closed the connection before the run's end",
                    expected="one terminal event",
                    actual=f"{_ending(op)} after {story.last.event.kind.name.lower()}",
                    witnesses=[story.last, Here(line, op)],
                    run=story,
                )


def _ending(op: ops.Closed) -> str:
    if op.code is not None:
        return f"close code {op.code}"
    return f"the body breaks off ({op.reason})" if op.by is ClosedBy.NETWORK else "the body ends"


def _ended_somewhere(story: Story | None) -> bool:
    """Tell whether a run's end was seen, be it on a connection of somebody else: that is for ISO to judge."""
    return story is not None and (story.terminal is not None or any(s.ended for s in story.streams.values()))


def _queued(request: Request, open_runs: Iterable[Story]) -> bool:
    """Tell whether a run that told nothing may only be waiting for another one of its user's to end."""
    story = request.story
    return (story is None or not story.events) and any(run is not story and run.events for run in open_runs)


def _silent(story: Story | None, wait: Any) -> bool:
    """Tell whether a run told nothing for half of a wait in vain, and nothing after it: else it was only slow."""
    last = story.last if story is not None else None
    return last is None or last.op.at <= wait.at - wait.waited_ms * 1000 / 2


class ThinkingShown(Check):
    """The agent's thinking is reported before it acts or ends."""

    decides = ("EVT-04",)
    _told = 0

    @on(Kind.TOOL_STARTED, Kind.COMPLETED)
    def acts(self, seen: Sighting) -> None:
        """The first tool, or the end without one: by now the user was told of a thought."""
        story = seen.story
        if seen.foreign or not seen.fresh or story.tools or story.terminal or seen.incomplete or story.first is None:
            return
        self.exercised["EVT-04"] += 1
        if story.thought or "thinking" not in self.world.capabilities:
            return
        if seen.event.kind is Kind.TOOL_STARTED:
            self._missing(seen, "before its first tool")
        else:
            self._missing(seen, "before it completes")

    def screen(self, told: Stretch) -> bool:
        """Each run thinks before its first tool, or its end."""
        self._told = 0
        for run in told.chapters:
            if run.had_tools or not (run.calls or run.ends):
                continue
            self._told += 1
            acts = run.calls[0].start if run.calls else run.stop
            if not run.had_thought and Kind.THINKING not in told.kinds[run.first : acts]:
                return False
        return True

    def tally(self, told: Stretch) -> None:
        """Count the runs that acted, or ended without."""
        self.exercised["EVT-04"] += self._told

    def _missing(self, seen: Sighting, when: str) -> None:
        assert seen.story.first is not None
        self.fail(
            "EVT-04",
            f"a run reports no thinking {when}",
            expected=f"a thinking event {when}",
            actual="none",
            witnesses=[seen.story.first, seen],
            run=seen.story,
        )


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
        request = self.world.requests.get(op.ask) if op.ask is not None else None
        if request is not None and request.story is not None and op.awaited is Awaited.TERMINAL and not op.late:
            self._given_up[request.story.number] = op

    @on(Story)
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
        if story.terminal is None and (wait is None or not _silent(story, wait)):
            return
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


class Endings(Check):
    """A run's end says what came of it."""

    decides = ("EVT-09", "EVT-10", "EVT-15")

    @on(Kind.COMPLETED)
    def completed(self, seen: Sighting) -> None:
        """A run that succeeded carries its answer, and the one that was streamed."""
        if seen.foreign or not seen.fresh:
            return
        story, answer = seen.story, seen.event.payload.final_response
        told = story.script
        if answer is UNSET and (told is None or not script.answer(told)):
            return  # the dialect has no field for it, and there was nothing to say
        self.exercised["EVT-09"] += 1
        answer = None if answer is UNSET else answer
        if answer is None or (not answer.strip() and (told is None or script.answer(told))):
            self.fail(
                "EVT-09",
                "a completed event without the final response",
                expected="final_response with the whole answer",
                actual=describe(answer),
                witnesses=[seen],
                run=story,
            )
        if story.text and not seen.incomplete and story.terminal is None:
            self._streamed(seen, answer or "")
        if told is not None and script.fails(told) and self.world.obeys_script:
            self._not_an_error(story.request, seen, "the run completed")

    def _streamed(self, seen: Sighting, answer: str) -> None:
        self.exercised["EVT-15"] += 1
        parts = sorted(seen.story.text, key=lambda part: part.event.seq or 0)
        streamed = "".join(part.event.payload.text or "" for part in parts)
        if streamed != answer and "\ufffd" not in streamed:  # else it may have been cut within a character
            at = next((i for i, (a, b) in enumerate(zip(streamed, answer, strict=False)) if a != b), None)
            at = min(len(streamed), len(answer)) if at is None else at
            self.fail(
                "EVT-15",
                f"the streamed text is not the final response: they part at character {at}",
                expected=shorten(answer[max(0, at - 20) :], 120),
                actual=shorten(streamed[max(0, at - 20) :], 120),
                witnesses=[parts[0], parts[-1], seen],
                run=seen.story,
            )

    def screen(self, told: Stretch) -> bool:
        """Every run answers, with what it streamed, and none was told to fail."""
        for run in told.ended:
            answer = told.events[run.stop - 1].payload.final_response
            if not answer or answer.isspace() or (run.text is not None and run.text != answer):
                return False
            if run.script is not None and script.fails(run.script):
                return False
        return True

    def tally(self, told: Stretch) -> None:
        """Count the answers."""
        self.exercised["EVT-09"] += len(told.ended)
        self.exercised["EVT-15"] += sum([run.text is not None for run in told.ended])

    @on(Kind.FAILED)
    def failed(self, seen: Sighting) -> None:
        """A run that failed says why."""
        if seen.foreign or not seen.fresh:
            return
        self.exercised["EVT-10"] += 1
        payload = seen.event.payload
        if not payload.code or not payload.message:
            self.fail(
                "EVT-10",
                "an error event that does not say what went wrong",
                expected="a code and a message",
                actual=f"code {payload.code!r}, message {payload.message!r}",
                witnesses=[seen],
                run=seen.story,
            )

    @on(ops.GaveUp)
    def gave_up(self, op: ops.GaveUp) -> None:
        """A failing run that ends in silence."""
        request = self.world.requests.get(op.ask) if op.ask is not None else None
        if request is None or op.late or op.awaited is not Awaited.TERMINAL or request.asked.script is None:
            return
        story = request.story
        queued = _queued(request, self.world.open_of.get(request.asked.user, ()))
        silent = story is not None and story.terminal is None and _silent(story, op) and not queued
        if silent and script.fails(request.asked.script) and self.world.obeys_script:
            self._not_an_error(request, self.here(op), "silence")

    @on(Kind.STOPPED)
    def stopped(self, seen: Sighting) -> None:
        """A failing run that ends as if it had been stopped."""
        story = seen.story
        if seen.foreign or not seen.fresh or story.terminal is not None or story.stop_asked is not None:
            return
        if story.script is not None and script.fails(story.script) and self.world.obeys_script:
            self._not_an_error(story.request, seen, "the run was stopped")

    def _not_an_error(self, request: Request | None, last: Evidence, actual: str) -> None:
        assert request is not None
        self.exercised["EVT-10"] += 1
        self.fail(
            "EVT-10",
            f"the model failed, yet {actual}" if actual != "silence" else "the model failed, and the run fell silent",
            expected="an error event with a code and a message",
            actual=actual,
            witnesses=[request, last],
            run=request.story,
        )
