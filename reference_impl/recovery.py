"""After a crash: every run that was accepted and has no end gets one (LIF-06)."""

from reference_impl.agent_run import error_ending
from reference_impl.bridge import AgentWebSocketBridge
from reference_impl.emitter import UserEventEmitter
from reference_impl.events import Envelope, EventType, decode_event, parse_timestamp
from reference_impl.journal import Journal
from reference_impl.run import StoredRun
from reference_impl.tools import failed

INTERRUPTED = "The engine was interrupted while the run was at work: send the request again."


async def finish_interrupted_runs(journal: Journal, bridge: AgentWebSocketBridge) -> int:
    """End each open run of the journal with `agent_error`, its open tools first; return how many there were.

    To be called before anything else uses the journal.
    """
    runs = await journal.open_runs()
    for run in runs:
        await finish_run(journal, run, bridge)
    await journal.flush()
    return len(runs)


async def finish_run(journal: Journal, run: StoredRun, bridge: AgentWebSocketBridge) -> None:
    """Emit what `run` still owes after what is on record: its start, a thought, the ends of its tools, its own end."""
    events: list[Envelope] = []
    while page := await journal.events(run, after_seq=len(events)):
        events += [decode_event(event) for event in page]
    last_timestamp = parse_timestamp(events[-1].timestamp) if events else 0.0
    emitter = bridge.create_user_emitter(run.context, seq=len(events), last_timestamp=last_timestamp)
    types = {event.type for event in events}
    if EventType.AGENT_STARTED not in types:
        emitter.emit(EventType.AGENT_STARTED, {"request_id": run.context.request_id})
    if EventType.AGENT_THINKING not in types:
        emitter.emit(EventType.AGENT_THINKING, {"thought": "The run was interrupted.", "step": 1})
    open_tools = {event.payload["tool_call_id"]: event for event in events if event.type == EventType.TOOL_EXECUTING}
    for event in events:
        if event.type == EventType.TOOL_COMPLETED:
            del open_tools[event.payload["tool_call_id"]]
    for tool_call_id, event in open_tools.items():
        outcome = failed("interrupted", "The engine was interrupted while the tool was at work.")
        tool = {"tool_name": event.payload["tool_name"], "tool_call_id": tool_call_id}
        emitter.emit(EventType.TOOL_COMPLETED, {**tool, **outcome, "duration_ms": duration_ms(event, emitter)})
    ending = error_ending("interrupted", INTERRUPTED, retryable=True)
    emitter.emit(ending.type, ending.payload)


def duration_ms(start: Envelope, emitter: UserEventEmitter) -> int:
    """Milliseconds from the start of a tool until now, by the wall clock: the engine was not there to measure."""
    return max(0, round((emitter.now() - parse_timestamp(start.timestamp)) * 1000))
