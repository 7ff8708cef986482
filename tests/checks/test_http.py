"""Checks on targets that are asked over HTTP, an exchange for each question (AG-UI)."""

import json

from conformance.history import operations as ops
from conformance.history.operations import Action, Awaited, ClosedBy, Credentials
from tests.checks.examples import bad, good
from tests.checks.exchanges import Exchange, agui
from tests.checks.histories import ALICE, BOB, History


@good("EVT-01", "EVT-02", "IDN-07", "ISO-01", "ISO-04", "LIF-11", "SCH-07")
def test_run_after_run_each_an_exchange() -> History:
    history = agui()
    for user in (ALICE, BOB, ALICE):
        Exchange(history, user, behaviour="again").whole()
    return history


@good("EVT-02", "ISO-05")
def test_two_runs_at_once_on_one_thread() -> History:
    history = agui()
    first, second = (Exchange(history, thread_id="thread-7") for _ in range(2))
    first.starts()
    second.starts()
    second.finishes()
    first.finishes()
    return history


@bad(
    "EVT-02",
    message="the target closed the connection before the run's end",
    expected="one terminal event",
    actual="the body ends after started",
    witnesses=("RUN_STARTED", "closed"),
)
def test_a_body_that_ends_before_its_run() -> History:
    history = agui()
    Exchange(history).starts().ends()
    return history


@bad(
    "EVT-02",
    message="the target closed the connection before the run's end",
    expected="one terminal event",
    actual="the body breaks off (incomplete chunked read) after started",
    witnesses=("RUN_STARTED", "closed"),
)
def test_a_body_that_breaks_off() -> History:
    history = agui()
    Exchange(history).starts().ends(ClosedBy.NETWORK, "incomplete chunked read")
    return history


@good("EVT-01")
def test_a_slow_reader_whose_body_breaks_off_was_told() -> History:
    history = agui()
    run = Exchange(history)
    run.socket.reads(paused=True)
    run.starts().ends(ClosedBy.NETWORK, "incomplete chunked read")
    return history


@good("DLV-06")
def test_a_slow_reader_gets_all() -> History:
    history = agui()
    run = Exchange(history)
    run.socket.reads(paused=True)
    run.socket.reads(paused=False)
    run.whole()
    return history


@good("EVT-01")
def test_leaving_is_the_kits_doing() -> History:
    history = agui()
    Exchange(history).starts().ends(ClosedBy.KIT)
    return history


@bad(
    "IDN-07",
    message="the thread_id that the client chose comes back changed",
    expected='thread_id: "thread-1234"',
    actual='thread_id: "another"',
    witnesses=("asked", "RUN_STARTED"),
)
def test_a_run_on_another_thread_than_asked_for() -> History:
    history = agui()
    run = Exchange(history, thread_id="thread-1234").begins()
    run.tells("RUN_STARTED", threadId="another", runId=run.asked.request_id)
    run.tells("RUN_FINISHED", threadId="another", runId=run.asked.request_id)
    run.ends()
    return history


@good("ACC-01", "ACC-02", "SCH-06")
def test_bad_credentials_are_refused() -> History:
    history = agui()
    for kind in (Credentials.NONE, Credentials.GARBAGE, Credentials.EXPIRED):
        Exchange(history, credentials=kind).socket.refused(401)
    return history


@bad(
    "ACC-01",
    message="a client without credentials is not refused as it must be",
    expected="HTTP 401",
    actual="HTTP 200",
    witnesses=("connecting", "connected"),
)
def test_a_run_for_nobody_in_particular() -> History:
    history = agui()
    Exchange(history, credentials=Credentials.NONE).whole()
    return history


@good("ACC-06")
def test_a_request_after_the_credentials_have_expired_is_refused() -> History:
    history = agui()
    for at in (0, 3000):
        history.after(at)
        run = Exchange(history, credentials=Credentials.SHORT_LIVED, expires_at=2_000_000)
        run.socket.refused(401) if at else run.whole()
    return history


@bad(
    "ACC-06",
    message="a request with expired credentials is served",
    expected="HTTP 401, beginning within 60 s after the token expired",
    actual="served 68 s after",
    witnesses=("connecting", "connected"),
)
def test_a_request_long_after_the_credentials_have_expired_is_served() -> History:
    history = agui().after(70_000)
    Exchange(history, credentials=Credentials.SHORT_LIVED, expires_at=2_000_000).whole()
    return history


@good("LIF-08", "SCH-06")
def test_bad_input_is_refused() -> History:
    history = agui()
    body = json.dumps({"code": "bad_json", "message": "That is not JSON."})
    Exchange(history, action=Action.GARBAGE, request_id=None, thread_id=None, canary=None).socket.refused(
        400, body=body
    )
    return history


@bad(
    "LIF-08",
    message="garbage (not JSON) is not answered as it must be",
    expected="an HTTP error (400), and everyone else unharmed",
    actual="no error, as if it were well formed",
    witnesses=("asked", "closed"),
)
def test_bad_input_is_taken_for_good() -> History:
    history = agui()
    run = Exchange(history, action=Action.GARBAGE, behaviour="not JSON", thread_id=None, canary=None)
    run.begins().ends()
    return history


@bad(
    "LIF-08",
    message="garbage (not JSON) is not answered as it must be",
    expected="an HTTP error (400), and everyone else unharmed",
    actual="no answer (reset)",
    witnesses=("asked", "refused"),
)
def test_bad_input_takes_the_connection_down() -> History:
    history = agui()
    run = Exchange(history, action=Action.GARBAGE, behaviour="not JSON", thread_id=None, canary=None)
    history.add(ops.Refused(history.time(), run.socket.conn, None, "reset"))
    return history


@bad(
    "SCH-06",
    message="an error shows a stack trace",
    expected="a message without stack trace, file path, secret or token",
    actual="Traceback (most recent call",
    witnesses=("refused",),
)
def test_an_http_error_with_a_stack_trace() -> History:
    history = agui()
    body = json.dumps({"detail": "Traceback (most recent call last): …"})
    Exchange(history).socket.refused(500, body=body)
    return history


@bad(
    "ISO-12",
    message="a user without open runs is refused in another user's trouble (greedy)",
    expected="a run like any other: limits are counted for each user",
    actual="HTTP 429",
    witnesses=("asked", "refused"),
)
def test_a_limit_that_all_users_share() -> History:
    history = agui()
    Exchange(history, ALICE, behaviour="greedy").starts()
    Exchange(history, BOB, behaviour="bystander:greedy").socket.refused(429)
    return history


@good("EVT-01")
def test_a_run_that_waits_for_the_users_other_runs_is_not_silent() -> History:
    history = agui()
    Exchange(history, behaviour="greedy").starts()
    waiting = Exchange(history, behaviour="greedy")
    waiting.socket.gave_up(Awaited.ANSWER, waiting.asked)
    return history


@bad(
    "ISO-01",
    message=f"a canary of {BOB} on a connection of {ALICE}",
    expected=f"nothing of {BOB}",
    actual="cnry~*",
    witnesses=("asked", "TEXT_MESSAGE_CONTENT"),
)
def test_another_users_words_in_an_answer() -> History:
    history = agui()
    other = Exchange(history, BOB).starts()
    Exchange(history, ALICE).whole(text=other.asked.canary or "")
    other.finishes()
    return history
