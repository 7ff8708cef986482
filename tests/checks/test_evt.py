"""EVT: every run tells its whole story."""

from typing import Any

from conformance.history.operations import Awaited, ClosedBy
from conformance.script import say, tool
from tests.checks.examples import bad, good, undecided
from tests.checks.histories import ALICE, OMIT, History

FAILS = [{"think": "x"}, *say("half a sentence"), {"fail": "the model is down"}]


def obedient() -> History:
    """A history in which the target was seen to follow a script."""
    history = History()
    script = [{"think": "x"}, *say("as told")]
    history.connect().start(script).whole("as told")
    return history


# -- EVT-01, EVT-14: one start, first -------------------------------------------------------------------------------


@good("EVT-01", "EVT-02", "EVT-03", "EVT-04", "EVT-05", "EVT-06", "EVT-07", "EVT-08", "EVT-09", "EVT-14")
def test_a_whole_run() -> History:
    history = History()
    history.connect().start().whole()
    return history


@bad(
    "EVT-01",
    message="a run's first event is thinking, not its start",
    expected="the start event first",
    actual="thinking first",
    witnesses=("agent_thinking",),
)
def test_a_run_without_its_start() -> History:
    history = History()
    run = history.connect().start()
    run.thinking()
    run.completed()
    return history


@bad(
    "EVT-01",
    message="a run's first event is thinking, not its start",
    expected="the start event first",
    actual="thinking first",
    witnesses=("agent_thinking",),
)
def test_the_start_comes_second() -> History:
    history = History()
    run = history.connect().start()
    run.thinking()
    run.started()
    run.completed()
    return history


@bad(
    "ORD-01",
    "DLV-01",
    message="a run's seq has gaps",
    expected="every seq from 1 to 3",
    actual="never seen: 1",
    witnesses=("agent_thinking", "agent_completed"),
)
def test_the_start_is_lost() -> History:
    history = History()
    run = history.connect().start()
    run.started(on=())
    run.thinking()
    run.completed()
    return history


@bad(
    "EVT-14",
    "EVT-01",
    message="a run starts a second time",
    expected="one start event a run",
    actual="another start event under the same run_id",
    witnesses=("agent_started", "agent_started"),
)
def test_a_second_start() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.started()
    run.completed()
    return history


@bad(
    "EVT-14",
    message="one request started two runs: * and *",
    expected="one run for one request",
    actual="a second start for request *",
    witnesses=("agent_started", "agent_started"),
)
def test_one_request_starts_two_runs() -> History:
    history = History()
    socket = history.connect()
    one = socket.start().whole()
    history.after(100)
    two = socket.request(script=None, request_id=one.asked.request_id)
    history.operations.pop()  # the kit asked once
    two.whole()
    return history


@good("EVT-01", "EVT-14")
def test_the_start_comes_before_the_acceptance() -> History:
    history = History()
    run = history.connect().request()
    run.started()
    run.accepted()
    run.thinking()
    run.completed()
    return history


@good("EVT-01", "EVT-02", "LIF-01")
def test_the_whole_run_comes_before_the_acceptance() -> History:
    history = History()
    socket = history.connect()
    run = socket.request()
    run.whole()
    run.accepted()
    again = socket.request(request_id=run.asked.request_id)
    again.run_id, again.thread_id = run.run_id, run.thread_id
    again.accepted(duplicate=True)
    return history


@good("EVT-01", "EVT-14")
def test_the_second_connection_is_read_first() -> History:
    """The start is still under way to the one connection when the other, opened later, tells the second event."""
    history = History()
    socket = history.connect()
    run = socket.start()
    other = history.connect()
    run.started(on=())
    run.thinking(on=other)
    run.again(1, 2)
    run.completed(on=[socket, other])
    return history


# -- EVT-02, EVT-03: one end, last ----------------------------------------------------------------------------------


@bad(
    "EVT-02",
    message="a run never ends",
    expected="one terminal event within 5,000 ms",
    actual="the last of 2 events was thinking, then silence",
    witnesses=("asked", "agent_thinking", "gave_up"),
)
def test_a_run_that_never_ends() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking()
    socket.gave_up(Awaited.TERMINAL, run)
    socket.closed()
    return history


