"""Histories of targets that keep every promise in an odd way, each of which a check once took for a violation."""

from conformance.history.operations import Awaited, ClosedBy
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


@good("SCH-03", "ORD-03")
def test_a_run_over_a_leap_second_in_other_words() -> History:
    history = History(began_us=1_483_228_799_000_000)
    socket = history.connecting()
    socket.connected()
    socket.greeted(server_time="2016-12-31T23:59:59.500Z")
    run = socket.start()
    run.started(timestamp="2016-12-31T23:59:59.999Z")
    run.thinking(timestamp="2016-12-31T23:59:60.000000Z")
    run.tool_started(timestamp="2016-12-31t23:59:60.500z")
    run.tool_completed(timestamp="2017-01-01T00:00:00.000000001-00:00")
    run.completed(timestamp="2017-01-01T00:00:00.001+00:00")
    return history
