"""The two ends of a run of AG-UI: what its start says of the request, and what must hold when it finishes."""

from typing import Any

from msgspec import UNSET

from conformance.dialects.ag_ui import wire as wires
from conformance.dialects.ag_ui.run import Run, Telling
from conformance.dialects.ag_ui.shared import mention_calls
from conformance.dialects.fields import describe, shorten


def read_input(run: Run, request: Any) -> None:
    """Take from the request, where the run repeats it, which tools are the client's and what calls are known."""
    if not isinstance(request, dict):
        return
    client_tools, messages = request.get("tools"), request.get("messages")
    if isinstance(client_tools, list):
        run.client_tools = frozenset(t["name"] for t in client_tools if isinstance(t, dict) and "name" in t)
    run.continues = run.continues or bool(request.get("resume"))
    run.history = isinstance(messages, list)
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, dict):
            mention_calls(run, message)


def same_ids(run: Run, wire: wires.RunFinished, told: Telling) -> None:
    """A run finishes under the ids under which it started."""
    for name, own, came in (("runId", run.run_id, wire.run_id), ("threadId", run.thread_id, wire.thread_id)):
        if own is not None and came is not None and own != came:
            told.violates(
                "AGU-05",
                f"RUN_FINISHED has another {name} than RUN_STARTED",
                expected=f"{name}: {own}",
                actual=f"{name}: {came}",
                run=run,
            )


def nothing_open(run: Run, told: Telling) -> None:
    """A run finishes when all that it began is closed."""
    for requirement, names in (("AGU-10", [*run.left_open()]), ("AGU-11", [*run.left_thinking()])):
        if names:
            told.violates(
                requirement,
                f"RUN_FINISHED while something is open: {shorten(', '.join(names), 80)}",
                expected="an end of each before RUN_FINISHED",
                actual=f"open: {shorten(', '.join(names))}",
                run=run,
            )


def answerable(run: Run, interrupts: list[wires.Interrupt], told: Telling) -> None:
    """A run that pauses says what for, so that the client can answer."""
    seen: set[str] = set()
    for interrupt in interrupts:
        problem = None
        if not interrupt.id or interrupt.id in seen:
            problem = f"id {describe(interrupt.id)} {'again' if interrupt.id else ''}".rstrip()
        elif interrupt.reason == "tool_call" and not interrupt.tool_call_id:
            problem = f"interrupt {interrupt.id} for a tool_call without a toolCallId"
        seen.add(interrupt.id)
        if problem:
            told.violates(
                "AGU-21",
                "an interrupt that cannot be answered",
                expected="an id of its own, and for the reason tool_call the toolCallId",
                actual=problem,
                run=run,
            )


def answer(run: Run, wire: wires.RunFinished) -> Any:
    """Return what the run said; else its last message in a snapshot, else its result; UNSET where there is nothing."""
    for said in ("".join(run.pieces), run.shown, wire.result):
        if isinstance(said, str) and said.strip():
            return said
    return UNSET