@bad(
    "EVT-02",
    message="a run never ends",
    expected="one terminal event within 5,000 ms",
    actual="the run was accepted, then silence",
    witnesses=("asked", "gave_up"),
)
def test_an_accepted_run_of_which_nothing_comes() -> History:
    history = History()
    socket = history.connect()
    socket.gave_up(Awaited.TERMINAL, socket.start())
    return history


@bad(
    "EVT-02",
    message="a run never ends",
    expected="one terminal event within 5,000 ms",
    actual="neither accepted nor refused, and no event",
    witnesses=("asked", "gave_up"),
)
def test_a_request_without_any_answer() -> History:
    history = History()
    socket = history.connect()
    socket.gave_up(Awaited.ANSWER, socket.request())
    return history


@undecided("EVT-02", reason="nothing was seen")
def test_the_kit_itself_was_late() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    history.lagged(3000)
    socket.gave_up(Awaited.TERMINAL, run, late=True)
    return history


@undecided("EVT-02", "EVT-05", reason="nothing was seen")
def test_a_run_that_is_only_slow() -> History:
    """It tells something shortly before the kit gives up."""
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking()
    run.tool_started()
    history.after(4000)
    run.chunk("still at it")
    socket.gave_up(Awaited.TERMINAL, run, at=history.now + 50)
    return history


@undecided("EVT-02", reason="nothing was seen")
def test_a_run_that_goes_on_after_the_kit_gave_up() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    socket.gave_up(Awaited.TERMINAL, run)
    run.thinking()
    return history


@undecided("EVT-02", "EVT-05", "EVT-07", reason="")
def test_the_kit_cuts_the_connection_in_the_middle() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking()
    run.tool_started()
    socket.closed(ClosedBy.KIT, None)
    return history


@undecided("EVT-02", reason="nothing was seen")
def test_a_run_that_never_comes_to_its_tool_before_the_kit_leaves() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking()
    socket.gave_up(Awaited.STARTED, run)
    socket.closed()
    return history


@bad(
    "EVT-02",
    message="a run never ends",
    expected="one terminal event within 5,000 ms",
    actual="neither accepted nor refused, and no event",
    witnesses=("asked", "gave_up"),
)
def test_a_run_that_never_starts() -> History:
    history = History()
    socket = history.connect()
    socket.gave_up(Awaited.STARTED, socket.request())
    return history


@good("EVT-02")
def test_a_run_that_is_slow_to_reach_its_tool() -> History:
    """The kit gave up on the tool's start; the run went on and ended."""
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking()
    socket.gave_up(Awaited.STARTED, run)
    run.tool_started()
    run.tool_completed()
    run.completed()
    return history


@good("EVT-02")
def test_a_refused_run_needs_no_end() -> History:
    history = History()
    socket = history.connect()
    run = socket.request()
    socket.error("rate_limited", "Too many runs.", request_id=run.asked.request_id)
    socket.start().whole()
    return history


@bad(
    "EVT-02",
    message="the target closed the connection before the run's end",
    expected="one terminal event",
    actual="close code 1011 after started",
    witnesses=("agent_started", "closed"),
)
def test_the_target_drops_the_connection() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    socket.closed(ClosedBy.TARGET, 1011)
    return history


@undecided("EVT-02", reason="nothing was seen")
def test_a_connection_that_breaks_when_the_kit_is_late() -> History:
    """It may have answered a ping too late."""
    history = History()
    socket = history.connect()
    socket.start().started()
    history.lagged(800)
    socket.closed(ClosedBy.TARGET, 1011, "keepalive ping timeout")
    return history


@bad(
    "DLV-06",
    message="a slow reader is cut off without a code that says so",
    expected="close code 4408 (or 1013)",
    actual="close code 1011",
    witnesses=("closed",),
)
def test_a_slow_reader_that_is_dropped() -> History:
    """Its run's end is missing for that reason, which is no second violation."""
    history = History()
    socket = history.connect()
    socket.start().started()
    socket.reads(paused=True)
    socket.closed(ClosedBy.TARGET, 1011)
    return history


@undecided("EVT-02", reason="nothing was seen")
def test_the_target_restarts_and_says_so() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    socket.closed(ClosedBy.TARGET, 1012)
    return history


