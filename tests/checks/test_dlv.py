"""DLV: in time, whatever happens."""

from typing import Any

from conformance.bounds import Bounds
from conformance.history.operations import Action, Awaited, ClosedBy
from conformance.script import tool
from tests.checks.examples import bad, good, judged, undecided
from tests.checks.histories import ALICE, BOB, History, Run, Socket

HEARTBEAT: dict[str, Any] = {"heartbeat_s": 1}


def chunks(history: History, number: int, *, late_ms: float = 0.0, lost: int = 0) -> Run:
    """A run of `number` events, each stamped `late_ms` before it arrives; `lost` of them never arrive."""
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking()
    for place in range(number - 3):
        history.after(late_ms)
        run.chunk("x", on=() if place < lost else None, timestamp=history.stamp(history.now - late_ms))
    run.completed("x" * (number - 3))
    return run


# -- DLV-01: delivered ----------------------------------------------------------------------------------------------


@good("DLV-01", "DLV-04")
def test_enough_events_without_a_loss() -> History:
    history = History()
    chunks(history, 2995)
    return history


@undecided("DLV-01", reason="2,994 events expected, 0 lost: 2,995 without loss would decide it")
def test_one_event_too_few() -> History:
    history = History()
    chunks(history, 2994)
    return history


@bad(
    "DLV-01",
    "ORD-01",
    message="events are lost",
    expected="at least 99.9% delivered",
    actual="1 of 50 lost (98.000% delivered)",
    witnesses=("agent_completed",),
)
def test_one_event_in_fifty_is_lost() -> History:
    history = History()
    chunks(history, 50, lost=1)
    return history


@undecided("DLV-01", reason="nothing was seen")
def test_events_that_fell_into_a_cut() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    socket.closed(ClosedBy.KIT, None)
    run.thinking(on=())
    run.completed(on=())
    return history


# -- DLV-02: latency ------------------------------------------------------------------------------------------------


@good("DLV-02")
def test_events_in_time() -> History:
    history = History()
    chunks(history, 60, late_ms=400)
    return history


@bad(
    "DLV-02",
    message="events arrive late",
    expected="95 % within 500 ms",
    actual="17 of 20 later; p95 602 ms, the slowest 601 ms",
    witnesses=("message_chunk",),
)
def test_events_that_are_late() -> History:
    history = History()
    chunks(history, 20, late_ms=600)
    return history


@good("DLV-02")
def test_a_slow_machine_may_be_slower() -> History:
    history = History(bounds=Bounds(factor=2.0))
    chunks(history, 60, late_ms=600)
    return history


@undecided("DLV-02", reason="is too few samples (59 on time would decide it)")
def test_too_few_latencies() -> History:
    history = History()
    chunks(history, 20)
    return history


@undecided("DLV-02", reason="the target's clock may differ from the kit's")
def test_another_clock() -> History:
    history = History(same_clock=False)
    chunks(history, 60, late_ms=100_000)
    return history


@good("DLV-02")
def test_what_the_kit_itself_delays_does_not_count() -> History:
    history = History()
    run = chunks(history, 60)
    history.after(5000).lagged(5000)
    late = run.socket.start()
    for tell in (late.started, late.thinking, late.completed):
        tell(timestamp=history.stamp(history.now - 900))
    return history


@undecided("DLV-02", reason="0 of")
def test_what_is_brought_unasked_after_a_reconnect_is_not_late() -> History:
    """Nothing can arrive on a connection before it is open."""
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    socket.closed(ClosedBy.KIT, None)
    for number in range(20):
        run.thinking(f"thought {number}", on=())
    history.after(5000)
    back = history.connect()
    run.again(*range(2, 22), on=back)
    run.completed(on=back)
    return history


# -- DLV-03: streamed -----------------------------------------------------------------------------------------------


