"""LIF: runs and resources live and die as they should."""

from typing import Any

import msgspec

from conformance.bounds import Bounds
from conformance.history.operations import Action, Awaited, ClosedBy
from conformance.script import Script, say, tool
from tests.checks.examples import bad, good, undecided
from tests.checks.histories import ALICE, BOB, History, Run, Socket

HANG: Script = [{"think": "x"}, tool("hang"), *say("never")]
RECALL: Script = [{"think": "x"}, {"recall": True}]


def repeated(run: Run, socket: Socket) -> Run:
    """The same request once more, not yet answered."""
    again = socket.request(request_id=run.asked.request_id, canary=run.canary)
    again.run_id, again.thread_id = run.run_id, run.thread_id
    return again


# -- LIF-01: the same request twice ---------------------------------------------------------------------------------


@good("LIF-01", "EVT-14", "IDN-04")
def test_the_same_request_twice_is_one_run() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    repeated(run, socket).accepted(duplicate=True)
    run.whole()
    repeated(run, socket).accepted(duplicate=True)
    return history


@good("LIF-01", "ORD-05", "IDN-04")
def test_the_same_request_on_another_connection_is_answered_first() -> History:
    history = History()
    one, two = history.connect(), history.connect()
    run = one.request()
    again = repeated(run, two)
    again.accepted(duplicate=True)
    run.accepted()
    run.whole(on=(one, two))
    return history


@bad(
    "LIF-01",
    message="a request sent twice is run twice",
    expected="run * again, with duplicate: true",
    actual="run *",
    witnesses=("run_accepted", "run_accepted"),
)
def test_the_same_request_twice_is_two_runs() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    again = socket.start(request_id=run.asked.request_id)
    run.whole()
    again.whole()
    return history


@undecided("LIF-01", reason="nothing was seen")
def test_no_request_is_repeated() -> History:
    history = History()
    socket = history.connect()
    for _ in range(2):
        socket.start().whole()
    return history


# -- LIF-02: stop ---------------------------------------------------------------------------------------------------


def hanging(**fields: Any) -> tuple[History, Socket, Run]:
    """A run whose tool hangs."""
    history = History(**fields)
    socket = history.connect()
    run = socket.start(HANG)
    run.started()
    run.thinking()
    run.tool_started(name="hang", parameters={})
    return history, socket, run


CANCELLED = {"code": "cancelled", "message": "The run was stopped."}


@good("LIF-02", "EVT-05", "EVT-07")
def test_a_run_that_stops() -> History:
    history, socket, run = hanging()
    socket.stops(run)
    history.after(1500)
    run.tool_completed(name="hang", error=CANCELLED)
    run.stopped()
    return history


@bad(
    "LIF-02",
    message="a stop request does not end the run in time",
    expected="the run stopped within 2,000 ms",
    actual="stopped after 2,502 ms",
    witnesses=("asked", "agent_stopped"),
)
def test_a_run_that_is_slow_to_stop() -> History:
    history, socket, run = hanging()
    socket.stops(run)
    history.after(2500)
    run.tool_completed(name="hang", error=CANCELLED)
    run.stopped()
    return history


@good("LIF-02")
def test_a_slow_machine_has_more_time() -> History:
    history, socket, run = hanging(bounds=Bounds(factor=2.0))
    socket.stops(run)
    history.after(2500)
    run.tool_completed(name="hang", error=CANCELLED)
    run.stopped()
    return history


@bad(
    "LIF-02",
    message="a stop request does not end the run in time",
    expected="the run stopped within 2,000 ms",
    actual="completed instead",
    witnesses=("asked", "agent_completed"),
)
def test_a_hanging_run_that_completes_when_it_is_stopped() -> History:
    history, socket, run = hanging()
    socket.stops(run)
    run.tool_completed(name="hang")
    run.completed()
    return history


@bad(
    "LIF-02",
    message="a stop request does not end the run in time",
    expected="the run stopped within 2,000 ms",
    actual="no end within 5,000 ms",
    witnesses=("asked", "gave_up"),
)
def test_a_run_that_does_not_stop() -> History:
    """It may go on up to the target's limit, which is not known."""
    history, socket, run = hanging()
    socket.stops(run)
    socket.gave_up(Awaited.TERMINAL, run)
    return history