@good("EVT-02")
def test_a_dropped_run_that_is_resumed() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    socket.closed(ClosedBy.TARGET, 1011)
    back = history.connect()
    back.resumes(run, 1)
    run.thinking(on=back)
    run.completed(on=back)
    return history


@bad(
    "EVT-02",
    "EVT-03",
    message="a run ends twice: completed, then failed",
    expected="exactly one terminal event",
    actual="a second terminal event",
    witnesses=("agent_completed", "agent_error"),
)
def test_a_run_that_ends_twice() -> History:
    history = History()
    run = history.connect().start().whole()
    run.failed()
    return history


@bad(
    "EVT-03",
    message="thinking follows the run's terminal event",
    expected="nothing after completed",
    actual="thinking after it",
    witnesses=("agent_completed", "agent_thinking"),
)
def test_an_event_after_the_end() -> History:
    history = History()
    run = history.connect().start().whole()
    run.thinking()
    return history


@good("EVT-03")
def test_the_end_again_when_asked_for() -> History:
    history = History()
    socket = history.connect()
    run = socket.start().whole()
    socket.resumes(run)
    run.again(1, 2, 3, 4, 5)
    return history


# -- EVT-04: thinking -----------------------------------------------------------------------------------------------


@bad(
    "EVT-04",
    message="a run reports no thinking before its first tool",
    expected="a thinking event before its first tool",
    actual="none",
    witnesses=("agent_started", "tool_executing"),
)
def test_a_tool_without_a_thought() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.tool_started()
    run.tool_completed()
    run.thinking()
    run.completed()
    return history


@bad(
    "EVT-04",
    message="a run reports no thinking before it completes",
    expected="a thinking event before it completes",
    actual="none",
    witnesses=("agent_started", "agent_completed"),
)
def test_an_answer_without_a_thought() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.completed()
    return history


@undecided("EVT-04", reason="nothing was seen")
def test_a_run_that_fails_before_it_thinks() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.failed()
    return history


@bad(
    "ORD-01",
    "DLV-01",
    message="a run's seq has gaps",
    expected="every seq from 1 to 5",
    actual="never seen: 2",
    witnesses=("agent_started", "agent_completed"),
)
def test_the_thought_was_lost_on_the_way() -> History:
    """A numbered event is missing: it may have been the thought."""
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking(on=())
    run.tool_started()
    run.tool_completed()
    run.completed()
    return history


# -- EVT-05 to EVT-08: tools ----------------------------------------------------------------------------------------


@bad(
    "EVT-05",
    "EVT-07",
    message="tool call * (echo) never completes",
    expected="exactly one completion for every start",
    actual="none",
    witnesses=("tool_executing", "agent_completed"),
)
def test_a_tool_that_never_completes() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.tool_started()
    run.completed()
    return history


@bad(
    "EVT-07",
    message="the run ends while tool call * is open",
    expected="a completion of every tool before the run's end",
    actual="completed with echo still open",
    witnesses=("tool_executing", "agent_completed"),
)
def test_a_tool_of_which_a_slow_reader_may_have_missed_the_completion() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    socket.reads(paused=True)
    socket.reads(paused=False)
    run.started()
    run.thinking()
    run.tool_started()
    run.completed()
    socket.closed(ClosedBy.TARGET, 4408)
    return history


@bad(
    "EVT-05",
    "EVT-02",
    message="tool call * (echo) never completes",
    expected="exactly one completion for every start",
    actual="none",
    witnesses=("tool_executing",),
)
def test_a_tool_and_a_run_that_hang() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking()
    run.tool_started()
    socket.gave_up(Awaited.TERMINAL, run)
    return history


@bad(
    "EVT-05",
    message="tool call * starts a second time",
    expected="one start a tool call",
    actual="two",
    witnesses=("tool_executing", "tool_executing"),
)
def test_a_tool_that_starts_twice() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.tool_started()
    run.tool_started()
    run.tool_completed()
    run.completed()
    return history


@bad(
    "EVT-05",
    message="tool call * completes a second time",
    expected="one completion a tool call",
    actual="two",
    witnesses=("tool_completed", "tool_completed"),
)
def test_a_tool_that_completes_twice() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.tool_started()
    run.tool_completed()
    run.tool_completed()
    run.completed()
    return history


