"""ORD: order is kept."""

from conformance.history.operations import ClosedBy
from tests.checks.examples import bad, good, undecided
from tests.checks.histories import History, Run


def cut_in_the_middle() -> tuple[History, Run]:
    """A run whose client lost its connection after two events of five."""
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking()
    socket.closed(ClosedBy.KIT, None)
    run.tool_started(on=())
    run.tool_completed(on=())
    run.completed(on=())
    return history, run


# -- ORD-01, ORD-02, ORD-03 -----------------------------------------------------------------------------------------


@good("ORD-03")
def test_a_run_whose_request_was_repeated_after_its_connection_was_closed() -> History:
    """Who came in between saw no beginning, though it was there when the request was repeated."""
    history = History()
    before = history.connect()
    run = before.request(request_id="req-of-both")
    before.closed()
    between, other, again = history.connect(), history.connect(), history.connect()
    run.started(on=())
    run.thinking(on=())
    run.tool_started(on=())
    run.tool_completed(on=between)
    repeated = again.request(request_id="req-of-both", canary=run.canary, behaviour="repeat")
    run.accepted(on=again, duplicate=True)
    assert repeated.asked.request_id == run.asked.request_id
    run.again(4, on=other)
    run.completed(on=(between, other, again))
    return history


@good("ORD-01", "ORD-02", "ORD-03")
def test_numbered_from_one() -> History:
    history = History()
    history.connect().start().whole()
    return history


@bad(
    "ORD-01",
    "DLV-01",
    message="a run's seq has gaps",
    expected="every seq from 1 to 4",
    actual="never seen: 3",
    witnesses=("agent_started", "agent_completed"),
)
def test_a_number_is_left_out() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.completed(seq=4)
    return history


@bad(
    "ORD-01",
    "DLV-01",
    message="a run's seq has gaps",
    expected="every seq from 1 to 4",
    actual="never seen: 1",
    witnesses=("agent_started", "agent_completed"),
)
def test_numbers_begin_at_two() -> History:
    history = History()
    run = history.connect().start()
    run.started(seq=2)
    run.thinking()
    run.completed()
    return history


@bad(
    "ORD-01",
    message="a seq below 1",
    expected="seq from 1",
    actual="seq 0 with event_id *",
    witnesses=("agent_started",),
)
def test_numbers_begin_at_zero() -> History:
    history = History()
    run = history.connect().start()
    run.started(seq=0)
    run.thinking()
    run.completed()
    return history


@bad(
    "ORD-01",
    message="two events with the same seq",
    expected="seq 3",
    actual="seq 2 with event_id *",
    witnesses=("agent_thinking", "tool_executing"),
)
def test_two_events_with_one_number() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.tool_started(seq=2)
    run.tool_completed()
    run.completed()
    return history


@bad(
    "ORD-02",
    message="events of a run arrive out of order",
    expected="seq 2 before seq 3",
    actual="seq 2 after seq 3",
    witnesses=("agent_thinking", "agent_thinking"),
)
def test_events_change_places() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking(on=())
    run.thinking()
    run.again(2)
    run.completed()
    return history


@undecided("ORD-01", "ORD-02", reason="nothing was seen")
def test_no_run() -> History:
    history = History()
    history.connect()
    return history


@bad(
    "ORD-03",
    message="timestamps go backwards within a run",
    expected="* or later",
    actual="*",
    witnesses=("agent_started", "agent_thinking"),
)
def test_time_goes_backwards() -> History:
    history = History().after(100)
    run = history.connect().start()
    run.started()
    run.thinking(timestamp=history.stamp(history.now - 50))
    run.completed()
    return history


@good("ORD-03")
def test_time_stands_still() -> History:
    history = History()
    run = history.connect().start()
    stamp = history.stamp(history.now)
    for tell in (run.started, run.thinking, run.completed):
        tell(timestamp=stamp)
    return history


# -- ORD-04: replays ------------------------------------------------------------------------------------------------


