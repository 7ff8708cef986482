"""DLV, by what the witness recorded: a tool's start is told while the tool runs."""

from conformance.checks.check import Here, on
from conformance.checks.grounded import Grounded
from conformance.checks.pairs import pair
from conformance.ground import ToolCall
from conformance.story import Story, Tool

_LONG_US = 200_000


class StartTold(Grounded):
    """The start of a tool that takes time arrives before the tool is done."""

    decides = ("DLV-03",)

    @on(Story)
    def settled(self, story: Story) -> None:
        """Hold the arrival of each start against the time at which the tool was done."""
        if not self.witnessed or story.request is None or story.stop_asked is not None or not story.tools:
            return
        for tool, call in pair(story, self.ground.tool_calls(story)).both:
            start = tool.started
            live = start.connection is story.request.connection and not start.connection.was_paused
            if not live or start.stream.resumed or start.event.payload.announced:
                continue
            if not call.completed or call.end is None:
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