@bad(
    "EVT-06",
    "EVT-05",
    message="a completion of tool call * without its start",
    expected="a start with the same tool_call_id before it",
    actual="none",
    witnesses=("tool_completed",),
)
def test_a_completion_without_a_start() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.tool_completed()
    run.completed()
    return history


@bad(
    "EVT-06",
    message="a completion of tool call * without its start",
    expected="a start with the same tool_call_id before it",
    actual="none",
    witnesses=("tool_completed",),
)
def test_a_completion_before_its_start() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.tool_completed()
    run.tool_started()
    run.tool_completed()
    run.completed()
    return history


@bad(
    "EVT-06",
    "EVT-05",
    "EVT-07",
    message="a completion of tool call * without its start",
    expected="a start with the same tool_call_id before it",
    actual="none",
    witnesses=("tool_completed",),
)
def test_a_completion_before_its_start_and_none_after() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.tool_completed()
    run.tool_started()
    run.completed()
    return history


@bad(
    "ORD-02",
    message="events of a run arrive out of order",
    expected="seq 3 before seq 4",
    actual="seq 3 after seq 4",
    witnesses=("tool_completed", "tool_executing"),
)
def test_start_and_completion_change_places_on_the_way() -> History:
    """By their numbers the start comes first: what is wrong is the delivery."""
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.tool_started(on=())
    run.tool_completed()
    run.again(3)
    run.completed()
    return history


@bad(
    "ORD-02",
    message="events of a run arrive out of order",
    expected="seq 4 before seq 5",
    actual="seq 4 after seq 5",
    witnesses=("agent_completed", "tool_completed"),
)
def test_the_end_overtakes_a_completion() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.tool_started()
    run.tool_completed(on=())
    run.completed()
    run.again(4)
    return history


@bad(
    "ORD-01",
    "DLV-01",
    message="a run's seq has gaps",
    expected="every seq from 1 to 5",
    actual="never seen: 4",
    witnesses=("agent_started", "agent_completed"),
)
def test_the_completion_is_lost() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.tool_started()
    run.tool_completed(on=())
    run.completed()
    return history


@bad(
    "EVT-07",
    "EVT-03",
    message="the run ends while tool call * is open",
    expected="a completion of every tool before the run's end",
    actual="completed with echo still open",
    witnesses=("tool_executing", "agent_completed"),
)
def test_a_run_that_does_not_wait_for_its_tool() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking()
    run.tool_started()
    run.completed()
    run.tool_completed()
    return history


@good("EVT-05", "EVT-07", "LIF-02")
def test_a_tool_that_is_ended_by_a_stop() -> History:
    history = History()
    socket = history.connect()
    run = socket.start([{"think": "x"}, tool("hang")])
    run.started()
    run.thinking()
    run.tool_started(name="hang", parameters={})
    socket.stops(run)
    run.tool_completed(name="hang", error={"code": "cancelled", "message": "The run was stopped."})
    run.stopped()
    return history


@good("EVT-06", "EVT-05", "EVT-07", "ORD-04")
def test_a_completion_that_overtakes_the_replay() -> History:
    """The client was gone when the tool started. Its completion is under way live when the client resumes."""
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking()
    socket.closed(ClosedBy.KIT, None)
    run.tool_started(on=())
    back = history.connect()
    back.resumes(run, 2)
    run.tool_completed(on=back)
    run.again(3, 4, on=back)
    run.completed(on=back)
    return history


@good("EVT-06", "EVT-05", "EVT-07", "ORD-04")
def test_everything_overtakes_the_replay() -> History:
    """The rest of the run comes live, then the missed part, and the rest once more."""
    history = History()
    socket = history.connect()
    run = socket.start()
    socket.closed(ClosedBy.KIT, None)
    run.started(on=())
    run.thinking(on=())
    run.tool_started(on=())
    back = history.connect()
    back.resumes(run)
    run.tool_completed(on=back)
    run.completed(on=back)
    run.again(1, 2, 3, 4, 5, on=back)
    return history


@undecided("EVT-05", "EVT-06", "EVT-07", "EVT-01", "ORD-01", reason="")
def test_a_client_that_comes_back_and_does_not_resume() -> History:
    """What passed while no connection was open is nobody's loss."""
    history = History()
    socket = history.connect()
    run = socket.start()
    socket.closed(ClosedBy.KIT, None)
    run.started(on=())
    run.thinking(on=())
    run.tool_started(on=())
    back = history.connect()
    run.tool_completed(on=back)
    run.completed(on=back)
    return history


