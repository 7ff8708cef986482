"""IDN: ids are real."""

import uuid
from collections.abc import Callable

from conformance.history.operations import ClosedBy
from tests.checks.examples import bad, good, undecided
from tests.checks.histories import ALICE, BOB, History, Run


def many(name_of: Callable[[Run, int], str], number: int = 25) -> History:
    """One user's runs, each under the id that `name_of` makes of its own random id and its place."""
    history = History()
    socket = history.connect()
    for place in range(number):
        run = socket.request()
        run.run_id = name_of(run, place)
        run.accepted()
        run.started()
        run.thinking()
        run.completed()
    return history


# -- IDN-01, IDN-02, IDN-03 -----------------------------------------------------------------------------------------


@good("IDN-01", "IDN-02", "IDN-03", "IDN-04", "IDN-06", "IDN-07", "IDN-08", "IDN-09", "IDN-10")
def test_ids_as_they_should_be() -> History:
    history = History()
    history.connect(ALICE).start().whole()
    history.connect(BOB).start().whole()
    return history


@bad(
    "IDN-01",
    message="a run event without a run_id",
    expected="run_id: a non-empty string",
    actual="run_id: null",
    witnesses=("agent_thinking",),
)
def test_a_run_id_that_is_null() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking(run_id=None)
    run.completed()
    return history


@bad(
    "IDN-01",
    message="a run event without a run_id",
    expected="run_id: a non-empty string",
    actual='run_id: ""',
    witnesses=("agent_thinking",),
)
def test_a_run_id_that_is_empty() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking(run_id="")
    run.completed()
    return history


@bad(
    "IDN-01",
    message="a run event without a run_id",
    expected="run_id: a non-empty string",
    actual="run_id: null",
    witnesses=("agent_started",),
)
def test_a_whole_run_without_an_id() -> History:
    history = History()
    run = history.connect().start()
    run.whole(run_id=None)
    return history


@bad(
    "IDN-01",
    message="a run event without a run_id",
    expected="run_id: a non-empty string",
    actual="run_id: null",
    witnesses=("agent_started",),
)
def test_runs_without_an_id_that_are_resumed_and_go_on_side_by_side() -> History:
    """What belongs together is told by the event ids, the request, the thread and the seq."""
    history = History()
    socket = history.connect()
    one, two = socket.start(), socket.start()
    three = socket.start(thread_id=one.thread_id)
    for tell in ("started", "thinking", "tool_started", "tool_completed"):
        for run in (one, two):
            getattr(run, tell)(run_id=None)
    three.started(run_id=None)
    for run in (one, two):
        run.completed(run_id=None)
    three.thinking(run_id=None)
    three.completed(run_id=None)
    back = history.connect()
    back.resumes(one)
    one.again(1, 2, 3, 4, 5, on=back)
    return history


@undecided("IDN-01", "IDN-02", "IDN-03", reason="nothing was seen")
def test_no_event() -> History:
    history = History()
    history.connect()
    return history


@bad(
    "IDN-02",
    message="run_id is a placeholder",
    expected="run_id: an id of its own",
    actual="run_id: 'None'",
    witnesses=("agent_started",),
)
def test_a_placeholder_for_every_run() -> History:
    history = History()
    socket = history.connect()
    for _ in range(2):
        run = socket.request()
        run.run_id = "None"
        run.accepted()
        run.whole()
    return history


@bad(
    "IDN-02",
    message="thread_id is a placeholder",
    expected="thread_id: an id of its own",
    actual="thread_id: 'default'",
    witnesses=("agent_thinking",),
)
def test_a_placeholder_in_the_middle() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking(thread_id="default")
    run.completed()
    return history


@bad(
    "IDN-02",
    message="connection_id is a placeholder",
    expected="connection_id: an id of its own",
    actual="connection_id: 'undefined'",
    witnesses=("connection_established",),
)
def test_a_connection_without_a_name() -> History:
    history = History()
    socket = history.connecting()
    socket.connected()
    socket.greeted(connection_id="undefined")
    return history


@bad(
    "IDN-02",
    "IDN-06",
    message="event_id is a placeholder",
    expected="event_id: an id of its own",
    actual="event_id: 'null'",
    witnesses=("agent_started",),
)
def test_a_placeholder_for_every_event() -> History:
    history = History()
    history.connect().start().whole(event_id="null")
    return history


@bad(
    "IDN-02",
    message="tool_call_id is a placeholder",
    expected="tool_call_id: an id of its own",
    actual="tool_call_id: 'unknown'",
    witnesses=("tool_executing",),
)
def test_a_placeholder_for_a_tool_call() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.tool_started("unknown")
    run.tool_completed("unknown")
    run.completed()
    return history


