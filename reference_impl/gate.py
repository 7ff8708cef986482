"""The way in for WebSockets: who is let in, who is refused before the upgrade (WIRE.md, Connect)."""

from collections.abc import Callable

from starlette.responses import JSONResponse
from starlette.websockets import WebSocket

from reference_impl.auth import SUBPROTOCOL, Authenticator, Identity, origin_allowed
from reference_impl.errors import InvalidCredentials
from reference_impl.routes import unauthorized
from reference_impl.session import ClientSession


class WebSocketGate:
    """Checks origin and credentials, then has a session serve the client."""

    def __init__(
        self,
        authenticator: Authenticator,
        create_session: Callable[[WebSocket, Identity], ClientSession],
        *,
        allowed_origins: frozenset[str],
    ) -> None:
        self._authenticator = authenticator
        self._create_session = create_session
        self._allowed_origins = allowed_origins

    async def admit(self, websocket: WebSocket) -> None:
        """Serve a client until it is gone; or refuse its upgrade with 403 (ACC-07) or 401 (ACC-01)."""
        if not origin_allowed(websocket.headers, self._allowed_origins):
            body = {"type": "error", "code": "forbidden", "message": "This origin is not allowed."}
            await websocket.send_denial_response(JSONResponse(body, 403))
            return
        subprotocols = websocket.scope["subprotocols"]
        try:
            identity = self._authenticator.authenticate(websocket.headers, subprotocols)
        except InvalidCredentials as error:
            await websocket.send_denial_response(unauthorized(error))
            return
        # Only the name is selected: the other subprotocol is the token (ACC-05).
        await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in subprotocols else None)
        await self._create_session(websocket, identity).serve()
