"""Checks on targets that are asked over HTTP, an exchange for each question (AG-UI)."""

import json
from typing import Any

from conformance.history import operations as ops
from conformance.history.operations import Action, Awaited, ClosedBy, Credentials
from conformance.history.recorder import frame_operation
from tests.checks.examples import bad, good
from tests.checks.histories import ALICE, BOB, History, Socket


class Exchange:
    """One POST that asks for a run, and its answer."""

    def __init__(self, history: History, user: str | None = ALICE, **fields: Any) -> None:
        kept = {name: fields.pop(name) for name in ("credentials", "expires_at") if name in fields}
        ask = history.next_ask()
        self.history = history
        self.socket: Socket = history.connecting(user, url="http://target/agui", method="POST", ask=ask, **kept)
        request_id = fields.pop("request_id", f"req-{history.id()}")
        wanted = {"thread_id": f"thread-{request_id}", "canary": history.canary(), "script": None, **fields}
        action = wanted.pop("action", Action.START)
        self.asked = self.socket.asks(action, ask=ask, request_id=request_id, **wanted)
        history.add(frame_operation(ops.Sent, history.time(), self.socket.conn, "{}"))

    def begins(self) -> "Exchange":
        """The answer begins."""
        self.socket.connected(200, content_type="text/event-stream", cache_control="no-store")
        return self

    def tells(self, kind: str, **fields: Any) -> int:
        """An event of the run."""
        names = {"threadId": self.asked.thread_id, "runId": self.asked.request_id} if kind.startswith("RUN_S") else {}
        stamp = 1_767_225_600_000 + int(self.history.now)
        return self.socket.receives({"type": kind, **names, "timestamp": stamp, **fields})

    def starts(self) -> "Exchange":
        """The run starts."""
        self.begins()
        self.tells("RUN_STARTED")
        return self

    def whole(self, text: str = "well") -> "Exchange":
        """The run as it should be, to the end of the body."""
        self.starts()
        self.tells("TEXT_MESSAGE_START", messageId="m1", role="assistant")
        self.tells("TEXT_MESSAGE_CONTENT", messageId="m1", delta=text)
        self.tells("TEXT_MESSAGE_END", messageId="m1")
        self.tells("RUN_FINISHED", threadId=self.asked.thread_id, runId=self.asked.request_id)
        self.ends()
        return self

    def ends(self, by: ClosedBy = ClosedBy.TARGET, reason: str = "") -> None:
        """The body ends."""
        self.socket.closed(by, None, reason)


def agui(**header: Any) -> History:
    return History(dialect="ag-ui", **header)


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
    for run in (second, first):
        run.tells("RUN_FINISHED", threadId="thread-7", runId=run.asked.request_id)
        run.ends()
    return history


@bad("EVT-02", message="the target closed the connection before the run's end", actual="the body ends after started")
def test_a_body_that_ends_before_its_run() -> History:
    history = agui()
    Exchange(history).starts().ends()
    return history


@bad(
    "EVT-02",
    message="the target closed the connection before the run's end",
    actual="the body breaks off (incomplete chunked read) after started",
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


@bad("IDN-07", message="the thread_id that the client chose comes back changed", actual='thread_id: "another"')
def test_a_run_on_another_thread_than_asked_for() -> History:
    history = agui()
    run = Exchange(history).begins()
    run.tells("RUN_STARTED", threadId="another")
    run.tells("RUN_FINISHED", threadId="another", runId=run.asked.request_id)
    run.ends()
    return history


@good("ACC-01", "ACC-02", "SCH-06")
def test_bad_credentials_are_refused() -> History:
    history = agui()
    for kind in (Credentials.NONE, Credentials.GARBAGE, Credentials.EXPIRED):
        Exchange(history, credentials=kind).socket.refused(401)
    return history


@bad("ACC-01", message="a client with none credentials is not refused as it must be", actual="HTTP 200")
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


@bad("ACC-06", message="a connection outlives its credentials", actual="a request * s after is served")
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


@bad("LIF-08", message="garbage (not JSON) is not answered as it must be", actual="no error, as if it were well formed")
def test_bad_input_is_taken_for_good() -> History:
    history = agui()
    run = Exchange(history, action=Action.GARBAGE, behaviour="not JSON", thread_id=None, canary=None)
    run.begins().ends()
    return history


@bad("LIF-08", message="garbage (not JSON) is not answered as it must be", actual="no answer (reset)")
def test_bad_input_takes_the_connection_down() -> History:
    history = agui()
    run = Exchange(history, action=Action.GARBAGE, behaviour="not JSON", thread_id=None, canary=None)
    history.add(ops.Refused(history.time(), run.socket.conn, None, "reset"))
    return history


@bad("SCH-06", message="an error shows a stack trace", actual="Traceback (most recent call")
def test_an_http_error_with_a_stack_trace() -> History:
    history = agui()
    body = json.dumps({"detail": "Traceback (most recent call last): …"})
    Exchange(history).socket.refused(500, body=body)
    return history


@bad("ISO-12", message="a user without open runs is refused in another user's trouble (greedy)")
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


@bad("ISO-01", message=f"a canary of {BOB} on a connection of {ALICE}")
def test_another_users_words_in_an_answer() -> History:
    history = agui()
    other = Exchange(history, BOB).whole()
    Exchange(history, ALICE).whole(text=other.asked.canary or "")
    return history