@bad(
    "LIF-02",
    "EVT-02",
    "EVT-05",
    message="a stop request does not end the run in time",
    expected="the run stopped within 2,000 ms",
    actual="no end within 5,000 ms",
    witnesses=("asked", "gave_up"),
)
def test_a_run_that_does_not_stop_and_has_no_end_within_the_limit() -> History:
    history, socket, run = hanging()
    history.header = msgspec.structs.replace(history.header, bounds=Bounds(run_limit_s=0.5))
    socket.stops(run)
    socket.gave_up(Awaited.TERMINAL, run)
    return history


@bad(
    "LIF-02",
    message="a stop request does not end the run in time",
    expected="the run stopped within 2,000 ms",
    actual='refused: {"type": "error", "code": "not_found", "message": "No run *."}',
    witnesses=("asked", "error"),
)
def test_a_stop_that_is_refused() -> History:
    history, socket, run = hanging()
    asked = socket.stops(run)
    socket.error("not_found", f"No run {asked.run_id}.")
    run.tool_completed(name="hang", error=CANCELLED)
    history.after(10)
    run.stopped()
    return history


@good("LIF-02")
def test_a_stop_that_races_with_the_end() -> History:
    history = History()
    socket = history.connect()
    run = socket.start([{"think": "x"}, *say("done")])
    run.started()
    run.thinking()
    socket.stops(run)
    run.completed("done")
    return history


@good("EVT-02")
def test_a_stop_that_races_with_the_time_limit() -> History:
    history, socket, run = hanging()
    socket.stops(run)
    run.tool_completed(name="hang", error=CANCELLED)
    run.failed("timeout", "The run took longer than 5 s.")
    return history


@undecided("LIF-02", reason="nothing was seen")
def test_a_stop_that_comes_after_the_end() -> History:
    history = History()
    socket = history.connect()
    run = socket.start().whole()
    socket.stops(run)
    socket.error("not_found", "No run is running.")
    return history


@undecided("LIF-02", reason="nothing was seen")
def test_a_stop_that_is_refused_while_the_end_is_under_way() -> History:
    history = History()
    socket = history.connect()
    run = socket.start([{"think": "x"}, *say("done")])
    run.started()
    run.thinking()
    socket.stops(run)
    socket.error("not_found", "That run has already ended.")
    run.completed("done")
    return history


@bad(
    "LIF-02",
    message="a stop request does not end the run in time",
    expected="the run stopped within 2,000 ms",
    actual='refused: {"type": "error", "code": "not_found", "message": "No run is running."}',
    witnesses=("asked", "error"),
)
def test_a_stop_that_is_refused_long_before_the_end() -> History:
    history = History()
    socket = history.connect()
    run = socket.start([{"think": "x"}, *say("done")])
    run.started()
    run.thinking()
    socket.stops(run)
    socket.error("not_found", "No run is running.")
    history.after(1_500)
    run.completed("done")
    return history


@undecided("LIF-02", reason="nothing was seen")
def test_a_refused_stop_whose_runs_end_is_read_later_on_another_connection() -> History:
    history = History()
    one, two = history.connect(), history.connect()
    run = one.start()
    run.started()
    run.thinking()
    two.stops(run)
    two.error("not_found", "No run is running.")
    return history


@undecided("LIF-02", reason="nothing was seen")
def test_the_kit_was_late_to_see_the_stop() -> History:
    history, socket, run = hanging()
    socket.stops(run)
    history.after(2500).lagged(2000)
    run.tool_completed(name="hang", error=CANCELLED)
    run.stopped()
    return history


# -- LIF-03: the time limit -----------------------------------------------------------------------------------------


def over_time(limit_s: float | None = 5.0) -> tuple[History, Socket, Run]:
    """A run that hangs until the target's own limit."""
    history = History(bounds=Bounds(run_limit_s=limit_s))
    socket = history.connect()
    run = socket.start(HANG, behaviour="timeout")
    run.started()
    run.thinking()
    history.after(5000)
    return history, socket, run


