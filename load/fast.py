"""A user over a fast WebSocket (picows), for dialects whose frames are typed structs: no work twice on any frame."""

import asyncio
from typing import Any

from msgspec import Raw
from picows import WSCloseCode, WSFrame, WSHandshakeError, WSListener, WSMsgType, WSTransport, ws_connect

from conformance.client import Wire
from conformance.client.credentials import show
from conformance.events import Accepted, Event, Kind, Ready, Refusal, RunEvent
from conformance.history import operations as ops
from conformance.history.operations import Action, Asked, ClosedBy, Credentials
from load.person import Person
from load.stream import Frame, Stream
from load.turn import Turn

_BUFFER = 2048
_NO_CODE, _NO_END = 1005, 1006  # RFC 6455, 7.4.1
_HANDSHAKE_S = 15.0
_TEXT = WSMsgType.TEXT
_USUAL = frozenset({Kind.TOOL_STARTED, Kind.TOOL_COMPLETED, Kind.COMPLETED})
_PARTS = (_TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION)


class Fast(Person):
    """A user with one fast WebSocket at a time."""

    def __init__(self, wire: Wire, patience_s: float, stream: Stream) -> None:
        super().__init__(wire, patience_s)
        self._stream = stream
        self._line: Connection | None = None

    @property
    def connected(self) -> bool:
        """Whether its connection is open, and greeted."""
        return self._line is not None and self._line.ready and not self._line.over

    @property
    def conn(self) -> int:
        """The number of its connection."""
        return self._line.number if self._line is not None else 0

    async def connect(self, scenario: str, *, resuming: Turn | None = None) -> str | None:
        """Connect and wait for the greeting."""
        if self.connected:
            return None
        self.join()
        wire = self.wire
        shown = await show(wire, self.user, Credentials.VALID)
        self._line = line = Connection(self, next(wire.conns), wire, self._stream)
        if resuming is not None:
            resuming.over, resuming.problem = False, None
            line.turns.append(resuming)
        now = wire.recorder.clock.now
        wire.recorder.record(ops.Connecting(now(), line.number, self.user, wire.url, scenario=scenario))
        try:
            await ws_connect(
                lambda: line,
                wire.url,
                extra_headers=shown.headers,
                read_buffer_init_size=_BUFFER,
                websocket_handshake_timeout=_HANDSHAKE_S,
                max_frame_size=64 * 2**20,
                max_redirects=0,
                use_aiofastnet=False,
            )
        except WSHandshakeError as error:
            line.over = True
            status = int(error.response.status) if error.response is not None else None
            wire.recorder.record(ops.Refused(now(), line.number, status, str(error)))
            return f"refused: {status or error}"
        except (OSError, TimeoutError) as error:
            line.over = True
            wire.recorder.record(ops.Refused(now(), line.number, None, str(error) or "no answer"))
            return f"cannot connect: {error or 'no answer'}"
        return await line.greeted(self.patience_s)

    async def say(self, asked: Asked, text: str, turn: Turn) -> None:
        """Send a question."""
        if self._line is not None and not self._line.over:
            self._line.turns.append(turn)
            self._line.ask(asked, text)
        else:
            turn.end("not connected")

    async def resume(self, turn: Turn) -> None:
        """Ask on the connection now open for what was missed of a run that another one asked for."""
        if self._line is None or turn.run_id is None:
            return
        wire = self.wire
        asked = Asked(
            wire.recorder.clock.now(),
            next(wire.asks),
            self.conn,
            self.user,
            Action.RESUME,
            run_id=turn.run_id,
            after_seq=turn.seq,
        )
        self._line.ask(asked, "")

    def pause(self) -> None:
        """Stop reading."""
        if self._line is not None:
            self._line.read(paused=True)

    def go_on(self) -> None:
        """Go on reading."""
        if self._line is not None:
            self._line.read(paused=False)

    def cut(self) -> None:
        """Drop the connection without a word."""
        if self._line is not None:
            self._line.cut()

    async def leave(self) -> None:
        """Close the connection, and wait until it is gone."""
        if self._line is not None:
            await self._line.close()


