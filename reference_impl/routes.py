"""The HTTP side: starting and reading runs, and how the engine is (WIRE.md, HTTP)."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ExceptionHandler

from reference_impl.auth import Authenticator, Identity
from reference_impl.engine import ExecutionEngine
from reference_impl.errors import ErrorCode, InvalidCredentials, JournalFailed, Refusal
from reference_impl.events import Event
from reference_impl.messages import RunRequest, accepted_payload, decode_start, error_body, request_id_of
from reference_impl.registry import Acceptance, AgentExecutionRegistry
from reference_impl.replay import Replayer
from reference_impl.run import StoredRun
from reference_impl.settings import Settings

STATUS = {
    ErrorCode.BAD_JSON: 400,
    ErrorCode.BAD_MESSAGE: 400,
    ErrorCode.UNKNOWN_TYPE: 400,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.CONFLICT: 409,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.INTERNAL: 503,
}
NO_STORE = {"Cache-Control": "no-store"}


def unauthorized(error: InvalidCredentials) -> Response:
    """401, for a request as for a refused upgrade (ACC-01)."""
    body = {"type": "error", "code": "unauthorized", "message": str(error)}
    return JSONResponse(body, 401, headers={**NO_STORE, "WWW-Authenticate": "Bearer"})


async def _answer_error(request: Request, error: Exception) -> Response:
    match error:
        case InvalidCredentials():
            return unauthorized(error)
        case Refusal():
            return JSONResponse(error_body(error), STATUS[error.code], headers=NO_STORE)
        case _:
            return Response(status_code=400)


EXCEPTION_HANDLERS: Mapping[Any, ExceptionHandler] = {
    InvalidCredentials: _answer_error,
    Refusal: _answer_error,
    ClientDisconnect: _answer_error,
}


class EngineRoutes:
    """What every route that starts or reads runs needs. What they raise is answered by `EXCEPTION_HANDLERS`."""

    def __init__(
        self,
        authenticator: Authenticator,
        engine: ExecutionEngine,
        registry: AgentExecutionRegistry,
        replayer: Replayer,
        *,
        settings: Settings,
    ) -> None:
        self._authenticator = authenticator
        self._engine = engine
        self._registry = registry
        self._replayer = replayer
        self._settings = settings

    async def _start(self, identity: Identity, request: RunRequest) -> Acceptance:
        """Start a run, or find it; it is on record. Raises Refusal."""
        acceptance = await self._engine.start(identity.user_id, request, announce=lambda acceptance: None)
        try:
            await self._registry.recorded()
        except JournalFailed:
            raise Refusal.restarting() from None
        return acceptance


class RunRoutes(EngineRoutes):
    """`POST /runs` and `GET /runs/{run_id}/events`."""

    async def start(self, request: Request) -> Response:
        """Start a run; 202 with its ids. The body is the payload of `start_agent`."""
        identity = self._authenticator.authenticate(request.headers)
        message = decode_start(await read_body(request, limit=self._settings.max_message_bytes))
        try:
            run_request = RunRequest.of(message, traceparent=request.headers.get("traceparent"))
            acceptance = await self._start(identity, run_request)
        except Refusal as refusal:
            refusal.request_id = request_id_of(message)
            raise
        context = acceptance.context
        body = accepted_payload(context, duplicate=acceptance.duplicate)
        return JSONResponse(body, 202, headers={**NO_STORE, "Location": f"/runs/{context.run_id}/events"})

    async def events(self, request: Request) -> Response:
        """A run's events after `?after=SEQ` or `Last-Event-ID`: SSE until the run ends, or JSON of those there are."""
        identity = self._authenticator.authenticate(request.headers)
        run, after_seq = await self._find(request, identity)
        if prefers_json(request.headers.get("accept", "")):
            texts, ended = await self._events_so_far(run, after_seq)
            body = f'{{"run_id":"{run.context.run_id}","ended":{str(ended).lower()},"events":[{",".join(texts)}]}}'
            return Response(body, media_type="application/json", headers=NO_STORE)
        stream = self._sse(run, after_seq)
        return StreamingResponse(stream, headers={**NO_STORE, "Content-Type": "text/event-stream"})

    async def _find(self, request: Request, identity: Identity) -> tuple[StoredRun, int]:
        run = await self._registry.find(identity.user_id, request.path_params["run_id"])
        after, last_event_id = request.query_params.get("after"), request.headers.get("last-event-id")
        if last_event_id:
            return run, await self._replayer.cursor(run, last_event_id)
        if after is None:
            return run, 0
        if not (after.isascii() and after.isdigit() and len(after) <= 18):
            raise Refusal.bad_message("after must be the seq of an event, 0 or more.")
        return run, int(after)

    async def _sse(self, run: StoredRun, after_seq: int) -> AsyncIterator[str]:
        async for event in self._replayer.follow(run, after_seq=after_seq, idle_s=self._settings.heartbeat_s):
            yield ": heartbeat\n\n" if event is None else sse_message(event)

    async def _events_so_far(self, run: StoredRun, after_seq: int) -> tuple[list[str], bool]:
        events = await self._replayer.so_far(run, after_seq=after_seq)
        return [event.text for event in events], run.ending is not None


def sse_message(event: Event) -> str:
    """One event as an SSE message; its id serves as `Last-Event-ID` on reconnect. JSON has no raw line breaks."""
    return f"id: {event.event_id}\ndata: {event.text}\n\n"


def prefers_json(accept: str) -> bool:
    """Whether an Accept header names JSON and not SSE; SSE is the default."""
    return "application/json" in accept and "text/event-stream" not in accept


async def read_body(request: Request, *, limit: int) -> bytes:
    """The body of a request, of at most `limit` bytes. Raises Refusal `too_large`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Refusal(ErrorCode.TOO_LARGE, f"A request may have at most {limit} bytes.")
    return bytes(body)
