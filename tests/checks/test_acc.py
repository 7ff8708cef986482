"""ACC: only who may."""

from conformance.bounds import Bounds
from conformance.history.operations import Action, Awaited, ClosedBy, Credentials
from tests.checks.examples import bad, good, undecided
from tests.checks.histories import ALICE, BOB, History, Run, Socket

# -- ACC-01, ACC-02: credentials ------------------------------------------------------------------------------------


@good("ACC-01", "ACC-02")
def test_bad_credentials_are_refused() -> History:
    history = History()
    for kind in (Credentials.NONE, Credentials.GARBAGE, Credentials.EXPIRED, Credentials.FORGED, Credentials.UNSIGNED):
        history.connecting(credentials=kind).refused(401)
    return history


@good("ACC-01", "ACC-02")
def test_bad_credentials_are_closed_with_1008() -> History:
    history = History()
    for kind in (Credentials.NONE, Credentials.FORGED):
        socket = history.connecting(credentials=kind)
        socket.connected()
        socket.closed(ClosedBy.TARGET, 1008)
    return history


def socket_io(answer: str) -> History:
    """Nobody known connects by socket.io, which opens the transport before it looks at credentials."""
    history = History(dialect="chainlit")
    socket = history.connecting(credentials=Credentials.NONE)
    socket.connected()
    socket.receives('0{"sid":"a","upgrades":[],"pingTimeout":20000,"pingInterval":25000}')
    socket.receives(answer)
    return history


@good("ACC-01")
def test_no_credentials_and_a_transport_that_is_opened_before_the_refusal() -> History:
    return socket_io('44{"message":"authentication failed"}')


@bad(
    "ACC-01",
    message="a client without credentials is not refused as it must be",
    expected="HTTP 401, or close 1008 before any other frame",
    actual="a frame",
    witnesses=("connecting", "frame"),
)
def test_no_credentials_and_the_namespace_that_was_asked_for() -> History:
    return socket_io('40{"sid":"b"}')


@bad(
    "ACC-01",
    message="a client without credentials is not refused as it must be",
    expected="HTTP 401, or close 1008 before any other frame",
    actual="a frame",
    witnesses=("connecting", "connection_established"),
)
def test_no_credentials_and_a_greeting_for_anybody() -> History:
    history = History()
    socket = history.connecting(credentials=Credentials.NONE)
    socket.connected()
    socket.greeted(user_id="anonymous")
    return history


@bad(
    "ACC-01",
    message="a client without credentials is not refused as it must be",
    expected="HTTP 401, or close 1008 before any other frame",
    actual="a frame",
    witnesses=("connecting", "connection_established"),
)
def test_no_credentials_and_a_greeting() -> History:
    history = History()
    socket = history.connecting(credentials=Credentials.NONE)
    socket.connected()
    socket.greeted()
    socket.closed(ClosedBy.TARGET, 1008)
    return history


@bad(
    "ACC-01",
    message="a client without credentials is not refused as it must be",
    expected="HTTP 401, or close 1008 before any other frame",
    actual="HTTP 500",
    witnesses=("connecting", "refused"),
)
def test_no_credentials_and_another_status() -> History:
    history = History()
    history.connecting(credentials=Credentials.NONE).refused(500)
    return history


@bad(
    "ACC-01",
    message="a client without credentials is not refused as it must be",
    expected="HTTP 401, or close 1008 before any other frame",
    actual="connected for 5,000 ms, not closed",
    witnesses=("connecting", "gave_up"),
)
def test_no_credentials_and_no_end() -> History:
    history = History()
    socket = history.connecting(credentials=Credentials.NONE)
    socket.connected()
    socket.gave_up(Awaited.REFUSAL)
    return history


@bad(
    "ACC-02",
    message="a client with forged credentials is not refused as it must be",
    expected="HTTP 401, or close 1008 before any other frame",
    actual="close code 1000",
    witnesses=("connecting", "closed"),
)
def test_a_forged_token_and_another_close_code() -> History:
    history = History()
    socket = history.connecting(credentials=Credentials.FORGED)
    socket.connected()
    socket.closed(ClosedBy.TARGET, 1000)
    return history


@bad(
    "ACC-02",
    message="a client with unsigned credentials is not refused as it must be",
    expected="HTTP 401",
    actual="HTTP 200",
    witnesses=("connecting", "connected"),
)
def test_an_unsigned_token_over_http() -> History:
    history = History()
    history.connecting(credentials=Credentials.UNSIGNED, method="GET").connected(200)
    return history


