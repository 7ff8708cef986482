"""Histories written by hand: a builder whose every default is legal, so that a bad history has one thing changed.

A `History` has `Socket`s (the kit's connections), a `Socket` has `Run`s. Each operation comes 1 ms after the one
before, unless `at` (ms since the history began) says when; `History.after` lets time pass. Whatever stands in a frame
can be overridden; `OMIT` leaves it out.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from random import Random
from typing import Any, Self
from uuid import UUID

from conformance.bounds import Bounds
from conformance.catalogue import load
from conformance.dialects import named
from conformance.history import operations as ops
from conformance.history.operations import Action, Asked, Awaited, ClosedBy, Header, Operation
from conformance.history.recorder import frame_operation
from conformance.judge import Judge
from conformance.script import Script
from conformance.verdict import Verdict

ALICE, BOB, CAROL = "user-alice", "user-bobby", "user-carol"
BEGAN_US = 1_767_225_600_000_250
OMIT: Any = object()


class History:
    """A header and operations. `number` is the first connection, question and line of chance that it uses.

    The target's clock is `ahead_s` ahead of the kit's.
    """

    def __init__(self, *, number: int = 1, bounds: Bounds | None = None, ahead_s: float = 0, **header: Any) -> None:
        self.header = Header(
            **{
                "format": 1,
                "kit": "0",
                "catalogue": 1,
                "began_us": BEGAN_US,
                "target": "by hand",
                "dialect": "five-events",
                "granted": ("jwt",),
                "bounds": bounds or Bounds(),
                "same_clock": True,
                **header,
            }
        )
        self.ahead_ms = ahead_s * 1000
        self.operations: list[Operation] = []
        self.now = 0.0
        self.random = Random(number)
        self._conn = self.last_ask = number - 1
        self._joined: set[str] = set()
        self._fault = 0

    def after(self, milliseconds: float) -> Self:
        """Let time pass."""
        self.now += milliseconds
        return self

    def time(self, at: float | None = None) -> int:
        """Return the time of the next operation in µs."""
        self.now = self.now + 1 if at is None else at
        return round(self.now * 1000)

    def add(self, operation: Operation) -> int:
        """Append an operation and return its line in the history."""
        self.operations.append(operation)
        return len(self.operations) + 1

    def id(self) -> str:
        """Return a fresh version 4 UUID, the same in every run of the tests."""
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def canary(self) -> str:
        """Return a fresh canary."""
        return f"cnry~{self.random.getrandbits(80):020x}~"

    def stamp(self, at: float) -> str:
        """Return a timestamp on the wire for a time in ms."""
        moment = datetime.fromtimestamp((self.header.began_us + round((at + self.ahead_ms) * 1000)) / 1e6, UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}Z"

    def next_ask(self) -> int:
        """Return the number of the next question, which is `last_ask` from then on."""
        self.last_ask += 1
        return self.last_ask

    def connecting(self, user: str | None = ALICE, *, at: float | None = None, **fields: Any) -> "Socket":
        """The kit begins to connect; `Socket.connected` and `Socket.greeted` go on."""
        if user is not None and user not in self._joined:
            self._joined.add(user)
            self.add(ops.UserJoined(self.time(at), user))
        self._conn += 1
        self.add(ops.Connecting(self.time(at), self._conn, user, fields.pop("url", "ws://target/ws"), **fields))
        return Socket(self, self._conn, user)

    def connect(self, user: str | None = ALICE, *, at: float | None = None, **fields: Any) -> "Socket":
        """Open and greet a connection."""
        socket = self.connecting(user, at=at, **fields)
        socket.connected()
        socket.greeted()
        return socket

    def fault(self, kind: ops.FaultKind, user: str | None = None, *, at: float | None = None) -> int:
        """A fault of the kit's begins, on a user's network or the target's process; return its number."""
        self._fault += 1
        self.add(ops.FaultBegan(self.time(at), self._fault, kind, user))
        return self._fault

    def fault_ends(self, fault: int, problem: str | None = None, *, at: float | None = None) -> int:
        """It is over."""
        return self.add(ops.FaultEnded(self.time(at), fault, problem))

    def cut(self, *sockets: "Socket", kind: ops.FaultKind = ops.FaultKind.CUT) -> None:
        """The kit's proxy cuts connections of one user."""
        fault = self.fault(kind, sockets[0].user)
        for socket in sockets:
            socket.closed(code=None)
        self.fault_ends(fault)

    def footprint(self, descriptors: int = 20, memory_kib: int | None = 50_000) -> int:
        """What the target's processes hold is looked at."""
        return self.add(ops.Footprint(self.time(), descriptors, memory_kib))

    def lagged(self, by_ms: float = 200.0, *, at: float | None = None) -> int:
        """The kit's own event loop was late."""
        return self.add(ops.Lagged(self.time(at), by_ms))