@undecided("EVT-05", "EVT-07", "ORD-01", reason="")
def test_a_completion_that_passed_while_the_client_was_gone() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking()
    run.tool_started()
    socket.closed(ClosedBy.KIT, None)
    run.tool_completed(on=())
    back = history.connect()
    run.completed(on=back)
    return history


@good("EVT-08", "EVT-11")
def test_null_and_empty_results_are_results() -> History:
    history = History()
    run = history.connect().start([{"think": "x"}, tool("fail", message="no"), *say("ok")])
    run.started()
    run.thinking()
    empty: tuple[Any, ...] = (None, "", {}, [], 0, False)
    for number, result in enumerate(empty):
        run.tool_started(f"call-{number}")
        run.tool_completed(f"call-{number}", result=result)
    run.tool_started("call-9", "fail", parameters={"message": "no"})
    run.tool_completed("call-9", "fail", error={"code": "tool_failed", "message": "no"})
    run.completed("ok")
    return history


@bad(
    "SCH-02",
    message="a frame has a bad field 'payload.status'",
    expected="payload.status: *",
    actual="*",
    witnesses=("tool_completed",),
)
def test_a_status_in_words_of_the_targets_own() -> History:
    """How it went shows from what is there: a result, or an error."""
    history = History()
    run = history.connect().start([{"think": "x"}, tool("fail", message="no"), *say("ok")])
    run.started()
    run.thinking()
    run.tool_started("call-1")
    run.tool_completed("call-1", status="Status.OK")
    run.tool_started("call-2", "fail", parameters={"message": "no"})
    run.tool_completed("call-2", "fail", error={"code": "tool_failed", "message": "no"}, status="Status.ERROR")
    run.completed("ok")
    return history


@bad(
    "EVT-08",
    message="a tool's completion does not say how it went: status 'ok' with neither",
    expected='status "ok" with a result, or "error" with an error {code, message}',
    actual="status 'ok', neither result nor error",
    witnesses=("tool_completed",),
)
def test_a_completion_without_an_outcome() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.tool_started()
    run.tool_completed(result=OMIT)
    run.completed()
    return history


@bad(
    "EVT-08",
    message="a tool's completion does not say how it went: status 'error' with a result and an error",
    expected='status "ok" with a result, or "error" with an error {code, message}',
    actual="status 'error', a result and an error",
    witnesses=("tool_completed",),
)
def test_a_completion_with_two_outcomes() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.tool_started()
    run.tool_completed(result="fine", error={"code": "tool_failed", "message": "not fine"})
    run.completed()
    return history


@bad(
    "EVT-08",
    message="a tool's completion does not say how it went: status 'ok' with an error",
    expected='status "ok" with a result, or "error" with an error {code, message}',
    actual="status 'ok', an error",
    witnesses=("tool_completed",),
)
def test_a_completion_whose_status_says_otherwise() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.tool_started()
    run.tool_completed(status="ok", error={"code": "tool_failed", "message": "not fine"})
    run.completed()
    return history


# -- EVT-09, EVT-10, EVT-15: the end says what came of it -----------------------------------------------------------


@bad(
    "EVT-09",
    message="a completed event without the final response",
    expected="final_response with the whole answer",
    actual='"  "',
    witnesses=("agent_completed",),
)
def test_an_empty_answer_where_the_script_says_something() -> History:
    history = History()
    run = history.connect().start([{"think": "x"}, *say("something")])
    run.started()
    run.thinking()
    run.completed("  ")
    return history


@bad(
    "EVT-09",
    "SCH-02",
    message="a completed event without the final response",
    expected="final_response with the whole answer",
    actual="null",
    witnesses=("agent_completed",),
)
def test_no_answer_at_all() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.completed(OMIT)
    return history


@good("EVT-09")
def test_an_empty_answer_where_the_script_says_nothing() -> History:
    history = History()
    run = history.connect().start([{"think": "x"}, tool("echo", text="only this")])
    run.started()
    run.thinking()
    run.completed("")
    return history


