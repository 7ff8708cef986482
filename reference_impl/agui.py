"""`POST /agui`: the same runs as over `/ws`, told as AG-UI tells them, over server-sent events."""

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from reference_impl.agui_events import AguiTeller
from reference_impl.agui_input import decode_input
from reference_impl.errors import ErrorCode, Refusal
from reference_impl.routes import NO_STORE, EngineRoutes, read_body
from reference_impl.run import StoredRun


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