@good("LIF-03")
def test_a_run_that_times_out() -> History:
    history, _, run = over_time()
    run.failed("timeout", "The run took longer than 5 s.")
    return history


@bad(
    "LIF-03",
    message="a run over its time limit does not end in a timeout error",
    expected="an error event with code timeout within 7,000 ms",
    actual="failed with code internal after 5,004 ms",
    witnesses=("asked", "agent_error"),
)
def test_a_run_over_time_that_ends_in_another_error() -> History:
    history, _, run = over_time()
    run.failed("internal", "Something happened.")
    return history


@bad(
    "LIF-03",
    message="a run over its time limit does not end in a timeout error",
    expected="an error event with code timeout within 7,000 ms",
    actual="failed with code timeout after 9,004 ms",
    witnesses=("asked", "agent_error"),
)
def test_a_run_over_time_that_ends_too_late() -> History:
    history, _, run = over_time()
    history.after(4000)
    run.failed("timeout", "The run took longer than 5 s.")
    return history


@bad(
    "LIF-03",
    "EVT-02",
    message="a run over its time limit goes on",
    expected="an error event with code timeout after 5 s",
    actual="no end within 5,000 ms",
    witnesses=("asked", "gave_up"),
)
def test_a_run_over_time_that_goes_on() -> History:
    history, socket, run = over_time()
    socket.gave_up(Awaited.TERMINAL, run)
    return history


@undecided("LIF-03", reason="the run limit is not known")
def test_a_limit_that_nobody_knows() -> History:
    history, _, run = over_time(None)
    run.failed("internal", "Something happened.")
    return history


# -- LIF-04: left alone ---------------------------------------------------------------------------------------------


def left_alone() -> tuple[History, Run, Socket]:
    """The client leaves in the middle of its run and comes back."""
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking()
    socket.closed(ClosedBy.KIT, None)
    return history, run, history.connect()


@good("LIF-04")
def test_a_run_that_goes_on_alone() -> History:
    history, run, back = left_alone()
    back.resumes(run, 2)
    run.completed(on=back)
    return history


@good("LIF-04")
def test_a_run_that_is_stopped_when_its_client_goes() -> History:
    history, run, back = left_alone()
    back.resumes(run, 2)
    run.stopped("its client is gone", on=back)
    return history


@bad(
    "LIF-04",
    message="a run whose client was gone is neither finished nor stopped",
    expected="its terminal event when the client comes back",
    actual='refused: {"type": "error", "code": "not_found", "message": "No run *."}',
    witnesses=("agent_thinking", "closed", "error"),
)
def test_a_run_that_nobody_knows_any_more() -> History:
    history, run, back = left_alone()
    back.resumes(run, 2)
    back.error("not_found", f"No run {run.run_id}.")
    return history


@bad(
    "LIF-04",
    message="a run whose client was gone is neither finished nor stopped",
    expected="its terminal event when the client comes back",
    actual="no end within 5,000 ms after coming back",
    witnesses=("agent_thinking", "closed", "gave_up"),
)
def test_a_run_that_is_stuck() -> History:
    history, run, back = left_alone()
    asked = back.resumes(run, 2)
    back.gave_up(Awaited.TERMINAL, asked)
    return history


@undecided("LIF-04", reason="nothing was seen")
def test_a_run_for_which_nobody_comes_back() -> History:
    history, _, _ = left_alone()
    return history


# -- LIF-08, LIF-09, LIF-10: bad input ------------------------------------------------------------------------------


@good("LIF-08", "LIF-09", "LIF-10")
def test_bad_input_gets_errors() -> History:
    history = History()
    socket = history.connect()
    for action in (Action.GARBAGE, Action.UNKNOWN_TYPE, Action.OVERSIZE):
        socket.asks(action)
        socket.error()
    return history


@good("LIF-08", "LIF-10")
def test_bad_input_gets_a_close() -> History:
    history = History()
    for action, code in ((Action.GARBAGE, 1007), (Action.OVERSIZE, 1009)):
        socket = history.connect()
        socket.asks(action)
        socket.closed(ClosedBy.TARGET, code)
    return history


