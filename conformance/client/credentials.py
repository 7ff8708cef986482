"""How a client shows who it is: the token of each kind of credentials, and where it is put."""

import base64
from dataclasses import dataclass

from conformance.client.wire import Wire
from conformance.history.operations import Credentials


@dataclass(frozen=True)
class Shown:
    """What a client shows of itself. `expires_at` (µs) is None where its credentials do not expire soon."""

    credentials: Credentials = Credentials.VALID
    token: str | None = None
    expires_at: int | None = None

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers that hold the token."""
        return [("Authorization", f"Bearer {self.token}")] if self.token is not None else []

    @property
    def subprotocols(self) -> list[str]:
        """The subprotocols that hold the token, as a browser must show it."""
        return ["jwt-auth", f"jwt.{_base64url(self.token)}"] if self.token is not None else []


async def show(wire: Wire, user: str | None, credentials: Credentials, lifetime_s: float | None = None) -> Shown:
    """Return what a user shows; the recorder keeps it secret."""
    auth, name = wire.auth, user or "nobody"
    match credentials:
        case Credentials.NONE:
            token = None
        case Credentials.VALID:
            token = await auth.token(name)
        case Credentials.SHORT_LIVED:
            token = await auth.short_lived(name, lifetime_s or 1.0)
        case _:
            token = await auth.bad_token(credentials, name)
    if token is not None:
        wire.recorder.keep_secret(token, of=name)
        wire.recorder.keep_secret(_base64url(token), of=name)
    expires_at = None if lifetime_s is None else wire.recorder.clock.now() + int(lifetime_s * 1e6)
    return Shown(credentials, token, expires_at)


def _base64url(token: str) -> str:
    return base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