def sleeping(*, told_after_ms: float) -> History:
    """A tool that takes 300 ms; its start arrives `told_after_ms` late."""
    history = History()
    run = history.connect().start([{"think": "x"}, tool("sleep", ms=300, text="zzz")])
    run.started()
    run.thinking()
    history.after(told_after_ms)
    run.tool_started(name="sleep", parameters={"ms": 300, "text": "zzz"})
    history.after(300 - told_after_ms)
    run.tool_completed(name="sleep", result="zzz")
    run.completed()
    return history


@good("DLV-03")
def test_a_tools_start_while_it_runs() -> History:
    return sleeping(told_after_ms=20)


@bad(
    "DLV-03",
    message="a tool's start arrives only when the tool is done",
    expected="about 300 ms between start and completion of a tool that takes that long",
    actual="2 ms",
    witnesses=("tool_executing", "tool_completed"),
)
def test_a_tools_start_when_it_is_done() -> History:
    return sleeping(told_after_ms=299)


@undecided("DLV-03", reason="nothing was seen")
def test_a_tool_whose_events_were_kept_for_a_client_that_came_back() -> History:
    """The request was on its way when the client left; asked again, it is the same run, told from the beginning."""
    history = History()
    before = history.connect()
    run = before.request([{"think": "x"}, tool("sleep", ms=300, text="zzz")], request_id="req-of-both")
    before.closed()
    after = history.connect()
    again = after.request(run.asked.script, request_id="req-of-both", canary=run.canary, behaviour="repeat")
    run.accepted(on=after, duplicate=True)
    assert again.asked.request_id == run.asked.request_id
    history.after(350)
    run.started(on=after)
    run.thinking(on=after)
    run.tool_started(name="sleep", parameters={"ms": 300, "text": "zzz"}, on=after)
    run.tool_completed(name="sleep", result="zzz", on=after)
    run.completed(on=after)
    return history


@undecided("DLV-03", reason="nothing was seen")
def test_a_tool_that_was_not_left_to_sleep() -> History:
    """What an engine says of a tool that it stopped is EVT-11's matter."""
    history = History()
    socket = history.connect()
    run = socket.start([{"think": "x"}, tool("sleep", ms=60_000, text="zzz")])
    run.started()
    run.thinking()
    run.tool_started(name="sleep", parameters={"ms": 60_000, "text": "zzz"})
    socket.stops(run)
    run.tool_completed(name="sleep", result="")
    run.stopped()
    return history


@undecided("DLV-03", reason="nothing was seen")
def test_no_tool_that_takes_time() -> History:
    history = History()
    history.connect().start().whole()
    return history


# -- DLV-04: once ---------------------------------------------------------------------------------------------------


@bad(
    "DLV-04",
    message="an event is delivered twice on one connection",
    expected="each event once, unless the client asks for it again",
    actual="seq 2 (thinking) a second time",
    witnesses=("agent_thinking",),
)
def test_an_event_twice() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.again(2)
    run.completed()
    return history


@bad(
    "DLV-04",
    message="an event is delivered twice on one connection",
    expected="each event once, unless the client asks for it again",
    actual="seq 5 (completed) a second time",
    witnesses=("agent_completed",),
)
def test_the_end_twice() -> History:
    history = History()
    run = history.connect().start().whole()
    run.again(5)
    return history


@good("DLV-04", "DLV-05")
def test_an_event_twice_because_the_client_asked() -> History:
    history = History()
    socket = history.connect()
    run = socket.start().whole()
    socket.resumes(run, 1)
    run.again(2, 3, 4, 5)
    return history


@undecided("DLV-04", reason="nothing was seen")
def test_no_event() -> History:
    history = History()
    history.connect()
    return history


# -- DLV-05: after a reconnect --------------------------------------------------------------------------------------


def back_again() -> tuple[History, Run, Socket]:
    """A run of five events; the client lost its connection after two and has come back."""
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking()
    socket.closed(ClosedBy.KIT, None)
    for tell in (run.tool_started, run.tool_completed, run.completed):
        tell(on=())
    return history, run, history.after(100).connect()