@good("LIF-08", "LIF-10")
def test_an_oversize_message_gets_an_error_and_then_a_close_while_another_waits_for_its_answer() -> History:
    history = History(bounds=Bounds(message_bytes=1000))
    first, second = history.connect(), history.connect(BOB)
    first.asks(Action.OVERSIZE)
    first.error("too_large")
    second.asks(Action.GARBAGE)
    first.closed(ClosedBy.TARGET, 1009)
    second.error()
    return history


@good("EVT-02", "LIF-10")
def test_an_oversize_message_in_the_middle_of_a_run() -> History:
    """The target closes the connection, as it must; the run goes on without it."""
    history = History()
    socket = history.connect()
    socket.start().whole()
    run = socket.start()
    run.started()
    socket.asks(Action.OVERSIZE)
    socket.closed(ClosedBy.TARGET, 1009)
    return history


@bad(
    "LIF-08",
    message="garbage (not JSON) is not answered as it must be",
    expected="an error frame, and everyone else unharmed",
    actual="nothing within 5,000 ms",
    witnesses=("asked", "gave_up"),
)
def test_garbage_and_silence() -> History:
    history = History()
    socket = history.connect()
    asked = socket.asks(Action.GARBAGE, behaviour="not JSON")
    socket.gave_up(Awaited.ANSWER, asked)
    return history


@bad(
    "LIF-08",
    message="garbage (deep nesting) is not answered as it must be",
    expected="an error frame, and everyone else unharmed",
    actual="another connection closed with 1006",
    witnesses=("asked", "closed"),
)
def test_garbage_that_takes_others_down() -> History:
    history = History()
    bystander = history.connect(BOB, scenario="malformed")
    history.connect(ALICE, scenario="malformed").asks(Action.GARBAGE, behaviour="deep nesting")
    bystander.closed(ClosedBy.TARGET, 1006)
    return history


@bad(
    "LIF-09",
    message="unknown type (input) is not answered as it must be",
    expected="an error frame (unknown_type)",
    actual="nothing within 5,000 ms",
    witnesses=("asked", "gave_up"),
)
def test_an_unknown_type_and_silence() -> History:
    history = History()
    socket = history.connect()
    asked = socket.asks(Action.UNKNOWN_TYPE)
    socket.gave_up(Awaited.ANSWER, asked)
    return history


@bad(
    "LIF-09",
    message="unknown type (input) is not answered as it must be",
    expected="an error frame (unknown_type)",
    actual="the connection closed with 1011",
    witnesses=("asked", "closed"),
)
def test_an_unknown_type_and_a_close() -> History:
    history = History()
    socket = history.connect()
    socket.asks(Action.UNKNOWN_TYPE)
    socket.closed(ClosedBy.TARGET, 1011)
    return history


@bad(
    "LIF-10",
    message="oversize (input) is not answered as it must be",
    expected="an error frame (too_large) or close 1009",
    actual="the connection closed with 1011",
    witnesses=("asked", "closed"),
)
def test_an_oversize_message_and_a_crash() -> History:
    history = History(bounds=Bounds(message_bytes=1000))
    socket = history.connect()
    socket.asks(Action.OVERSIZE)
    socket.closed(ClosedBy.TARGET, 1011)
    return history


@undecided("LIF-08", "LIF-09", "LIF-10", reason="nothing was seen")
def test_the_network_fails_meanwhile() -> History:
    history = History()
    for action in (Action.GARBAGE, Action.UNKNOWN_TYPE, Action.OVERSIZE):
        socket = history.connect()
        socket.asks(action)
        socket.closed(ClosedBy.NETWORK, None)
    return history


@undecided("LIF-10", reason="nothing was seen")
def test_the_answer_to_an_oversize_message_is_lost_with_the_connection() -> History:
    """A target that closes before it has read all resets the connection; its close frame may never arrive."""
    history = History()
    socket = history.connect()
    socket.asks(Action.OVERSIZE)
    socket.closed(ClosedBy.TARGET, 1006)
    return history


@undecided("LIF-10", reason="the message limit is not known")
def test_a_message_that_was_perhaps_not_too_large() -> History:
    history = History()
    socket = history.connect()
    asked = socket.asks(Action.OVERSIZE)
    socket.gave_up(Awaited.ANSWER, asked)
    return history


