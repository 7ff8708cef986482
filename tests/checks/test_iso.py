"""ISO: nobody sees anybody else."""

import base64
from collections.abc import Callable

import msgspec
import pytest

from conformance.history.operations import Action, Awaited, ClosedBy, Received
from conformance.script import Script, say, tool
from tests.checks.examples import bad, described, good, judged, undecided
from tests.checks.histories import ALICE, BOB, CAROL, History, Run, Socket


def two_users() -> tuple[History, Socket, Run, Socket, Run]:
    """Alice and Bob are connected and each has a run that was accepted."""
    history = History()
    alices, bobs = history.connect(ALICE), history.connect(BOB)
    return history, alices, alices.start(), bobs, bobs.start()


# -- ISO-01: canaries -----------------------------------------------------------------------------------------------


@good("ISO-01", "ISO-02", "ISO-03")
def test_a_crowd_in_which_everybody_sees_their_own() -> History:
    history = History()
    runs = [history.connect(f"user-number-{number}").start() for number in range(6)]
    for tell in ("started", "thinking", "tool_started", "tool_completed", "completed"):
        for run in runs:
            getattr(run, tell)()
    return history


@undecided("ISO-01", "ISO-02", "ISO-03", reason="nothing was seen")
def test_one_user_alone() -> History:
    history = History()
    history.connect(ALICE).start().whole()
    return history


@bad(
    "ISO-01",
    message="a canary of user-alice on a connection of user-bobby",
    expected="nothing of user-alice",
    actual="*",
    witnesses=("asked", "agent_completed"),
)
def test_another_users_canary_in_an_answer() -> History:
    history, _, alices, _, bobs = two_users()
    alices.whole()
    bobs.whole(f"You said: {alices.canary}")
    return history


@bad(
    "ISO-01",
    message="a canary of user-alice on a connection of user-bobby",
    expected="nothing of user-alice",
    actual="*",
    witnesses=("asked", "message_chunk", "message_chunk", "message_chunk"),
)
def test_another_users_canary_split_over_chunks() -> History:
    history, _, alices, _, bobs = two_users()
    bobs.started()
    bobs.thinking()
    for piece in ("it is ", alices.canary[:9], alices.canary[9:17], alices.canary[17:] + "!"):
        bobs.chunk(piece)
    bobs.failed()
    return history


def _escaped(token: str) -> str:
    return "".join(f"\\u{ord(letter):04x}" for letter in token)


def _base64(token: str, before: str = "") -> str:
    return base64.b64encode(f"{before}{token} and more".encode()).decode()


@pytest.mark.parametrize("place", ["thought", "parameters", "result", "error", "greeting", "pong"])
@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param(lambda token: token, id="plain"),
        pytest.param(lambda token: token.replace("~", "%7E"), id="percent"),
        pytest.param(lambda token: token.replace("~", "%7e"), id="percent in lower case"),
        pytest.param(lambda token: _base64(token), id="base64"),
        pytest.param(lambda token: _base64(token, "x"), id="base64, shifted by one"),
        pytest.param(lambda token: _base64(token, "xy"), id="base64, shifted by two"),
        pytest.param(lambda token: f"ESCAPED{token}", id="escaped"),
    ],
)
def test_another_users_canary_in_any_encoding(encoded: Callable[[str], str], place: str) -> None:
    history, _, alices, bobs_socket, bobs = two_users()
    leak = encoded(alices.canary)
    bobs.started()
    bobs.thinking(leak if place == "thought" else None)
    bobs.tool_started(parameters={"text": leak if place == "parameters" else "x"})
    bobs.tool_completed(result={"text": leak if place == "result" else "x"})
    if place == "error":
        bobs_socket.error("internal", leak)
    elif place == "greeting":
        bobs_socket.greeted(banner=leak)
    elif place == "pong":
        bobs_socket.receives({"type": "pong", "correlation_id": leak})
    bobs.completed("done")
    _escape(history, alices.canary)
    expected = {"ISO-01", "ISO-11"} if place == "error" else {"ISO-01"}
    assert set(described(judged(history))) == expected