@good("IDN-02")
def test_ids_that_the_kit_chose_are_not_the_targets_placeholders() -> History:
    history = History()
    history.connect("test").start(thread_id="default").whole()
    return history


@bad(
    "IDN-03",
    message="thread_id changes in the middle of a run",
    expected="thread_id: *",
    actual="thread_id: *",
    witnesses=("agent_started", "agent_thinking"),
)
def test_the_thread_changes() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking(thread_id=history.id())
    run.completed()
    return history


@bad(
    "IDN-03",
    message="the run_id changes in the middle of a run",
    expected="run_id: *",
    actual="run_id: *, with the next seq of the same thread",
    witnesses=("agent_thinking", "agent_completed"),
)
def test_the_run_id_changes() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.run_id = history.id()
    run.completed()
    return history


@good("IDN-03", "EVT-02")
def test_queued_runs_on_one_thread() -> History:
    """Each waits for the one before; their numbers begin anew."""
    history = History()
    socket = history.connect()
    first = socket.start()
    runs = [socket.start(thread_id=first.thread_id, behaviour="queued") for _ in range(2)]
    for run in (first, *runs):
        run.whole()
        history.after(700)
    return history


@good("IDN-03", "EVT-02", "ISO-05")
def test_runs_side_by_side_on_one_thread() -> History:
    history = History()
    socket = history.connect()
    first = socket.start()
    second = socket.start(thread_id=first.thread_id)
    for one in ("started", "thinking", "tool_started", "tool_completed", "completed"):
        for run in (first, second):
            getattr(run, one)()
    return history


# -- IDN-04, IDN-05, IDN-06 -----------------------------------------------------------------------------------------


@bad(
    "IDN-04",
    message="a run_id is used for a second run",
    expected="a run_id that no other run has or had",
    actual="* again, for another request",
    witnesses=("run_accepted",),
)
def test_two_runs_with_one_id() -> History:
    history = History()
    socket = history.connect()
    one = socket.start().whole()
    two = socket.request()
    two.run_id = one.run_id
    two.accepted()
    two.started()
    two.thinking()
    two.completed()
    return history


@undecided("IDN-04", reason="nothing was seen")
def test_no_run() -> History:
    history = History()
    history.connect()
    return history


@good("IDN-05", "LIF-11")
def test_random_run_ids() -> History:
    return many(lambda run, place: run.run_id)


@good("IDN-05")
def test_random_run_ids_with_the_users_name() -> History:
    return many(lambda run, place: f"{ALICE}-{run.run_id}")


@good("IDN-05")
def test_run_ids_of_uuid_version_7() -> History:
    return many(lambda run, place: f"0192f0c1-{place:04x}-7{run.run_id[15:]}")


@bad(
    "IDN-05",
    message="run ids can be guessed",
    expected="at least 64 random bits, such as a version 4 UUID",
    actual="at most 7 bits vary over 25 ids, e.g. run-00000000, run-00000001",
    witnesses=("agent_started", "agent_started", "agent_started"),
)
def test_run_ids_that_count() -> History:
    return many(lambda run, place: f"run-{place:08d}")


@bad(
    "IDN-05",
    message="run ids can be guessed",
    expected="at least 64 random bits, such as a version 4 UUID",
    actual="*: made from the user id user-alice",
    witnesses=("agent_started", "agent_started", "agent_started"),
)
def test_run_ids_made_of_the_user_and_the_time() -> History:
    return many(lambda run, place: f"{ALICE}-{1_767_225_600_000 + place * 37}", 3)


@bad(
    "IDN-05",
    message="run ids can be guessed",
    expected="at least 64 random bits, such as a version 4 UUID",
    actual="*: made from the user id *",
    witnesses=("agent_started", "agent_started", "agent_started"),
)
def test_run_ids_made_of_many_users_and_the_time() -> History:
    """That users' ids are random makes none of it random."""
    history = History()
    for place in range(25):
        socket = history.connect(f"user-{history.id()}")
        run = socket.request()
        run.run_id = f"{socket.user}-{1_767_225_600_000 + place * 37}"
        run.accepted()
        run.whole()
    return history


@bad(
    "IDN-05",
    message="run ids can be guessed",
    expected="at least 64 random bits, such as a version 4 UUID",
    actual="*: made from the thread id *",
    witnesses=("agent_started", "agent_started", "agent_started"),
)
def test_run_ids_made_of_the_thread() -> History:
    history = History()
    socket = history.connect()
    for place in range(3):
        run = socket.request()
        run.run_id = f"{run.thread_id}:{place}"
        run.accepted()
        run.whole()
    return history