class Connection(WSListener):
    """One WebSocket of a user's: what comes goes to the stream, and to the turns that wait for it."""

    def __init__(self, person: Fast, number: int, wire: Wire, stream: Stream) -> None:
        self.person = person
        self.number = number
        self.over = False
        self.ready = False
        self.turns: list[Turn] = []
        self._wire = wire
        self._stream = stream
        self._chatter = stream.chatter
        self._held: list[Frame] = []
        self._run, self._run_at = b"\0", 0
        self._newest = b""
        self._decoder = wire.dialect.decoder()
        self._now = wire.recorder.clock.now
        self._transport: WSTransport | None = None
        self._closing = False
        self._waiter: asyncio.Future[None] | None = None
        self._parts: list[bytes] = []
        self._text = True

    # -- what arrives -----------------------------------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The target accepted the upgrade."""
        self._transport = transport
        answer = transport.response
        headers = tuple((name.lower(), value) for name, value in answer.headers.items())
        self._wire.recorder.record(ops.Connected(self._now(), self.number, int(answer.status), headers))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A frame arrived."""
        raw = frame.get_payload_as_bytes()
        own = raw.startswith(self._run, self._run_at) or self._is_own(raw)
        if own and raw.startswith(self._chatter) and frame.fin and frame.msg_type is _TEXT:
            held = self._held
            if not held:
                self._stream.hold(self.number, held)
            held.append((self._now(), self.number, raw))
            self._newest = raw
        elif frame.fin and frame.msg_type is _TEXT:
            self._told(raw)
        else:
            self._other(transport, frame)

    def _is_own(self, raw: bytes) -> bool:
        """Tell whether a frame names the latest run, and remember where: the next one does so at the same place."""
        at = raw.find(self._run)
        if at > 0:
            self._run_at = at
        return at > 0

    def _told(self, raw: bytes) -> None:
        """Take in a text frame, and tell the turns."""
        at = self._now()
        events = self._decoder.decode(raw)
        if len(events) == 1 and self._is_usual(events[0]):
            self._stream.take(self._held)
        else:
            self._stream.release()
        self._stream.frame((at, self.number, raw))
        self._newest = b""
        for event in events:
            self._heard(event)

    def _is_usual(self, event: Event) -> bool:
        """Tell whether an event is what the latest turn waits for."""
        if isinstance(event, RunEvent):
            return event.kind in _USUAL and bool(self.turns) and self.turns[-1].run_id == event.run_id
        return isinstance(event, Accepted) and event.exact

    def _other(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        self._stream.take(self._held)
        if kind is WSMsgType.PING:
            self._wire.recorder.record(ops.Pinged(self._now(), self.number))
        elif kind in _PARTS:
            if kind is not WSMsgType.CONTINUATION:
                self._text = kind is _TEXT
            self._parts.append(frame.get_payload_as_bytes())
            if frame.fin:
                whole = b"".join(self._parts)
                self._parts.clear()
                if self._text:
                    self._told(whole)
                else:
                    self._binary(whole)
        elif kind is WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()

    def _binary(self, raw: bytes) -> None:
        self._wire.recorder.frame(ops.Received, self.number, raw)
        for event in self._decoder.decode(raw):
            self._heard(event)

    def _heard(self, event: Event) -> None:
        match event:
            case RunEvent():
                self._of_run(event)
            case Ready():
                self.ready = True
                self._wake()
            case Accepted():
                self._accepted(event)
            case Refusal():
                named = [t for t in self.turns if event.request_id in (None, t.asked.request_id) and not t.over]
                for turn in named[:1]:
                    turn.end(f"refused: {event.code}")
            case _:
                pass

    def _catch_up(self) -> None:
        """Learn how far the newest event brings its run, of which no turn was told."""
        for event in self._decoder.decode(self._newest) if self._newest else ():
            self._heard(event)

    def _accepted(self, answer: Accepted) -> None:
        for turn in self.turns:
            if turn.run_id is None and turn.asked.request_id == answer.request_id:
                turn.run_id, turn.thread_id = answer.run_id, answer.thread_id
                self._run = (answer.run_id or "").encode()

    def _of_run(self, event: RunEvent) -> None:
        for turn in self.turns:
            if turn.run_id == event.run_id:
                turn.seq = event.seq or turn.seq
                if event.kind is Kind.TOOL_STARTED and not turn.tool_began:
                    turn.tool_began = True
                    turn.tell()
                elif event.terminal:
                    self.turns.remove(turn)
                    turn.end(None if event.kind is Kind.COMPLETED else event.kind.name.lower())
                return

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The connection is gone."""
        self.over = True
        self._catch_up()
        received: Any = transport.close_handshake.recv if transport.close_handshake is not None else None
        code = int(received.code) or _NO_CODE if received is not None else None
        by = ClosedBy.KIT if self._closing else ClosedBy.TARGET
        if by is ClosedBy.TARGET and code is None:
            code = _NO_END
        reason = (received.reason or "") if received is not None and by is ClosedBy.TARGET else ""
        self._wire.recorder.record(ops.Closed(self._now(), self.number, by, code, reason))
        for turn in self.turns:
            turn.end("connection lost")
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # -- what the user does -----------------------------------------------------------------------------------------

    async def greeted(self, seconds: float) -> str | None:
        """Wait for the greeting; return why there is none, if so."""
        try:
            async with asyncio.timeout(seconds):
                while not self.ready and not self.over:
                    self._waiter = asyncio.get_running_loop().create_future()
                    await self._waiter
        except TimeoutError:
            self.cut()
            return "no greeting"
        return "closed before the greeting" if self.over else None

    def ask(self, asked: Asked, text: str) -> None:
        """Send a question, and record it."""
        if self._transport is None or self.over:
            return
        record = self._wire.recorder.record
        self._stream.take(self._held)
        record(asked)
        frame = self._wire.dialect.request(asked, text).encode()
        record(ops.Sent(self._now(), self.number, frame=Raw(frame)))
        self._transport.send(_TEXT, frame)

    def read(self, *, paused: bool) -> None:
        """Stop reading, or go on."""
        if self._transport is None or self.over:
            return
        self._wire.recorder.record(ops.Reading(self._now(), self.number, paused))
        transport = self._transport.underlying_transport
        transport.pause_reading() if paused else transport.resume_reading()

    def cut(self) -> None:
        """Drop the connection without a word."""
        self._closing = True
        self._catch_up()
        if self._transport is not None:
            self._transport.underlying_transport.abort()

    async def close(self) -> None:
        """Close, and wait until the connection is gone; after a while drop it."""
        if self._transport is None or self.over:
            return
        self._closing = True
        self._transport.send_close(WSCloseCode.OK)
        try:
            async with asyncio.timeout(2.0):
                await self._transport.wait_disconnected()
        except TimeoutError:
            self.cut()
            await self._transport.wait_disconnected()
