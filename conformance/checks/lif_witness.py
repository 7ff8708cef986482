"""LIF, by what the witness recorded: nothing of a run goes on when its user was told that it is over."""

from conformance.checks.check import Here, ms, on, on_odd
from conformance.checks.grounded import Grounded
from conformance.events import Kind
from conformance.ground import Call, ModelCall, ToolCall
from conformance.history import operations as ops
from conformance.history.operations import CallEnd, ClosedBy
from conformance.story import Story


class LeftBehind(Grounded):
    """A run that is over calls no more tools, and leaves no call open: stopped, finished, or left by its client."""

    decides = ("LIF-02", "LIF-04")

    @on(ops.ToolCallBegan)
    def called(self, op: ops.ToolCallBegan) -> None:
        """A tool is called: its run must not be over."""
        call = self.ground.tools.open.get(op.call) if self.witnessed else None
        story = self.ground.run_of(call) if call is not None else None
        if call is None or story is None or story.terminal is None:
            return
        if call.run_id is None and self.world.open_of.get(story.user):
            return  # a later run may go on with the words of an earlier one
        ended = story.terminal.op.at
        after = op.at - ended
        if after - self.late_us(ended, op.at) <= self._under_way():
            return
        requirement = _requirement(story, call)
        self.exercised[requirement] += 1
        self.fail(
            requirement,
            "a tool is called after its user was told that the run is over",
            expected=f"no more calls after {_kind(story)}",
            actual=f"a call of {op.tool} {ms(after)} later",
            witnesses=[story.terminal, self.here(op)],
            run=story,
        )

    @on(ops.ModelCallEnded, ops.ToolCallEnded)
    def ended(self, op: ops.ModelCallEnded | ops.ToolCallEnded) -> None:
        """A call ends: its run must not have been over for long."""
        call = self.ground.ended
        if self.witnessed and call is not None and op.end is not CallEnd.SHUT_DOWN:
            self._outlives(call, op.at)

    def _outlives(self, call: Call, until: int) -> None:
        """Report a call that was made within its run and is open when nothing of the run may be open any more."""
        story = self.ground.run_of(call)
        if story is None or story.terminal is None:
            return
        ended = story.terminal.op.at
        within = ended + (self._under_way() if isinstance(call, ToolCall) else 0)
        if call.op.at >= within or until - self.late_us(ended, until) <= self._deadline(story):
            return
        requirement = _requirement(story, call)
        self.exercised[requirement] += 1
        self.fail(
            requirement,
            f"a run is over, and {_what(call)} goes on",
            expected=f"no open call after {_kind(story)}",
            actual=f"a call that is still open {ms(until - ended)} later",
            witnesses=[
                Here(call.line, call.op),
                story.terminal,
                *([Here(call.end_line, call.end)] if call.end else []),
            ],
            run=story,
        )

    def _deadline(self, story: Story) -> float:
        """Return when nothing of a run that is over may be open any more, in µs."""
        assert story.terminal is not None
        ended, bounds = story.terminal.op.at, self.world.bounds
        asked = story.stop_asked.at if story.stop_asked is not None else ended
        return max(ended + self._under_way(), asked + bounds.scaled_ms(bounds.stop_ms) * 1000)

    def _under_way(self) -> float:
        """Return for how long a call may have been on its way, in µs."""
        return self.world.bounds.scaled_ms(self.world.bounds.delivery_p95_ms) * 1000

    @on_odd(Story)
    def settled(self, story: Story) -> None:
        """Count the runs that could have left something behind."""
        if not self.witnessed or story.request is None:
            return
        if story.terminal is None:
            self._alone(story, story.request.connection.closed)
            return
        if self.world.now <= self._deadline(story):
            return
        closed = story.request.connection.closed
        tools = self.ground.tool_calls(story)
        if story.stop_asked is not None and story.terminal.event.kind is Kind.STOPPED:
            self.exercised["LIF-02"] += bool(tools)
        elif closed is not None and closed.at < story.terminal.op.at:
            self.exercised["LIF-04"] += bool(tools or self.ground.model_calls(story))

    def _alone(self, story: Story, left: ops.Closed | None) -> None:
        """Judge a run whose client left and never heard of its end: its calls come to an end all the same."""
        if left is None or left.by is ClosedBy.TARGET:
            return
        calls: list[Call] = [*self.ground.tool_calls(story), *self.ground.model_calls(story)]
        going = [call for call in calls if call.end is None or call.end.at > left.at]
        still = [call for call in going if call.end is None]
        if still:
            self._never_ends(story, still[0], left)
        else:
            self.exercised["LIF-04"] += any(map(_says_something, going))

    def _never_ends(self, story: Story, call: Call, left: ops.Closed) -> None:
        """Report a call that is open for longer than a run may take, if that is known."""
        limit, bounds, since = self.world.run_limit_s, self.world.bounds, max(left.at, call.op.at)
        if limit is None:
            return
        open_us = self.world.now - since
        if open_us - self.late_us(since, self.world.now) <= limit * 1e6 + bounds.scaled_ms(bounds.stop_ms) * 1000:
            return
        self.exercised["LIF-04"] += 1
        self.fail(
            "LIF-04",
            f"the client of a run is gone, and {_what(call)} goes on",
            expected=f"its end within the {limit:g} s that a run may take",
            actual=f"a call that is still open after {ms(open_us)}",
            witnesses=[Here(call.line, call.op)],
            run=story,
        )

    def finish(self) -> None:
        """What is still open never ended."""
        still: list[Call] = [*self.ground.model.open.values(), *self.ground.tools.open.values()]
        for call in still:
            self._outlives(call, self.world.now)


def _requirement(story: Story, call: Call) -> str:
    """Tools of a run that was stopped are LIF-02's, all else is LIF-04's."""
    return "LIF-02" if story.stop_asked is not None and isinstance(call, ToolCall) else "LIF-04"


def _says_something(call: Call) -> bool:
    """Tell whether the end of a call that its client did not wait for shows a run that was stopped, or went on.

    A tool that came to its own end shows neither.
    """
    return isinstance(call, ModelCall) or (call.end is not None and call.end.end is CallEnd.CLIENT_GONE)


def _what(call: Call) -> str:
    return f"its call of {call.op.tool}" if isinstance(call, ToolCall) else "its call of the model"


def _kind(story: Story) -> str:
    assert story.terminal is not None
    return story.terminal.event.kind.name.lower()