@good("EVT-10", "SCH-06")
def test_a_failing_model_ends_in_an_error() -> History:
    history = obedient()
    run = history.connect().start(FAILS)
    run.started()
    run.thinking()
    run.failed("model_failed", "The model is down.")
    return history


@bad(
    "EVT-10",
    message="the model failed, yet the run completed",
    expected="an error event with a code and a message",
    actual="the run completed",
    witnesses=("asked", "agent_completed"),
)
def test_a_failing_model_ends_in_success() -> History:
    history = obedient()
    run = history.connect().start(FAILS)
    run.started()
    run.thinking()
    run.completed("half a sentence")
    return history


@bad(
    "EVT-10",
    message="the model failed, yet the run was stopped",
    expected="an error event with a code and a message",
    actual="the run was stopped",
    witnesses=("asked", "agent_stopped"),
)
def test_a_failing_model_ends_in_a_stop_that_nobody_asked_for() -> History:
    history = obedient()
    run = history.connect().start(FAILS)
    run.started()
    run.thinking()
    run.stopped()
    return history


@bad(
    "EVT-10",
    "EVT-02",
    message="the model failed, and the run fell silent",
    expected="an error event with a code and a message",
    actual="silence",
    witnesses=("asked", "gave_up"),
)
def test_a_failing_model_ends_in_silence() -> History:
    history = obedient()
    socket = history.connect()
    run = socket.start(FAILS)
    run.started()
    run.thinking()
    socket.gave_up(Awaited.TERMINAL, run)
    return history


@bad(
    "EVT-02",
    message="a run never ends",
    expected="one terminal event within 5,000 ms",
    actual="the last of 1 events was started, then silence",
    witnesses=("asked", "agent_started", "gave_up"),
)
def test_silence_of_a_model_that_follows_no_script() -> History:
    """Nothing shows that the model was made to fail."""
    history = History()
    socket = history.connect()
    run = socket.start(FAILS)
    run.started()
    socket.gave_up(Awaited.TERMINAL, run)
    return history


@bad(
    "EVT-10",
    "SCH-06",
    message="an error event that does not say what went wrong",
    expected="a code and a message",
    actual="code 'internal', message ''",
    witnesses=("agent_error",),
)
def test_an_error_that_says_nothing() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.failed("internal", "")
    return history


@undecided("EVT-10", reason="nothing was seen")
def test_no_run_fails() -> History:
    history = History()
    history.connect().start().whole()
    return history


@bad(
    "EVT-11",
    message="a tool that failed is reported as a success",
    expected='status "error" for a call of the tool "fail"',
    actual="status 'ok', result \"\"",
    witnesses=("tool_executing", "tool_completed"),
)
def test_a_failing_tool_reported_as_a_success() -> History:
    history = History()
    run = history.connect().start([{"think": "x"}, tool("fail", message="no")])
    run.started()
    run.thinking()
    run.tool_started(name="fail", parameters={"message": "no"})
    run.tool_completed(name="fail", result="")
    run.completed("fine")
    return history


@good("EVT-15")
def test_the_streamed_text_is_the_answer() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    for text in ("Grüße", "", ", ", "\U0001f44b\n"):
        run.chunk(text)
    run.completed("Grüße, \U0001f44b\n")
    return history


@bad(
    "EVT-15",
    message="the streamed text is not the final response: they part at character 9",
    expected="one two three",
    actual="one two two three",
    witnesses=("message_chunk", "message_chunk", "agent_completed"),
)
def test_a_doubled_chunk() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    for text in ("one ", "two ", "two ", "three"):
        run.chunk(text)
    run.completed("one two three")
    return history


@bad(
    "EVT-15",
    message="the streamed text is not the final response: they part at character 4",
    expected="one two",
    actual="one ",
    witnesses=("message_chunk", "message_chunk", "agent_completed"),
)
def test_the_answer_goes_on_after_the_streamed_text() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.chunk("one ")
    run.completed("one two")
    return history


@good("EVT-15", "DLV-05")
def test_a_chunk_that_overtakes_the_replay() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking()
    socket.closed(ClosedBy.KIT, None)
    run.chunk("one ", on=())
    back = history.connect()
    back.resumes(run, 2)
    run.chunk("two", on=back)
    run.again(3, 4, on=back)
    run.completed("one two", on=back)
    return history