def _escape(history: History, token: str) -> None:
    """Write the token as JSON escapes where it is marked."""
    for number, op in enumerate(history.operations):
        if isinstance(op, Received) and b"ESCAPED" in op.raw:
            text = op.raw.decode().replace(f"ESCAPED{token}", _escaped(token))
            history.operations[number] = Received(op.at, op.conn, frame=msgspec.Raw(text.encode()))


# -- ISO-02, ISO-03 -------------------------------------------------------------------------------------------------


@bad(
    "ISO-02",
    message="a run id of user-alice on a connection of user-bobby",
    expected="nothing of user-alice",
    actual="*",
    witnesses=("tool_completed",),
)
def test_another_users_run_id_in_a_result() -> History:
    history, _, alices, _, bobs = two_users()
    bobs.started()
    bobs.thinking()
    bobs.tool_started()
    bobs.tool_completed(result={"previous": alices.run_id})
    bobs.completed()
    return history


@bad(
    "ISO-02",
    message="a user id of user-alice on a connection of user-bobby",
    expected="nothing of user-alice",
    actual="user-alice",
    witnesses=("acme.presence",),
)
def test_another_users_name_in_a_frame_of_no_run() -> History:
    history, _, _, bobs_socket, _ = two_users()
    bobs_socket.receives({"type": "acme.presence", "online": [ALICE, BOB]})
    return history


@bad(
    "ISO-02",
    message="a trace id of user-alice on a connection of user-bobby",
    expected="nothing of user-alice",
    actual="*",
    witnesses=("agent_started",),
)
def test_two_users_share_a_trace() -> History:
    history, _, alices, _, bobs = two_users()
    trace = f"00-{history.random.getrandbits(128):032x}-{history.random.getrandbits(64):016x}-01"
    alices.whole(traceparent=trace)
    bobs.whole(traceparent=trace)
    return history


@bad(
    "ISO-03",
    "ISO-01",
    "ISO-02",
    message="an event of user-alice's run on a connection of user-bobby",
    expected="only runs of user-bobby",
    actual="started of run *",
    witnesses=("asked", "agent_started"),
)
def test_events_that_go_to_everybody() -> History:
    history, alices_socket, alices, bobs_socket, _ = two_users()
    alices.whole(on=(alices_socket, bobs_socket))
    return history


@bad(
    "ISO-03",
    "ISO-02",
    message="an event of user-alice's run on a connection of user-bobby",
    expected="only runs of user-bobby",
    actual="started of run *",
    witnesses=("asked", "agent_started"),
)
def test_an_event_without_a_word_goes_to_somebody_else() -> History:
    history, alices_socket, alices, bobs_socket, _ = two_users()
    alices.started(on=(alices_socket, bobs_socket))
    alices.thinking()
    alices.completed()
    return history


@good("ISO-02")
def test_an_error_that_repeats_what_was_named() -> History:
    history, _, alices, bobs_socket, _ = two_users()
    bobs_socket.asks(Action.RESUME, run_id=alices.run_id, owner=ALICE)
    bobs_socket.error("not_found", f"There is no run {alices.run_id}.")
    return history


# -- ISO-04, ISO-05: between the runs of one user -------------------------------------------------------------------


@good("ISO-04")
def test_two_threads_apart() -> History:
    history = History()
    socket = history.connect()
    one, two = socket.start(), socket.start()
    one.whole()
    two.whole()
    return history


@bad(
    "ISO-04",
    message="another thread's canary in a run that was not told it",
    expected="only what this run was told",
    actual="*",
    witnesses=("asked", "agent_completed"),
)
def test_one_threads_words_in_another() -> History:
    history = History()
    socket = history.connect()
    one, two = socket.start().whole(), socket.start()
    two.whole(f"You said: {one.canary}")
    return history


@undecided("ISO-04", "ISO-05", reason="nothing was seen")
def test_one_thread() -> History:
    history = History()
    socket = history.connect()
    one = socket.start().whole()
    socket.start(thread_id=one.thread_id).whole(f"You said {one.canary} before")
    return history


