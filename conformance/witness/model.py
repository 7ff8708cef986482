"""The model witness: a scripted model behind the OpenAI-compatible interfaces, which records what it is asked."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from conformance.history.operations import CallEnd
from conformance.recent import Recent
from conformance.witness.chat import ChatWriter
from conformance.witness.conversation import Item, of_responses
from conformance.witness.gate import ClientGone, while_there
from conformance.witness.ledger import Ledger
from conformance.witness.plan import CallTools, Fail, Move, Say, Stall, Think, plan
from conformance.witness.request import BadRequest, Endpoint, ModelRequest, read_chat, read_responses
from conformance.witness.responses import ResponsesWriter
from conformance.witness.writer import Event, Writer, api_error

MODEL = "scripted"
_REMEMBERED = 1024
_STREAM_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]


class ModelWitness:
    """The model. What it does follows from each request alone.

    The one thing that it keeps are the latest responses, which a client may continue by `previous_response_id`.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._responses: Recent[str, tuple[ModelRequest, ResponsesWriter]] = Recent(_REMEMBERED)

    @property
    def routes(self) -> list[Route]:
        """Its routes. Keys are not looked at."""
        return [
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
            Route("/v1/responses", self.responses, methods=["POST"]),
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/models/{model:path}", self.one_model, methods=["GET"]),
        ]

    async def models(self, request: Request) -> Response:
        """List the models: there is one, but any name will do."""
        return JSONResponse({"object": "list", "data": [_model(MODEL)]})

    async def one_model(self, request: Request) -> Response:
        """Describe any model."""
        return JSONResponse(_model(request.path_params["model"]))

    async def chat(self, request: Request) -> "Response | Answering":
        """Answer `POST /v1/chat/completions`."""
        try:
            raw = await request.body()
            asked = read_chat(raw, request.headers)
        except ClientDisconnect:
            return Response(status_code=400)
        except BadRequest as bad:
            return self._refused(Endpoint.CHAT, bad)
        return Answering(asked, ChatWriter(asked, created=int(time.time())), self._ledger)

    async def responses(self, request: Request) -> "Response | Answering":
        """Answer `POST /v1/responses`."""
        try:
            raw = await request.body()
            asked = read_responses(raw, request.headers, self._continued)
        except ClientDisconnect:
            return Response(status_code=400)
        except BadRequest as bad:
            return self._refused(Endpoint.RESPONSES, bad)
        writer = ResponsesWriter(asked, created=int(time.time()))
        if asked.body.get("store") is not False:
            self._responses.add(writer.id, (asked, writer))
        return Answering(asked, writer, self._ledger)

    def _continued(self, name: str) -> list[Item] | None:
        """Return what a response was shown, but its instructions, and what it answered."""
        found = self._responses.get(name)
        if found is None:
            return None
        asked, writer = found
        earlier = asked.body.get("previous_response_id")
        before = self._continued(earlier) if earlier else []
        return [*(before or ()), *of_responses(asked.body.get("input")), *of_responses(writer.output)]

    def _refused(self, endpoint: Endpoint, bad: BadRequest) -> Response:
        number = self._ledger.model_began(endpoint, None)
        self._ledger.model_ended(number, CallEnd.FAILED, status=bad.status, error=str(bad))
        return JSONResponse(api_error(str(bad), bad.status, param=bad.param, code=bad.code), bad.status)


class Answering:
    """One call of the model under way: an ASGI application for one answer."""

    def __init__(self, request: ModelRequest, writer: Writer, ledger: Ledger) -> None:
        self._request = request
        self._writer = writer
        self._ledger = ledger
        self._moves = plan(request.conversation, request.offered, parallel=request.parallel)
        self._steps: list[int] = []
        self._headers = [(b"x-request-id", f"req_{request.digest}".encode())]
        self._number = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as long as the client is there."""
        self._number = self._ledger.model_began(self._request.endpoint, self._request)
        answer = self._streamed if self._request.stream and not self._fails_first else self._whole
        try:
            await while_there(receive, answer(send))
        except ClientGone:
            self._ended(self._ledger.cut_short)
        except asyncio.CancelledError:
            self._ended(self._ledger.cut_short)
            raise
        except Exception as error:
            self._ended(CallEnd.FAILED, status=500, error=f"the witness itself failed: {error!r}")
            raise

    @property
    def _failure(self) -> Fail | None:
        last = self._moves[-1] if self._moves else None
        return last if isinstance(last, Fail) else None

    @property
    def _fails_first(self) -> bool:
        return self._failure is not None and not self._failure.mid_stream

    async def _streamed(self, send: Send) -> None:
        headers = [*_STREAM_HEADERS, *self._headers]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for event in self._writer.start():
            await send({"type": "http.response.body", "body": event.data, "more_body": True})
        async for event in self._play():
            await send({"type": "http.response.body", "body": event.data, "more_body": True})
        failure = self._failure
        last = self._writer.fail(failure.message, failure.status) if failure else self._writer.finish()
        body = b"".join(event.data for event in last)
        self._finished()
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _whole(self, send: Send) -> None:
        _exhaust(self._writer.start())
        async for _ in self._play():
            pass
        failure = self._failure
        if failure is not None:
            status, body = failure.status, api_error(failure.message, failure.status)
        else:
            _exhaust(self._writer.finish())
            status, body = 200, self._writer.whole()
        self._finished(status)
        data = msgspec.json.encode(body)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data)), *self._headers]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": data, "more_body": False})

    async def _play(self) -> AsyncIterator[Event]:
        """Make the moves, at their pace; a failure is the last and makes no events of its own."""
        for move in self._moves:
            if move.step is not None:
                self._steps.append(move.step)
            if isinstance(move, Stall):
                await asyncio.sleep(move.ms / 1000)
            for event in self._events(move):
                yield event
                # Also where there is no pace: a client that goes away is noticed between two events.
                await asyncio.sleep(move.pace_ms / 1000 if event.token else 0)

    def _events(self, move: Move) -> Iterable[Event]:
        match move:
            case Think(text=text):
                return self._writer.think(text)
            case Say(text=text):
                return self._writer.say(text)
            case CallTools(calls=calls):
                return self._writer.call(calls)
            case _:
                return ()

    def _finished(self, status: int = 200) -> None:
        failure = self._failure
        self._ended(
            CallEnd.COMPLETED if failure is None else CallEnd.FAILED,
            status=status,
            error=None if failure is None else failure.message,
        )

    def _ended(self, end: CallEnd, *, status: int = 200, error: str | None = None) -> None:
        steps, emitted = tuple(self._steps), self._writer.emitted
        self._ledger.model_ended(self._number, end, steps=steps, emitted=emitted, status=status, error=error)


def _exhaust(events: Iterable[Event]) -> None:
    for _ in events:
        pass


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "agent-conformance"}
