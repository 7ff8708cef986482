"""EVT: a run begins, thinks, ends once, and is silent afterwards."""

from typing import Any

from conformance.checks.check import EVERY_EVENT, Check, Evidence, Here, on, on_odd
from conformance.checks.silence import ended_somewhere, queued, silent
from conformance.events import Kind
from conformance.express.stretch import Stretch
from conformance.history import operations as ops
from conformance.history.operations import Awaited, ClosedBy
from conformance.recent import Recent
from conformance.story import Request, Sighting, Story

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
        keys = {run.question for run in told.begun}
        return len(keys) == len(told.begun) and not self._run_of.any_of(keys)

    def tally(self, told: Stretch) -> None:
        """Count starts and ends."""
        begun, ended = len(told.begun), len(told.ended)
        for requirement, times in (("EVT-01", begun), ("EVT-14", begun), ("EVT-02", ended), ("EVT-03", ended)):
            self.exercised[requirement] += times
        self._run_of.add_all([(run.question, run.story) for run in told.begun if run.story is not None])
        for run in told.ended if self._cut or self._silent else ():
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

    @on_odd(Story)
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
        request = self.world.request_of(op.ask)
        if request is None or not request.runs or op.late or request.refusal is not None:
            return
        if op.awaited not in (Awaited.TERMINAL, Awaited.STARTED, Awaited.ANSWER):
            return
        if op.awaited is Awaited.ANSWER and request.asked.behaviour == "greedy":
            return  # it may wait for the user's other runs to end
        story = request.story
        if op.awaited is Awaited.STARTED and story is not None:
            return  # it was taken on, and only has not come as far as the kit wanted
        if queued(request, self.world.open_of.get(request.asked.user, ())):
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
            if (
                request.refusal is None
                and not ended_somewhere(request.story)
                and silent(request.story, gave_up.op, self.world.run_limit_s)
            ):
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