@undecided("ACC-01", "ACC-02", reason="nothing was seen")
def test_no_answer_to_bad_credentials() -> History:
    history = History()
    for kind in (Credentials.NONE, Credentials.EXPIRED):
        history.connecting(credentials=kind).refused(None)
    return history


@undecided("ACC-01", reason="nothing was seen")
def test_the_kit_was_late_to_see_a_refusal() -> History:
    history = History()
    socket = history.connecting(credentials=Credentials.NONE)
    socket.connected()
    socket.gave_up(Awaited.REFUSAL, late=True)
    return history


# -- ACC-03: impersonation ------------------------------------------------------------------------------------------


@good("ACC-03", "IDN-08")
def test_a_user_in_the_payload_is_ignored() -> History:
    history = History()
    history.connect(BOB)
    history.connect(ALICE).start(impersonates=BOB).whole()
    return history


@bad(
    "ACC-03",
    "IDN-08",
    message="a user named in a payload overrides the authenticated one",
    expected="a run of user-alice",
    actual="user_id user-bobby, delivered to user-alice",
    witnesses=("asked", "agent_started"),
)
def test_a_user_in_the_payload_is_believed() -> History:
    history = History()
    history.connect(BOB)
    history.connect(ALICE).start(impersonates=BOB).whole(user_id=BOB)
    return history


@bad(
    "ACC-03",
    "ISO-03",
    "ISO-01",
    "ISO-02",
    message="a user named in a payload overrides the authenticated one",
    expected="a run of user-alice",
    actual="user_id user-alice, delivered to user-bobby",
    witnesses=("asked", "agent_started"),
)
def test_a_user_in_the_payload_gets_the_events() -> History:
    history = History()
    bobs = history.connect(BOB)
    history.connect(ALICE).start(impersonates=BOB).whole(on=bobs)
    return history


@bad(
    "ACC-03",
    "ISO-03",
    "ISO-01",
    "ISO-02",
    message="a user named in a payload overrides the authenticated one",
    expected="a run of user-alice",
    actual="user_id user-alice, delivered to user-bobby",
    witnesses=("asked", "agent_started"),
)
def test_a_run_whose_end_only_the_named_user_sees() -> History:
    """It did end: that its asker waits in vain is no second violation."""
    history = History()
    bobs = history.connect(BOB)
    alices = history.connect(ALICE)
    run = alices.start(impersonates=BOB).whole(on=bobs)
    alices.gave_up(Awaited.TERMINAL, run)
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
def test_the_user_in_the_payload_gets_what_everybody_gets() -> History:
    """The asker got the events, too: they do not go to Bob since Bob was named."""
    history = History()
    bobs = history.connect(BOB)
    run = history.connect(ALICE).start(impersonates=BOB)
    run.whole(on=[run.socket, bobs])
    return history


@undecided("ACC-03", reason="nothing was seen")
def test_nobody_impersonates() -> History:
    history = History()
    history.connect().start().whole()
    return history


# -- ACC-04: others' runs -------------------------------------------------------------------------------------------


def strangers(action: Action = Action.STOP) -> tuple[History, Run, Socket, str]:
    """Alice has a run; Bob has named one that does not exist."""
    history = History()
    run = history.connect(ALICE).start()
    run.started()
    run.thinking()
    bobs = history.connect(BOB)
    nobodys = history.id()
    bobs.asks(action, run_id=nobodys, owner="")
    bobs.error("not_found", f"No run {nobodys}.")
    return history, run, bobs, nobodys


@good("ACC-04")
def test_anothers_run_is_as_if_it_were_not_there() -> History:
    history, run, bobs, _ = strangers()
    bobs.asks(Action.STOP, run_id=run.run_id, owner=ALICE)
    bobs.error("not_found", f"No run {run.run_id}.")
    run.completed()
    return history


@good("ACC-04")
def test_http_answers_that_differ_by_their_trace_only() -> History:
    history, run, _, nobodys = strangers()
    for run_id, owner in ((nobodys, ""), (run.run_id, ALICE)):
        reading = history.connecting(BOB, method="GET", accept="application/json", ask=history.next_ask())
        reading.asks(Action.READ, run_id=run_id, owner=owner, ask=history.last_ask)
        body = f'{{"error": "not_found", "id": "{run_id}", "trace": "{history.id()}", "at": "{history.stamp(1)}"}}'
        reading.refused(404, body=body)
    run.completed()
    return history