class Socket:
    """One connection of one user."""

    def __init__(self, history: History, conn: int, user: str | None) -> None:
        self.history = history
        self.conn = conn
        self.user = user

    def connected(self, status: int = 101, *, at: float | None = None, **headers: str) -> int:
        """The target accepted the connection."""
        head = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        return self.history.add(ops.Connected(self.history.time(at), self.conn, status, head))

    def refused(self, status: int | None = 401, *, body: str = "", at: float | None = None, **headers: str) -> int:
        """The target refused the connection."""
        head = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        return self.history.add(ops.Refused(self.history.time(at), self.conn, status, "", head, body))

    def receives(self, frame: Any, *, at: float | None = None) -> int:
        """A frame arrives: an object that is written as JSON, or text or bytes as they are."""
        data = frame if isinstance(frame, str | bytes) else json.dumps(frame)
        return self.history.add(frame_operation(ops.Received, self.history.time(at), self.conn, data))

    def greeted(self, *, at: float | None = None, **fields: Any) -> int:
        """The server's first frame."""
        history = self.history
        greeting = {
            "type": "connection_established",
            "protocol": "five-events/1",
            "connection_id": history.id(),
            "user_id": self.user,
            "server_time": history.stamp(history.now),
            "heartbeat_s": 25,
            "capabilities": ["resume", "stop", "threads", "multi_connection", "text_stream", "memory"],
        }
        return self.receives(_without(greeting | fields), at=at)

    def error(self, code: Any = "bad_message", message: Any = "Expected something else.", **fields: Any) -> int:
        """An error frame that belongs to no run."""
        at = fields.pop("at", None)
        return self.receives(_without({"type": "error", "code": code, "message": message, **fields}), at=at)

    def asks(self, action: Action, *, at: float | None = None, **fields: Any) -> Asked:
        """The kit asks for something."""
        history = self.history
        ask = fields.pop("ask", None) or history.next_ask()
        asked = Asked(history.time(at), ask, self.conn, self.user or "", action, **fields)
        history.add(asked)
        return asked

    def request(self, script: Script | None = None, *, at: float | None = None, **fields: Any) -> "Run":
        """The kit asks for a run; nothing is answered yet."""
        history = self.history
        action = Action.START if fields.get("thread_id") is None else Action.CONTINUE
        told = {"request_id": f"req-{history.id()}", "canary": history.canary(), "script": script, **fields}
        return Run(self, self.asks(action, at=at, **told))

    def start(self, script: Script | None = None, *, at: float | None = None, **fields: Any) -> "Run":
        """The kit asks for a run and the target accepts it."""
        run = self.request(script, at=at, **fields)
        run.accepted()
        return run

    def resumes(self, run: "Run", after_seq: int = 0, *, at: float | None = None, **fields: Any) -> Asked:
        """The kit asks for the events of a run after `after_seq`."""
        return self.asks(Action.RESUME, at=at, **{"run_id": run.run_id, "after_seq": after_seq, **fields})

    def stops(self, run: "Run", *, at: float | None = None, **fields: Any) -> Asked:
        """The kit asks to stop a run."""
        return self.asks(Action.STOP, at=at, **{"run_id": run.run_id, **fields})

    def gave_up(
        self,
        awaited: Awaited = Awaited.TERMINAL,
        on: "Run | Asked | None" = None,
        *,
        waited_ms: int = 5000,
        late: bool = False,
        at: float | None = None,
    ) -> int:
        """The kit waited in vain, for `waited_ms` from now."""
        asked = on.asked if isinstance(on, Run) else on
        ask, run_id = (asked.ask, asked.run_id) if asked is not None else (None, None)
        if at is None:
            self.history.after(waited_ms)
        return self.history.add(ops.GaveUp(self.history.time(at), self.conn, awaited, waited_ms, ask, run_id, late))

    def reads(self, *, paused: bool, at: float | None = None) -> int:
        """The kit stops reading, or goes on."""
        return self.history.add(ops.Reading(self.history.time(at), self.conn, paused))

    def pinged(self, *, at: float | None = None) -> int:
        """A sign of life at the transport's level."""
        return self.history.add(ops.Pinged(self.history.time(at), self.conn))

    def closed(
        self, by: ClosedBy = ClosedBy.KIT, code: int | None = 1000, reason: str = "", *, at: float | None = None
    ) -> int:
        """The connection ends."""
        return self.history.add(ops.Closed(self.history.time(at), self.conn, by, code, reason))


