"""LIF-04 by what the witness recorded: a tool whose client has left stops with its run, or its run goes on."""

from conformance.bounds import Bounds
from conformance.history import operations as ops
from conformance.history.operations import CallEnd, ClosedBy
from conformance.script import say, tool
from tests.checks.examples import bad, good, undecided
from tests.checks.histories import History, Run

LONG = Bounds().stop_ms + 1000


def left(*, leaves_ms: float = 100) -> tuple[History, Run]:
    """A tool runs, and the client leaves."""
    history = History(granted=("jwt", "witness"))
    socket = history.connect()
    token = history.canary()
    run = socket.start([tool("sleep", ms=LONG, text=token), *say(token)], canary=token, behaviour="left")
    run.started()
    history.add(ops.ToolCallBegan(history.time(), 1, "sleep", {"ms": LONG, "text": token}))
    history.after(leaves_ms)
    socket.closed(ClosedBy.KIT, None)
    return history, run


def ends(history: History, end: CallEnd) -> None:
    history.add(ops.ToolCallEnded(history.time(), 1, end, "done" if end is CallEnd.COMPLETED else None))


def asks_model(history: History, run: Run) -> None:
    history.add(ops.ModelCallBegan(history.time(), 2, "responses", canary=run.canary))
    history.add(ops.ModelCallEnded(history.time(), 2, CallEnd.COMPLETED))


def later(history: History) -> History:
    """Time passes, and somebody else comes."""
    history.after(5_000).connect("user-later")
    return history


@good("LIF-04")
def test_a_tool_that_is_stopped_with_its_run() -> History:
    history, _ = left()
    ends(history.after(50), CallEnd.CLIENT_GONE)
    return later(history)


@good("LIF-04")
def test_a_run_that_goes_on_after_its_tool() -> History:
    history, run = left()
    ends(history.after(LONG), CallEnd.COMPLETED)
    asks_model(history, run)
    return later(history)


@bad(
    "LIF-04",
    message="a tool goes on although its client has left and its run is stopped",
    expected="the tool is stopped, or the run goes on when the tool is done",
    actual="the tool ran for 3,001 ms after the client left, and nothing followed",
    witnesses=("tool_call_began", "closed", "tool_call_ended"),
)
def test_a_tool_that_goes_on_alone() -> History:
    history, _ = left()
    ends(history.after(LONG), CallEnd.COMPLETED)
    return later(history)


@undecided("LIF-04", reason="nothing was seen that could decide it")
def test_a_tool_that_is_done_before_anybody_could_stop_it() -> History:
    history, _ = left()
    ends(history.after(500), CallEnd.COMPLETED)
    return later(history)


@undecided("LIF-04", reason="nothing was seen that could decide it")
def test_a_tool_that_has_only_just_ended() -> History:
    history, _ = left()
    ends(history.after(LONG), CallEnd.COMPLETED)
    return history


@undecided("LIF-04", reason="nothing was seen that could decide it")
def test_a_tool_that_fails_alone() -> History:
    history, _ = left()
    ends(history.after(LONG), CallEnd.FAILED)
    return later(history)
