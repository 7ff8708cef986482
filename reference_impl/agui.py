"""`POST /agui`: the same runs as over `/ws`, asked for and told as in AG-UI 1.0, over server-sent events."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from reference_impl.agui_events import AguiTeller
from reference_impl.errors import ErrorCode, InvalidIdentity, Refusal
from reference_impl.messages import RequestContext, RunRequest, decode_body
from reference_impl.routes import NO_STORE, EngineRoutes, read_body
from reference_impl.run import StoredRun


class InputPart(msgspec.Struct, frozen=True):
    """A part of a message; only text is understood."""

    type: str
    text: str = ""


class InputMessage(msgspec.Struct, frozen=True):
    """A message of the thread as the client knows it."""

    id: str
    role: str
    content: str | list[InputPart] | None = None

    @property
    def text(self) -> str:
        """What the message says."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.type == "text")
        return self.content or ""


class RunAgentInput(msgspec.Struct, frozen=True, rename="camel"):
    """A wish for a run. The client names thread and run; what it says of users is never looked at (ACC-03)."""

    thread_id: str
    run_id: str
    messages: list[InputMessage]
    state: Any = None
    tools: list[Any] = []
    context: list[Any] = []
    forwarded_props: Any = None


_inputs = msgspec.json.Decoder(RunAgentInput)


def decode_input(body: bytes, *, traceparent: str | None = None) -> RunRequest:
    """The run that a body asks for: the newest message is the user's. Raises Refusal `bad_json` or `bad_message`."""
    wish = decode_body(_inputs, body)
    said = [message for message in wish.messages if message.role == "user"]
    if not said:
        raise Refusal.bad_message("messages: one of the role user is needed.")
    try:
        context = RequestContext(
            request_id=wish.run_id, thread_id=wish.thread_id, owns_thread=True, traceparent=traceparent
        )
    except InvalidIdentity as error:
        name = {"request_id": "runId", "thread_id": "threadId"}
        field, _, rest = str(error).partition(" ")
        raise Refusal.bad_message(f"{name.get(field, field)} {rest}") from None
    return RunRequest(said[-1].text, None, context)


class AguiRoute(EngineRoutes):
    """Starts the run that a client asks for, and tells it until it ends. A client that leaves ends no run (LIF-04).

    The run id is the client's request id: the same one again is the same run, told from its beginning (LIF-01).
    """

    async def run(self, request: Request) -> Response:
        """200 and the run's events; or an error, where there is no run."""
        identity = self._authenticator.authenticate(request.headers)
        body = await read_body(request, limit=self._settings.max_message_bytes)
        wish = decode_input(body, traceparent=request.headers.get("traceparent"))
        acceptance = await self._start(identity, wish)
        if acceptance.context.thread_id != wish.context.thread_id:
            raise Refusal(ErrorCode.CONFLICT, "runId names a run of yours on another thread.")
        run = await self._registry.find(identity.user_id, acceptance.context.run_id)
        stream = self.tell(run, AguiTeller(acceptance.context))
        return StreamingResponse(stream, headers={**NO_STORE, "Content-Type": "text/event-stream"})

    async def tell(self, run: StoredRun, teller: AguiTeller) -> AsyncIterator[str]:
        """The run's events as server-sent events; a comment whenever there is none for a while."""
        async for event in self._replayer.follow(run, after_seq=0, idle_s=self._settings.heartbeat_s):
            yield ": heartbeat\n\n" if event is None else teller.tell(event)
