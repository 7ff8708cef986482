"""ACC: only who may."""

import re
from typing import Any

from conformance.checks.check import EVERY_EVENT, Evidence, Here, Unconcerned, on, on_odd
from conformance.dialects.fields import shorten
from conformance.events import Kind, Refusal
from conformance.history import operations as ops
from conformance.history.operations import Action, Awaited, ClosedBy, Credentials
from conformance.story import Connection, Notice, Passage, Request, Sighting, Story

_REFUSED_WITHOUT = {Credentials.NONE: "ACC-01"}
_MAY_ENTER = (Credentials.VALID, Credentials.SHORT_LIVED)
_CLOCKS_US = 500_000
"""How much sooner than by the kit's clock a token may expire by the target's."""
_SECRET = re.compile(rb"secret~of~([^~]*)~")
# what differs from answer to answer: timestamps, and the ids of traces, requests and errors
_OF_THE_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)?|\b[0-9a-f]{8}(?:-?[0-9a-f]{4,})+\b|\d{10,}",
)


def _lasts(connection: Connection) -> bool:
    """Tell whether it is a connection that stays open, and no single request."""
    return connection.op.method == "websocket"


class Entry(Unconcerned):
    """Who shows no good credentials is refused before anything else."""

    decides = ("ACC-01", "ACC-02", "ACC-06", "ACC-07")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._short: str | None = None
        self._told: set[int] = set()

    @on(ops.Refused)
    def refused(self, op: ops.Refused) -> None:
        """The target refused: in the right way? Where it did not answer at all, nothing can be said."""
        if op.status is None:
            return
        connection = self.world.connections[op.conn]
        shown = connection.op.credentials
        if connection.op.origin is not None and shown is Credentials.VALID:
            self.exercised["ACC-07"] += 1
        expires = connection.op.expires_at
        if expires is not None and connection.op.at > expires:
            self.exercised["ACC-06"] += op.status == 401
        if shown in _MAY_ENTER:
            return
        requirement = self._decides(shown)
        if op.status != 401:
            self._entered(connection, f"HTTP {op.status}", self.here(op), requirement)

    def _decides(self, shown: Credentials) -> str:
        requirement = _REFUSED_WITHOUT.get(shown, "ACC-02")
        self.exercised[requirement] += 1
        return requirement

    def _entered(self, connection: Connection, actual: str, evidence: Evidence, requirement: str) -> None:
        shown = connection.op.credentials
        what = "without" if shown is Credentials.NONE else f"with {shown.value}"
        self.fail(
            requirement,
            f"a client {what} credentials is not refused as it must be",
            expected="HTTP 401, or close 1008 before any other frame" if _lasts(connection) else "HTTP 401",
            actual=actual,
            witnesses=[Here(connection.line, connection.op), evidence],
        )

    @on(ops.Connected)
    def connected(self, op: ops.Connected) -> None:
        """An exchange without good credentials was answered."""
        connection = self.world.connections[op.conn]
        if _lasts(connection):
            return
        if connection.op.credentials not in _MAY_ENTER:
            self._entered(connection, f"HTTP {op.status}", self.here(op), self._decides(connection.op.credentials))
        expires = connection.op.expires_at
        if expires is not None and connection.op.at > expires + self.world.bounds.credentials_grace_s * 1e6:
            self._outlived(connection, f"served {(connection.op.at - expires) / 1e6:.0f} s after", op)

    @on(ops.Received)
    def frame(self, op: ops.Received) -> None:
        """A frame for somebody who may not have any: without good credentials, or from a foreign origin."""
        connection = self.world.connections[op.conn]
        shown, foreign = connection.op.credentials, connection.op.origin is not None
        if not _lasts(connection) or op.conn in self._told or (shown in _MAY_ENTER and not foreign):
            return
        let_in = self.world.dialect.lets_in(op.raw)
        if let_in is None:
            return
        self._told.add(op.conn)
        if foreign and shown is Credentials.VALID:
            self.exercised["ACC-07"] += 1
            if let_in:
                self.fail(
                    "ACC-07",
                    "a browser from a foreign origin is let in",
                    expected="the upgrade refused (403), or a close before any frame",
                    actual=f"a frame, connected with Origin: {connection.op.origin}",
                    witnesses=[Here(connection.line, connection.op), self.here(op)],
                )
        if shown not in _MAY_ENTER:
            requirement = self._decides(shown)
            if let_in:
                self._entered(connection, "a frame", self.here(op), requirement)

    @on(ops.Closed)
    def closed(self, op: ops.Closed) -> None:
        """The target closed a connection whose credentials are bad, or have expired."""
        connection = self.world.connections[op.conn]
        shown = connection.op.credentials
        if op.by is not ClosedBy.TARGET or connection.connected is None or not _lasts(connection):
            return
        if connection.op.origin is not None and shown is Credentials.VALID and op.conn not in self._told:
            self.exercised["ACC-07"] += 1
        if shown not in _MAY_ENTER and op.conn not in self._told:
            requirement = self._decides(shown)
            if op.code != 1008:
                self._entered(connection, f"close code {op.code}", self.here(op), requirement)
        if shown is Credentials.SHORT_LIVED and connection.op.expires_at is not None:
            self._closed_after(connection, connection.op.expires_at, op)

    @on(ops.GaveUp)
    def gave_up(self, op: ops.GaveUp) -> None:
        """The kit waited for a refusal, or for the end of an expired connection, in vain."""
        connection = self.world.connections.get(op.conn)
        if connection is None or op.late:
            return
        bad = connection.op.credentials not in _MAY_ENTER
        if op.awaited is Awaited.REFUSAL and bad and op.conn not in self._told:
            requirement = self._decides(connection.op.credentials)
            self._entered(connection, f"connected for {op.waited_ms:,} ms, not closed", self.here(op), requirement)
        expires = connection.op.expires_at
        if op.awaited is Awaited.CLOSE and expires is not None:
            grace = self.world.bounds.credentials_grace_s
            if op.at >= expires + grace * 1e6:
                self._outlived(connection, f"open {(op.at - expires) / 1e6:.0f} s after", op)
            else:
                waited = max(0.0, (op.at - expires) / 1e6)
                self._short = f"the kit waited {waited:.0f} s after the token expired, {grace:.0f} s would decide it"

    def _closed_after(self, connection: Connection, expires: int, op: ops.Closed) -> None:
        """The target closed a connection whose credentials expire: that says something once they have."""
        if op.at < expires - _CLOCKS_US:
            return
        if op.at <= expires + self.world.bounds.credentials_grace_s * 1e6:
            self.exercised["ACC-06"] += 1
        else:
            self._outlived(connection, f"closed {(op.at - expires) / 1e6:.0f} s after", op)

    def _outlived(self, connection: Connection, actual: str, op: ops.Operation) -> None:
        lasts = _lasts(connection)
        grace = f"within {self.world.bounds.credentials_grace_s:.0f} s after the token expired"
        self.exercised["ACC-06"] += 1
        self.fail(
            "ACC-06",
            "a connection outlives its credentials" if lasts else "a request with expired credentials is served",
            expected=f"a close {grace}" if lasts else f"HTTP 401, beginning {grace}",
            actual=actual,
            witnesses=[Here(connection.line, connection.op), self.here(op)],
        )

    def finish(self) -> None:
        """Say how long a wait would have decided."""
        if self._short is not None and not self.exercised["ACC-06"]:
            self.undecided["ACC-06"] = self._short


