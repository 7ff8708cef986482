"""Faults in what a user is told of tools."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from reference_impl.emitter import UserEventEmitter
from reference_impl.events import Event, EventType
from reference_impl.faulty.fault import fault
from reference_impl.faulty.story import SilentOn
from reference_impl.model import ToolCall
from reference_impl.tools import ToolDispatcher


@fault(
    "missing-tool-start",
    "Tools run without a tool_executing event; only their completion is told.",
    stands_for="A wrapper around tools that reports their results, added where the calls cannot be seen.",
    breaks=("EVT-05", "EVT-06"),
)
class MissingToolStart(SilentOn):
    """Only has eyes for results."""

    untold = EventType.TOOL_EXECUTING


@fault(
    "missing-tool-completion-on-error",
    "A tool that fails, is stopped or times out has no tool_completed event.",
    stands_for="A completion event after the call instead of in a finally: what raises skips it.",
    breaks=("EVT-05", "EVT-07"),
)
class MissingToolCompletionOnError(ToolDispatcher):
    """Reports what went well."""

    def report(self, call: ToolCall, tool_call_id: str, outcome: Mapping[str, Any], *, duration_ms: int) -> None:
        """Emit the completion of a call that has a result."""
        if outcome["status"] == "ok":
            super().report(call, tool_call_id, outcome, duration_ms=duration_ms)


@fault(
    "fake-tool-success",
    'A tool that fails is reported with status "ok", its error text as the result.',
    stands_for="A wrapper that returns str(error) as the tool's output, which its caller takes for success.",
    breaks=("EVT-11",),
)
class FakeToolSuccess(ToolDispatcher):
    """Reports that all is well."""

    def report(self, call: ToolCall, tool_call_id: str, outcome: Mapping[str, Any], *, duration_ms: int) -> None:
        """Emit the completion of a call, as a success."""
        if outcome["status"] == "error":
            outcome = {"status": "ok", "result": outcome["error"]["message"]}
        super().report(call, tool_call_id, outcome, duration_ms=duration_ms)


@fault(
    "tool-without-outcome",
    'The tool_completed event says "ok" and carries neither a result nor an error.',
    stands_for="Results left out of events because they can be large, and nothing put in their place.",
    breaks=("EVT-08",),
)
class ToolWithoutOutcome(ToolDispatcher):
    """Keeps results to itself."""

    def report(self, call: ToolCall, tool_call_id: str, outcome: Mapping[str, Any], *, duration_ms: int) -> None:
        """Emit the completion of a call, without a result."""
        told = {name: value for name, value in outcome.items() if name != "result"}
        super().report(call, tool_call_id, told, duration_ms=duration_ms)


@fault(
    "tool-completed-after-end",
    "The tool_completed events of a run come after its terminal event.",
    stands_for="Completions handed to a background task that the run does not wait for.",
    breaks=("EVT-03", "EVT-07"),
)
class ToolCompletedAfterEnd(UserEventEmitter):
    """Sees to the tools when everything else is done."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._later: list[Mapping[str, Any]] = []

    def emit(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """Put one event on record; a tool's completion after the run's end."""
        if type is EventType.TOOL_COMPLETED:
            self._later.append(payload)
            event = self.encode(type, payload)
            self._seq -= 1
            return event
        event = super().emit(type, payload)
        if type.terminal:
            for completion in self._later:
                super().emit(EventType.TOOL_COMPLETED, completion)
        return event


@fault(
    "swapped-tool-results",
    "Of tools that run at the same time, the first to complete is reported as the first that started.",
    stands_for="Results paired with calls by their order: a list or a queue where an id is needed.",
    breaks=("EVT-13", "EVT-11"),
)
class SwappedToolResults(UserEventEmitter):
    """First in, first out."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._open: deque[tuple[str, str]] = deque()

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event; a completion is that of the call that has waited longest."""
        if type is EventType.TOOL_EXECUTING:
            self._open.append((payload["tool_name"], payload["tool_call_id"]))
        elif type is EventType.TOOL_COMPLETED:
            tool_name, tool_call_id = self._open.popleft()
            payload = {**payload, "tool_name": tool_name, "tool_call_id": tool_call_id}
        return super().encode(type, payload)


@fault(
    "missing-tool-completion",
    "A tool that succeeds has no tool_completed event.",
    stands_for="A completion that is reported by the handler of errors alone.",
    breaks=("EVT-05", "EVT-07"),
)
class MissingToolCompletion(ToolDispatcher):
    """Reports what went wrong."""

    def report(self, call: ToolCall, tool_call_id: str, outcome: Mapping[str, Any], *, duration_ms: int) -> None:
        """Emit the completion of a call that has no result."""
        if outcome["status"] != "ok":
            super().report(call, tool_call_id, outcome, duration_ms=duration_ms)


@fault(
    "missing-tool-completion-on-stop",
    "A tool that is at work when its run is stopped has no tool_completed event.",
    stands_for="except Exception around a tool, which a cancellation passes by.",
    breaks=("EVT-05", "EVT-07"),
)
class MissingToolCompletionOnStop(ToolDispatcher):
    """Does not expect to be interrupted."""

    def report(self, call: ToolCall, tool_call_id: str, outcome: Mapping[str, Any], *, duration_ms: int) -> None:
        """Emit the completion of a call that came to its own end."""
        if outcome.get("error", {}).get("code") != "stopped":
            super().report(call, tool_call_id, outcome, duration_ms=duration_ms)


@fault(
    "doubled-tool-completion",
    "A tool that fails has two tool_completed events.",
    stands_for="A completion in the handler of errors, and another one in the finally after it.",
    breaks=("EVT-05",),
)
class DoubledToolCompletion(ToolDispatcher):
    """Repeats bad news."""

    def report(self, call: ToolCall, tool_call_id: str, outcome: Mapping[str, Any], *, duration_ms: int) -> None:
        """Emit the completion of a call, and of one that failed again."""
        super().report(call, tool_call_id, outcome, duration_ms=duration_ms)
        if outcome["status"] != "ok":
            super().report(call, tool_call_id, outcome, duration_ms=duration_ms)


@fault(
    "tool-start-after-tool",
    "A tool's start is sent when the tool is done, together with its completion.",
    stands_for="Events made of the finished trace of a call, or of a log that is read afterwards.",
    breaks=("DLV-03",),
)
class ToolStartAfterTool(UserEventEmitter):
    """Reports on what is over."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._held: dict[str, Mapping[str, Any]] = {}

    def emit(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """Put one event on record; a tool's start when it completes."""
        if type is EventType.TOOL_EXECUTING:
            self._held[payload["tool_call_id"]] = payload
            event = self.encode(type, payload)
            self._seq -= 1
            return event
        if type is EventType.TOOL_COMPLETED:
            super().emit(EventType.TOOL_EXECUTING, self._held.pop(payload["tool_call_id"]))
        return super().emit(type, payload)