@good("ORD-04", "DLV-05", "IDN-06", "LIF-04")
def test_a_replay_from_the_beginning() -> History:
    history, run = cut_in_the_middle()
    back = history.connect()
    back.resumes(run)
    run.again(1, 2, 3, 4, 5, on=back)
    return history


@good("ORD-04", "DLV-05")
def test_two_replays_on_one_connection() -> History:
    history, run = cut_in_the_middle()
    back = history.connect()
    back.resumes(run, 2)
    run.again(3, 4, 5, on=back)
    back.resumes(run, 3)
    run.again(4, 5, on=back)
    back.resumes(run)
    run.again(1, 2, 3, 4, 5, on=back)
    return history


@good("ORD-04", "DLV-05")
def test_a_replay_of_the_whole_thread() -> History:
    history, run = cut_in_the_middle()
    back = history.connect()
    back.resumes(run, run_id=None, thread_id=run.thread_id)
    run.again(1, 2, 3, 4, 5, on=back)
    return history


@good("ORD-04", "DLV-05")
def test_a_replay_of_a_run_that_is_long_forgotten() -> History:
    """The details of a run are dropped when many others have ended since."""
    history, run = cut_in_the_middle()
    back = history.connect()
    back.resumes(run, 2)
    run.again(3, 4, 5, on=back)
    other = history.connect()
    for _ in range(130):
        other.start().whole()
    late = history.connect()
    late.resumes(run)
    run.again(1, 2, 3, 4, 5, on=late)
    return history


@good("ORD-04", "DLV-05", "DLV-04")
def test_live_events_before_the_replay_that_leaves_them_out() -> History:
    """What came live after the client asked is not sent again: every event comes once."""
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    socket.closed(ClosedBy.KIT, None)
    run.thinking(on=())
    back = history.connect()
    back.resumes(run)
    run.thinking(on=back)
    run.again(1, 2, on=back)
    run.thinking(on=back)
    run.completed(on=back)
    return history


@good("ORD-04", "DLV-05", "DLV-04")
def test_live_events_before_the_replay_that_brings_them_again() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    socket.closed(ClosedBy.KIT, None)
    run.thinking(on=())
    back = history.connect()
    back.resumes(run)
    run.thinking(on=back)
    run.again(1, 2, 3, on=back)
    run.completed(on=back)
    return history


@good("ORD-01", "ORD-05")
def test_the_same_request_on_a_new_connection_brings_the_story_again() -> History:
    history, run = cut_in_the_middle()
    back = history.connect()
    again = back.request(request_id=run.asked.request_id)
    again.run_id, again.thread_id = run.run_id, run.thread_id
    again.accepted(duplicate=True)
    run.again(1, 2, 3, 4, 5, on=back)
    return history


@good("LIF-01", "EVT-02")
def test_the_same_request_on_a_new_connection_joins_the_run_where_it_is() -> History:
    """The first request was never seen to be accepted; the second is told that it is a duplicate."""
    history = History()
    socket = history.connect()
    run = socket.request()
    socket.closed(ClosedBy.KIT, None)
    run.started(on=())
    run.thinking(on=())
    back = history.connect()
    again = back.request(request_id=run.asked.request_id)
    again.run_id, again.thread_id = run.run_id, run.thread_id
    again.accepted(duplicate=True)
    run.tool_started(on=back)
    run.tool_completed(on=back)
    run.completed(on=back)
    once_more = back.request(request_id=run.asked.request_id)
    once_more.run_id, once_more.thread_id = run.run_id, run.thread_id
    once_more.accepted(duplicate=True)
    return history


@bad(
    "ORD-04",
    "DLV-05",
    message="events of a run arrive out of order",
    expected="seq 2 before seq 3",
    actual="seq 2 after seq 3",
    witnesses=("tool_executing", "agent_thinking"),
)
def test_a_replay_out_of_order() -> History:
    history, run = cut_in_the_middle()
    back = history.connect()
    back.resumes(run)
    run.again(1, 3, 2, 4, 5, on=back)
    return history


