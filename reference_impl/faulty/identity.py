"""Faults of identity: ids that are missing, made up, or not the same twice."""

from collections.abc import Mapping
from typing import Any

from reference_impl.context import new_id
from reference_impl.emitter import UserEventEmitter
from reference_impl.events import Event, EventType
from reference_impl.faulty.fault import fault
from reference_impl.faulty.rewriting import rewritten


@fault(
    "null-run-id",
    "The events of every run carry run_id null.",
    stands_for="An emitter that is made before its run has an id, with run_id=None to be filled in later.",
    breaks=("IDN-01",),
)
class NullRunId(UserEventEmitter):
    """Knows everything about the run but its id."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event of no run in particular."""
        return rewritten(super().encode(type, payload), run_id=None)


@fault(
    "placeholder-run-id",
    'The events of every run carry run_id "registry".',
    stands_for="A literal that stands in for the run's id where a shared component emits without a run's context.",
    breaks=("IDN-02",),
)
class PlaceholderRunId(UserEventEmitter):
    """Emits in the name of the component it lives in."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event of whoever is called "registry"."""
        return rewritten(super().encode(type, payload), run_id="registry")


@fault(
    "wandering-thread-id",
    "The event that ends a run names another thread than the events before it.",
    stands_for="A context that is made again at the end of a run, with fresh ids, instead of being passed along.",
    breaks=("IDN-03",),
)
class WanderingThreadId(UserEventEmitter):
    """Takes each run's end for the beginning of a thread."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event, on the run's thread unless it is the last."""
        event = super().encode(type, payload)
        return rewritten(event, thread_id=new_id()) if type.terminal else event


@fault(
    "counted-event-ids",
    "Event ids are counted within the run, so the events of all runs have the same ones.",
    stands_for="An id that is unique where it is made, taken for one that is unique.",
    breaks=("IDN-06",),
)
class CountedEventIds(UserEventEmitter):
    """Finds a number good enough for an id."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event, under its number."""
        event = super().encode(type, payload)
        return rewritten(event, event_id=f"event-{event.seq}")


@fault(
    "counted-tool-call-ids",
    "Tool call ids are counted within the run, so each run of a thread uses the same ones again.",
    stands_for="A counter on an object that is made anew for each run, for ids that live as long as the thread.",
    breaks=("IDN-09",),
)
class CountedToolCallIds(UserEventEmitter):
    """Numbers the tool calls from one, in every run."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._numbers: dict[str, str] = {}

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event; a tool call's is under its number."""
        call_id = payload.get("tool_call_id")
        if call_id is not None:
            number = self._numbers.setdefault(call_id, f"tool-call-{len(self._numbers) + 1}")
            payload = {**payload, "tool_call_id": number}
        return super().encode(type, payload)


@fault(
    "thread-id-for-user-id",
    "The user_id of every event is the id of its thread.",
    stands_for="Two strings in the wrong order in a call.",
    breaks=("IDN-08", "IDN-10"),
)
class ThreadIdForUserId(UserEventEmitter):
    """Takes a conversation for a person."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event, in the thread's name."""
        return rewritten(super().encode(type, payload), user_id=self.context.thread_id)


@fault(
    "service-user-in-events",
    "The user_id of every event is that of the service that runs the agents.",
    stands_for="A worker that stamps events with whom it is logged in as.",
    breaks=("IDN-08",),
)
class ServiceUserInEvents(UserEventEmitter):
    """Signs with its own name."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event, in the name of the service."""
        return rewritten(super().encode(type, payload), user_id="svc-agent-worker")


@fault(
    "request-id-replaced",
    "The agent_started event names a request_id that the engine made.",
    stands_for="A request that is wrapped in another one on its way to the agent, with an id of its own.",
    breaks=("IDN-07",),
)
class RequestIdReplaced(UserEventEmitter):
    """Has its own idea of what was asked."""

    def encode(self, type: EventType, payload: Mapping[str, Any]) -> Event:
        """The next event; a start names a request that nobody made."""
        if type is EventType.AGENT_STARTED:
            payload = {**payload, "request_id": new_id()}
        return super().encode(type, payload)