class Run:
    """One run: what was asked, and the events that tell it. `frames` holds each event's frame by its seq."""

    def __init__(self, socket: Socket, asked: Asked) -> None:
        self.socket = socket
        self.history = socket.history
        self.asked = asked
        self.run_id = self.history.id()
        self.thread_id = asked.thread_id or self.history.id()
        self.canary = asked.canary or ""
        self.seq = 0
        self.frames: dict[int, dict[str, Any]] = {}

    def accepted(self, *, on: Socket | None = None, at: float | None = None, **fields: Any) -> int:
        """The answer to the request."""
        payload = {
            "request_id": self.asked.request_id,
            "run_id": self.run_id,
            "thread_id": self.thread_id,
            "duplicate": False,
        }
        frame = {"type": "run_accepted", "payload": _without(payload | fields)}
        return (on or self.socket).receives(frame, at=at)

    def tells(
        self,
        wire_type: str,
        payload: dict[str, Any],
        *,
        on: Socket | Iterable[Socket] | None = None,
        at: float | None = None,
        **envelope: Any,
    ) -> int:
        """An event happens and arrives 1 ms later on the run's connection, or `on` others, or (`on=()`) nowhere."""
        history = self.history
        self.seq = envelope.pop("seq", self.seq + 1)
        when = history.now if at is None else at - 1
        frame = {
            "type": wire_type,
            "event_id": history.id(),
            "run_id": self.run_id,
            "thread_id": self.thread_id,
            "user_id": self.socket.user,
            "seq": self.seq,
            "timestamp": history.stamp(when),
            "agent_name": "helper",
            "payload": _without(payload),
        }
        frame = _without(frame | envelope)
        self.frames[self.seq] = frame
        line = 0
        for socket in [self.socket] if on is None else [on] if isinstance(on, Socket) else on:
            line = socket.receives(frame, at=at)
        return line

    def again(self, *seqs: int, on: Socket | None = None, **changed: Any) -> int:
        """Events arrive once more, or late, as they were; or with something `changed`."""
        line = 0
        for seq in seqs:
            line = (on or self.socket).receives(_without(self.frames[seq] | changed))
        return line

    def started(self, **fields: Any) -> int:
        """`agent_started`."""
        return self.tells("agent_started", {"request_id": fields.pop("request_id", self.asked.request_id)}, **fields)

    def thinking(self, thought: Any = None, **fields: Any) -> int:
        """`agent_thinking`."""
        thought = f"thinking of {self.canary}" if thought is None else thought
        return self.tells("agent_thinking", {"thought": thought, "step": fields.pop("step", 1)}, **fields)

    def tool_started(self, call_id: str = "call-1", name: str = "echo", **fields: Any) -> int:
        """`tool_executing`."""
        call = f"{call_id}-{self.run_id[:8]}" if call_id.startswith("call-") else call_id
        parameters = fields.pop("parameters", {"text": f"{call_id} {self.canary}"})
        payload = {"tool_name": name, "tool_call_id": call, "parameters": parameters}
        return self.tells("tool_executing", payload, **fields)

    def tool_completed(self, call_id: str = "call-1", name: str = "echo", **fields: Any) -> int:
        """`tool_completed`, status ok unless an `error` is given."""
        call = f"{call_id}-{self.run_id[:8]}" if call_id.startswith("call-") else call_id
        error = fields.pop("error", OMIT)
        well = error is OMIT
        payload = {
            "tool_name": name,
            "tool_call_id": call,
            "status": fields.pop("status", "ok" if well else "error"),
            "result": fields.pop("result", {"text": f"{call_id} {self.canary}"} if well else OMIT),
            "error": error,
            "duration_ms": fields.pop("duration_ms", 1),
        }
        return self.tells("tool_completed", payload, **fields)

    def chunk(self, text: Any, **fields: Any) -> int:
        """`message_chunk`."""
        return self.tells("message_chunk", {"text": text}, **fields)

    def completed(self, final_response: Any = None, **fields: Any) -> int:
        """`agent_completed`."""
        answer = f"You said: {self.canary}" if final_response is None else final_response
        return self.tells(
            "agent_completed", {"final_response": answer, "duration_ms": fields.pop("duration_ms", 5)}, **fields
        )

    def failed(self, code: Any = "internal", message: Any = "The model is down.", **fields: Any) -> int:
        """`agent_error`."""
        return self.tells("agent_error", {"code": code, "message": message, "retryable": True}, **fields)

    def stopped(self, reason: Any = "asked to", **fields: Any) -> int:
        """`agent_stopped`."""
        return self.tells("agent_stopped", {"reason": reason}, **fields)

    def whole(self, answer: str | None = None, **fields: Any) -> "Run":
        """The whole story of a good run: start, thinking, one tool, the answer; `fields` go with each event."""
        self.started(**fields)
        self.thinking(**fields)
        self.tool_started(**fields)
        self.tool_completed(**fields)
        self.completed(answer, **fields)
        return self


def _without(frame: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in frame.items() if value is not OMIT}


def judge(history: History, **options: Any) -> Verdict:
    """Judge a history by all checks, or by those in `options`."""
    judging = Judge(history.header, named(history.header.dialect), load(), **options)
    for operation in history.operations:
        judging.feed(operation)
    return judging.verdict()


def violated(history: History) -> set[str]:
    """Return the ids of the requirements that a history violates."""
    return {requirement.id for requirement in judge(history).requirements if requirement.violations}