@bad(
    "ORD-04",
    "IDN-06",
    message="a replayed event is not the one that was first delivered",
    expected="seq 2 with its event_id",
    actual="another event_id: *",
    witnesses=("agent_thinking",),
)
def test_a_replay_under_new_event_ids() -> History:
    history, run = cut_in_the_middle()
    back = history.connect()
    back.resumes(run)
    run.again(1, on=back)
    run.again(2, on=back, event_id=history.id())
    run.again(3, 4, 5, on=back)
    return history


@bad(
    "ORD-04",
    "IDN-06",
    message="an event has another seq than when it was first delivered",
    expected="event * with seq 2",
    actual="seq 1",
    witnesses=("agent_thinking",),
)
def test_a_replay_that_is_numbered_anew() -> History:
    history, run = cut_in_the_middle()
    back = history.connect()
    back.resumes(run)
    run.again(2, on=back, seq=1)
    run.again(1, on=back, seq=2)
    run.again(3, 4, 5, on=back)
    return history


@undecided("ORD-04", "DLV-05", reason="nothing was seen")
def test_nobody_resumes() -> History:
    history, _ = cut_in_the_middle()
    return history


# -- ORD-05: two connections ----------------------------------------------------------------------------------------


@good("ORD-05", "DLV-10")
def test_two_connections_in_step() -> History:
    history = History()
    sockets = [history.connect(), history.connect()]
    sockets[0].start().whole(on=sockets)
    return history


@good("ORD-05")
def test_a_connection_that_joins_in_the_middle() -> History:
    history = History()
    one = history.connect()
    run = one.start()
    run.started()
    two = history.connect()
    run.thinking(on=(one, two))
    run.completed(on=(two, one))
    return history


@bad(
    "ORD-05",
    "ORD-02",
    message="two connections of one user see a run in different orders",
    expected="seq 2 in the same place on both",
    actual="in its place on one, after a higher seq on the other",
    witnesses=("agent_thinking",),
)
def test_two_connections_see_another_order() -> History:
    history = History()
    one, two = history.connect(), history.connect()
    run = one.start()
    run.started(on=(one, two))
    run.thinking()
    run.thinking(on=(one, two))
    run.again(2, on=two)
    run.completed(on=(one, two))
    return history


@bad(
    "ORD-05",
    "ORD-02",
    message="two connections of one user see a run in different orders",
    expected="seq 2 in the same place on both",
    actual="in its place on one, after a higher seq on the other",
    witnesses=("agent_thinking",),
)
def test_two_connections_see_another_order_the_other_way_round() -> History:
    history = History()
    one, two = history.connect(), history.connect()
    run = one.start()
    run.started(on=(one, two))
    run.thinking(on=())
    run.thinking(on=one)
    run.again(2, on=one)
    run.again(2, 3, on=two)
    run.completed(on=(one, two))
    return history


@bad(
    "ORD-02",
    message="events of a run arrive out of order",
    expected="seq 2 before seq 3",
    actual="seq 2 after seq 3",
    witnesses=("agent_thinking", "agent_thinking"),
)
def test_two_connections_see_the_same_wrong_order() -> History:
    history = History()
    one, two = history.connect(), history.connect()
    run = one.start()
    run.started(on=(one, two))
    run.thinking(on=())
    run.thinking(on=(one, two))
    for socket in (one, two):
        run.again(2, on=socket)
    run.completed(on=(one, two))
    return history


@bad(
    "ORD-01",
    "DLV-01",
    message="a run's seq has gaps",
    expected="every seq from 1 to 4",
    actual="never seen: 3",
    witnesses=("agent_started", "agent_completed"),
)
def test_a_number_that_is_left_out_everywhere() -> History:
    """On every connection and in the replay: that is one fault, not four."""
    history = History()
    one, two = history.connect(), history.connect()
    run = one.start()
    run.started(on=(one, two))
    run.thinking(on=(one, two))
    run.completed(on=(one, two), seq=4)
    back = history.connect()
    back.resumes(run)
    run.again(1, 2, 4, on=back)
    return history


@undecided("ORD-05", "DLV-10", reason="nothing was seen")
def test_only_one_connection() -> History:
    history = History()
    history.connect().start().whole()
    return history
