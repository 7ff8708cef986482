"""EVT, by what the witness recorded: tool events tell of calls that took place, and the answer is the model's."""

import re

from conformance import script
from conformance.checks.check import Here, on_odd
from conformance.checks.grounded import Grounded, wholly_told
from conformance.checks.pairs import Pairs, pair, same_parameters, same_tool
from conformance.dialects.fields import describe, shorten
from conformance.events import Kind
from conformance.ground import ModelCall, ToolCall
from conformance.history.operations import CallEnd
from conformance.story import Story, Tool

TOOLS = ("echo", "sleep", "fail", "hang", "remember", "recall")
_TELLING = 16


class ToolsTold(Grounded):
    """Each tool that is told of was called, as it is told, and each that was called is told of."""

    decides = ("EVT-12",)

    @on_odd(Story)
    def settled(self, story: Story) -> None:
        """Hold the tools of a run's story against the calls that it made."""
        if not self.witnessed or story.request is None or story.terminal is None or not self.ground.executed:
            return
        pairs = pair(story, self.ground.tool_calls(story))
        self.exercised["EVT-12"] += len(pairs.both)
        for tool, call in pairs.both:
            if not _as_told(tool, call):
                self._changed(story, tool, call)
        for tool, call in pairs.changed:
            self._changed(story, tool, call)
        self._made_up(story, pairs)
        if wholly_told(story):
            self._untold(story, pairs)

    def _changed(self, story: Story, tool: Tool, call: ToolCall) -> None:
        payload = tool.started.event.payload
        if same_tool(payload.tool_name, call.op.tool) and not call.completed:
            return  # it may be an attempt that was given up, and the one that is told was never made
        self.exercised["EVT-12"] += 1
        self.fail(
            "EVT-12",
            "a tool call is told otherwise than it took place",
            expected=f"{call.op.tool}({shorten(describe(call.op.arguments), 120)})",
            actual=f"{payload.tool_name}({shorten(describe(payload.parameters), 120)})",
            witnesses=[Here(call.line, call.op), tool.started],
            run=story,
        )

    def _made_up(self, story: Story, pairs: Pairs) -> None:
        """Of tools that are known to be the witness': no call that may be the run's fits what is told."""
        told = [tool for tool in pairs.told if self._is_witnessed(tool)]
        if not told or story.script is None or story.terminal is None:
            return
        perhaps = self.ground.perhaps(self.ground.tools, story, story.terminal.op.at)
        if perhaps is None:
            return
        for tool in told:
            payload = tool.started.event.payload
            if any(same_tool(payload.tool_name, c.op.tool) for c in perhaps if self.ground.run_of(c) is not story):
                continue
            assert tool.completed is not None
            self.exercised["EVT-12"] += 1
            self.fail(
                "EVT-12",
                "a tool call is told that did not take place",
                expected=f"a call of {payload.tool_name}({shorten(describe(payload.parameters), 120)})",
                actual="none that is left over" if pairs.both else "none",
                witnesses=[tool.started, tool.completed],
                run=story,
            )

    def _is_witnessed(self, tool: Tool) -> bool:
        completed = tool.completed
        if completed is None or completed.event.payload.status == "error":
            return False  # it may have failed, or been stopped, before it was called
        name = tool.started.event.payload.tool_name
        return any(same_tool(name, known) for known in self.ground.executed)

    def _untold(self, story: Story, pairs: Pairs) -> None:
        """Calls that came to a result within the run, and that none of its events tell."""
        assert story.request is not None
        assert story.terminal is not None
        began, ended = story.request.asked.at, story.terminal.op.at
        for call in pairs.made:
            within = began <= call.op.at and call.end is not None and call.end.at <= ended
            if not call.completed or not within or self._within_another(story, call):
                continue
            self.exercised["EVT-12"] += 1
            self.fail(
                "EVT-12",
                "a tool was called, and its user was not told",
                expected="the start and the completion of every call",
                actual=f"none for this call of {call.op.tool}({shorten(describe(call.op.arguments), 120)})",
                witnesses=[Here(call.line, call.op), story.terminal],
                run=story,
            )

    def _within_another(self, story: Story, call: ToolCall) -> bool:
        """Tell whether a tool of the engine's own was under way, which may be told in the place of what it calls."""
        own = [tool for tool in story.tools.values() if not any(same_tool(_name(tool), known) for known in TOOLS)]
        return any(tool.completed is None or tool.completed.op.at >= call.op.at for tool in own)

    def finish(self) -> None:
        """Say why nothing was decided, where the tools are not the witness'."""
        if self.witnessed and not self.ground.executed:
            self.undecided["EVT-12"] = "no tool call reached the witness: is the target wired to its tools?"


