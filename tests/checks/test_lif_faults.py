"""LIF-04 to LIF-07: what becomes of runs when the target's process ends, and what a process holds."""

from conformance.history.operations import ClosedBy, FaultKind
from tests.checks.examples import bad, good, undecided
from tests.checks.histories import BOB, History, Run, Socket

MANAGED = ("jwt", "managed")
PROMISED = "its terminal event, before its connection ends or when the process is back"


def under_way(history: History) -> tuple[Socket, Run]:
    socket = history.connect()
    run = socket.start()
    run.started()
    run.thinking()
    return socket, run


def ends(history: History, *sockets: Socket, kind: FaultKind, problem: str | None = None) -> None:
    """The process ends, and with it its connections; it is started again."""
    fault = history.fault(kind)
    for socket in sockets:
        socket.closed(ClosedBy.TARGET, 1012) if kind is FaultKind.TERMINATE else socket.closed(code=None)
    history.after(800).fault_ends(fault, problem)


def resumed(history: History, run: Run) -> Socket:
    back = history.connect()
    back.resumes(run, run.seq)
    return back


# -- LIF-05: asked to end -------------------------------------------------------------------------------------------


@good("LIF-05")
def test_a_run_ends_before_the_process_does() -> History:
    history = History(granted=MANAGED)
    socket, run = under_way(history)
    fault = history.fault(FaultKind.TERMINATE)
    run.failed("shutdown")
    socket.closed(ClosedBy.TARGET, 1012)
    history.fault_ends(fault)
    return history


@good("LIF-05", "DLV-05")
def test_a_run_goes_on_after_the_restart() -> History:
    history = History(granted=MANAGED)
    socket, run = under_way(history)
    ends(history, socket, kind=FaultKind.TERMINATE)
    run.completed(on=resumed(history, run))
    return history


@bad(
    "LIF-05",
    message="a run that was under way when the process was asked to end is lost",
    expected=PROMISED,
    actual='refused: *"not_found"*',
    witnesses=("agent_thinking", "fault_began", "error"),
)
def test_a_run_is_not_known_after_the_restart() -> History:
    history = History(granted=MANAGED)
    socket, run = under_way(history)
    ends(history, socket, kind=FaultKind.TERMINATE)
    resumed(history, run).error("not_found")
    return history


@bad(
    "LIF-05",
    message="a run that was under way when the process was asked to end is lost",
    expected=PROMISED,
    actual="no end within 5,000 ms after it was asked for again",
    witnesses=("agent_thinking", "fault_began", "gave_up"),
)
def test_a_run_stays_open_after_the_restart() -> History:
    history = History(granted=MANAGED)
    socket, run = under_way(history)
    ends(history, socket, kind=FaultKind.TERMINATE)
    back = history.connect()
    back.gave_up(on=back.resumes(run, 2))
    return history


@bad(
    "LIF-05",
    message="a run that was under way when the process was asked to end is lost",
    expected=PROMISED,
    actual="its connection ended without one, and it cannot be resumed",
    witnesses=("agent_thinking", "fault_began", "fault_ended"),
)
def test_what_cannot_be_resumed_must_end_with_its_connection() -> History:
    history = History(granted=MANAGED, capabilities=("stop", "threads"))
    socket, _ = under_way(history)
    ends(history, socket, kind=FaultKind.TERMINATE)
    return history


@undecided("LIF-05", reason="no run was open when the kit ended the process (terminate)")
def test_a_run_that_was_left_before_and_cannot_be_resumed() -> History:
    history = History(granted=MANAGED, capabilities=("stop", "threads"))
    socket, _ = under_way(history)
    socket.closed()
    ends(history, kind=FaultKind.TERMINATE)
    return history


@undecided("LIF-05", reason="no run was open when the kit ended the process (terminate)")
def test_no_run_is_open_when_the_process_ends() -> History:
    history = History(granted=MANAGED)
    socket = history.connect()
    socket.start().whole()
    ends(history, socket, kind=FaultKind.TERMINATE)
    return history


@undecided("LIF-05", reason="it did not come back")
def test_the_process_does_not_come_back() -> History:
    history = History(granted=MANAGED)
    socket, _ = under_way(history)
    ends(history, socket, kind=FaultKind.TERMINATE, problem="it did not come back: no")
    return history


@undecided("LIF-05", reason="and was killed")
def test_a_process_that_the_kit_had_to_kill_has_not_lost_its_runs_itself() -> History:
    history = History(granted=MANAGED)
    socket, run = under_way(history)
    ends(history, socket, kind=FaultKind.TERMINATE, problem="it had not ended 10 s after SIGTERM, and was killed")
    resumed(history, run).error("not_found")
    return history


# -- LIF-06: killed -------------------------------------------------------------------------------------------------


@good("LIF-06", "DLV-05")
def test_a_run_is_reported_as_failed_after_a_crash() -> History:
    history = History(granted=MANAGED)
    socket, run = under_way(history)
    ends(history, socket, kind=FaultKind.KILL)
    run.failed("interrupted", on=resumed(history, run))
    return history


@good("LIF-06")
def test_a_run_that_was_only_accepted_is_told_from_its_start() -> History:
    history = History(granted=MANAGED)
    socket = history.connect()
    run = socket.start()
    ends(history, socket, kind=FaultKind.KILL)
    back = resumed(history, run)
    run.started(on=back)
    run.thinking(on=back)
    run.failed("interrupted", on=back)
    return history


