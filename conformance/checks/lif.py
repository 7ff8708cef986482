"""LIF: runs and resources live and die as they should."""

from typing import Any

from conformance import script
from conformance.checks.check import Check, Here, Unconcerned, ms, on, on_odd
from conformance.dialects.fields import shorten
from conformance.events import Accepted, Kind, Refusal
from conformance.express.stretch import Stretch
from conformance.history import operations as ops
from conformance.history.operations import Action, Awaited, ClosedBy
from conformance.recent import Recent
from conformance.story import Notice, Request, Sighting, Story

_ENDS = (Kind.COMPLETED, Kind.FAILED, Kind.STOPPED)
_BAD_INPUT = {Action.GARBAGE: "LIF-08", Action.UNKNOWN_TYPE: "LIF-09", Action.OVERSIZE: "LIF-10"}
_ANSWERS = {
    "LIF-08": "an error frame, and everyone else unharmed",
    "LIF-09": "an error frame (unknown_type)",
    "LIF-10": "an error frame (too_large) or close 1009",
}
_HTTP_ANSWERS = {
    "LIF-08": "an HTTP error (400), and everyone else unharmed",
    "LIF-09": "an HTTP error (400)",
    "LIF-10": "an HTTP error (413)",
}


class Repeats(Check):
    """The same request twice is one run."""

    decides = ("LIF-01",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._first: Recent[tuple[str, str], Notice] = Recent(1_024)

    def screen(self, told: Stretch) -> bool:
        """No request is repeated."""
        return not self._first.any_of([run.question for run in told.accepted])

    def tally(self, told: Stretch) -> None:
        """Remember the answers."""
        answers = [(run.question, run.notice) for run in told.accepted]
        self._first.add_all([(key, notice) for key, notice in answers if notice is not None])

    @on(Accepted)
    def accepted(self, notice: Notice) -> None:
        """Hold the answer to a repeated request against the first one."""
        event, user = notice.event, notice.connection.op.user
        assert isinstance(event, Accepted)
        if user is None or not event.request_id:
            return
        key = (user, event.request_id)
        first = self._first.get(key)
        if first is None:
            self._first.add(key, notice)
            return
        self.exercised["LIF-01"] += 1
        was = first.event
        assert isinstance(was, Accepted)
        if was.run_id != event.run_id:
            self.fail(
                "LIF-01",
                "a request sent twice is run twice",
                expected=f"run {was.run_id} again, with duplicate: true",
                actual=f"run {event.run_id}",
                witnesses=[first, notice],
            )


class Stopping(Check):
    """A stop request ends the run in time; so does its time limit."""

    decides = ("LIF-02", "LIF-03")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._refused: dict[int, tuple[Request, Notice]] = {}

    @on(*_ENDS)
    def ended(self, seen: Sighting) -> None:
        """A run that was asked to stop, or that ran into its limit, ends."""
        story = seen.story
        if seen.foreign or not seen.fresh or story.terminal is not None:
            return
        refused = self._refused.pop(story.number, None)
        if refused is not None:
            self._ended_after(seen, *refused)
        elif story.stop_asked is not None:
            self._stopped(seen, story.stop_asked)
        elif story.request is not None and story.request.asked.behaviour == "timeout":
            self._timed_out(seen, story.request)

    def screen(self, told: Stretch) -> bool:
        """No run is to end before its time."""
        return not any(run.asked.behaviour == "timeout" for run in told.ended)

    def _stopped(self, seen: Sighting, asked: ops.Asked) -> None:
        took = seen.op.at - asked.at
        bounds = self.world.bounds
        allowed = bounds.scaled_ms(bounds.stop_ms) * 1000
        if allowed < took <= allowed + self.world.slack_us(asked.at):
            return
        self.exercised["LIF-02"] += 1
        told = seen.story.script
        if seen.event.kind is Kind.FAILED and seen.event.payload.code == "timeout" and took <= allowed:
            return  # its time limit was faster
        if took > allowed:
            actual = f"{seen.event.kind.name.lower()} after {ms(took)}"
        elif seen.event.kind is not Kind.STOPPED and told is not None and script.hangs(told):
            actual = f"{seen.event.kind.name.lower()} instead"
        else:
            return
        self._not_stopped(seen.story, actual, [Here(self._line_of(asked), asked), seen])

    def _ended_after(self, seen: Sighting, request: Request, notice: Notice) -> None:
        """A run ends of which a stop was refused: it may have ended before, and its end have been under way."""
        bounds = self.world.bounds
        soon = bounds.scaled_ms(bounds.delivery_p95_ms) * 1000 + self.world.slack_us(notice.op.at)
        if seen.event.kind is Kind.STOPPED or seen.op.at - notice.op.at > soon:
            self._not_to_refuse(seen.story, request, notice)

    def _not_to_refuse(self, story: Story, request: Request, notice: Notice) -> None:
        self.exercised["LIF-02"] += 1
        self._not_stopped(story, f"refused: {shorten(notice.op.raw, 120)}", [request, notice])

    def _line_of(self, asked: ops.Asked) -> int:
        request = self.world.requests.get(asked.ask)
        return request.line if request else self.world.line

    def _not_stopped(self, story: Story | None, actual: str, witnesses: list[Any]) -> None:
        bounds = self.world.bounds
        self.fail(
            "LIF-02",
            "a stop request does not end the run in time",
            expected=f"the run stopped within {bounds.scaled_ms(bounds.stop_ms):,.0f} ms",
            actual=actual,
            witnesses=witnesses,
            run=story,
        )

    def _timed_out(self, seen: Sighting, request: Request) -> None:
        limit = self.world.run_limit_s
        if limit is None:
            return
        self.exercised["LIF-03"] += 1
        payload = seen.event.payload
        took = seen.op.at - request.asked.at - self.world.slack_us(request.asked.at)
        bounds = self.world.bounds
        allowed = limit * 1e6 + bounds.scaled_ms(bounds.stop_ms) * 1000
        if seen.event.kind is Kind.FAILED and payload.code == "timeout" and took <= allowed:
            return
        code = f" with code {payload.code}" if seen.event.kind is Kind.FAILED else ""
        self.fail(
            "LIF-03",
            "a run over its time limit does not end in a timeout error",
            expected=f"an error event with code timeout within {ms(allowed)}",
            actual=f"{seen.event.kind.name.lower()}{code} after {ms(took)}",
            witnesses=[request, seen],
            run=seen.story,
        )

    @on(ops.GaveUp)
    def gave_up(self, op: ops.GaveUp) -> None:
        """A run that neither stops nor runs into its limit."""
        request = self.world.request_of(op.ask)
        if request is None or op.late or op.awaited is not Awaited.TERMINAL or request.story is None:
            return
        story = request.story
        if story.terminal is not None:
            return
        if refused := self._refused.pop(story.number, None):
            self._not_to_refuse(story, *refused)
        elif story.stop_asked is not None:
            self.exercised["LIF-02"] += 1
            self._not_stopped(story, f"no end within {op.waited_ms:,} ms", [request, self.here(op)])
        elif request.asked.behaviour == "timeout" and self.world.run_limit_s is not None:
            self.exercised["LIF-03"] += 1
            self.fail(
                "LIF-03",
                "a run over its time limit goes on",
                expected=f"an error event with code timeout after {self.world.run_limit_s:g} s",
                actual=f"no end within {op.waited_ms:,} ms",
                witnesses=[request, self.here(op)],
                run=story,
            )

    @on(Refusal)
    def refused(self, notice: Notice) -> None:
        """A stop of one's own running run is not to be refused."""
        request = notice.request
        if request is None or request.asked.action is not Action.STOP or request.asked.owner is not None:
            return
        story = self.world.stories.get(request.asked.run_id or "")
        if story is not None and notice.connection.number in story.streams:  # elsewhere its end is not awaited
            self._refused.setdefault(story.number, (request, notice))

    @on_odd(Story)
    def settled(self, story: Story) -> None:
        """Nothing more comes: a run that was not to be stopped has no end either."""
        if refused := self._refused.pop(story.number, None):
            self._not_to_refuse(story, *refused)

    def finish(self) -> None:
        """Say what is missing to decide the time limit."""
        if not self.exercised["LIF-03"] and self.world.run_limit_s is None:
            self.undecided["LIF-03"] = "the run limit is not known: set [bounds] run_limit_s in the target file"


class Orphans(Check):
    """A run whose client is gone is finished and replayable, or stopped."""

    decides = ("LIF-04",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._left: dict[int, tuple[Story, Here]] = {}

    @on(ops.Closed)
    def closed(self, op: ops.Closed) -> None:
        """The client leaves while its run is open."""
        connection = self.world.connections[op.conn]
        if op.by is ClosedBy.TARGET or connection.op.user is None:
            return
        if self.world.connections_of(connection.op.user) or self.world.faults_on(None):
            return  # what becomes of the runs of a process that ends is for LIF-05 and LIF-06
        for story in self.world.open_of.get(connection.op.user, ()):
            if story.terminal is None and len(self._left) < 4_096:
                self._left[story.number] = (story, self.here(op))

    def screen(self, told: Stretch) -> bool:
        """No run that ends was left alone."""
        return not self._left or not any(run.story and run.story.number in self._left for run in told.ended)

    @on(*_ENDS)
    def ended(self, seen: Sighting) -> None:
        """A run that was left alone did end."""
        self.exercised["LIF-04"] += self._left.pop(seen.story.number, None) is not None

    @on(Refusal)
    def refused(self, notice: Notice) -> None:
        """The client came back for its run, and there is none."""
        request = notice.request
        if request is None or request.asked.action is not Action.RESUME or request.asked.owner is not None:
            return
        story = self.world.story_of(request.asked.run_id or "")
        left = self._left.pop(story.number, None) if story is not None else None
        if story is not None and left is not None:
            self._lost(story, left[1], f"refused: {shorten(notice.op.raw, 120)}", notice)

    @on(ops.GaveUp)
    def gave_up(self, op: ops.GaveUp) -> None:
        """The client came back for its run, and it never ends."""
        request = self.world.request_of(op.ask)
        if request is None or request.asked.action is not Action.RESUME or op.late:
            return
        story = self.world.story_of(request.asked.run_id or "")
        left = self._left.pop(story.number, None) if story is not None else None
        if story is not None and left is not None:
            self._lost(story, left[1], f"no end within {op.waited_ms:,} ms after coming back", self.here(op))

    def _lost(self, story: Story, left: Here, actual: str, last: Any) -> None:
        self.exercised["LIF-04"] += 1
        self.fail(
            "LIF-04",
            "a run whose client was gone is neither finished nor stopped",
            expected="its terminal event when the client comes back",
            actual=actual,
            witnesses=[*([story.last] if story.last else []), left, last],
            run=story,
        )


class BadInput(Unconcerned):
    """What cannot be understood gets an error, and harms nobody."""

    decides = ("LIF-08", "LIF-09", "LIF-10")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._open: dict[int, ops.Asked] = {}
        self._overfed: set[int] = set()

    @on(ops.Asked)
    def asked(self, op: ops.Asked) -> None:
        """Bad input goes out."""
        if op.action in _BAD_INPUT:
            self._open[op.conn] = op
        if op.action is Action.OVERSIZE:
            self._overfed.add(op.conn)

    @on(Refusal)
    def refused(self, notice: Notice) -> None:
        """It was answered by an error."""
        op = self._open.pop(notice.connection.number, None)
        if op is not None:
            self.exercised[_BAD_INPUT[op.action]] += 1

    @on(ops.Closed)
    def closed(self, op: ops.Closed) -> None:
        """It was answered by a close; or someone else's connection went down with it."""
        asked = self._open.pop(op.conn, None)
        overfed = op.conn in self._overfed
        self._overfed.discard(op.conn)
        connection = self.world.connections[op.conn]
        if connection.op.method != "websocket":
            if asked is not None and op.by is not ClosedBy.KIT and not self._unlimited(asked):
                self._report_input(_BAD_INPUT[asked.action], asked, "no error, as if it were well formed", op)
            return
        if op.by is not ClosedBy.TARGET:
            return
        if asked is not None:
            self._closed_on(asked, op)
        elif op.code not in (1001, 1008, 1012, 1013, 4408) and not overfed:  # its own input closed it, after the error
            culprit = next((a for a in self._open.values() if self._scenario(a.conn) == connection.op.scenario), None)
            if culprit is not None:
                requirement = _BAD_INPUT[culprit.action]
                self._report_input(requirement, culprit, f"another connection closed with {op.code}", op)

    @on(ops.Refused)
    def dropped(self, op: ops.Refused) -> None:
        """An HTTP request was not answered at all."""
        asked = self._open.pop(op.conn, None) if op.status is None else None
        if asked is not None and asked.action is not Action.OVERSIZE:
            self._report_input(_BAD_INPUT[asked.action], asked, f"no answer ({op.reason})", op)

    def _scenario(self, conn: int) -> str | None:
        connection = self.world.connections.get(conn)
        return connection.op.scenario if connection else None

    def _closed_on(self, asked: ops.Asked, op: ops.Closed) -> None:
        requirement = _BAD_INPUT[asked.action]
        if op.code in (1001, 1012, 4408):
            return  # for a reason of its own: the target restarts, or the kit reads too slowly
        if asked.action is Action.OVERSIZE and op.code == 1006:
            return  # a socket that is closed before all was read is reset, and the close frame may be lost with it
        self.exercised[requirement] += 1
        if requirement == "LIF-08" or op.code == 1009:
            return
        self._report_input(requirement, asked, f"the connection closed with {op.code}", op)

    @on(ops.GaveUp)
    def gave_up(self, op: ops.GaveUp) -> None:
        """It was not answered at all."""
        asked = self._open.get(op.conn)
        if asked is None or asked.ask != op.ask or op.late:
            return
        del self._open[op.conn]
        if self._unlimited(asked):
            return
        self._report_input(_BAD_INPUT[asked.action], asked, f"nothing within {op.waited_ms:,} ms", op)

    def _unlimited(self, asked: ops.Asked) -> bool:
        """Tell whether it is large input for a target of which nobody knows what it takes."""
        unknown = asked.action is Action.OVERSIZE and self.world.message_bytes is None
        if unknown:
            self.undecided["LIF-10"] = "the message limit is not known: set [bounds] message_bytes in the target file"
        return unknown

    def _report_input(self, requirement: str, asked: ops.Asked, actual: str, op: ops.Operation) -> None:
        connection = self.world.connections.get(asked.conn)
        over_http = connection is not None and connection.op.method != "websocket"
        request = self.world.requests.get(asked.ask)
        self.exercised[requirement] += 1
        self.fail(
            requirement,
            f"{asked.action.value.replace('_', ' ')} ({asked.behaviour or 'input'}) is not answered as it must be",
            expected=(_HTTP_ANSWERS if over_http else _ANSWERS)[requirement],
            actual=actual,
            witnesses=[*([request] if request else []), self.here(op)],
            user=asked.user,
        )