@bad(
    "ORD-02",
    message="events of a run arrive out of order",
    expected="seq 3 before seq 4",
    actual="seq 3 after seq 4",
    witnesses=("message_chunk", "message_chunk"),
)
def test_chunks_that_change_places_on_the_way() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.chunk("one ", on=())
    run.chunk("two")
    run.again(3)
    run.completed("one two")
    return history


@undecided("EVT-15", reason="nothing was seen")
def test_nothing_was_streamed() -> History:
    history = History()
    history.connect().start().whole()
    return history


# -- EVT-13: parallel tools -----------------------------------------------------------------------------------------


@good("EVT-13", "EVT-05", "EVT-06")
def test_parallel_tools_end_in_another_order() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    for call in ("call-1", "call-2", "call-3"):
        run.tool_started(call)
    run.tool_completed("call-3")
    run.tool_completed("call-1")
    run.tool_completed("call-2")
    run.completed()
    return history


@good("EVT-13")
def test_parallel_tools_with_the_same_parameters() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    for call in ("call-1", "call-2"):
        run.tool_started(call, parameters={"text": "the same"})
    for call in ("call-2", "call-1"):
        run.tool_completed(call, result="the same")
    run.completed()
    return history


@good("EVT-13")
def test_parallel_tools_with_quotation_marks_and_one_text_within_the_other() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    for call, text in (("call-1", 'so "said" she'), ("call-2", "said")):
        run.tool_started(call, parameters={"text": text})
    for call, result in (("call-1", {"text": 'so "said" she'}), ("call-2", "said")):
        run.tool_completed(call, result=result)
    run.completed()
    return history


@bad(
    "EVT-13",
    message="parallel tool calls are mixed up: * completes as another call",
    expected='the outcome of echo({"text":"the slow one"})',
    actual="the result of call *",
    witnesses=("tool_executing", "tool_completed"),
)
def test_parallel_tools_get_each_others_results() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.tool_started("call-1", parameters={"text": "the slow one"})
    run.tool_started("call-2", parameters={"text": "the fast one"})
    run.tool_completed("call-1", result={"text": "the fast one"})
    run.tool_completed("call-2", result={"text": "the slow one"})
    run.completed()
    return history


@bad(
    "EVT-13",
    message="parallel tool calls are mixed up: * completes as another call",
    expected='the outcome of sleep({"text":"call-1 *"})',
    actual="tool 'sleep' started, 'echo' completed",
    witnesses=("tool_executing", "tool_completed"),
)
def test_parallel_tools_complete_under_each_others_names() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.tool_started("call-1", "sleep")
    run.tool_started("call-2", "echo")
    run.tool_completed("call-1", "echo")
    run.tool_completed("call-2", "sleep")
    run.completed()
    return history


@bad(
    "EVT-13",
    message="parallel tool calls are mixed up: * completes as another call",
    expected='the outcome of sleep({"ms":500,"text":"slow"})',
    actual="the result of call *",
    witnesses=("tool_executing", "tool_completed"),
)
def test_a_slow_tool_gets_the_result_of_a_fast_one() -> History:
    """That it seems to have taken no time follows from it."""
    history = History()
    run = history.connect().start([{"think": "x"}, {"parallel": [tool("sleep", ms=500, text="slow"), tool("echo")]}])
    run.started()
    run.thinking()
    run.tool_started("call-1", "sleep", parameters={"ms": 500, "text": "slow"})
    run.tool_started("call-2", "echo", parameters={"text": "fast"})
    run.tool_completed("call-1", "sleep", result="fast")
    history.after(500)
    run.tool_completed("call-2", "echo", result="slow")
    run.completed()
    return history


@undecided("EVT-13", reason="nothing was seen")
def test_tools_one_after_the_other() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    for call in ("call-1", "call-2"):
        run.tool_started(call)
        run.tool_completed(call)
    run.completed()
    return history


@good("EVT-01", "EVT-02", "EVT-05", "ORD-05", "DLV-10")
def test_two_connections_see_the_same_run() -> History:
    history = History()
    sockets = history.connect(ALICE), history.connect(ALICE)
    sockets[0].start().whole(on=sockets)
    return history