@undecided("LIF-08", reason="nothing was seen")
def test_the_kit_was_late_to_see_an_answer() -> History:
    history = History()
    socket = history.connect()
    asked = socket.asks(Action.GARBAGE)
    socket.gave_up(Awaited.ANSWER, asked, late=True)
    return history


# -- LIF-11: one run after the other --------------------------------------------------------------------------------


def one_after_the_other(number: int = 3) -> tuple[History, Socket]:
    history = History()
    socket = history.connect()
    for _ in range(number):
        socket.start(behaviour="again").whole()
    return history, socket


@good("LIF-11")
def test_run_after_run() -> History:
    history, _ = one_after_the_other()
    return history


@bad(
    "LIF-11",
    "EVT-02",
    message="after 3 runs a connection cannot run another",
    expected="a run like the first",
    actual="no terminal within 5,000 ms",
    witnesses=("asked", "gave_up"),
)
def test_the_next_run_hangs() -> History:
    history, socket = one_after_the_other()
    socket.gave_up(Awaited.TERMINAL, socket.start(behaviour="again"))
    return history


@bad(
    "LIF-11",
    message="after 3 runs a connection cannot run another",
    expected="a run like the first",
    actual='refused: {"type": "error", "code": "internal", "message": "No.", "request_id": "*"}',
    witnesses=("asked", "error"),
)
def test_the_next_run_is_refused() -> History:
    history, socket = one_after_the_other()
    run = socket.request(behaviour="again")
    socket.error("internal", "No.", request_id=run.asked.request_id)
    return history


@undecided("LIF-11", reason="nothing was seen")
def test_only_one_run() -> History:
    history, _ = one_after_the_other(1)
    return history


# -- LIF-12: memory -------------------------------------------------------------------------------------------------


def told_something() -> tuple[History, Socket, Run]:
    """A target that follows scripts was told something in a thread."""
    history = History()
    socket = history.connect()
    run = socket.start([{"think": "x"}, *say("as told")]).whole("as told")
    return history, socket, run


@good("LIF-12")
def test_an_agent_that_remembers() -> History:
    history, socket, told = told_something()
    socket.start(RECALL, thread_id=told.thread_id).whole(f"You said {told.canary}")
    return history


@bad(
    "LIF-12",
    message="an agent does not remember what was said in its thread",
    expected="an answer that repeats *",
    actual="I remember nothing.",
    witnesses=("asked", "asked", "agent_completed"),
)
def test_an_agent_that_forgets() -> History:
    history, socket, told = told_something()
    socket.start(RECALL, thread_id=told.thread_id).whole("I remember nothing.")
    return history


@good("LIF-12")
def test_what_is_told_at_the_same_time_need_not_be_remembered() -> History:
    history, socket, told = told_something()
    other = socket.start([{"think": "y"}, *say("more")], thread_id=told.thread_id)
    recalls = socket.start(RECALL, thread_id=told.thread_id)
    other.whole("more")
    recalls.whole(f"You said {told.canary}")
    return history


@undecided("LIF-12", reason="nothing was seen")
def test_a_model_that_follows_no_script() -> History:
    history = History()
    socket = history.connect()
    run = socket.start([{"think": "x"}, *say("as told")]).whole("something else")
    socket.start(RECALL, thread_id=run.thread_id).whole("I remember nothing.")
    return history


@good("EVT-02")
def test_a_target_that_promises_no_memory() -> History:
    history = History(capabilities=("threads",))
    socket = history.connect()
    run = socket.start([{"think": "x"}, *say("as told")]).whole("as told")
    socket.start(RECALL, thread_id=run.thread_id).whole("I remember nothing.")
    return history


@good("EVT-02", "IDN-04")
def test_asked_on_a_connection_that_is_gone() -> History:
    """The target closed it at the very moment: nobody was asked."""
    history = History()
    socket = history.connect()
    socket.start().whole()
    socket.closed(ClosedBy.TARGET, 1012)
    run = socket.request()
    socket.gave_up(Awaited.TERMINAL, run)
    return history
