"""Faults of a run's story: its beginning, its thoughts, its answer, its end."""

from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from typing import Any, ClassVar

from reference_impl.agent_run import AgentRun
from reference_impl.connection import Connection
from reference_impl.context import UserExecutionContext, UserId
from reference_impl.emitter import UserEventEmitter
from reference_impl.engine import ExecutionEngine
from reference_impl.errors import ModelFailed
from reference_impl.events import Event, EventType, format_timestamp
from reference_impl.faulty.fault import fault
from reference_impl.faulty.rewriting import off_the_books, rewritten
from reference_impl.model import Move, Prompt, Say, ScriptedModel
from reference_impl.websocket_manager import WebSocketManager


class SilentOn(UserEventEmitter):
    """Does not tell events of one type. They get no number, so that nothing but the event is missing."""

    untold: EventType

    def emit(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """Put one event on record, unless it is of that type."""
        if type is not self.untold:
            return super().emit(type, payload)
        event = self.encode(type, payload)
        self._seq -= 1
        return event


@fault(
    "missing-start",
    "No run has an agent_started event.",
    stands_for="A start event that is sent before the connection is entered for the run, to nobody.",
    breaks=("EVT-01",),
)
class MissingStart(SilentOn):
    """Begins in the middle."""

    untold = EventType.AGENT_STARTED


@fault(
    "missing-thinking",
    "No run reports what its agent thinks.",
    stands_for="A hook for reasoning that the agent's new framework never calls.",
    breaks=("EVT-04",),
)
class MissingThinking(SilentOn):
    """Thinks by itself."""

    untold = EventType.AGENT_THINKING


@fault(
    "missing-completion",
    "A run that succeeds has no agent_completed event, nor any other end.",
    stands_for="A completion event on a path that the new streaming loop returns before.",
    breaks=("EVT-02", "LIF-04", "DLV-08"),
)
class MissingCompletion(SilentOn):
    """Falls silent when it is done."""

    untold = EventType.AGENT_COMPLETED


@fault(
    "two-terminals",
    "A run that ends in agent_completed ends a second time, in agent_error.",
    stands_for="Work after the completion event, such as saving the answer, whose failure is reported as the run's.",
    breaks=("EVT-02", "EVT-03"),
)
class TwoTerminals(UserEventEmitter):
    """Fails after it has succeeded."""

    def emit(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """Put one event on record, and after a completion an error."""
        event = super().emit(type, payload)
        if type is EventType.AGENT_COMPLETED:
            error = {"code": "internal", "message": "The answer could not be saved.", "retryable": True}
            self._journal.append(off_the_books(self.encode(EventType.AGENT_ERROR, error)))
        return event


@fault(
    "completed-twice",
    "A run that succeeds has two agent_completed events.",
    stands_for="A completion event that both the agent and the engine around it send, each to be sure.",
    breaks=("EVT-02", "EVT-03"),
)
class CompletedTwice(UserEventEmitter):
    """Makes sure."""

    def emit(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """Put one event on record; a completion twice."""
        event = super().emit(type, payload)
        if type is EventType.AGENT_COMPLETED:
            self._journal.append(off_the_books(self.encode(type, payload)))
        return event


@fault(
    "completed-instead-of-error",
    "A run whose model fails ends in agent_completed, with an answer that sounds like one.",
    stands_for="A broad except around the model that falls back to a canned answer.",
    breaks=("EVT-10",),
)
class CompletedInsteadOfError(ScriptedModel):
    """Always has something to say."""

    async def respond(self, prompt: Prompt) -> AsyncGenerator[Move, None]:
        """The model's moves; a failure is talked over."""
        try:
            async for move in super().respond(prompt):
                yield move
        except ModelFailed:
            yield Say("That is all I can say about it.")


@fault(
    "empty-answer",
    "The agent_completed event carries an empty final_response, though the agent gave an answer.",
    stands_for="An answer that is read from another field of the framework's result than the one that holds it.",
    breaks=("EVT-09", "EVT-15"),
)
class EmptyAnswer(UserEventEmitter):
    """Has said it all before."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event; a completion without its answer."""
        if type is EventType.AGENT_COMPLETED:
            payload = {**payload, "final_response": ""}
        return super().encode(type, payload)


@fault(
    "trimmed-chunks",
    "Each piece of the streamed answer loses the white space at its ends.",
    stands_for="A helper that strips text, in a loop over pieces of a text.",
    breaks=("EVT-15",),
)
class TrimmedChunks(UserEventEmitter):
    """Likes tidy pieces."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event; a piece of the answer trimmed."""
        if type is EventType.MESSAGE_CHUNK:
            payload = {**payload, "text": payload["text"].strip()}
        return super().encode(type, payload)


class NeverCleansUp(ExecutionEngine):
    """Has no net for what its time limit does not end."""

    async def cleanup(self, *, older_than_s: float) -> None:
        """Leave everything as it is."""


@fault(
    "no-time-limit",
    "A run may take as long as it likes; with a tool that hangs it never ends.",
    stands_for="A time limit that is announced and configured, and that nothing enforces.",
    breaks=("LIF-03", "EVT-02", "EVT-05"),
    with_parts=(NeverCleansUp,),
)
class NoTimeLimit(AgentRun):
    """Has all the time in the world."""

    def __init__(self, *args: Any, limit_s: float) -> None:
        super().__init__(*args, limit_s=limit_s * 1000)


@fault(
    "started-twice",
    "A run has two agent_started events: the engine's, and the agent's own when it sets out.",
    stands_for="A start event that both the agent and the engine around it send, each to be sure.",
    breaks=("EVT-01", "EVT-14"),
)
class StartedTwice(UserEventEmitter):
    """Sets out twice."""

    def emit(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """Put one event on record; a start twice."""
        if type is EventType.AGENT_STARTED:
            super().emit(type, payload)
        return super().emit(type, payload)


@fault(
    "nested-start",
    "A run whose agent calls tools at the same time starts anew for them, under the same id.",
    stands_for="A sub-agent that gets its parent's emitter, and reports its own life through it.",
    breaks=("EVT-01", "EVT-14"),
)
class NestedStart(UserEventEmitter):
    """Begins again in the middle."""

    _open = 0

    def emit(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """Put one event on record; before the second of two open tools a start."""
        if type is EventType.TOOL_EXECUTING:
            self._open += 1
            if self._open == 2:
                super().emit(EventType.AGENT_STARTED, {"request_id": self.context.request_id})
        elif type is EventType.TOOL_COMPLETED:
            self._open -= 1
        return super().emit(type, payload)


@fault(
    "completed-after-error",
    "A run that ends in agent_error ends a second time, in agent_completed.",
    stands_for="A handler of errors that reports and returns, to code that takes the return for success.",
    breaks=("EVT-02", "EVT-03", "EVT-10"),
)
class CompletedAfterError(UserEventEmitter):
    """Succeeds in failing."""

    def emit(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """Put one event on record, and after an error a completion."""
        event = super().emit(type, payload)
        if type is EventType.AGENT_ERROR:
            done = {"final_response": "Something went wrong.", "duration_ms": 0}
            self._journal.append(off_the_books(self.encode(EventType.AGENT_COMPLETED, done)))
        return event


@fault(
    "missing-stopped",
    "A run that is stopped has no agent_stopped event, nor any other end.",
    stands_for="A task that is cancelled, and with it whatever would have said so.",
    breaks=("EVT-02", "LIF-02"),
)
class MissingStopped(SilentOn):
    """Goes without a word."""

    untold = EventType.AGENT_STOPPED


@fault(
    "first-chunk-dropped",
    "The first piece of a streamed answer is not sent.",
    stands_for="A stream whose first item is read to see whether there is one, and not put back.",
    breaks=("EVT-15",),
)
class FirstChunkDropped(UserEventEmitter):
    """Clears its throat."""

    _spoken = False

    def emit(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """Put one event on record, unless it is the first piece of the answer."""
        if type is not EventType.MESSAGE_CHUNK or self._spoken:
            return super().emit(type, payload)
        self._spoken = True
        event = self.encode(type, payload)
        self._seq -= 1
        return event


@fault(
    "text-after-tool",
    "What the agent says before it calls a tool is told after the tool's start, with the time at which it was said.",
    stands_for="Text and tools reported through two buffers, of which that for text is flushed last.",
    breaks=("ORD-03",),
)
class TextAfterTool(UserEventEmitter):
    """Acts first, talks later."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._said: list[tuple[str, Mapping[str, Any]]] = []

    def emit(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """Put one event on record; text once something else has come, and after a tool's start."""
        if type is EventType.MESSAGE_CHUNK:
            self._said.append((format_timestamp(self.now()), payload))
            event = self.encode(type, payload)
            self._seq -= 1
            return event
        if type is EventType.TOOL_EXECUTING:
            event = super().emit(type, payload)
            self._tell_text()
            return event
        self._tell_text()
        return super().emit(type, payload)

    def _tell_text(self) -> None:
        said, self._said = self._said, []
        for timestamp, payload in said:
            event = self.encode(EventType.MESSAGE_CHUNK, payload)
            self._journal.append(rewritten(event, timestamp=timestamp))


class Departures(WebSocketManager):
    """Counts how often each user has left."""

    times: ClassVar[Counter[UserId]] = Counter()

    def remove(self, connection: Connection) -> None:
        """Forget `connection` and all that belongs to it."""
        super().remove(connection)
        if connection.user_id not in self._by_user:
            self.times[connection.user_id] += 1


@fault(
    "run-dies-with-its-client",
    "A run whose client leaves is dropped without a word: it has no end, ever.",
    stands_for="The run as a task of the connection's handler, which is cancelled with it.",
    breaks=("LIF-04", "DLV-08"),
    with_parts=(Departures,),
)
class RunDiesWithItsClient(UserEventEmitter):
    """Has nobody to talk to, and never will."""

    def __init__(self, context: UserExecutionContext, *args: Any, **options: Any) -> None:
        super().__init__(context, *args, **options)
        self._since = Departures.times[context.user_id]

    def emit(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """Put one event on record, if the client was there all the time."""
        if Departures.times[self.context.user_id] == self._since:
            return super().emit(type, payload)
        event = self.encode(type, payload)
        self._seq -= 1
        return event
