"""One connection as it is recorded: a WebSocket, or one HTTP exchange. What arrives is told to its client."""

from typing import Protocol

from conformance.client.wire import Wire
from conformance.events import Event
from conformance.history import operations as ops
from conformance.history.operations import Asked, ClosedBy, Credentials

_BROKEN = 1006


class Hearer(Protocol):
    """Who is told what arrives: the client."""

    def heard(self, event: Event, channel: "Channel") -> None:
        """An event has come."""
        ...

    def wake(self) -> None:
        """Something has happened: whoever waits may look again."""
        ...


class Channel:
    """Records what happens on one connection, and decodes what comes.

    `closed` is its end, once it has ended, and `refused` the answer that kept it from beginning. `let_in` is whether
    the target let the client in, once a frame has said so; `received` counts frames, `pings` signs of life.
    """

    def __init__(self, wire: Wire, hearer: Hearer, user: str | None, scenario: str | None) -> None:
        self.wire = wire
        self.user = user
        self.scenario = scenario
        self.conn = next(wire.conns)
        self.closed: ops.Closed | None = None
        self.refused: ops.Refused | None = None
        self.let_in: bool | None = None
        self.received = 0
        self.pings = 0
        self._hearer = hearer
        self._decoder = wire.dialect.decoder()

    @property
    def over(self) -> bool:
        """Whether nothing more can come."""
        return self.closed is not None or self.refused is not None

    def now(self) -> int:
        """Return the time in µs."""
        return self.wire.recorder.clock.now()

    def connecting(
        self,
        url: str,
        *,
        method: str = "websocket",
        accept: str = "",
        credentials: Credentials = Credentials.VALID,
        expires_at: int | None = None,
        origin: str | None = None,
        ask: int | None = None,
        answers_pings: bool = True,
    ) -> None:
        """Record that the kit connects."""
        self.wire.recorder.record(
            ops.Connecting(
                self.now(),
                self.conn,
                self.user,
                self.wire.recorder.redact_text(url),
                method,
                accept,
                credentials,
                origin,
                expires_at,
                ask,
                answers_pings,
                self.scenario,
                self.wire.proxied,
            )
        )

    def asked(self, asked: Asked) -> None:
        """Record what the kit asks for."""
        self.wire.recorder.record(asked)

    def sent(self, frame: str) -> None:
        """Record a frame to the target."""
        self.wire.recorder.frame(ops.Sent, self.conn, frame)

    def reading(self, *, paused: bool) -> None:
        """Record that the kit stops, or goes on, reading."""
        self.wire.recorder.record(ops.Reading(self.now(), self.conn, paused))

    def was_refused(
        self, status: int | None, reason: str, headers: tuple[tuple[str, str], ...] = (), body: bytes = b""
    ) -> None:
        """Record that the target answered with an error, or not at all."""
        text = self.wire.recorder.redact(body[:65536]).decode(errors="replace")
        self.refused = ops.Refused(self.now(), self.conn, status, reason, self._redacted(headers), text)
        self.wire.recorder.record(self.refused)
        self._hearer.wake()

    # -- what arrives (transports.websocket.Listener) ---------------------------------------------------------------

    def on_connected(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes = b"") -> None:
        """Record that the target accepted."""
        text = self.wire.recorder.redact(body[:65536]).decode(errors="replace")
        self.wire.recorder.record(ops.Connected(self.now(), self.conn, status, self._redacted(headers), text))

    def on_frame(self, data: str | bytes) -> None:
        """Record a frame, and see what it says."""
        operation = self.wire.recorder.frame(ops.Received, self.conn, data)
        self.received += 1
        if self.let_in is None:
            self.let_in = self.wire.dialect.lets_in(operation.raw)
        for event in self._decoder.decode(operation.raw):
            self._hearer.heard(event, self)
        self._hearer.wake()

    def on_ping(self) -> None:
        """Record a sign of life."""
        self.pings += 1
        self.wire.recorder.record(ops.Pinged(self.now(), self.conn))
        self._hearer.wake()

    def on_closed(self, by: ClosedBy, code: int | None, reason: str) -> None:
        """Record the end of the connection, and see what it says. What a fault of the kit's broke says nothing."""
        broken = by is ClosedBy.NETWORK or code == _BROKEN
        fault = self.wire.breaking() if broken else None
        if fault is not None:
            by, code, reason = ClosedBy.KIT, None, fault
        self.closed = ops.Closed(self.now(), self.conn, by, code, self.wire.recorder.redact_text(reason))
        self.wire.recorder.record(self.closed)
        if by is ClosedBy.TARGET:
            for event in self._decoder.closed():
                self._hearer.heard(event, self)
        self._hearer.wake()

    def _redacted(self, headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        return tuple((name, self.wire.recorder.redact_text(value)) for name, value in headers)
