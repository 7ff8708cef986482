"""DLV-08: runs in bad weather."""

from conformance.history.operations import ClosedBy, FaultKind
from tests.checks.examples import bad, good, undecided
from tests.checks.histories import ALICE, BOB, History, Run, Socket

PROMISED = "each of its events, to the terminal one, when the client resumes"


def under_way(history: History) -> tuple[Socket, Run]:
    socket = history.connect(proxied=True)
    run = socket.start()
    run.started()
    run.thinking()
    return socket, run


def cut(history: History, kind: FaultKind = FaultKind.CUT) -> tuple[Socket, Run]:
    """A run loses its connection after two events and goes on; its client comes back."""
    socket, run = under_way(history)
    history.cut(socket, kind=kind)
    run.tool_started(on=())
    return history.connect(proxied=True), run


@good("DLV-08", "DLV-05", "LIF-04")
def test_what_was_cut_is_whole_after_a_resume() -> History:
    history = History()
    back, run = cut(history)
    back.resumes(run, 2)
    run.again(3, on=back)
    run.tool_completed(on=back)
    run.completed(on=back)
    return history


@good("DLV-08")
def test_after_a_long_delay_everything_comes() -> History:
    """What the kit's proxy keeps back is not the target's delay."""
    history = History()
    _, run = under_way(history)
    fault = history.fault(FaultKind.DELAY, ALICE)
    stamp = history.stamp(history.now)
    history.after(4000)
    for _ in range(80):
        run.chunk("word ", timestamp=stamp)
    run.completed("word " * 80, timestamp=stamp)
    history.fault_ends(fault)
    return history


@good("DLV-08")
def test_a_run_that_begins_and_ends_in_bad_weather_counts() -> History:
    history = History()
    socket = history.connect(proxied=True)
    fault = history.fault(FaultKind.THROTTLE, ALICE)
    socket.start().whole()
    history.fault_ends(fault)
    return history


@good("DLV-08", "DLV-05")
def test_a_line_that_is_cut_again_is_resumed_again() -> History:
    history = History()
    back, run = cut(history)
    back.resumes(run, 2)
    run.again(3, on=back)
    history.cut(back, kind=FaultKind.TEAR)
    last = history.connect(proxied=True)
    last.resumes(run, 3)
    run.tool_completed(on=last)
    run.completed(on=last)
    return history


@good("DLV-08", "DLV-05")
def test_who_is_noticed_as_dead_resumes() -> History:
    history = History()
    socket, run = under_way(history)
    fault = history.fault(FaultKind.STALL, ALICE)
    socket.closed(ClosedBy.TARGET, 1006)
    history.fault_ends(fault)
    back = history.connect(proxied=True)
    back.resumes(run, 2)
    run.completed(on=back)
    return history


@good("DLV-08", "DLV-05")
def test_what_happens_while_the_client_connects_may_come_live_before_the_rest() -> History:
    history = History()
    socket, run = under_way(history)
    history.cut(socket)
    run.tool_started(on=())
    back = history.connecting(proxied=True)
    stamp = history.stamp(history.after(20).now)
    back.connected()
    history.after(100)
    back.greeted(server_time=history.stamp(history.now - 50))
    back.resumes(run, 2)
    run.tool_completed(on=back, timestamp=stamp)
    run.completed(on=back, timestamp=stamp)
    run.again(3, 4, 5, on=back)
    return history


@good("DLV-08", "DLV-05", "DLV-04")
def test_what_came_live_before_the_target_read_the_question_comes_again_in_the_replay() -> History:
    history = History()
    socket, run = under_way(history)
    history.cut(socket)
    back = history.connect(proxied=True)
    back.resumes(run, 2)
    run.tool_started(on=back)
    run.tool_completed(on=back)
    run.again(3, 4, on=back)
    run.completed(on=back)
    return history


@bad(
    "DLV-04",
    message="an event is delivered twice on one connection",
    expected="each event once, unless the client asks for it again",
    actual="seq 3 (tool_started) a second time",
    witnesses=("tool_executing",),
)
def test_but_not_a_third_time() -> History:
    history = History()
    socket, run = under_way(history)
    history.cut(socket)
    back = history.connect(proxied=True)
    back.resumes(run, 2)
    run.tool_started(on=back)
    run.again(3, 3, on=back)
    run.tool_completed(on=back)
    run.completed(on=back)
    return history


@bad(
    "DLV-08",
    "ORD-01",
    "DLV-01",
    message="a fault of the network (stall) costs a run events",
    expected=PROMISED,
    actual="never delivered: seq 3, 4",
    witnesses=("fault_began", "agent_completed"),
)
def test_what_did_not_get_through_is_gone() -> History:
    history = History()
    _, run = under_way(history)
    fault = history.fault(FaultKind.STALL, ALICE)
    run.tool_started(on=())
    run.tool_completed(on=())
    history.fault_ends(fault)
    run.completed()
    return history


@bad(
    "DLV-08",
    "LIF-04",
    message="a fault of the network (reset) costs a run events",
    expected=PROMISED,
    actual='refused: *"not_found"*',
    witnesses=("fault_began", "agent_thinking", "error"),
)
def test_a_run_goes_down_with_its_connection() -> History:
    history = History()
    back, run = cut(history, FaultKind.RESET)
    back.resumes(run, 2)
    back.error("not_found")
    return history


@bad(
    "DLV-08",
    "LIF-04",
    message="a fault of the network (half_open) costs a run events",
    expected=PROMISED,
    actual="no end within 5,000 ms after it was resumed",
    witnesses=("fault_began", "agent_thinking", "gave_up"),
)
def test_a_run_is_not_taken_up_again() -> History:
    history = History()
    back, run = cut(history, FaultKind.HALF_OPEN)
    back.gave_up(on=back.resumes(run, 2))
    return history


@undecided("DLV-08", reason="no fault of the network hit a run that was seen to its end")
def test_nobody_comes_back_for_a_run() -> History:
    history = History()
    cut(history)
    return history


@undecided("DLV-08", reason="no fault of the network hit a run that was seen to its end")
def test_a_wait_in_which_the_kit_was_late_is_no_evidence() -> History:
    history = History()
    back, run = cut(history)
    back.gave_up(on=back.resumes(run, 2), late=True)
    return history


@undecided("DLV-08", reason="no fault of the network hit a run that was seen to its end")
def test_bad_weather_elsewhere_says_nothing() -> History:
    history = History()
    history.connect(BOB)
    fault = history.fault(FaultKind.DELAY, BOB)
    history.connect(ALICE).start().whole()
    history.fault_ends(fault)
    return history


@undecided("DLV-08", reason="nothing was seen that could decide it")
def test_the_weather_is_fine() -> History:
    history = History()
    history.connect().start().whole()
    return history
