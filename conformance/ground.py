"""Ground truth: the calls of model and tools that the witness recorded, and whose they are.

A call is a run's where it names that run, or where what it was told holds the canary of the question that asked for the
run; or, for a tool, where the model call is the run's that asked for it. A call of which that cannot be told, or which
says two things at once, is nobody's. Memory is bounded.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

import msgspec
from msgspec.structs import replace

from conformance import canary
from conformance.history import operations as ops
from conformance.history.operations import Asked
from conformance.recent import Recent
from conformance.story import Request, Story

_REMEMBERED = 2_048
_CALLS = 4_096
_OF_A_RUN = 512
_EMITTED = 4_096


class ModelCall(msgspec.Struct, eq=False):
    """A call of the model; `op` without what the model was shown, `shown` the canaries in that."""

    line: int
    op: ops.ModelCallBegan
    canary: str | None
    shown: frozenset[str] = frozenset()
    end: ops.ModelCallEnded | None = None
    end_line: int = 0

    @property
    def run_id(self) -> str | None:
        """The run that it names."""
        return self.op.run_id


class ToolCall(msgspec.Struct, eq=False):
    """A call of a tool; `canary` is the one in its arguments, `asked_by` the model call that asked for it, if known."""

    line: int
    op: ops.ToolCallBegan
    canary: str | None
    asked_by: ModelCall | None = None
    end: ops.ToolCallEnded | None = None
    end_line: int = 0

    @property
    def run_id(self) -> str | None:
        """The run that it names."""
        return self.op.run_id

    @property
    def completed(self) -> bool:
        """Whether it came to a result."""
        return self.end is not None and self.end.end is ops.CallEnd.COMPLETED


Call = ModelCall | ToolCall
C = TypeVar("C", ModelCall, ToolCall)


class Calls(Generic[C]):
    """Calls of one kind: the latest, and those that name a run or hold a canary."""

    def __init__(self) -> None:
        self.latest: deque[C] = deque(maxlen=_CALLS)
        self.open: dict[int, C] = {}
        self._of: Recent[str, list[C]] = Recent(_REMEMBERED)

    def begin(self, call: C, number: int, names: Iterable[str | None]) -> None:
        """Enter a call under the runs and canaries that it names."""
        self.latest.append(call)
        if len(self.open) < _CALLS:
            self.open[number] = call
        for name in dict.fromkeys(names):
            if name is None:
                continue
            known = self._of.get(name)
            if known is None:
                self._of.add(name, [call])
            elif len(known) < _OF_A_RUN:
                known.append(call)

    def named(self, *names: str | None) -> list[C]:
        """Return the calls under any of these names, in the order in which they began."""
        found = {call.line: call for name in names if name for call in self._of.get(name) or ()}
        return [found[line] for line in sorted(found)]

    def between(self, since: int, until: int) -> Iterator[C]:
        """Yield the calls that began in that time (µs), the latest first."""
        for call in reversed(self.latest):
            if call.op.at < since:
                return
            if call.op.at <= until:
                yield call

    def remembers(self, since: int) -> bool:
        """Tell whether every call that began since then (µs) is remembered."""
        return len(self.latest) < _CALLS or self.latest[0].op.at < since


class Ground:
    """What the witness saw, if there is one (`witnessed`).

    `requests` and `story_of` are the world's: questions by number, runs by id. `executed` names the tools that came to
    a result, `ended` is the call that ended last.
    """

    def __init__(
        self, requests: Recent[int, Request], story_of: Callable[[str], Story | None], *, witnessed: bool
    ) -> None:
        self.witnessed = witnessed
        self.model: Calls[ModelCall] = Calls()
        self.tools: Calls[ToolCall] = Calls()
        self.executed: set[str] = set()
        self.ended: Call | None = None
        self._speakers: set[str] = set()
        self._requests = requests
        self._story_of = story_of
        self._asks: Recent[str, list[int]] = Recent(_REMEMBERED)
        self._emitted: Recent[str, ModelCall] = Recent(_EMITTED)

    def asked(self, op: Asked) -> None:
        """Take in a question."""
        if op.canary and self.witnessed:
            self._asks.add(op.canary, [*(self._asks.get(op.canary) or ()), op.ask][-8:])
            if len(self._speakers) < 2:  # two show that there is another than any third
                self._speakers.add(op.user)

    def others_spoke(self, user: str) -> bool:
        """Tell whether anybody else has said anything so far."""
        return bool(self._speakers - {user})

    def enter(self, op: ops.Operation, line: int) -> None:
        """Take in what the witness recorded."""
        match op:
            case ops.ModelCallBegan():
                shown = frozenset(canary.find("\n".join(item.text for item in op.seen).encode(errors="replace")))
                call = ModelCall(line, replace(op, seen=()), op.canary, shown)
                self.model.begin(call, op.call, (op.run_id, *shown))
            case ops.ModelCallEnded():
                self._model_ended(op, line)
            case ops.ToolCallBegan():
                self._tool_began(op, line)
            case ops.ToolCallEnded():
                self.ended = tool = self.tools.open.pop(op.call, None)
                if tool is not None:
                    tool.end, tool.end_line = op, line
                    if tool.completed:
                        self.executed.add(tool.op.tool)
            case _:
                pass

    def _model_ended(self, op: ops.ModelCallEnded, line: int) -> None:
        self.ended = call = self.model.open.pop(op.call, None)
        if call is None:
            return
        call.end, call.end_line = replace(op, tool_calls=(), thoughts=()), line
        for emitted in op.tool_calls:
            known = self._emitted.get(emitted.id)
            if known is None or (known.canary, known.run_id) == (call.canary, call.run_id):
                self._emitted.add(emitted.id, call)
            else:  # one id for the calls of two runs says nothing
                self._emitted.discard(emitted.id)

    def _tool_began(self, op: ops.ToolCallBegan, line: int) -> None:
        found = set(canary.find(msgspec.json.encode(op.arguments)))
        asked_by = self._emitted.get(op.tool_call_id) if op.tool_call_id else None
        own = found.pop() if len(found) == 1 else None
        call = ToolCall(line, op, own, asked_by)
        names = (op.run_id, own, asked_by.canary if asked_by else None, asked_by.run_id if asked_by else None)
        self.tools.begin(call, op.call, names)

    # -- whose a call is --------------------------------------------------------------------------------------------

    def run_of(self, call: Call) -> Story | None:
        """Return the run whose call it is, None where that cannot be told (yet)."""
        found = [self._story_of(call.run_id) if call.run_id else None, self._asked_with(call.canary)]
        if isinstance(call, ToolCall) and call.asked_by is not None:
            found.append(self.run_of(call.asked_by))
        runs = [story for story in found if story is not None]
        return runs[0] if runs and all(story is runs[0] for story in runs) else None

    def _asked_with(self, token: str | None) -> Story | None:
        """Return the run that was asked for with a canary; None where there may be several."""
        asks = self._asks.get(token) if token else None
        requests = [self._requests.get(ask) for ask in asks or ()]
        stories = [request.story if request is not None else None for request in requests]
        return stories[0] if stories and all(story is stories[0] for story in stories) else None

    def model_calls(self, story: Story) -> list[ModelCall]:
        """Return a run's calls of the model, in the order in which they began."""
        return [call for call in self.model.named(story.run_id, _canary(story)) if self.run_of(call) is story]

    def tool_calls(self, story: Story) -> list[ToolCall]:
        """Return a run's calls of tools, in the order in which they began."""
        return [call for call in self.tools.named(story.run_id, _canary(story)) if self.run_of(call) is story]

    def perhaps(self, calls: Calls[C], story: Story, until: int) -> list[C] | None:
        """Return the calls since a run was asked for that may be its own; None where not all are remembered."""
        since = story.request.asked.at if story.request is not None else story.born_at
        if not calls.remembers(since):
            return None
        token = _canary(story)
        return [c for c in calls.between(since, until) if self.run_of(c) is None or (token and token in _words(c))]


def _canary(story: Story) -> str | None:
    return story.request.asked.canary if story.request is not None else None


def _words(call: Call) -> Sequence[str | None] | frozenset[str]:
    return call.shown if isinstance(call, ModelCall) else (call.canary,)