@bad(
    "LIF-01",
    message="a request sent twice is run twice",
    expected="run * again, with duplicate: true",
    actual="run *",
    witnesses=("run_accepted", "run_accepted"),
)
def test_the_same_words_asked_twice_are_no_leak() -> History:
    """That there are two runs is a fault of its own."""
    history = History()
    socket = history.connect()
    one = socket.start().whole()
    two = socket.start(request_id=one.asked.request_id, canary=one.canary)
    two.whole()
    return history


def two_at_once(*, leak: bool, recall: bool = False) -> History:
    history = History()
    socket = history.connect()
    one = socket.start([{"think": "one"}, *say("one")])
    script: Script = [{"think": "two"}, {"recall": True}] if recall else [{"think": "two"}, *say("two")]
    two = socket.start(script, thread_id=one.thread_id)
    one.started()
    two.started()
    one.thinking()
    two.thinking()
    one.completed("one")
    two.completed(f"two {one.canary}" if leak else "two")
    return history


@good("ISO-05")
def test_two_runs_at_once_on_one_thread() -> History:
    return two_at_once(leak=False)


@bad(
    "ISO-05",
    message="a concurrent run's canary in a run that was not told it",
    expected="only what this run was told",
    actual="*",
    witnesses=("asked", "agent_completed"),
)
def test_two_runs_at_once_that_mix() -> History:
    return two_at_once(leak=True)


@good("ISO-05")
def test_two_runs_at_once_of_which_one_recalls() -> History:
    return two_at_once(leak=True, recall=True)


@good("ISO-05")
def test_the_second_run_on_a_busy_thread_is_refused() -> History:
    history = History()
    socket = history.connect()
    one = socket.start()
    two = socket.request(thread_id=one.thread_id)
    socket.error("rate_limited", "This thread is busy.", request_id=two.asked.request_id)
    one.whole()
    return history


# -- ISO-07: another user's thread ----------------------------------------------------------------------------------


def trespass() -> tuple[History, Run, Socket, Run]:
    """Bob names Alice's thread."""
    history, _, alices, bobs_socket, _ = two_users()
    alices.whole()
    nosy = bobs_socket.request([{"think": "whose?"}, {"recall": True}], thread_id=alices.thread_id, owner=ALICE)
    return history, alices, bobs_socket, nosy


@good("ISO-07", "ISO-02")
def test_another_users_thread_is_not_found() -> History:
    history, alices, bobs_socket, nosy = trespass()
    bobs_socket.error("not_found", f"No thread {alices.thread_id}.", request_id=nosy.asked.request_id)
    return history


@good("ISO-07", "ISO-02")
def test_another_users_thread_names_a_new_one() -> History:
    history, _, _, nosy = trespass()
    nosy.accepted()
    nosy.whole("I know nothing.")
    return history


@bad(
    "ISO-07",
    "ISO-01",
    message="a canary of user-alice on a connection of user-bobby",
    expected="nothing of user-alice",
    actual="*",
    witnesses=("asked", "agent_completed"),
)
def test_another_users_thread_is_open_to_all() -> History:
    history, alices, _, nosy = trespass()
    nosy.accepted()
    nosy.whole(f"I remember {alices.canary}")
    return history


@bad(
    "ISO-07",
    "ISO-03",
    "ISO-01",
    "ISO-02",
    message="an event of user-alice's run on a connection of user-bobby",
    expected="only runs of user-bobby",
    actual="started of run *",
    witnesses=("asked", "agent_started"),
)
def test_resuming_another_users_thread_replays_it() -> History:
    history, _, alices, bobs_socket, _ = two_users()
    alices.whole()
    bobs_socket.asks(Action.RESUME, thread_id=alices.thread_id, after_seq=0, owner=ALICE)
    alices.again(1, 2, 3, 4, 5, on=bobs_socket)
    return history


@good("ISO-07", "DLV-04", "ORD-04")
def test_resuming_ones_own_runs_in_a_thread_of_the_same_name() -> History:
    history, alices, bobs_socket, nosy = trespass()
    nosy.accepted()
    nosy.whole("I know nothing.")
    bobs_socket.asks(Action.RESUME, thread_id=alices.thread_id, after_seq=0, owner=ALICE)
    nosy.again(1, 2, 3, 4, 5)
    return history


