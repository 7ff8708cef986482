"""A WebSocket of the kit's client."""

from conformance.client.channel import Channel
from conformance.client.credentials import Shown
from conformance.dialects.dialect import Guest
from conformance.errors import TargetUnreachable
from conformance.transports.websocket import UpgradeRefused, WebSocket, open_websocket


class Socket(Channel):
    """One WebSocket. `open` it first."""

    _websocket: WebSocket | None = None
    _guest: Guest | None = None
    _owed: tuple[str, ...] = ()

    async def open(
        self,
        shown: Shown,
        *,
        as_browser: bool = False,
        origin: str | None = None,
        answers_pings: bool = True,
        receive_buffer: int | None = None,
    ) -> bool:
        """Connect; return whether the target let the client in. Raises `TargetUnreachable` where nobody listens."""
        wire = self.wire
        self._guest = Guest(self.user or "nobody", shown.token, self.conn)
        url, extra = wire.dialect.address(wire.url, self._guest)
        self.connecting(
            url,
            credentials=shown.credentials,
            expires_at=shown.expires_at,
            origin=origin,
            answers_pings=answers_pings,
        )
        try:
            self._websocket = await open_websocket(
                url,
                self,
                headers=[*([] if as_browser else shown.headers), *extra],
                subprotocols=shown.subprotocols if as_browser else [],
                origin=origin,
                answers_pings=answers_pings,
                receive_buffer=receive_buffer,
            )
        except UpgradeRefused as refused:
            self.was_refused(refused.status, refused.reason, refused.headers, refused.body)
            return False
        except OSError as error:
            self.was_refused(None, str(error))
            raise TargetUnreachable(f"cannot connect to {url}: {error}") from error
        self._reply()
        return True

    def on_frame(self, data: str | bytes) -> None:
        """Record a frame, see what it says, and give the replies that the dialect owes it."""
        super().on_frame(data)
        assert self._guest is not None
        raw = data.encode() if isinstance(data, str) else data
        self._owed += tuple(self.wire.dialect.replies(raw, self._guest))
        self._reply()

    def _reply(self) -> None:
        """Send what is owed; what came together with the answer to the upgrade waits until that is done."""
        if self._websocket is None:
            return
        owed, self._owed = self._owed, ()
        for reply in owed:
            self.sent(reply)
            self._websocket.send_now(reply)

    async def say(self, frame: str) -> None:
        """Send a frame."""
        self.sent(frame)
        if self._websocket is not None:
            await self._websocket.send(frame)

    async def close(self) -> None:
        """Close the connection, if it is open."""
        if self._websocket is not None:
            await self._websocket.close()

    async def cut(self) -> None:
        """Drop the connection without a word, as a network that fails does."""
        if self._websocket is not None:
            self._websocket.cut()
            await self._websocket.ended()

    async def ended(self) -> None:
        """Wait until the connection is gone."""
        if self._websocket is not None:
            await self._websocket.ended()

    def pause(self, *, paused: bool) -> None:
        """Stop reading, or go on."""
        if self._websocket is not None and self.closed is None:
            self.reading(paused=paused)
            self._websocket.pause() if paused else self._websocket.resume()