@bad(
    "DLV-05",
    message="a replay leaves out events, or brings them out of order",
    expected="seq 3 next",
    actual="seq 4; 3 to 3 not yet delivered",
    witnesses=("tool_completed",),
)
def test_a_replay_with_a_hole() -> History:
    history, run, back = back_again()
    back.resumes(run, 2)
    run.again(4, 5, on=back)
    return history


@bad(
    "DLV-05",
    "DLV-04",
    message="an event is delivered twice on one connection",
    expected="each event once, unless the client asks for it again",
    actual="seq 4 (tool_completed) a second time",
    witnesses=("tool_completed",),
)
def test_a_replay_that_brings_an_event_twice() -> History:
    history, run, back = back_again()
    back.resumes(run, 2)
    run.again(3, 4, 4, 5, on=back)
    return history


@bad(
    "DLV-05",
    message="a replay stops before the run's end",
    expected="completed after what was missed",
    actual="0 events within 5,000 ms",
    witnesses=("agent_completed", "asked", "gave_up"),
)
def test_a_resume_that_is_ignored() -> History:
    history, run, back = back_again()
    back.resumes(run)
    run.again(1, 2, 3, 4, 5, on=back)
    once_more = history.connect()
    asked = once_more.resumes(run)
    once_more.gave_up(Awaited.TERMINAL, asked)
    return history


@bad(
    "DLV-05",
    message="a replay stops before the run's end",
    expected="completed after what was missed",
    actual="3 events within 5,000 ms",
    witnesses=("agent_completed", "asked", "gave_up"),
)
def test_a_replay_that_stops_half_way() -> History:
    history, run, back = back_again()
    back.resumes(run)
    run.again(1, 2, 3, 4, 5, on=back)
    once_more = history.connect()
    asked = once_more.resumes(run)
    run.again(1, 2, 3, on=once_more)
    once_more.gave_up(Awaited.TERMINAL, asked)
    return history


@undecided("DLV-05", reason="nothing was seen")
def test_nothing_is_left_to_replay() -> History:
    history = History()
    run = history.connect().start().whole()
    back = history.connect()
    back.gave_up(Awaited.TERMINAL, back.resumes(run, 5))
    return history


@undecided("DLV-05", reason="nothing was seen")
def test_the_kit_was_late_to_see_a_replay() -> History:
    history = History()
    run = history.connect().start().whole()
    back = history.connect()
    asked = back.resumes(run)
    back.gave_up(Awaited.TERMINAL, asked, late=True)
    return history


# -- DLV-06: slow readers -------------------------------------------------------------------------------------------


def slow() -> tuple[History, Socket, Run]:
    """A reader that stops for a second in the middle of its run."""
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking()
    socket.reads(paused=True)
    history.after(1000)
    socket.reads(paused=False)
    return history, socket, run


@good("DLV-06")
def test_a_slow_reader_gets_everything() -> History:
    history, _, run = slow()
    run.chunk("all ")
    run.chunk("of it")
    run.completed("all of it")
    return history


@good("DLV-06")
def test_a_slow_reader_is_told_so() -> History:
    history, socket, _ = slow()
    socket.closed(ClosedBy.TARGET, 4408)
    return history


@bad(
    "DLV-06",
    "DLV-01",
    message="a slow reader misses events and is not told",
    expected="every event, or a close with a code that says so (4408)",
    actual="seq jumps from 4 to 5, 1 more missing",
    witnesses=("agent_completed",),
)
def test_a_slow_reader_misses_something() -> History:
    history, _, run = slow()
    run.chunk("all ", on=())
    run.chunk("of it")
    run.completed("all of it")
    return history


@bad(
    "DLV-01",
    "ISO-02",
    "ISO-03",
    message="events are lost",
    expected="at least 99.9% delivered",
    actual="1 of 5 lost (80.000% delivered)",
    witnesses=("agent_completed",),
)
def test_what_another_user_got_instead_is_no_matter_of_reading() -> History:
    """Though the other user has left before the slow reader reads on."""
    history, _, run = slow()
    other = history.connect(BOB)
    run.chunk("all ", on=(other,))
    other.closed()
    run.chunk("of it")
    run.completed("all of it")
    return history