@bad(
    "LIF-06",
    message="a run that was accepted before the process was killed is lost",
    expected=PROMISED,
    actual='refused: *"not_found"*',
    witnesses=("agent_thinking", "fault_began", "error"),
)
def test_a_run_vanishes_in_a_crash() -> History:
    history = History(granted=MANAGED)
    socket, run = under_way(history)
    ends(history, socket, kind=FaultKind.KILL)
    resumed(history, run).error("not_found")
    return history


@bad(
    "LIF-06",
    message="a run that was accepted before the process was killed is lost",
    expected=PROMISED,
    actual="no end within 5,000 ms after it was asked for again",
    witnesses=("asked", "fault_began", "gave_up"),
)
def test_an_accepted_run_never_ends_after_a_crash() -> History:
    history = History(granted=MANAGED)
    socket = history.connect()
    run = socket.start()
    ends(history, socket, kind=FaultKind.KILL)
    back = history.connect()
    back.gave_up(on=back.resumes(run))
    return history


@undecided("LIF-06", reason="no run was open when the kit ended the process (kill)")
def test_a_run_whose_acceptance_had_not_arrived_does_not_count() -> History:
    history = History(granted=MANAGED)
    socket = history.connect()
    socket.request()
    ends(history, socket, kind=FaultKind.KILL)
    return history


@undecided("LIF-06", reason="the kit did not start the target: say how in the target file ([target] command)")
def test_a_target_that_the_kit_did_not_start_is_not_killed() -> History:
    history = History()
    history.connect().start().whole()
    return history


# -- LIF-04: the places of runs that were left ----------------------------------------------------------------------


def left(history: History) -> Run:
    """A run is left, and ends when its user comes back."""
    socket, run = under_way(history)
    history.cut(socket)
    run.completed(on=resumed(history, run))
    return run


@good("LIF-04", "DLV-08")
def test_after_abandoned_runs_there_is_a_place() -> History:
    history = History()
    left(history)
    history.connect().start(behaviour="after:abandoned").whole()
    return history


@bad(
    "LIF-04",
    message="a user who abandoned runs gets no other, although all of them are over",
    expected="a run like any other",
    actual='refused: *"rate_limited"*',
    witnesses=("asked", "error"),
)
def test_abandoned_runs_keep_their_places() -> History:
    history = History()
    left(history)
    socket = history.connect()
    run = socket.request(behaviour="after:abandoned")
    socket.error("rate_limited", request_id=run.asked.request_id)
    return history


@good("LIF-04")
def test_who_still_has_a_run_may_be_refused_another() -> History:
    history = History()
    left(history)
    socket, _ = under_way(history)
    run = socket.request(behaviour="after:abandoned")
    socket.error("rate_limited", request_id=run.asked.request_id)
    return history


# -- LIF-07: what a process holds -----------------------------------------------------------------------------------


def rounds(number: int, *, descriptors: int = 0, memory_kib: int = 0, granted: tuple[str, ...] = MANAGED) -> History:
    """So many rounds of five connections, each of which leaves this much."""
    history = History(granted=granted)
    more_rounds(history, number, descriptors=descriptors, memory_kib=memory_kib)
    return history


def more_rounds(history: History, number: int, *, descriptors: int = 0, memory_kib: int = 0) -> None:
    history.footprint()
    for round in range(1, number + 1):
        for _ in range(5):
            history.connect(BOB).closed()
        history.footprint(20 + descriptors * round, 50_000 + memory_kib * round)


@good("LIF-07")
def test_a_process_holds_as_much_as_before() -> History:
    return rounds(5)


@good("LIF-07")
def test_a_process_that_holds_a_little_more_each_time_need_not_leak() -> History:
    return rounds(13, memory_kib=79)


@good("LIF-07")
def test_what_is_freed_late_is_no_leak() -> History:
    history = rounds(12, descriptors=5, memory_kib=80)
    history.footprint(25, 50_900)
    return history


@good("LIF-07")
def test_where_runs_are_kept_memory_says_nothing() -> History:
    history = History(granted=MANAGED)
    for _ in range(14):
        history.connect().closed()
        history.footprint(memory_kib=None)
    return history


@bad(
    "LIF-07",
    message="a process holds more file descriptors with each round of connections",
    expected="about 20 again when the connections are gone",
    actual="46 after 65 connections, more after each of 13 rounds",
    witnesses=("footprint", "footprint"),
)
def test_each_connection_that_is_cut_off_leaves_its_socket() -> History:
    history = rounds(13, descriptors=2)
    history.footprint(46)
    return history


@bad(
    "LIF-07",
    message="a process holds more memory with each round of connections",
    expected="about 48.8 MiB again when the connections are gone",
    actual="54.3 MiB after 65 connections, more after each of 13 rounds",
    witnesses=("footprint", "footprint"),
)
def test_each_connection_leaves_its_buffers() -> History:
    return rounds(13, memory_kib=431)


@undecided("LIF-07", reason="file descriptors grew in 8 rounds: 12 would decide it")
def test_too_few_rounds_to_call_it_growth() -> History:
    return rounds(8, descriptors=5)


@undecided("LIF-07", reason="file descriptors grew in 6 rounds: 12 would decide it")
def test_another_process_is_another_beginning() -> History:
    history = rounds(6, descriptors=5)
    history.fault_ends(history.fault(FaultKind.KILL))
    more_rounds(history, 6, descriptors=5)
    return history


@undecided("LIF-07", reason="the kit did not start the target, so it cannot look at its process")
def test_a_process_that_the_kit_cannot_look_at() -> History:
    return rounds(0, granted=("jwt",))
