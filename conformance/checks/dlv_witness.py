"""DLV, by what the witness recorded: a tool's start is told while the tool runs, its end when it ends."""

from typing import Any

from conformance.checks.check import Evidence, Here, ms, on_odd
from conformance.checks.grounded import Grounded
from conformance.checks.pairs import pair
from conformance.ground import ToolCall
from conformance.story import Sighting, Story, Tool

_LONG_US = 200_000
_ENOUGH = 3


class StartTold(Grounded):
    """The start of a tool that takes time arrives before the tool is done."""

    decides = ("DLV-03",)

    @on_odd(Story)
    def settled(self, story: Story) -> None:
        """Hold the arrival of each start against the time at which the tool was done."""
        if not self.witnessed or story.request is None or story.stop_asked is not None or not story.tools:
            return
        for tool, call in pair(story, self.ground.tool_calls(story)).both:
            start = tool.started
            if not _live(start, story) or start.event.payload.announced or not call.completed or call.end is None:
                continue
            if call.end.at - call.op.at < _LONG_US or self.late_us(call.op.at, start.op.at):
                continue
            self.exercised["DLV-03"] += 1
            if start.op.at > call.end.at:
                self._late(story, tool, call)

    def _late(self, story: Story, tool: Tool, call: ToolCall) -> None:
        assert call.end is not None
        took, after = (call.end.at - call.op.at) / 1000, (tool.started.op.at - call.op.at) / 1000
        self.fail(
            "DLV-03",
            "a tool's start arrives when the tool is done",
            expected=f"the start within the {took:,.0f} ms that the tool ran",
            actual=f"{after:,.0f} ms after the tool was called",
            witnesses=[Here(call.line, call.op), Here(call.end_line, call.end), tool.started],
            run=story,
        )


class EndTold(Grounded):
    """The end of a tool is told when it ends, not when the slowest of those beside it is done.

    A slow target may tell a few ends late. One that holds them back does so in each of at least three runs.
    """

    decides = ("DLV-03",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._in_time = 0
        self._held: list[tuple[Story, list[Evidence], str]] = []

    @on_odd(Story)
    def settled(self, story: Story) -> None:
        """Look at the tools of a run that were done long before others beside them."""
        if not self.witnessed or story.request is None or story.stop_asked is not None:
            return
        pairs = [
            (tool.completed, call, call.end)
            for tool, call in pair(story, self.ground.tool_calls(story)).both
            if tool.completed is not None and call.completed and call.end is not None
        ]
        held: tuple[Story, list[Evidence], str] | None = None
        for told, call, end in pairs:
            beside = [(other, last) for _, other, last in pairs if other.op.at < end.at]
            slowest, last = max(beside, key=lambda one: one[1].at)
            apart = last.at - end.at
            if apart < _LONG_US or not _live(told, story) or self.late_us(end.at, told.op.at) > apart / 2:
                continue
            if told.op.at < last.at:
                self._in_time += 1
                return
            evidence: list[Evidence] = [Here(call.end_line, end), Here(slowest.end_line, last), told]
            held = held or (story, evidence, ms(told.op.at - end.at))
        if held is not None and len(self._held) < _ENOUGH:
            self._held.append(held)

    def finish(self) -> None:
        """Judge all runs together."""
        self.exercised["DLV-03"] += self._in_time
        if self._in_time or len(self._held) < _ENOUGH:
            return
        self.exercised["DLV-03"] += len(self._held)
        for story, evidence, late in self._held:
            self.fail(
                "DLV-03",
                "a tool's end is told only when the slowest tool beside it is done",
                expected="the completion of each tool when that tool is done, in at least one run",
                actual=f"{late} after it",
                witnesses=evidence,
                run=story,
            )


def _live(told: Sighting, story: Story) -> bool:
    """Tell whether an event came to who asked, as it was sent."""
    connection = told.connection
    asked = story.request is not None and connection is story.request.connection
    return asked and not connection.held_back and not told.stream.resumed