@bad(
    "DLV-06",
    message="a slow reader is cut off without a code that says so",
    expected="close code 4408 (or 1013)",
    actual="close code 1001",
    witnesses=("closed",),
)
def test_a_slow_reader_is_cut_off() -> History:
    history, socket, _ = slow()
    socket.closed(ClosedBy.TARGET, 1001)
    return history


def dead(code: int) -> History:
    """A reader that answers no ping for a heartbeat: the run goes on without it, and no close frame may reach it."""
    history = History()
    socket = history.connecting()
    socket.connected()
    socket.greeted(**HEARTBEAT)
    socket.start().started()
    socket.reads(paused=True)
    history.after(1500)
    socket.closed(ClosedBy.TARGET, code)
    return history


@undecided("DLV-06", "EVT-02", reason="nothing was seen")
def test_a_reader_that_is_taken_for_dead() -> History:
    return dead(1006)


@undecided("DLV-06", "EVT-02", reason="nothing was seen")
def test_a_reader_that_is_told_that_it_is_taken_for_dead() -> History:
    """The WebSocket libraries of Python close with 1011, "keepalive ping timeout"."""
    return dead(1011)


@bad(
    "DLV-06",
    message="a slow reader is cut off without a code that says so",
    expected="close code 4408 (or 1013)",
    actual="close code 1006",
    witnesses=("closed",),
)
def test_a_slow_reader_whose_connection_is_reset() -> History:
    history, socket, _ = slow()
    socket.closed(ClosedBy.TARGET, 1006)
    return history


@undecided("DLV-06", reason="nothing was seen")
def test_nobody_is_slow() -> History:
    history = History()
    history.connect().start().whole()
    return history


# -- DLV-07: heartbeats ---------------------------------------------------------------------------------------------


def idle(*, answers_pings: bool = True, **greeting: Any) -> tuple[History, Socket]:
    """An idle connection; the target says that its heart beats every second."""
    history = History()
    socket = history.connecting(answers_pings=answers_pings)
    socket.connected()
    socket.greeted(**(HEARTBEAT | greeting))
    return history, socket


@good("DLV-07")
def test_pings_and_a_dead_peer_that_is_noticed() -> History:
    history, socket = idle()
    socket.pinged()
    socket.receives({"type": "heartbeat"})
    history.connect(answers_pings=False).closed(ClosedBy.TARGET, 1011)
    return history


@bad(
    "DLV-07",
    message="an idle connection shows no life",
    expected="a heartbeat every 1 s",
    actual="nothing for 5,000 ms",
    witnesses=("connecting", "gave_up"),
)
def test_an_idle_connection_without_life() -> History:
    history, socket = idle()
    socket.gave_up(Awaited.HEARTBEAT, waited_ms=5000)
    return history


@bad(
    "DLV-07",
    message="a dead peer is not noticed",
    expected="a close within 3 s of silence",
    actual="nothing for 4,500 ms",
    witnesses=("connecting", "gave_up"),
)
def test_a_dead_peer_that_nobody_notices() -> History:
    history, socket = idle(answers_pings=False)
    socket.gave_up(Awaited.CLOSE, waited_ms=4500)
    return history


@undecided("DLV-07", reason="nothing was seen")
def test_a_heartbeat_that_is_not_known() -> History:
    history = History()
    socket = history.connecting()
    socket.connected()
    socket.gave_up(Awaited.HEARTBEAT)
    return history


# -- DLV-09: the first event ----------------------------------------------------------------------------------------


def first_events(number: int, wait_ms: float, **fields: Any) -> History:
    """So many runs whose first event comes so late."""
    history = History()
    socket = history.connect()
    for _ in range(number):
        run = socket.start(**fields)
        history.after(wait_ms)
        run.started()
        run.thinking()
        run.completed()
    return history


@good("DLV-09")
def test_first_events_in_time() -> History:
    return first_events(59, 400)


@bad(
    "DLV-09",
    message="users wait for the first event",
    expected="95 % of first events within 500 ms",
    actual="5 of 5 later, the slowest after 602 ms",
    witnesses=("asked", "agent_started"),
)
def test_first_events_that_are_late() -> History:
    return first_events(5, 600)