@bad(
    "IDN-05",
    message="run ids can be guessed",
    expected="at least 64 random bits, such as a version 4 UUID",
    actual="*: a UUID of version 5, which is not random",
    witnesses=("agent_started", "agent_started", "agent_started"),
)
def test_run_ids_of_uuid_version_5() -> History:
    return many(lambda run, place: str(uuid.uuid5(uuid.NAMESPACE_URL, str(place))), 2)


@undecided("IDN-05", reason="2 run ids seen, 20 are needed")
def test_too_few_run_ids() -> History:
    return many(lambda run, place: f"run-{place:08d}", 2)


@bad(
    "IDN-06",
    message="two events have the same event_id",
    expected="an event_id of its own for each event",
    actual="event_id '*' again",
    witnesses=("tool_executing",),
)
def test_two_events_with_one_id() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.tool_started(event_id=run.frames[2]["event_id"])
    run.tool_completed()
    run.completed()
    return history


@bad(
    "IDN-06",
    message="two events have the same event_id",
    expected="an event_id of its own for each event",
    actual="event_id 'event-0' again",
    witnesses=("agent_completed",),
)
def test_two_runs_share_their_event_ids() -> History:
    history = History()
    socket = history.connect()
    for _ in range(2):
        run = socket.start()
        for number, tell in enumerate((run.started, run.thinking, run.completed)):
            tell(event_id=f"event-{number}")
    return history


@bad(
    "IDN-06",
    message="an event delivered again has a new event_id",
    expected="seq 1 with event_id *",
    actual="event_id *",
    witnesses=("agent_started",),
)
def test_a_new_event_id_on_the_second_connection() -> History:
    history = History()
    one, two = history.connect(), history.connect()
    run = one.start()
    run.whole()
    for seq in range(1, 6):
        run.again(seq, on=two, event_id=history.id())
    return history


@undecided("IDN-06", reason="nothing was seen")
def test_no_event_id() -> History:
    history = History()
    history.connect()
    return history


# -- IDN-07, IDN-08 -------------------------------------------------------------------------------------------------


@good("IDN-07", "ISO-04")
def test_of_several_questions_the_stop_of_a_run_that_is_over_finds_nothing() -> History:
    history = History()
    socket = history.connect()
    over = socket.start().whole()
    socket.stops(over)
    first = socket.request()
    socket.error("not_found", "That run of yours has already ended.")
    second = socket.request()
    for run in (first, second):
        run.accepted()
        run.whole()
    return history


@good("IDN-07")
def test_the_thread_that_the_client_chose() -> History:
    history = History()
    history.connect().start(thread_id="a-thread-of-mine").whole()
    return history


@good("IDN-07")
def test_a_run_whose_request_was_on_its_way_when_its_connection_was_closed() -> History:
    """It starts on the next one, where something else was asked meanwhile."""
    history = History()
    before = history.connect()
    run, other = before.request(), before.request()
    before.closed()
    after = history.connect()
    again = after.request(request_id=other.asked.request_id, canary=other.canary, behaviour="repeat")
    run.whole(on=after)
    other.accepted(on=after, duplicate=True)
    assert again.asked.request_id == other.asked.request_id
    other.whole(on=after)
    return history


@bad(
    "IDN-07",
    message="the request_id that the client chose comes back changed",
    expected="request_id: *",
    actual='request_id: "req-of-the-engine"',
    witnesses=("asked", "run_accepted"),
)
def test_another_request_id_comes_back() -> History:
    history = History()
    run = history.connect().request()
    run.accepted(request_id="req-of-the-engine")
    run.whole()
    return history


@bad(
    "IDN-07",
    message="the thread_id that the client chose comes back changed",
    expected='thread_id: "a-thread-of-mine"',
    actual='thread_id: "*"',
    witnesses=("asked", "run_accepted"),
)
def test_another_thread_comes_back() -> History:
    history = History()
    run = history.connect().request(thread_id="a-thread-of-mine")
    run.thread_id = history.id()
    run.accepted()
    run.whole()
    return history


@bad(
    "IDN-07",
    message="a run starts under another request_id than the client's",
    expected="request_id: *",
    actual='request_id: "req-of-the-engine"',
    witnesses=("asked", "agent_started"),
)
def test_the_start_names_another_request() -> History:
    history = History()
    run = history.connect().start()
    run.started(request_id="req-of-the-engine")
    run.thinking()
    run.completed()
    return history


