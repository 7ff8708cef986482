"""A bare fast server of five-events: runs from templates, one event after the other, all runs side by side.

A question holds a script that says a canary and then some words; each of them is an event of the run.
"""

import asyncio
import struct
import sys
import uuid
from collections import deque
from datetime import UTC, datetime
from functools import cache
from itertools import accumulate
from typing import NamedTuple

import msgspec
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from conformance.script import Script, say

_THOUGHT, _WORD = "thinking", " word"
_BESIDES = 4  # started, thinking, the canary, completed
_RUN, _THREAD = b"R" * 36, b"H" * 36
_USER, _REQUEST, _TOKEN = b"U" * 21, b"Q" * 28, b"C" * 26
_STAMP = b"2026-01-01T00:00:00.000000Z"


class Template(NamedTuple):
    """The frames of a run, put together, and where each begins and the last ends."""

    frames: bytes
    places: tuple[int, ...]


class Answer(NamedTuple):
    """What is still to be sent of a run: from the frame `at` on."""

    transport: WSTransport
    told: Template
    at: int


def script(token: str, events: int) -> Script:
    """Return what the model is told to do in a run of so many events, at least 4."""
    return [{"think": _THOUGHT}, *say(token + _WORD * (events - _BESIDES))]


def _frame(told: object) -> bytes:
    payload = msgspec.json.encode(told)
    length = len(payload)
    head = bytes((0x81, length)) if length < 126 else struct.pack("!BBH", 0x81, 126, length)
    return head + payload


@cache
def template(events: int) -> Template:
    """Return the template of a run of so many events."""
    token = _TOKEN.decode()
    words = events - _BESIDES
    word: tuple[str, dict[str, object]] = ("message_chunk", {"text": _WORD})
    told: list[tuple[str, dict[str, object]]] = [
        ("agent_started", {"request_id": _REQUEST.decode()}),
        ("agent_thinking", {"thought": _THOUGHT, "step": 1}),
        ("message_chunk", {"text": token}),
        *[word] * words,
        ("agent_completed", {"final_response": token + _WORD * words, "duration_ms": 1.5}),
    ]
    run, thread, user = _RUN.decode(), _THREAD.decode(), _USER.decode()
    accepted = {"request_id": _REQUEST.decode(), "run_id": run, "thread_id": thread, "duplicate": False}
    frames = [_frame({"type": "run_accepted", "payload": accepted})]
    for seq, (kind, payload) in enumerate(told, start=1):
        envelope = {"type": kind, "event_id": f"{run}-{seq}", "run_id": run, "thread_id": thread, "user_id": user}
        rest = {"seq": seq, "timestamp": _STAMP.decode(), "agent_name": "assistant", "payload": payload}
        frames.append(_frame(envelope | rest))
    return Template(b"".join(frames), tuple(accumulate(map(len, frames), initial=0)))


class Peer(WSListener):
    """One connection."""

    def __init__(self, pending: "deque[Answer]", woken: asyncio.Event) -> None:
        self._pending = pending
        self._woken = woken
        self._mine: dict[int, Template] = {}

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Greet."""
        self._user = f"user-{uuid.uuid4().int >> 64:016x}".encode()
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        greeting = {
            "type": "connection_established",
            "protocol": "five-events/1",
            "connection_id": str(uuid.uuid4()),
            "user_id": self._user.decode(),
            "server_time": now,
            "heartbeat_s": 25,
            "capabilities": ["text_stream"],
        }
        transport.send(WSMsgType.TEXT, msgspec.json.encode(greeting))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Write the run that is asked for."""
        if frame.msg_type is WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
            return
        asked = frame.get_payload_as_bytes()
        request, token = asked.index(b"req-"), asked.index(b"cnry~")
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        frames, places = self._of(asked.count(_WORD.encode()) + _BESIDES)
        told = frames.replace(_RUN, str(uuid.uuid4()).encode()).replace(_THREAD, str(uuid.uuid4()).encode())
        told = told.replace(_REQUEST, asked[request : request + 28]).replace(_TOKEN, asked[token : token + 26])
        self._pending.append(Answer(transport, Template(told.replace(_STAMP, now.encode()), places), 0))
        self._woken.set()

    def _of(self, events: int) -> Template:
        """Return the template of a run of this user's."""
        mine = self._mine.get(events)
        if mine is None:
            frames, places = template(events)
            mine = self._mine[events] = Template(frames.replace(_USER, self._user), places)
        return mine


async def serve() -> None:
    """Serve on a free port, which is printed."""
    pending: deque[Answer] = deque()
    woken = asyncio.Event()

    def accept(request: WSUpgradeRequest) -> WSListener:
        return Peer(pending, woken)

    server = await ws_create_server(accept, "127.0.0.1", 0, use_aiofastnet=False, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        woken.clear()
        await woken.wait()
        while pending:
            for _ in range(len(pending)):
                transport, told, at = pending.popleft()
                if transport.is_disconnected:
                    continue
                transport.underlying_transport.write(told.frames[told.places[at] : told.places[at + 1]])
                if at + 2 < len(told.places):
                    pending.append(Answer(transport, told, at + 1))
            await asyncio.sleep(0)


def main() -> None:
    """Serve until ended."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