@undecided("DLV-09", reason="is too few samples (59 on time would decide it)")
def test_too_few_first_events() -> History:
    return first_events(20, 10)


@undecided("DLV-09", reason="nothing was seen")
def test_first_events_of_runs_that_wait_for_others() -> History:
    return first_events(5, 3000, behaviour="queued")


# -- DLV-10: the second connection ----------------------------------------------------------------------------------


@bad(
    "DLV-10",
    message="a user's second connection does not receive the run's events",
    expected="the 5 events that the first connection received",
    actual="0 events within 5,000 ms",
    witnesses=("asked", "agent_completed", "gave_up"),
)
def test_a_second_connection_that_hears_nothing() -> History:
    history = History()
    one, two = history.connect(), history.connect()
    run = one.start().whole()
    two.gave_up(Awaited.TERMINAL, run)
    return history


@bad(
    "DLV-10",
    message="a user's first connection does not receive the run's events",
    expected="the 5 events that the second connection received",
    actual="0 events within 5,000 ms",
    witnesses=("asked", "agent_completed", "gave_up"),
)
def test_a_second_connection_that_takes_all_the_events() -> History:
    history = History()
    one, two = history.connect(), history.connect()
    run = one.start().whole(on=two)
    one.gave_up(Awaited.TERMINAL, run)
    return history


@bad(
    "DLV-10",
    "DLV-01",
    message="a user's second connection does not receive all of the run's events",
    expected="the events that the first connection received",
    actual="1 of 3 events missing",
    witnesses=("asked", "agent_completed"),
)
def test_a_second_connection_that_misses_the_beginning() -> History:
    history = History()
    one, two = history.connect(), history.connect()
    run = one.start()
    run.started()
    run.thinking(on=(one, two))
    run.completed(on=(one, two))
    return history


@good("EVT-02")
def test_a_second_connection_that_was_opened_later() -> History:
    """What began before need not reach it, unless it resumes."""
    history = History()
    one = history.connect()
    run = one.start()
    run.started()
    two = history.connect()
    run.thinking()
    run.completed()
    two.gave_up(Awaited.TERMINAL, run)
    return history


@good("EVT-02")
def test_the_kit_gave_up_when_the_connection_had_just_ended() -> History:
    history = History()
    one, two = history.connect(), history.connect()
    run = one.start().whole()
    two.closed(ClosedBy.TARGET, 1012)
    two.gave_up(Awaited.TERMINAL, run)
    return history


@good("EVT-02")
def test_a_target_that_promises_one_connection_only() -> History:
    history = History(capabilities=())
    one, two = history.connect(), history.connect()
    run = one.start()
    run.started()
    run.thinking(on=(one, two))
    run.completed(on=(one, two))
    return history


@good("DLV-04", "ORD-04")
def test_a_run_read_over_http() -> History:
    history = History()
    run = history.connect(ALICE).start().whole()
    reading = history.connecting(ALICE, method="GET", accept="text/event-stream")
    reading.asks(Action.RESUME, run_id=run.run_id, after_seq=0)
    reading.connected(200, content_type="text/event-stream", cache_control="no-store")
    run.again(1, 2, 3, 4, 5, on=reading)
    reading.closed(ClosedBy.TARGET, None)
    return history


def test_figures_are_measured() -> None:
    history = History()
    chunks(history, 60, late_ms=100)
    figures = {m.name: (m.value, m.unit, m.samples) for m in judged(history).measurements}
    assert figures["delivery latency p50"] == (102.0, "ms", 60)
    assert figures["delivered"] == (100.0, "%", 60)
    assert figures["first event p95"][1:] == ("ms", 1)


@undecided("SCH-07", reason="nothing was seen")
def test_a_read_that_got_no_answer() -> History:
    history = History(capabilities=("sse",))
    reading = history.connecting(ALICE, method="GET", accept="text/event-stream")
    reading.refused(None)
    return history