@bad(
    "ISO-03",
    "ISO-01",
    "ISO-02",
    message="an event of user-alice's run on a connection of user-bobby",
    expected="only runs of user-bobby",
    actual="started of run *",
    witnesses=("asked", "agent_started"),
)
def test_who_was_refused_a_thread_gets_what_everybody_gets() -> History:
    history, alices, bobs_socket, nosy = trespass()
    bobs_socket.error("not_found", f"No thread {alices.thread_id}.", request_id=nosy.asked.request_id)
    alices.socket.start(thread_id=alices.thread_id).whole(on=[alices.socket, bobs_socket])
    return history


@bad(
    "ISO-03",
    "ISO-01",
    "ISO-02",
    message="an event of user-alice's run on a connection of user-bobby",
    expected="only runs of user-bobby",
    actual="started of run *",
    witnesses=("asked", "agent_started"),
)
def test_who_is_about_to_be_refused_a_thread_gets_what_everybody_gets() -> History:
    history, alices, bobs_socket, nosy = trespass()
    alices.socket.start(thread_id=alices.thread_id).whole(on=[alices.socket, bobs_socket])
    bobs_socket.error("not_found", f"No thread {alices.thread_id}.", request_id=nosy.asked.request_id)
    return history


@undecided("ISO-07", reason="nothing was seen")
def test_to_name_a_run_and_its_thread_is_no_trespass_in_the_thread() -> History:
    """Whether the run may be stopped is for ACC-04 to judge."""
    history, _, alices, bobs_socket, _ = two_users()
    alices.whole()
    bobs_socket.asks(Action.STOP, run_id=alices.run_id, thread_id=alices.thread_id, owner=ALICE)
    return history


@undecided("ISO-07", reason="nothing was seen")
def test_nobody_names_anothers_thread() -> History:
    history, _, alices, _, _ = two_users()
    alices.whole()
    return history


# -- ISO-08, ISO-09, ISO-12: bystanders -----------------------------------------------------------------------------


def calm_run() -> tuple[History, Socket]:
    """A bystander has had a calm run of 20 ms."""
    history = History()
    history.connect(ALICE)
    bystander = history.connect(BOB)
    run = bystander.start(behaviour="calm")
    history.after(20)
    run.whole()
    return history, bystander


@good("ISO-08", "ISO-09", "ISO-12")
def test_a_bystander_whom_nothing_troubles() -> History:
    history, bystander = calm_run()
    for trouble in ("failing", "slow_reader", "greedy"):
        run = bystander.start(behaviour=f"bystander:{trouble}")
        run.started()
        history.after(300)
        run.thinking()
        run.completed()
    return history


def delayed(trouble: str) -> History:
    history, bystander = calm_run()
    run = bystander.start(behaviour=f"bystander:{trouble}")
    run.started()
    run.thinking()
    history.after(900)
    run.completed()
    return history


@bad(
    "ISO-08",
    message="a bystander's run suffers from another user's trouble (failing)",
    expected="completed within 526 ms (26 ms when it is calm)",
    actual="904 ms",
    witnesses=("asked", "agent_completed"),
)
def test_a_bystander_whom_failures_delay() -> History:
    return delayed("failing")


@bad(
    "ISO-09",
    message="a bystander's run suffers from another user's trouble (slow reader)",
    expected="completed within 526 ms (26 ms when it is calm)",
    actual="904 ms",
    witnesses=("asked", "agent_completed"),
)
def test_a_bystander_whom_a_slow_reader_delays() -> History:
    return delayed("slow_reader")


@bad(
    "ISO-08",
    message="a bystander's run suffers from another user's trouble (failing)",
    expected="completed within 526 ms (26 ms when it is calm)",
    actual='failed: {"type": "agent_error", "event_id": "*", *',
    witnesses=("asked", "agent_error"),
)
def test_a_bystander_whose_run_fails_as_well() -> History:
    history, bystander = calm_run()
    run = bystander.start(behaviour="bystander:failing")
    run.started()
    run.failed()
    return history


@bad(
    "ISO-09",
    "EVT-02",
    message="a bystander's run hangs in another user's trouble (slow reader)",
    expected="a run like any other",
    actual="no end within 5,000 ms",
    witnesses=("asked", "gave_up"),
)
def test_a_bystander_who_waits_for_ever() -> History:
    history, bystander = calm_run()
    run = bystander.start(behaviour="bystander:slow_reader")
    run.started()
    bystander.gave_up(Awaited.TERMINAL, run)
    return history


