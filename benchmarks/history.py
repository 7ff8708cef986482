"""A history of any length as a busy, faultless engine would leave it: many users, some runs at once, in five-events.

python -m benchmarks.history EVENTS FILE
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import msgspec

from conformance import __version__, canary, script
from conformance.history.operations import FORMAT

_ENCODER = msgspec.json.Encoder()
LENGTHS = (5, 20, 100, 300)
_USERS = 500
_APART_US = 3
_UNDERWAY_US = 2
_EVENTS_OF_A_TOOL = 2
_EVENTS_BESIDES = 3  # started, thinking, completed
_PIECES = 3
Line = dict[str, Any]


class Generator:
    """Makes the lines of a history: at least `events` run events, in `together` runs at once.

    How many events a run has, or about so many, is drawn from `lengths`.
    """

    def __init__(self, *, events: int, lengths: Sequence[int] = LENGTHS, together: int = 1, seed: int = 1) -> None:
        self._random = Random(seed)
        self._events = events
        self._lengths = lengths
        self._together = together
        self._began_us = time.time_ns() // 1000
        self._now = 0
        self._asked = 0
        self._told = 0

    def lines(self) -> Iterator[bytes]:
        """Yield the lines, each with its end."""
        yield self._line(
            {
                "op": "history",
                "format": FORMAT,
                "kit": __version__,
                "catalogue": 1,
                "began_us": self._began_us,
                "target": "benchmark",
                "dialect": "five-events",
                "granted": ["jwt"],
                "same_clock": True,
            }
        )
        users = [f"user-{self._random.getrandbits(64):016x}" for _ in range(_USERS)]
        for conn, user in enumerate(users, start=1):
            yield self._line({"op": "connecting", "at": 0, "conn": conn, "user": user, "url": "ws://127.0.0.1/ws"})
            yield self._line({"op": "connected", "at": 0, "conn": conn})
        under_way: list[Iterator[Line]] = []
        while self._told < self._events or under_way:
            if len(under_way) < self._together and self._told < self._events:
                conn = self._random.randrange(_USERS)
                under_way.append(self._run(conn + 1, users[conn]))
            at = self._random.randrange(len(under_way))
            line = next(under_way[at], None)
            if line is None:
                del under_way[at]
            else:
                yield self._line(line)

    def _line(self, line: Line) -> bytes:
        return _ENCODER.encode(line) + b"\n"

    def _id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def _run(self, conn: int, user: str) -> Iterator[Line]:
        """Yield what is asked, sent and received for one run."""
        run_id, thread_id, request_id = self._id(), self._id(), f"req-{self._random.getrandbits(96):024x}"
        token = canary.new(self._random)
        told = [{"think": "t"}, script.tool("echo", text=token), {"say": f"done {token}"}]
        self._asked += 1
        self._now += 40
        yield {
            "op": "asked",
            "at": self._now,
            "ask": self._asked,
            "conn": conn,
            "user": user,
            "action": "start",
            "request_id": request_id,
            "canary": token,
            "behaviour": "tool",
            "script": told,
        }
        request = {"user_request": f"{token} {script.as_text(told)}", "request_id": request_id}
        yield self._frame("sent", conn, {"type": "start_agent", "payload": request})
        answer = {"request_id": request_id, "run_id": run_id, "thread_id": thread_id, "duplicate": False}
        yield self._frame("received", conn, {"type": "run_accepted", "payload": answer})
        for seq, (kind, payload) in enumerate(self._story(request_id, token), start=1):
            self._told += 1
            self._now += _APART_US
            envelope = {"type": kind, "event_id": self._id(), "run_id": run_id, "thread_id": thread_id, "user_id": user}
            stamp = self._stamp(self._now - _UNDERWAY_US)
            rest = {"seq": seq, "timestamp": stamp, "agent_name": "assistant", "payload": payload}
            yield self._frame("received", conn, envelope | rest)

    def _frame(self, op: str, conn: int, frame: Line) -> Line:
        return {"op": op, "at": self._now, "conn": conn, "frame": frame}

    def _stamp(self, at: int) -> str:
        moment = datetime.fromtimestamp((self._began_us + at) / 1e6, UTC)
        return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")

    def _story(self, request_id: str, token: str) -> Iterator[tuple[str, Line]]:
        """Yield the events of a run: a thought, one to three tool calls, the streamed answer, where there is room."""
        room = max(0, self._random.choice(self._lengths) - _EVENTS_BESIDES)
        tools = min(3, room // _EVENTS_OF_A_TOOL)
        pieces = room - tools * _EVENTS_OF_A_TOOL
        yield "agent_started", {"request_id": request_id}
        yield "agent_thinking", {"thought": "thinking about it", "step": 1}
        for _ in range(tools):
            call = {"tool_name": "echo", "tool_call_id": self._id()}
            yield "tool_executing", call | {"parameters": {"text": token}}
            yield "tool_completed", call | {"status": "ok", "result": token, "duration_ms": 0.2}
        texts = ["done ", token[:10], token[10:]] + [" word"] * (pieces - _PIECES) if pieces >= _PIECES else []
        for text in texts:
            yield "message_chunk", {"text": text}
        answer = "".join(texts) or f"done {token}"
        yield "agent_completed", {"final_response": answer, "duration_ms": 3.1}


def main() -> None:
    """Write a history."""
    parser = argparse.ArgumentParser(description="Write a history as a busy, faultless engine would leave it.")
    parser.add_argument("events", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, help=f"events a run {LENGTHS}")
    parser.add_argument("--together", type=int, default=1, help="runs at once (default 1)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    generator = Generator(events=options.events, lengths=options.lengths, together=options.together, seed=options.seed)
    with options.file.open("wb") as file:
        file.writelines(generator.lines())


if __name__ == "__main__":
    main()
