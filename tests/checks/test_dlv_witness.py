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


def beside(history: Witnessed, *, told_at_once: bool, late_ms: float = 0) -> None:
    """A run of two parallel tools, one quick, one slow."""
    run = history.after(2_000).connect().start([{"parallel": []}])
    run.started()
    run.thinking()
    slow, quick = called(history, run), history.tool_called("echo", {"text": f"quick {run.canary}"})
    run.tool_started("call-1", "sleep", parameters=sleeps(run))
    run.tool_started("call-2", parameters={"text": f"quick {run.canary}"})
    history.tool_ends(quick)
    if told_at_once:
        run.tool_completed("call-2")
    history.after(MS)
    if late_ms:
        history.lagged(late_ms)
    history.tool_ends(slow)
    if not told_at_once:
        run.tool_completed("call-2")
    run.tool_completed("call-1", name="sleep", result=sleeps(run)["text"])
    run.completed()


@bad(
    "DLV-03",
    message="a tool's end is told only when the slowest tool beside it is done",
    expected="the completion of each tool when that tool is done, in at least one run",
    actual="302 ms after it",
    witnesses=("tool_call_ended", "tool_call_ended", "tool_completed"),
)
def test_ends_that_wait_for_the_slowest_tool_in_every_run() -> History:
    history = Witnessed()
    for _ in range(3):
        beside(history, told_at_once=False)
    return history


@good("DLV-03")
def test_ends_that_do_not_always_wait_for_the_slowest_tool() -> History:
    """A slow target tells some late."""
    history = Witnessed()
    for told_at_once in (False, True, False, False):
        beside(history, told_at_once=told_at_once)
    return history


@good("DLV-03")
def test_ends_that_came_while_the_kit_was_late() -> History:
    history = Witnessed()
    for _ in range(4):
        beside(history, told_at_once=False, late_ms=200)
    return history