@bad(
    "ISO-08",
    message="a user without open runs is refused in another user's trouble (failing)",
    expected="a run like any other: limits are counted for each user",
    actual='{"type": "error", "code": "internal", "message": "Something is broken.", "request_id": "*"}',
    witnesses=("asked", "error"),
)
def test_a_bystander_who_is_refused_while_others_fail() -> History:
    history, bystander = calm_run()
    run = bystander.request(behaviour="bystander:failing")
    bystander.error("internal", "Something is broken.", request_id=run.asked.request_id)
    return history


@bad(
    "ISO-12",
    message="a user without open runs is refused in another user's trouble (greedy)",
    expected="a run like any other: limits are counted for each user",
    actual='{"type": "error", "code": "rate_limited", "message": "Too many runs.", "request_id": "*"}',
    witnesses=("asked", "error"),
)
def test_a_bystander_who_is_locked_out() -> History:
    history, bystander = calm_run()
    run = bystander.request(behaviour="bystander:greedy")
    bystander.error("rate_limited", "Too many runs.", request_id=run.asked.request_id)
    return history


@bad(
    "ISO-12",
    message="a user without open runs is refused in another user's trouble (slow reader)",
    expected="a run like any other: limits are counted for each user",
    actual='{"type": "error", "code": "rate_limited", "message": "Too many runs.", "request_id": "*"}',
    witnesses=("asked", "error"),
)
def test_a_bystander_who_is_locked_out_by_a_slow_reader() -> History:
    history, bystander = calm_run()
    run = bystander.request(behaviour="bystander:slow_reader")
    bystander.error("rate_limited", "Too many runs.", request_id=run.asked.request_id)
    return history


@bad(
    "ISO-12",
    message="a user without open runs is refused in another user's trouble (slow reader)",
    expected="a run like any other: limits are counted for each user",
    actual='{"type": "error", "code": "rate_limited", "message": "Too many runs.", "request_id": "*"}',
    witnesses=("asked", "error"),
)
def test_a_bystander_who_was_locked_out_before_the_trouble() -> History:
    history = History()
    history.connect(ALICE)
    bystander = history.connect(BOB)
    for behaviour in ("calm", "bystander:slow_reader"):
        run = bystander.request(behaviour=behaviour)
        bystander.error("rate_limited", "Too many runs.", request_id=run.asked.request_id)
    return history


@bad(
    "ISO-08",
    message="a bystander's run suffers from another user's trouble (failing)",
    expected="completed within * ms (* ms when it is calm)",
    actual="* ms",
    witnesses=("asked", "agent_completed"),
)
def test_a_bystander_who_waits_for_longer_than_the_kit_was_late() -> History:
    history, bystander = calm_run()
    run = bystander.start(behaviour="bystander:failing")
    run.started()
    history.after(900).lagged(100)
    run.thinking()
    run.completed()
    return history


@undecided("ISO-08", "ISO-09", "ISO-12", reason="nothing was seen")
def test_a_bystander_without_a_calm_run_before() -> History:
    history = History()
    socket = history.connect()
    for trouble in ("failing", "slow_reader", "greedy"):
        socket.start(behaviour=f"bystander:{trouble}").whole()
    return history


@undecided("ISO-08", reason="nothing was seen")
def test_a_bystander_whom_the_kit_itself_delays() -> History:
    history, bystander = calm_run()
    run = bystander.start(behaviour="bystander:failing")
    run.started()
    history.after(900).lagged(850)
    run.thinking()
    run.completed()
    return history


# -- ISO-10: those who left -----------------------------------------------------------------------------------------


@good("ISO-10")
def test_users_come_and_go() -> History:
    history = History()
    for user in (ALICE, BOB, ALICE, CAROL):
        socket = history.connect(user)
        socket.start().whole()
        socket.closed()
    return history