@undecided("IDN-07", reason="nothing was seen")
def test_nothing_was_asked() -> History:
    history = History()
    history.connect()
    return history


@bad(
    "IDN-08",
    "ISO-02",
    message="a run's events name another user than the authenticated one",
    expected="user_id: user-alice",
    actual="user_id: user-bobby",
    witnesses=("agent_started",),
)
def test_a_run_under_another_users_name() -> History:
    history = History()
    history.connect(BOB)
    history.connect(ALICE).start().whole(user_id=BOB)
    return history


@bad(
    "IDN-08",
    message="the server greets another user than the authenticated one",
    expected="user_id: user-alice",
    actual="user_id: user-nobody-knows",
    witnesses=("connection_established",),
)
def test_a_greeting_for_somebody_else() -> History:
    history = History()
    socket = history.connecting(ALICE)
    socket.connected()
    socket.greeted(user_id="user-nobody-knows")
    return history


@good("IDN-08")
def test_a_target_that_has_its_own_names_for_users() -> History:
    """Without tokens of the kit's making the target's greeting says who the user is to it."""
    history = History(granted=())
    for user in (ALICE, BOB):
        socket = history.connecting(user)
        socket.connected()
        socket.greeted(user_id=f"internal-{user}")
        socket.start().whole(user_id=f"internal-{user}")
    return history


@undecided("IDN-08", reason="nothing was seen")
def test_a_target_that_names_no_user_beforehand() -> History:
    history = History(granted=())
    history.connecting(ALICE)
    return history


@undecided("IDN-08", reason="nothing was seen")
def test_a_target_that_authenticates_nobody() -> History:
    """Whoever comes without credentials may be somebody else each time."""
    history = History(granted=("anonymous",))
    for visitor in ("visitor-8d1f", "visitor-27c0"):
        socket = history.connecting(ALICE)
        socket.connected()
        socket.greeted(user_id=visitor)
        socket.start().whole(user_id=visitor)
        socket.closed()
    return history


# -- IDN-09, IDN-10 -------------------------------------------------------------------------------------------------


@bad(
    "IDN-09",
    message="two tool calls of a thread have the same tool_call_id",
    expected="a tool_call_id of its own for each call",
    actual="the-call for echo and for echo",
    witnesses=("tool_executing", "tool_executing"),
)
def test_a_tool_call_id_used_again_in_its_thread() -> History:
    history = History()
    socket = history.connect()
    first = socket.start()
    for run in (first, socket.start(thread_id=first.thread_id)):
        run.started()
        run.thinking()
        run.tool_started("the-call")
        run.tool_completed("the-call")
        run.completed()
    return history


@good("IDN-09")
def test_a_tool_call_id_used_again_in_another_thread() -> History:
    history = History()
    socket = history.connect()
    for _ in range(2):
        run = socket.start()
        run.started()
        run.thinking()
        run.tool_started("the-call")
        run.tool_completed("the-call")
        run.completed()
    return history


@undecided("IDN-09", reason="nothing was seen")
def test_no_tool_call() -> History:
    history = History()
    history.connect()
    return history


@bad(
    "IDN-10",
    message="run_id and thread_id are the same id",
    expected="an id of its own for each kind of thing",
    actual="run_id = thread_id = *",
    witnesses=("agent_started",),
)
def test_the_run_is_its_own_thread() -> History:
    history = History()
    run = history.connect().request()
    run.thread_id = run.run_id
    run.accepted()
    run.whole()
    return history


@bad(
    "IDN-10",
    message="thread_id and user_id are the same id",
    expected="an id of its own for each kind of thing",
    actual="thread_id = user_id = user-alice",
    witnesses=("agent_started",),
)
def test_the_user_is_the_thread() -> History:
    history = History()
    run = history.connect(ALICE).request()
    run.thread_id = ALICE
    run.accepted()
    run.whole()
    return history


@good("IDN-10")
def test_a_thread_that_the_kit_named_after_the_user() -> History:
    history = History()
    history.connect(ALICE).start(thread_id=ALICE).whole()
    return history


@undecided("IDN-10", reason="nothing was seen")
def test_nothing_with_an_id() -> History:
    history = History()
    history.connect()
    return history


@good("IDN-01", "IDN-04", "IDN-06", "IDN-09")
def test_a_client_that_comes_back_for_its_run() -> History:
    history = History()
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking()
    run.tool_started()
    socket.closed(ClosedBy.KIT, None)
    back = history.connect()
    back.resumes(run)
    run.again(1, 2, 3, on=back)
    run.tool_completed(on=back)
    run.completed(on=back)
    return history