@bad(
    "ACC-04",
    message="the answer to stop tells another user's run from one that does not exist",
    expected="not_found: No run RUN.",
    actual="forbidden: Run RUN is not yours.",
    witnesses=("error", "error"),
)
def test_the_answer_tells_that_the_run_exists() -> History:
    history, run, bobs, _ = strangers()
    bobs.asks(Action.STOP, run_id=run.run_id, owner=ALICE)
    bobs.error("forbidden", f"Run {run.run_id} is not yours.")
    run.completed()
    return history


@bad(
    "ACC-04",
    message="a user may stop another user's run",
    expected="the answer for a run that does not exist",
    actual="the run was stopped",
    witnesses=("agent_stopped",),
)
def test_a_stranger_stops_a_run() -> History:
    history, run, bobs, _ = strangers()
    bobs.asks(Action.STOP, run_id=run.run_id, owner=ALICE)
    run.stopped()
    return history


@bad(
    "ISO-03",
    "ISO-01",
    "ISO-02",
    message="an event of user-alice's run on a connection of user-bobby",
    expected="only runs of user-bobby",
    actual="completed of run *",
    witnesses=("asked", "agent_completed"),
)
def test_a_stranger_is_refused_and_gets_what_everybody_gets() -> History:
    history, run, bobs, _ = strangers(Action.RESUME)
    bobs.asks(Action.RESUME, run_id=run.run_id, owner=ALICE)
    bobs.error("not_found", f"No run {run.run_id}.")
    run.completed(on=[run.socket, bobs])
    return history


@good("ACC-04")
def test_a_run_that_stops_for_another_reason() -> History:
    """The stranger was refused; later the engine stops what its owner has left."""
    history, run, bobs, _ = strangers()
    bobs.asks(Action.STOP, run_id=run.run_id, owner=ALICE)
    bobs.error("not_found", f"No run {run.run_id}.")
    run.stopped("its client is gone")
    return history


@bad(
    "ACC-04",
    "ISO-03",
    "ISO-01",
    "ISO-02",
    message="a user may resume another user's run",
    expected="the answer for a run that does not exist",
    actual="its events",
    witnesses=("agent_started",),
)
def test_a_stranger_resumes_a_run() -> History:
    history, run, bobs, _ = strangers(Action.RESUME)
    bobs.asks(Action.RESUME, run_id=run.run_id, owner=ALICE)
    run.again(1, 2, on=bobs)
    return history


@bad(
    "ACC-04",
    message="the answer to stop tells another user's run from one that does not exist",
    expected="not_found: No run RUN.",
    actual="no answer",
    witnesses=("error", "gave_up"),
)
def test_silence_for_a_run_that_exists() -> History:
    history, run, bobs, _ = strangers()
    asked = bobs.asks(Action.STOP, run_id=run.run_id, owner=ALICE)
    bobs.gave_up(Awaited.ANSWER, asked)
    run.completed()
    return history


@undecided("ACC-04", reason="nothing was seen")
def test_only_a_run_that_does_not_exist_was_named() -> History:
    history, run, _, _ = strangers()
    run.completed()
    return history


# -- ACC-05: tokens -------------------------------------------------------------------------------------------------


@good("ACC-05")
def test_the_token_stays_where_it_is() -> History:
    history = History()
    socket = history.connecting()
    socket.connected(101, sec_websocket_protocol="jwt-auth")
    socket.greeted()
    return history


@bad(
    "ACC-05",
    message="a token is sent back",
    expected="no token in any frame, header or error",
    actual="the token of user-alice",
    witnesses=("connected",),
)
def test_the_token_comes_back_as_subprotocol() -> History:
    history = History()
    history.connecting().connected(101, sec_websocket_protocol=f"jwt.secret~of~{ALICE}~")
    return history


@bad(
    "ACC-05",
    message="a token is sent back",
    expected="no token in any frame, header or error",
    actual="the token of user-alice",
    witnesses=("tool_executing",),
)
def test_the_token_comes_back_in_an_event() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.tool_started(parameters={"authorization": f"Bearer secret~of~{ALICE}~"})
    run.tool_completed()
    run.completed()
    return history


@bad(
    "ACC-05",
    "SCH-06",
    message="a token is sent back",
    expected="no token in any frame, header or error",
    actual="the token of user-alice",
    witnesses=("error",),
)
def test_the_token_comes_back_in_an_error() -> History:
    history = History()
    history.connect().error("internal", f"Cannot decode secret~of~{ALICE}~")
    return history


