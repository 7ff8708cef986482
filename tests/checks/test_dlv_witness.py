"""DLV by what the witness recorded: DLV-03."""

from typing import Any

from conformance.history.operations import CallEnd
from tests.checks.examples import bad, good, undecided
from tests.checks.histories import History, Run
from tests.checks.witnessed import Witnessed

MS = 300


def begun() -> tuple[Witnessed, Run]:
    history = Witnessed()
    run = history.connect().start([{"tool": "sleep", "args": {"ms": MS, "text": "x"}}])
    run.started()
    run.thinking()
    return history, run


def called(history: Witnessed, run: Run) -> int:
    return history.tool_called("sleep", sleeps(run))


def sleeps(run: Run) -> dict[str, Any]:
    return {"ms": MS, "text": f"slept {run.canary}"}


@good("DLV-03")
def test_a_start_that_comes_while_the_tool_runs() -> History:
    history, run = begun()
    call = called(history, run)
    run.tool_started(name="sleep", parameters=sleeps(run))
    history.after(MS)
    history.tool_ends(call)
    run.tool_completed(name="sleep", result=sleeps(run)["text"])
    run.completed()
    return history


@bad(
    "DLV-03",
    message="a tool's start arrives when the tool is done",
    expected="the start within the 301 ms that the tool ran",
    actual="302 ms after the tool was called",
    witnesses=("tool_call_began", "tool_call_ended", "tool_executing"),
)
def test_a_start_that_comes_when_the_tool_is_done() -> History:
    """The time between the two events is as it should be: only the witness knows when the tool really ran."""
    history, run = begun()
    call = called(history, run)
    history.after(MS)
    history.tool_ends(call)
    run.tool_started(name="sleep", parameters=sleeps(run))
    history.after(MS)
    run.tool_completed(name="sleep", result=sleeps(run)["text"])
    run.completed()
    return history


@undecided("DLV-03", reason="nothing was seen that could decide it")
def test_while_the_kit_was_late_or_the_tool_was_quick_or_cut() -> History:
    history, run = begun()
    call = called(history, run)
    history.lagged(400)
    history.after(MS)
    history.tool_ends(call)
    run.tool_started(name="sleep", parameters=sleeps(run))
    run.tool_completed(name="sleep", result=sleeps(run)["text"])
    quick = history.after(2_000).tool_called("echo", {"text": f"call-2 {run.canary}"})
    history.tool_ends(quick)
    run.tool_started("call-2")
    run.tool_completed("call-2")
    cut = history.after(2_000).tool_called("echo", {"text": f"call-3 {run.canary}"})
    history.after(MS)
    history.tool_ends(cut, end=CallEnd.CLIENT_GONE)
    run.tool_started("call-3")
    run.tool_completed("call-3", error={"code": "gone", "message": "gone"})
    run.completed()
    return history
