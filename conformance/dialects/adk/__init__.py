"""The HTTP server of Google's Agent Development Kit (`adk api_server`): sessions, and runs streamed by `/run_sse`."""

from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from conformance.dialects.adk.decoder import AdkDecoder
from conformance.dialects.dialect import Decoder, Dialect, Exchange, Exchanges, Framing, Turn
from conformance.history.operations import Action, Asked


class Adk(Dialect):
    """The dialect `adk`. The target's URL is that of the server, with `/apps/NAME` where it has several apps.

    The server knows no credentials: a user is who the request says. A run cannot be stopped or read again.
    """

    name = "adk"
    transport = "http"
    intrinsic = frozenset({"run_ids"})
    implied = frozenset({"threads", "memory", "text_stream"})

    def decoder(self) -> Decoder:
        """Return a decoder for a new run."""
        return AdkDecoder()

    def new_thread(self, request_id: str) -> str:
        """Return a session's id: the client may choose it."""
        return f"session-{request_id}"

    def exchanges(self, url: str, asked: Asked, text: str, earlier: Sequence[Turn] = ()) -> Exchanges:
        """Yield what creates the session, where it is new, and what runs the agent (ADK: API server)."""
        server, _, app = url.rstrip("/").partition("/apps/")
        if asked.action in (Action.GARBAGE, Action.UNKNOWN_TYPE, Action.OVERSIZE):
            yield Exchange(url=f"{server}/run_sse", body=self.request(asked, text))
        if asked.action not in (Action.START, Action.CONTINUE):
            return
        if not app:
            answer = yield Exchange(url=f"{server}/list-apps", method="GET", framing=Framing.NONE)
            app = _first_app(answer.body)
        session = asked.thread_id or self.new_thread(asked.request_id or "")
        if session == self.new_thread(asked.request_id or ""):
            place = "/".join(quote(part, safe="") for part in (app, "users", asked.user, "sessions", session))
            yield Exchange(url=f"{server}/apps/{place}", body="{}", framing=Framing.NONE)
        yield Exchange(url=f"{server}/run_sse", body=_question(app, asked, session, text))

    def request(self, asked: Asked, text: str) -> str:
        """Return bad input as it is: what else is sent depends on what the server answers before."""
        return text


def _first_app(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=list[str])[0]
    except (msgspec.MsgspecError, UnicodeDecodeError, IndexError):
        return "agent"


def _question(app: str, asked: Asked, session: str, text: str) -> str:
    planted = {**(asked.planted or {}), **({"user_id": asked.impersonates} if asked.impersonates else {})}
    body = {
        "appName": app,
        "userId": asked.user,
        "sessionId": session,
        "newMessage": {"role": "user", "parts": [{"text": text}]},
        "streaming": True,
        **({"stateDelta": planted} if planted else {}),
    }
    return msgspec.json.encode(body).decode()


DIALECT = Adk()
