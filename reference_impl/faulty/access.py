"""Faults of access: who is let in, as whom, and to what."""

from collections.abc import Iterable, Sequence
from typing import Any

import jwt
import msgspec
from starlette.datastructures import Headers
from starlette.websockets import WebSocket

from reference_impl.auth import ALGORITHMS, Authenticator, Identity
from reference_impl.context import UserId, new_id
from reference_impl.engine import ExecutionEngine
from reference_impl.errors import ErrorCode, InvalidCredentials, Refusal
from reference_impl.faulty.fault import fault
from reference_impl.gate import WebSocketGate
from reference_impl.messages import RequestContext
from reference_impl.registry import Acceptance, AgentExecutionRegistry
from reference_impl.run import Interruption, StoredRun
from reference_impl.session import ClientSession

FOREVER_S = 1e10


@fault(
    "no-credentials-needed",
    "Who shows no token is let in, as a guest.",
    stands_for="A fallback for local development that is on in production.",
    breaks=("ACC-01",),
)
class NoCredentialsNeeded(Authenticator):
    """Knows no strangers."""

    def authenticate(self, headers: Headers, subprotocols: Sequence[str] = ()) -> Identity:
        """The identity behind a request; somebody's in any case."""
        if "authorization" not in headers and not subprotocols:
            return Identity(UserId(f"guest-{new_id()}"), FOREVER_S)
        return super().authenticate(headers, subprotocols)


class Lenient(Authenticator):
    """Believes tokens that a strict authenticator would refuse."""

    def authenticate(self, headers: Headers, subprotocols: Sequence[str] = ()) -> Identity:
        """The identity behind a request, by the strict rules or by none."""
        try:
            return super().authenticate(headers, subprotocols)
        except InvalidCredentials:
            try:
                claims = self.believe(self._token(headers, subprotocols))
            except jwt.PyJWTError:
                raise InvalidCredentials("The token is not valid.") from None
            return Identity(UserId(claims["sub"]), FOREVER_S)

    def believe(self, token: str) -> dict[str, Any]:
        """The claims of a token that is not quite as it should be. Raises PyJWTError."""
        raise NotImplementedError


@fault(
    "expired-token-accepted",
    "A token that has expired still lets its user in.",
    stands_for="verify_exp turned off, while clocks differed, and never on again.",
    breaks=("ACC-02",),
)
class ExpiredTokenAccepted(Lenient):
    """Does not look at the clock."""

    def believe(self, token: str) -> dict[str, Any]:
        """The claims of a token of any age."""
        claims: dict[str, Any] = jwt.decode(token, self._secret, ALGORITHMS, options={"verify_exp": False})
        return claims


@fault(
    "unsigned-token-accepted",
    "A token with alg=none lets anybody in as anyone.",
    stands_for="The algorithm taken from the token's own header.",
    breaks=("ACC-02",),
)
class UnsignedTokenAccepted(Lenient):
    """Takes a token at its word."""

    def believe(self, token: str) -> dict[str, Any]:
        """The claims of a token that says that it needs no signature."""
        if jwt.get_unverified_header(token).get("alg") != "none":
            raise jwt.InvalidAlgorithmError
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
        return claims


@fault(
    "user-in-payload-trusted",
    "A user_id in a request's payload overrides the authenticated user.",
    stands_for="One helper for the user's id that looks into the message first and into the token last.",
    breaks=("ACC-03", "ISO-01", "ISO-02", "ISO-03"),
)
class UserInPayloadTrusted(ClientSession):
    """Takes a client's word for who it is."""

    claimed: UserId | None = None

    @property
    def user_id(self) -> UserId:
        """Who the client says it is, else the authenticated user."""
        return self.claimed or super().user_id

    async def _take(self, text: str | None, data: bytes | None) -> None:
        try:
            self.claimed = msgspec.json.decode(text or "{}")["payload"]["user_id"]
        except (msgspec.MsgspecError, LookupError, TypeError, RecursionError):
            self.claimed = None
        await super()._take(text, data)


class KnowsOwners(AgentExecutionRegistry):
    """Knows whose each run is."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._owners: dict[str, UserId] = {}

    async def create_execution_context(
        self, agent_type: str, user_id: UserId, message: str, context: RequestContext
    ) -> Acceptance:
        """Record a new run, or find the one that `context` asks for again."""
        acceptance = await super().create_execution_context(agent_type, user_id, message, context)
        self._owners[acceptance.context.run_id] = user_id
        return acceptance


@fault(
    "others-runs-readable",
    "Who knows the id of another user's run can resume it and read its events.",
    stands_for="A lookup by id without asking whose it is, since ids cannot be guessed (broken object level access).",
    breaks=("ACC-04", "ISO-01", "ISO-02", "ISO-03"),
)
class OthersRunsReadable(KnowsOwners):
    """Finds a run for whoever asks."""

    async def find(self, user_id: UserId, run_id: str) -> StoredRun:
        """The run with this id. Raises Refusal `not_found`."""
        return await super().find(self._owners.get(run_id, user_id), run_id)


@fault(
    "others-runs-stoppable",
    "Who knows the id of another user's run can stop it.",
    stands_for="A check of ownership on the ways to read, forgotten on those that act.",
    breaks=("ACC-04",),
)
class OthersRunsStoppable(ExecutionEngine):
    """Stops what it is told to stop."""

    async def stop(self, user_id: UserId, run_id: str) -> None:
        """End this run, of any user. Raises Refusal `not_found` if there is none such at work or queued."""
        if not any(engine.interrupt(run_id, Interruption.STOPPED) for engine in list(self._users.values())):
            await super().stop(user_id, run_id)


class EchoingWebSocket(WebSocket):
    """Selects the last subprotocol that the client offers."""

    async def accept(
        self, subprotocol: str | None = None, headers: Iterable[tuple[bytes, bytes]] | None = None
    ) -> None:
        """Accept the upgrade."""
        offered = self.scope["subprotocols"]
        await super().accept(offered[-1] if offered else None, headers)


@fault(
    "token-echoed",
    "The answer to a browser's upgrade selects the subprotocol that holds its token.",
    stands_for="Any offered subprotocol selected, to make the browser accept the connection.",
    breaks=("ACC-05",),
)
class TokenEchoed(WebSocketGate):
    """Says back what it heard."""

    async def admit(self, websocket: WebSocket) -> None:
        """Serve a client until it is gone."""
        await super().admit(EchoingWebSocket(websocket.scope, websocket._receive, websocket._send))


@fault(
    "others-runs-told-apart",
    "Who names another user's run is told that it is another's, instead of that there is none such.",
    stands_for="403 for what exists and 404 for what does not.",
    breaks=("ACC-04",),
)
class OthersRunsToldApart(KnowsOwners):
    """Lets slip that there is something."""

    async def find(self, user_id: UserId, run_id: str) -> StoredRun:
        """The run with this id. Raises Refusal `not_found`, in other words where it is another user's."""
        if self._owners.get(run_id, user_id) != user_id:
            raise Refusal(ErrorCode.NOT_FOUND, "That run is not yours.")
        return await super().find(user_id, run_id)


@fault(
    "any-origin-welcome",
    "A browser on any page may connect.",
    stands_for='allow_origins=["*"], or an Origin header that nobody looks at.',
    breaks=("ACC-07",),
)
class AnyOriginWelcome(WebSocketGate):
    """Does not ask where one comes from."""

    async def admit(self, websocket: WebSocket) -> None:
        """Serve a client until it is gone."""
        self._allowed_origins = frozenset({websocket.headers.get("origin", "")})
        await super().admit(websocket)
