"""Histories of targets that keep every promise in an odd way, each of which a check once took for a violation."""

from conformance.history.operations import Action, Awaited, ClosedBy
from conformance.script import say, tool
from tests.checks.examples import good, undecided
from tests.checks.histories import BOB, History, Run, Socket


@good("IDN-02", "IDN-06", "IDN-09")
def test_events_calls_and_connections_are_counted() -> History:
    history = History()
    socket = history.connecting()
    socket.connected()
    socket.greeted(connection_id="1")
    run = socket.start()
    run.started(event_id="0")
    run.thinking(event_id="1")
    run.tool_started("0", event_id="2")
    run.tool_completed("0", event_id="3")
    run.completed(event_id="4")
    return history


@good("ISO-01")
def test_escapes_in_events_of_a_connection_that_is_gone() -> History:
    history = History()
    history.connect(BOB)
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking("\0 and a tab \x0b")
    run.completed("\0")
    socket.closed()
    for _ in range(300):
        history.connect().closed()
    return history


@good("EVT-02")
def test_a_run_waits_for_another_one_of_its_user() -> History:
    history = History()
    socket = history.connect()
    first = socket.start([tool("hang")])
    first.started()
    first.thinking()
    first.tool_started(name="hang")
    second = socket.start([{"fail": "down"}])
    socket.gave_up(Awaited.TERMINAL, second)
    first.tool_completed(name="hang", error={"code": "timeout", "message": "It took too long."})
    first.failed("timeout")
    second.started()
    second.thinking()
    second.failed("model_failed")
    return history


@undecided("EVT-10", reason="nothing was seen")
def test_a_failing_run_never_gets_its_turn() -> History:
    history = History()
    socket = history.connect()
    socket.start(say("yes")).whole("yes")
    first = socket.start([tool("hang")])
    first.started()
    first.thinking()
    first.tool_started(name="hang")
    second = socket.start([{"fail": "down"}])
    socket.gave_up(Awaited.TERMINAL, second)
    return history


def unread(ms: float) -> tuple[Socket, Run]:
    """A reader that stops reading in the middle of its run, for so long; its heartbeats are a second apart."""
    history = History()
    socket = history.connecting()
    socket.connected()
    socket.greeted(heartbeat_s=1)
    run = socket.start()
    run.started()
    run.thinking()
    socket.reads(paused=True)
    history.after(ms)
    return socket, run


@undecided("EVT-02", "DLV-06", reason="nothing was seen")
def test_a_reader_that_answers_no_ping_is_taken_for_dead() -> History:
    socket, _ = unread(1_500)
    socket.closed(ClosedBy.TARGET, 1006)
    return socket.history


@good("DLV-06")
def test_a_slow_readers_message_is_too_large() -> History:
    socket, run = unread(500)
    run.completed()
    socket.closed(ClosedBy.TARGET, 1009)
    return socket.history


@good("DLV-06")
def test_a_restart_while_somebody_reads_slowly() -> History:
    socket, run = unread(500)
    run.completed()
    socket.closed(ClosedBy.TARGET, 1012)
    return socket.history


@good("SCH-01", "EVT-15")
def test_a_text_is_cut_within_a_character() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking()
    run.chunk("go \ud83d")
    run.chunk("\ude80")
    run.completed("go \U0001f680")
    return history


@good("EVT-14", "IDN-04", "IDN-07", "DLV-10")
def test_a_run_is_told_first_on_a_connection_that_asks_for_another_one() -> History:
    history = History()
    here, there = history.connect(), history.connect()
    run = here.request()
    other = there.request()
    run.started(on=(there, here))
    there.error("rate_limited", "Too many runs.", request_id=other.asked.request_id)
    run.accepted()
    run.thinking(on=(there, here))
    run.completed(on=(there, here))
    return history


@good("LIF-04")
def test_an_error_about_somebody_elses_run_while_ones_own_is_resumed() -> History:
    history = History()
    others = history.connect(BOB).start()
    others.whole()
    socket = history.connect()
    run = socket.start()
    run.started()
    socket.closed(ClosedBy.NETWORK, 1006)
    socket = history.connect()
    socket.resumes(run, 1)
    socket.asks(Action.STOP, run_id=others.run_id, owner=BOB)
    socket.error("not_found", "There is no such run.")
    run.thinking(on=socket)
    run.completed(on=socket)
    return history


@undecided("LIF-09", reason="nothing was seen")
def test_a_restart_is_no_answer_to_an_unknown_type() -> History:
    history = History()
    socket = history.connect()
    socket.asks(Action.UNKNOWN_TYPE, behaviour="type")
    socket.closed(ClosedBy.TARGET, 1012)
    return history


@good("DLV-04", "DLV-05", "ORD-04")
def test_events_on_their_way_before_the_greeting_come_before_the_replay() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking()
    socket.closed(ClosedBy.NETWORK, 1006)
    run.tool_started(on=())
    back = history.connecting()
    run.tool_completed(on=())
    run.chunk("all", on=())
    back.connected()
    back.greeted()
    back.resumes(run, 2)
    run.again(4, 5, on=back)
    run.again(3, 4, 5, on=back)
    run.completed("all", on=back)
    return history