def _name(tool: Tool) -> str:
    name: str = tool.started.event.payload.tool_name
    return name


def _as_told(tool: Tool, call: ToolCall) -> bool:
    payload = tool.started.event.payload
    return same_tool(payload.tool_name, call.op.tool) and same_parameters(payload.parameters, call.op.arguments)


class AnswerTold(Grounded):
    """What the model said is what its user is told."""

    decides = ("EVT-16",)

    @on_odd(Story)
    def settled(self, story: Story) -> None:
        """Hold a run's answer against what its model calls said."""
        terminal = story.terminal
        if not self.witnessed or terminal is None or terminal.event.kind is not Kind.COMPLETED:
            return
        if story.request is None or story.stop_asked is not None or story.request.asked.owner is not None:
            return
        answer = _answer(story)
        if answer is None:
            return
        calls = [call for call in self.ground.model_calls(story) if call.op.at <= terminal.op.at]
        if calls:
            self._compared(story, answer, calls)
        elif answer.strip():
            self._by_nobody(story, answer)

    def _compared(self, story: Story, answer: str, calls: list[ModelCall]) -> None:
        ends = [call.end for call in calls if call.end is not None and call.end.end is CallEnd.COMPLETED]
        if len(ends) < len(calls):
            return
        said = [end.text for end in ends if end.text.strip()]
        if not said:
            return
        told = tells(answer, said)
        if told is None or (not told and self._may_be_of_others(story)):
            return
        self.exercised["EVT-16"] += 1
        if told:
            return
        assert story.terminal is not None
        best = said[-1] if answer.strip() in said[-1] or len(said) == 1 else "".join(said)
        at = next(
            (i for i, (a, b) in enumerate(zip(answer, best, strict=False)) if a != b), min(len(answer), len(best))
        )
        last = calls[-1]
        assert last.end is not None
        self.fail(
            "EVT-16",
            f"the answer is not what the model said: they part at character {at}",
            expected=shorten(best[max(0, at - 20) :], 120) or "the end of the answer",
            actual=shorten(answer[max(0, at - 20) :], 120) or "the end of the answer",
            witnesses=[Here(last.end_line, last.end), story.terminal],
            run=story,
        )

    def _may_be_of_others(self, story: Story) -> bool:
        """Tell whether there are calls of the model that may be the run's, though that cannot be told."""
        assert story.terminal is not None
        perhaps = self.ground.perhaps(self.ground.model, story, story.terminal.op.at)
        return perhaps is None or any(self.ground.run_of(call) is not story for call in perhaps)

    def _by_nobody(self, story: Story, answer: str) -> None:
        """An answer, though no model was asked: what it should have said is known from the script."""
        assert story.request is not None
        assert story.terminal is not None
        if story.script is None or not script.answer(story.script).strip() or not self.world.obeys_script:
            return
        if not self.ground.model.latest or self._may_be_of_others(story):
            return
        self.exercised["EVT-16"] += 1
        self.fail(
            "EVT-16",
            "an answer that no model gave",
            expected="a call of the model that was shown the user's message",
            actual=f"none, and the answer {shorten(describe(answer), 120)}",
            witnesses=[story.request, story.terminal],
            run=story,
        )

    def finish(self) -> None:
        """Say why nothing was decided, where the model is not the witness'."""
        if self.witnessed and not self.ground.model.latest:
            self.undecided["EVT-16"] = "no model call reached the witness: is the target wired to its model?"


def _answer(story: Story) -> str | None:
    """Return the answer that a run's user was told, None where that is not known."""
    assert story.terminal is not None
    answer = story.terminal.event.payload.final_response
    if isinstance(answer, str):
        return answer
    if not wholly_told(story) or not story.text:
        return None
    parts = sorted(story.text, key=lambda part: part.event.seq or 0)
    return "".join(part.event.payload.text or "" for part in parts)


def tells(answer: str, said: list[str]) -> bool | None:
    """Tell whether an answer is what the model said: in its last call, or in all up to it; None where it may be.

    Calls beside the agent's own, such as for a title, may have said the same again. White space between two calls, and
    words of the engine's own around the model's, change nothing that the model said; but the model's words come once.
    """
    maybe = False
    for texts in (said, list(dict.fromkeys(said))):
        for first in range(len(texts)):
            words = [text.strip() for text in texts[first:]]
            found = re.findall(r"\s*".join(map(re.escape, words)), answer)
            if len(found) == 1 or answer.strip() == "".join(texts[first:]).strip():
                return True
            maybe = maybe or (len(found) > 1 and sum(map(len, words)) < _TELLING)
    return None if maybe else False
