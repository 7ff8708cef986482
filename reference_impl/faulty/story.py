"""Faults of a run's story: its beginning, its thoughts, its answer, its end."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from reference_impl.agent import AgentRun
from reference_impl.emitter import UserEventEmitter
from reference_impl.errors import ModelFailed
from reference_impl.events import Event, EventType
from reference_impl.faulty.fault import fault
from reference_impl.faulty.rewriting import off_the_books
from reference_impl.model import Move, Prompt, Say, ScriptedModel


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
    breaks=("EVT-02", "LIF-04"),
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


@fault(
    "no-time-limit",
    "A run may take as long as it likes; with a tool that hangs it never ends.",
    stands_for="A time limit that is announced and configured, and that nothing enforces.",
    breaks=("LIF-03", "EVT-02", "EVT-05"),
)
class NoTimeLimit(AgentRun):
    """Has all the time in the world."""

    def __init__(self, *args: Any, limit_s: float) -> None:
        super().__init__(*args, limit_s=limit_s * 1000)