@bad(
    "ACC-05",
    message="a token is sent back",
    expected="no token in any frame, header or error",
    actual="the token of user-alice",
    witnesses=("refused",),
)
def test_the_token_comes_back_when_it_is_refused() -> History:
    history = History()
    history.connecting(credentials=Credentials.EXPIRED).refused(401, body=f"expired: secret~of~{ALICE}~")
    return history


@bad(
    "ACC-05",
    message="a token is sent back",
    expected="no token in any frame, header or error",
    actual="the token of user-alice",
    witnesses=("closed",),
)
def test_the_token_comes_back_in_the_close() -> History:
    history = History()
    history.connect().closed(ClosedBy.TARGET, 1008, f"secret~of~{ALICE}~ has expired")
    return history


@undecided("ACC-05", reason="nothing was seen")
def test_nobody_connects() -> History:
    return History()


# -- ACC-06: credentials that expire --------------------------------------------------------------------------------


def expiring(grace_s: float = 60.0) -> tuple[History, Socket]:
    """Credentials that expire after 2 s."""
    history = History(bounds=Bounds(credentials_grace_s=grace_s))
    socket = history.connecting(credentials=Credentials.SHORT_LIVED, expires_at=2_000_000)
    socket.connected()
    socket.greeted()
    return history, socket


@good("ACC-06")
def test_closed_when_the_credentials_have_expired() -> History:
    _, socket = expiring()
    socket.closed(ClosedBy.TARGET, 1008, at=30_000)
    return socket.history


@good("ACC-06")
def test_closed_when_they_have_expired_by_the_clock_of_the_target() -> History:
    _, socket = expiring()
    socket.closed(ClosedBy.TARGET, 1008, at=1_999)
    return socket.history


@bad(
    "ACC-06",
    message="a connection outlives its credentials",
    expected="a close within 60 s after the token expired",
    actual="open 61 s after",
    witnesses=("connecting", "gave_up"),
)
def test_open_long_after_the_credentials_have_expired() -> History:
    _, socket = expiring()
    socket.gave_up(Awaited.CLOSE, waited_ms=63_000, at=63_000)
    return socket.history


@bad(
    "ACC-06",
    message="a connection outlives its credentials",
    expected="a close within 60 s after the token expired",
    actual="closed 88 s after",
    witnesses=("connecting", "closed"),
)
def test_closed_long_after_the_credentials_have_expired() -> History:
    _, socket = expiring()
    socket.closed(ClosedBy.TARGET, 1008, at=90_000)
    return socket.history


@undecided("ACC-06", reason="the kit waited")
def test_the_kit_does_not_wait_for_the_grace() -> History:
    _, socket = expiring()
    socket.gave_up(Awaited.CLOSE, waited_ms=5_500, at=5_500)
    return socket.history


@undecided("ACC-06", reason="nothing was seen")
def test_closed_before_the_credentials_expire() -> History:
    _, socket = expiring()
    socket.closed(ClosedBy.TARGET, 1001, at=1_000)
    return socket.history


# -- ACC-07: origins ------------------------------------------------------------------------------------------------


@good("ACC-07")
def test_a_foreign_origin_is_refused() -> History:
    history = History()
    history.connecting(origin="https://elsewhere.example").refused(403)
    return history


@good("ACC-07")
def test_a_foreign_origin_is_closed_before_any_frame() -> History:
    history = History()
    socket = history.connecting(origin="https://elsewhere.example")
    socket.connected()
    socket.closed(ClosedBy.TARGET, 1008)
    return history


@bad(
    "ACC-07",
    message="a browser from a foreign origin is let in",
    expected="the upgrade refused (403), or a close before any frame",
    actual="a frame, connected with Origin: https://elsewhere.example",
    witnesses=("connecting", "connection_established"),
)
def test_a_foreign_origin_is_greeted() -> History:
    history = History()
    socket = history.connecting(origin="https://elsewhere.example")
    socket.connected()
    socket.greeted()
    return history


@undecided("ACC-07", reason="nothing was seen")
def test_the_kit_leaves_before_a_foreign_origin_hears_anything() -> History:
    history = History()
    socket = history.connecting(origin="https://elsewhere.example")
    socket.connected()
    socket.closed(ClosedBy.KIT)
    return history


@undecided("ACC-07", reason="nothing was seen")
def test_no_answer_to_a_foreign_origin() -> History:
    history = History()
    history.connecting(origin="https://elsewhere.example").refused(None)
    return history
