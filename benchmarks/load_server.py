"""A bare fast server of five-events: runs from a template, one event after the other, all runs side by side."""

import asyncio
import struct
import sys
import uuid
from collections import deque
from datetime import UTC, datetime
from itertools import accumulate

import msgspec
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

CHUNKS = 17
EVENTS = CHUNKS + 3
SAID = " word" * (CHUNKS - 1)
_RUN, _THREAD = b"R" * 36, b"H" * 36
_USER, _REQUEST, _TOKEN = b"U" * 21, b"Q" * 28, b"C" * 26
_STAMP = b"2026-01-01T00:00:00.000000Z"


def _frame(told: object) -> bytes:
    payload = msgspec.json.encode(told)
    length = len(payload)
    head = bytes((0x81, length)) if length < 126 else struct.pack("!BBH", 0x81, 126, length)
    return head + payload


def _template() -> tuple[bytes, tuple[int, ...]]:
    """Return the frames of a run, put together, and where each begins and the last ends."""
    token = _TOKEN.decode()
    word: tuple[str, dict[str, object]] = ("message_chunk", {"text": " word"})
    told: list[tuple[str, dict[str, object]]] = [
        ("agent_started", {"request_id": _REQUEST.decode()}),
        ("agent_thinking", {"thought": "thinking", "step": 1}),
        ("message_chunk", {"text": token}),
        *[word] * (CHUNKS - 1),
        ("agent_completed", {"final_response": token + SAID, "duration_ms": 1.5}),
    ]
    run, thread, user = _RUN.decode(), _THREAD.decode(), _USER.decode()
    accepted = {"request_id": _REQUEST.decode(), "run_id": run, "thread_id": thread, "duplicate": False}
    frames = [_frame({"type": "run_accepted", "payload": accepted})]
    for seq, (kind, payload) in enumerate(told, start=1):
        envelope = {"type": kind, "event_id": f"{run}-{seq}", "run_id": run, "thread_id": thread, "user_id": user}
        rest = {"seq": seq, "timestamp": _STAMP.decode(), "agent_name": "assistant", "payload": payload}
        frames.append(_frame(envelope | rest))
    return b"".join(frames), tuple(accumulate(map(len, frames), initial=0))


class Peer(WSListener):
    """One connection."""

    template, places = _template()

    def __init__(self, pending: "deque[tuple[WSTransport, bytes, int]]", woken: asyncio.Event) -> None:
        self._pending = pending
        self._woken = woken

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Greet."""
        self._user = f"user-{uuid.uuid4().int >> 64:016x}".encode()
        self._mine = self.template.replace(_USER, self._user)
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
        told = self._mine.replace(_RUN, str(uuid.uuid4()).encode()).replace(_THREAD, str(uuid.uuid4()).encode())
        told = told.replace(_REQUEST, asked[request : request + 28]).replace(_TOKEN, asked[token : token + 26])
        self._pending.append((transport, told.replace(_STAMP, now.encode()), 0))
        self._woken.set()


async def serve() -> None:
    """Serve on a free port, which is printed."""

    pending: deque[tuple[WSTransport, bytes, int]] = deque()
    woken = asyncio.Event()

    def accept(request: WSUpgradeRequest) -> WSListener:
        return Peer(pending, woken)

    server = await ws_create_server(accept, "127.0.0.1", 0, use_aiofastnet=False, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    places = Peer.places
    while True:
        woken.clear()
        await woken.wait()
        while pending:
            for _ in range(len(pending)):
                transport, told, at = pending.popleft()
                if transport.is_disconnected:
                    continue
                transport.underlying_transport.write(told[places[at] : places[at + 1]])
                if at + 2 < len(places):
                    pending.append((transport, told, at + 1))
            await asyncio.sleep(0)


def main() -> None:
    """Serve until ended."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