@bad(
    "ISO-10",
    "ISO-01",
    message="a canary of user-alice on a connection of user-bobby",
    expected="nothing of user-alice",
    actual="*",
    witnesses=("asked", "agent_completed"),
)
def test_words_of_a_user_who_left() -> History:
    history = History()
    socket = history.connect(ALICE)
    gone = socket.start().whole()
    socket.closed()
    history.connect(BOB).start().whole(f"Welcome back, {gone.canary}")
    return history


@bad(
    "ISO-10",
    "ISO-03",
    "ISO-02",
    message="an event of user-alice's run on a connection of user-bobby",
    expected="only runs of user-bobby",
    actual="text of run *",
    witnesses=("asked", "message_chunk"),
)
def test_a_run_of_a_user_who_left_goes_on_at_the_next_one() -> History:
    history = History()
    socket = history.connect(ALICE)
    run = socket.start()
    run.started()
    socket.closed()
    bobs = history.connect(BOB)
    run.chunk("and so on", on=bobs)
    return history


@bad(
    "ISO-10",
    "ISO-02",
    message="a connection id of user-alice on a connection of user-bobby",
    expected="nothing of user-alice",
    actual="*",
    witnesses=("connection_established",),
)
def test_the_connection_id_of_a_user_who_left() -> History:
    history = History()
    name = history.id()
    for user in (ALICE, BOB):
        socket = history.connecting(user)
        socket.connected()
        socket.greeted(connection_id=name)
        socket.closed()
    return history


@undecided("ISO-10", reason="nothing was seen")
def test_nobody_left() -> History:
    history, _, _, _, _ = two_users()
    return history


# -- ISO-11: errors -------------------------------------------------------------------------------------------------


@good("ISO-11")
def test_errors_about_ones_own_request() -> History:
    history, _, _, bobs_socket, bobs = two_users()
    bobs_socket.error("bad_message", "Expected a type.")
    bobs.started()
    bobs.failed("model_failed", f"No answer to {bobs.canary}")
    return history


@bad(
    "ISO-11",
    "ISO-01",
    message="an error shown to user-bobby carries data of user-alice",
    expected="an error about the user's own request only",
    actual="*",
    witnesses=("error",),
)
def test_an_error_about_somebody_elses_request() -> History:
    history, _, alices, bobs_socket, _ = two_users()
    bobs_socket.error("internal", f"Cannot handle {alices.canary}")
    return history


@bad(
    "ISO-11",
    "ISO-02",
    message="an error shown to user-bobby carries data of user-alice",
    expected="an error about the user's own request only",
    actual="*",
    witnesses=("error",),
)
def test_an_error_that_names_somebody_elses_run() -> History:
    history, _, alices, bobs_socket, _ = two_users()
    bobs_socket.error("internal", f"Run {alices.run_id} is in the way.")
    return history


@bad(
    "ISO-11",
    "ISO-02",
    message="an error shown to user-bobby carries data of user-alice",
    expected="an error about the user's own request only",
    actual="*",
    witnesses=("agent_error",),
)
def test_a_failed_run_that_names_somebody_elses() -> History:
    history, _, alices, _, bobs = two_users()
    bobs.started()
    bobs.failed("internal", f"Run {alices.run_id} is in the way.")
    return history


@bad(
    "ISO-11",
    message="an error shown to user-bobby carries data of user-alice",
    expected="an error about the user's own request only",
    actual="*",
    witnesses=("refused",),
)
def test_an_http_error_with_somebody_elses_words() -> History:
    history, _, alices, _, _ = two_users()
    history.connecting(BOB, method="GET").refused(500, body=f'{{"detail": "after {alices.canary}"}}')
    return history


@undecided("ISO-11", reason="nothing was seen")
def test_no_error_while_others_are_there() -> History:
    history, _, _, _, _ = two_users()
    return history


@good("ISO-01", "ISO-02", "ISO-03", "ISO-10")
def test_many_users_of_one_scenario() -> History:
    """They share the scenario, the script, the request ids and the agent; not their words."""
    history = History()
    script = [{"think": "x"}, tool("echo", text="the same for all"), *say("done")]
    for number in range(4):
        socket = history.connect(f"user-number-{number}", scenario="crowd")
        run = socket.start(script, request_id="req-the-same-for-all")
        run.whole("done")
        socket.closed(ClosedBy.KIT)
    return history