class Impersonation(Unconcerned):
    """A user id in a payload changes nothing."""

    decides = ("ACC-03",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._gone_to: dict[int, Sighting] = {}

    @on(Passage)
    def passage(self, passage: Passage) -> None:
        """The events of a run that was asked for in another's name."""
        request = passage.story.request
        if request is not None and request.asked.impersonates is not None:
            for seen in passage.sightings:
                self._event(seen, request)

    def _known_as(self, user: str | None) -> str | None:
        return self.world.identity_of(user) or user

    def _event(self, seen: Sighting, request: Request) -> None:
        self.exercised["ACC-03"] += seen.event.terminal
        other = request.asked.impersonates
        if seen.event.user_id == other:
            self._overridden(seen, request)
        elif seen.foreign and self._known_as(seen.connection.op.user) == other:
            self._gone_to.setdefault(seen.story.number, seen)

    @on_odd(Story)
    def settled(self, story: Story) -> None:
        """A run that went to the user who was named; if to the other as well, it is none of what the payload said."""
        seen = self._gone_to.pop(story.number, None)
        request = story.request
        if seen is not None and request is not None and request.connection.number not in story.streams:
            self._overridden(seen, request)

    def _overridden(self, seen: Sighting, request: Request) -> None:
        self.fail(
            "ACC-03",
            "a user named in a payload overrides the authenticated one",
            expected=f"a run of {request.asked.user}",
            actual=f"user_id {seen.event.user_id}, delivered to {seen.connection.op.user}",
            witnesses=[request, seen],
            run=seen.story,
        )


class OthersRuns(Unconcerned):
    """Naming another user's run does what naming a run does that does not exist."""

    decides = ("ACC-04",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._asked: dict[int, ops.Asked] = {}
        self._answers: dict[Action, dict[bool, list[tuple[str, Evidence]]]] = {}
        self._told: dict[int, tuple[Request, Sighting]] = {}

    @on(ops.Asked)
    def asked(self, op: ops.Asked) -> None:
        """A question that names another's run, or none."""
        if op.owner is not None and op.run_id is not None:
            self._asked[op.ask] = op

    @on(Refusal)
    def refusal(self, notice: Notice) -> None:
        """The answer over a WebSocket."""
        event, request = notice.event, notice.request
        assert isinstance(event, Refusal)
        if request is not None and request.asked.ask in self._asked:
            self._answer(request.asked, f"{event.code}: {event.message}", notice)

    @on(ops.Refused)
    def refused(self, op: ops.Refused) -> None:
        """The answer over HTTP."""
        asked = self._asked.get(self.world.connections[op.conn].op.ask or 0)
        if asked is not None:
            self._answer(asked, f"HTTP {op.status} {op.body}", self.here(op))

    @on(ops.Connected)
    def connected(self, op: ops.Connected) -> None:
        """The target served another's run over HTTP."""
        connection = self.world.connections[op.conn]
        asked = self._asked.get(connection.op.ask or 0)
        if asked is not None and not _lasts(connection):
            self._answer(asked, f"HTTP {op.status}", self.here(op))
            if asked.owner:
                self._served(asked, f"HTTP {op.status}", self.here(op))

    @on(ops.GaveUp)
    def gave_up(self, op: ops.GaveUp) -> None:
        """No answer at all."""
        asked = self._asked.get(op.ask or 0)
        if asked is not None and op.awaited is Awaited.ANSWER and not op.late:
            self._answer(asked, "no answer", self.here(op))

    @on_odd(*EVERY_EVENT)
    def event(self, seen: Sighting) -> None:
        """A run event that reaches who asked for another's run; where that is refused, it is no answer to it."""
        if not seen.foreign:
            return
        for asked in self._asked.values():
            request = self.world.requests.get(asked.ask)
            mine = asked.run_id == seen.story.run_id and asked.conn == seen.connection.number
            if mine and request is not None and asked.action in (Action.READ, Action.RESUME):
                self._told.setdefault(asked.ask, (request, seen))

    @on(Kind.STOPPED)
    def stopped(self, seen: Sighting) -> None:
        """The end of a run that only a stranger stopped."""
        if seen.story.stop_asked is None:
            for asked in self._asked.values():
                request = self.world.requests.get(asked.ask)
                refused = request is not None and request.refusal is not None
                if asked.run_id == seen.story.run_id and asked.action is Action.STOP and asked.owner and not refused:
                    self._served(asked, "the run was stopped", seen)

    def _answer(self, asked: ops.Asked, answer: str, evidence: Evidence) -> None:
        plain = answer.replace(asked.run_id or "\0", "RUN")
        if asked.request_id:
            plain = plain.replace(asked.request_id, "REQUEST")
        plain = _OF_THE_MOMENT.sub("…", plain)
        exists = bool(asked.owner)
        self.exercised["ACC-04"] += exists
        self._answers.setdefault(asked.action, {}).setdefault(exists, []).append((plain, evidence))

    def _served(self, asked: ops.Asked, what: str, evidence: Evidence) -> None:
        self.exercised["ACC-04"] += 1
        self.fail(
            "ACC-04",
            f"a user may {asked.action.value} another user's run",
            expected="the answer for a run that does not exist",
            actual=what,
            witnesses=[evidence],
            user=asked.user,
        )

    def finish(self) -> None:
        """Say what was served, and hold the answers against each other."""
        for request, seen in self._told.values():
            if request.refusal is None:
                self._served(request.asked, "its events", seen)
        for action, answers in self._answers.items():
            theirs, nobodys = answers.get(True, []), answers.get(False, [])
            known = {answer for answer, _ in nobodys}
            for answer, evidence in theirs:
                if nobodys and answer not in known:
                    self.fail(
                        "ACC-04",
                        f"the answer to {action.value} tells another user's run from one that does not exist",
                        expected=shorten(nobodys[0][0]),
                        actual=shorten(answer),
                        witnesses=[nobodys[0][1], evidence],
                    )


class TokensKept(Unconcerned):
    """A token is never sent back. The recorder puts a marker in its place."""

    decides = ("ACC-05",)

    @on(ops.Received)
    def frame(self, op: ops.Received) -> None:
        """Look for the marker in a frame."""
        raw = bytes(op.frame) if op.text is None and op.binary is None else op.raw
        if 126 in raw:
            self._look(raw, op)

    @on(ops.Connected)
    def connected(self, op: ops.Connected) -> None:
        """Look for the marker in the headers of an answer."""
        self.exercised["ACC-05"] += 1
        self._look(str(op.headers).encode(), op)

    @on(ops.Refused)
    def refused(self, op: ops.Refused) -> None:
        """Look for the marker in the headers and body of a refusal."""
        self._look(f"{op.headers} {op.body} {op.reason}".encode(), op)

    @on(ops.Closed)
    def closed(self, op: ops.Closed) -> None:
        """Look for the marker in the reason of a close."""
        self._look(op.reason.encode(), op)

    def _look(self, raw: bytes, op: ops.Operation) -> None:
        found = _SECRET.search(raw)
        if found:
            self.fail(
                "ACC-05",
                "a token is sent back",
                expected="no token in any frame, header or error",
                actual=f"the token of {found[1].decode()}",
                witnesses=[self.here(op)],
            )
