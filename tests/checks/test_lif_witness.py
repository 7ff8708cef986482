"""LIF by what the witness recorded: LIF-02 and LIF-04."""

from conformance.bounds import Bounds
from conformance.history.operations import CallEnd, ClosedBy
from tests.checks.examples import bad, good, undecided
from tests.checks.histories import ALICE, History, Run
from tests.checks.witnessed import Witnessed

HANG = [{"tool": "hang", "args": {}}]


def hanging(limit_s: float | None = None) -> tuple[Witnessed, Run, int]:
    """A run whose tool hangs, and the number of the call."""
    history = Witnessed(bounds=Bounds(run_limit_s=limit_s))
    run = history.connect().start(HANG)
    run.started()
    run.thinking()
    history.model(run)
    run.tool_started(name="hang", parameters={})
    return history, run, history.tool_called("hang", run_id=run.run_id)


def ends_stopped(run: Run) -> None:
    run.tool_completed(name="hang", error={"code": "stopped", "message": "It was stopped."})
    run.stopped()


@good("LIF-02")
def test_a_stop_ends_the_tool() -> History:
    history, run, call = hanging()
    run.socket.stops(run)
    ends_stopped(run)
    history.after(1_000).tool_ends(call, end=CallEnd.CLIENT_GONE)
    history.after(1_500).connecting(None)
    return history


@bad(
    "LIF-02",
    message="a run is over, and its call of hang goes on",
    expected="no open call after stopped",
    actual="a call that is still open 3,001 ms later",
    witnesses=("tool_call_began", "agent_stopped", "tool_call_ended"),
)
def test_a_stop_that_the_tool_does_not_hear_of() -> History:
    history, run, call = hanging()
    run.socket.stops(run)
    ends_stopped(run)
    history.after(3_000).tool_ends(call, end=CallEnd.CLIENT_GONE)
    return history


@bad(
    "LIF-02",
    message="a run is over, and its call of hang goes on",
    expected="no open call after stopped",
    actual="a call that is still open 2,501 ms later",
    witnesses=("tool_call_began", "agent_stopped"),
)
def test_a_tool_that_never_ends() -> History:
    history, run, _ = hanging()
    run.socket.stops(run)
    ends_stopped(run)
    history.after(2_500).connecting(None)
    return history


@bad(
    "LIF-02",
    message="a tool is called after its user was told that the run is over",
    expected="no more calls after stopped",
    actual="a call of echo 2,002 ms later",
    witnesses=("agent_stopped", "tool_call_began"),
)
def test_a_stopped_run_that_goes_on_unseen() -> History:
    history, run, call = hanging()
    run.socket.stops(run)
    ends_stopped(run)
    history.tool_ends(call, end=CallEnd.CLIENT_GONE)
    history.after(2_000)
    history.echo(run)
    return history


def left() -> tuple[Witnessed, Run, int]:
    """A run whose client goes while its tool hangs and comes back when its time limit has ended it."""
    history, run, call = hanging()
    run.socket.closed(ClosedBy.NETWORK, 1006)
    back = history.after(3_000).connect()
    back.resumes(run)
    run.again(1, 2, 3, on=back)
    run.tool_completed(name="hang", error={"code": "timeout", "message": "It took too long."}, on=back)
    run.failed("timeout", on=back)
    return history, run, call


@good("LIF-04")
def test_a_run_that_was_left_leaves_nothing() -> History:
    """What comes after it and is over at once, such as a call of the model for a title, is nothing left behind."""
    history, run, call = left()
    history.tool_ends(call, end=CallEnd.CLIENT_GONE)
    history.after(3_000)
    history.model(run, "A fine title")
    return history


@bad(
    "LIF-04",
    message="a run is over, and its call of hang goes on",
    expected="no open call after failed",
    actual="a call that is still open 2,501 ms later",
    witnesses=("tool_call_began", "agent_error"),
)
def test_a_tool_that_a_run_leaves_behind() -> History:
    history, _, _ = left()
    history.after(2_500).connecting(None)
    return history


@bad(
    "LIF-04",
    message="a run is over, and its call of the model goes on",
    expected="no open call after completed",
    actual="a call that is still open 4,001 ms later",
    witnesses=("model_call_began", "agent_completed", "model_call_ended"),
)
def test_a_call_of_the_model_that_a_run_leaves_behind() -> History:
    history = Witnessed()
    run = history.connect().start()
    run.started()
    run.thinking()
    call = history.model_asked(run)
    run.completed()
    history.after(4_000).model_answers(call, end=CallEnd.CLIENT_GONE)
    return history


@bad(
    "LIF-04",
    message="a tool is called after its user was told that the run is over",
    expected="no more calls after completed",
    actual="a call of echo 1,001 ms later",
    witnesses=("agent_completed", "tool_call_began"),
)
def test_a_finished_run_that_goes_on() -> History:
    history = Witnessed()
    run = history.connect().start()
    run.started()
    run.thinking()
    history.model(run)
    run.completed()
    history.after(1_000)
    history.echo(run)
    return history


@undecided("LIF-04", reason="nothing was seen that could decide it")
def test_a_later_run_may_go_on_with_the_words_of_an_earlier_one() -> History:
    """Such as one that resumes it: the tool may be called for that."""
    history = Witnessed()
    run = history.connect().start()
    run.started()
    run.thinking()
    history.model(run)
    run.completed()
    later = run.socket.start()
    later.started()
    history.after(1_000)
    history.echo(run)
    return history


@good("LIF-04")
def test_a_run_whose_client_never_comes_back_comes_to_an_end() -> History:
    """Its calls end, though nobody hears of it."""
    history, run, call = hanging(limit_s=5)
    run.socket.closed(ClosedBy.KIT)
    history.after(4_900).tool_ends(call, end=CallEnd.CLIENT_GONE)
    return history


@bad(
    "LIF-04",
    message="the client of a run is gone, and its call of hang goes on",
    expected="its end within the 5 s that a run may take",
    actual="a call that is still open after 9,001 ms",
    witnesses=("tool_call_began",),
)
def test_a_run_whose_client_never_comes_back_goes_on() -> History:
    history, run, _ = hanging(limit_s=5)
    run.socket.closed(ClosedBy.KIT)
    history.after(9_000).connecting(ALICE)
    return history


@undecided("LIF-04", reason="nothing was seen that could decide it")
def test_how_long_a_run_may_take_is_not_known() -> History:
    history, run, _ = hanging()
    run.socket.closed(ClosedBy.KIT)
    history.after(9_000).connecting(ALICE)
    return history


@undecided("LIF-04", reason="nothing was seen that could decide it")
def test_while_the_kit_was_late_or_not_for_long_enough() -> History:
    """The end may have been seen late, and what is still open may be about to be closed."""
    history, run, call = hanging()
    run.tool_completed(name="hang", error={"code": "timeout", "message": "It took too long."})
    run.failed("timeout")
    history.lagged(3_000)
    history.after(2_600).tool_ends(call, end=CallEnd.CLIENT_GONE)
    other = history.connect().start()
    other.started()
    other.thinking()
    history.model_asked(other)
    other.completed()
    history.after(1_500).connecting(None)
    return history


@undecided("LIF-02", reason="nothing was seen that could decide it")
def test_a_call_of_another_run_or_of_nobody() -> History:
    history = Witnessed()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.completed()
    history.after(3_000)
    history.tool_ends(history.tool_called("echo", {"text": "whose?"}))
    history.tool_ends(history.tool_called("echo", {"text": "x"}, run_id="a-run-that-nobody-told-of"))
    return history
