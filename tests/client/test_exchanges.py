"""The kit's client over HTTP, against a real socket: what it does is recorded as it was."""

import asyncio
import json
from http import HTTPStatus
from random import Random
from typing import Any, TypeVar

import pytest

from conformance.auth import Jwt, NoAuth
from conformance.bounds import Bounds
from conformance.client import Client, Wire
from conformance.dialects import named
from conformance.dialects.ag_ui.decoder import AgUiDecoder
from conformance.dialects.dialect import Dialect, Exchange, Exchanges, Framing
from conformance.errors import TargetUnreachable
from conformance.history import operations as ops
from conformance.history.operations import Action, Asked, ClosedBy, Credentials, Operation
from conformance.history.recorder import Clock, Recorder
from conformance.launch import free_port
from tests.client.http_server import Call, served

Op = TypeVar("Op", bound=Operation)
SECRET = "a-secret-for-tests-of-more-than-thirty-two-bytes"


class Taped:
    """A client of the user `ann`, and what was recorded."""

    def __init__(self, url: str, *, dialect: Dialect | None = None, patience_ms: float = 5000) -> None:
        self.tape: list[Operation] = []
        bounds = Bounds(patience_ms=patience_ms)
        recorder = Recorder(Clock(), [self.tape.append])
        auth = NoAuth() if dialect is None else Jwt(SECRET)
        self.wire = Wire(url, dialect or named("ag-ui"), auth, recorder, bounds, Random(1), lambda since: 0.0)
        self.client = Client(self.wire, "ann", scenario="test")

    def all(self, kind: type[Op]) -> list[Op]:
        return [op for op in self.tape if isinstance(op, kind)]

    def names(self, conn: int) -> list[str]:
        return [str(op.__struct_config__.tag) for op in self.tape if getattr(op, "conn", None) == conn]


def event(kind: str, call: Call, **fields: Any) -> bytes:
    asked = json.loads(call.body)
    names = {"threadId": asked["threadId"], "runId": asked["runId"]} if kind.startswith("RUN_") else {}
    return f"data: {json.dumps({'type': kind, **names, **fields})}\n\n".encode()


async def whole(call: Call) -> None:
    call.begin()
    for kind, fields in (
        ("RUN_STARTED", {}),
        ("TEXT_MESSAGE_START", {"messageId": "m1", "role": "assistant"}),
        ("TEXT_MESSAGE_CONTENT", {"messageId": "m1", "delta": "hello"}),
        ("TEXT_MESSAGE_END", {"messageId": "m1"}),
        ("RUN_FINISHED", {}),
    ):
        call.chunk(event(kind, call, **fields))
    call.end()


async def test_a_run_is_one_exchange_recorded_from_question_to_end() -> None:
    async with served(whole) as url:
        taped = Taped(url)
        assert await taped.client.open()
        run = await taped.client.start("chat", text="hi")
        assert await run.ended()
        assert run.completed
        await run.asking.ended()  # type: ignore[union-attr]
        await taped.client.close()
    conn = run.asked.conn
    assert taped.names(conn) == ["connecting", "asked", "sent", "connected", *["received"] * 5, "closed"]
    (connecting,), (closed,) = taped.all(ops.Connecting), taped.all(ops.Closed)
    assert (connecting.method, connecting.url, connecting.accept) == ("POST", url, "text/event-stream")
    assert connecting.ask == run.asked.ask
    assert closed.by is ClosedBy.TARGET
    assert dict(taped.all(ops.Connected)[0].headers)["content-type"] == "text/event-stream"
    assert run.asked.thread_id == f"thread-{run.asked.request_id}"


async def test_two_runs_at_once_are_told_apart_even_where_events_name_no_run() -> None:
    both = asyncio.Barrier(2)

    async def serve(call: Call) -> None:
        async with asyncio.timeout(10):
            await both.wait()
        await whole(call)

    async with served(serve) as url:
        taped = Taped(url)
        await taped.client.open()
        runs = [await taped.client.start("chat", text=text) for text in ("one", "two")]
        for run in runs:
            assert await run.ended()
        await taped.client.close()
    assert runs[0].asked.conn != runs[1].asked.conn
    assert [(run.completed, len(run.events)) for run in runs] == [(True, 5), (True, 5)]


async def test_an_error_is_the_refusal_of_its_own_run() -> None:
    async def serve(call: Call) -> None:
        if b"bad" in call.body:
            call.answer("422 Unprocessable Entity", b'{"detail": [{"msg": "no"}]}')
        else:
            await whole(call)

    async with served(serve) as url:
        taped = Taped(url)
        await taped.client.open()
        good, bad = await taped.client.start("chat", text="good"), await taped.client.start("chat", text="bad")
        assert await good.ended()
        assert await bad.ended()
        await taped.client.close()
    assert good.refusal is None
    assert bad.refusal is not None
    assert (bad.refusal.code, bad.refusal.message) == ("http-422", HTTPStatus(422).phrase)
    (refused,) = taped.all(ops.Refused)
    assert (refused.status, refused.conn) == (422, bad.asked.conn)


async def test_a_body_that_breaks_off_is_the_networks_doing() -> None:
    async def serve(call: Call) -> None:
        call.begin()
        call.chunk(event("RUN_STARTED", call) + b'data: {"type": "RUN_FIN')
        call.cut()

    async with served(serve) as url:
        taped = Taped(url)
        await taped.client.open()
        run = await taped.client.start("chat", text="hi")
        assert not await run.ended()
        await taped.client.close()
    (closed,) = taped.all(ops.Closed)
    assert closed.by is ClosedBy.NETWORK
    assert len(taped.all(ops.Received)) == 1
    assert taped.all(ops.GaveUp) == []


async def test_a_client_that_leaves_drops_what_is_under_way() -> None:
    left = asyncio.Event()

    async def serve(call: Call) -> None:
        call.begin()
        call.chunk(event("RUN_STARTED", call))
        await call.gone.wait()
        left.set()

    async with served(serve) as url:
        taped = Taped(url)
        await taped.client.open()
        run = await taped.client.start("chat", text="hi")
        assert await run.answered()
        await taped.client.cut()
        async with asyncio.timeout(10):
            await left.wait()
    (closed,) = taped.all(ops.Closed)
    assert closed.by is ClosedBy.KIT
    assert taped.client.closed is not None


async def test_comments_are_signs_of_life() -> None:
    async def serve(call: Call) -> None:
        call.begin()
        call.chunk(b": still here\n\n")
        await whole_rest(call)

    async def whole_rest(call: Call) -> None:
        call.chunk(event("RUN_STARTED", call) + event("RUN_FINISHED", call))
        call.end()

    async with served(serve) as url:
        taped = Taped(url)
        await taped.client.open()
        run = await taped.client.start("chat", text="hi")
        assert await run.ended()
        await taped.client.close()
    assert len(taped.all(ops.Pinged)) == 1


async def test_a_reader_that_stops_reads_on_later() -> None:
    async def serve(call: Call) -> None:
        call.begin()
        call.chunk(event("RUN_STARTED", call))
        call.chunk(event("RUN_FINISHED", call))
        call.end()
        written.set()

    written = asyncio.Event()
    async with served(serve) as url:
        taped = Taped(url)
        await taped.client.open()
        taped.client.pause()
        run = await taped.client.start("chat", text="hi")
        async with asyncio.timeout(10):
            await written.wait()
        assert await run.answered()
        assert run.events == []
        taped.client.resume_reading()
        assert await run.ended()
        await taped.client.close()
    assert [op.paused for op in taped.all(ops.Reading)] == [True, False]


async def test_where_nobody_listens_the_target_is_unreachable() -> None:
    taped = Taped(f"http://127.0.0.1:{free_port()}/agent")
    await taped.client.open()
    with pytest.raises(TargetUnreachable, match="cannot connect to http://"):
        await taped.client.start("chat", text="hi")
    (refused,) = taped.all(ops.Refused)
    assert refused.status is None


async def test_a_run_that_never_ends_is_given_up_on_its_own_exchange() -> None:
    async def serve(call: Call) -> None:
        call.begin()
        call.chunk(event("RUN_STARTED", call))
        await call.gone.wait()

    async with served(serve) as url:
        taped = Taped(url, patience_ms=50)
        await taped.client.open()
        run = await taped.client.start("chat", text="hi")
        assert not await run.ended()
        await taped.client.close()
    (gave_up,) = taped.all(ops.GaveUp)
    assert (gave_up.conn, gave_up.ask) == (run.asked.conn, run.asked.ask)


async def test_the_next_turn_of_a_thread_holds_the_conversation_so_far() -> None:
    bodies: list[Any] = []

    async def serve(call: Call) -> None:
        bodies.append(json.loads(call.body))
        await whole(call)

    async with served(serve) as url:
        taped = Taped(url)
        await taped.client.open()
        first = await taped.client.start("chat", text="hi")
        await first.ended()
        second = await taped.client.start("chat", text="and now?", thread_id=first.thread_id)
        await second.ended()
        await taped.client.close()
    said = [(message["role"], message["content"]) for message in bodies[1]["messages"]]
    assert said == [("user", "hi"), ("assistant", "hello"), ("user", "and now?")]


class Prepared(Dialect):
    """A protocol that creates a session first, whose id the question then names."""

    name = "prepared"
    transport = "http"

    def decoder(self) -> AgUiDecoder:
        return AgUiDecoder()

    def request(self, asked: Asked, text: str) -> str:
        return json.dumps({"threadId": "t", "runId": asked.request_id, "text": text})

    def exchanges(self, url: str, asked: Asked, text: str, earlier: Any = ()) -> Exchanges:
        if asked.action is Action.STOP:
            yield Exchange(url=f"{url}/stop", framing=Framing.NONE)
            return
        session = yield Exchange(url=f"{url}/sessions", body="{}", framing=Framing.NONE)
        name = json.loads(session.body)["id"]
        yield Exchange(url=f"{url}/{name}", body=self.request(asked, text), headers=(("X-Session", name),))


async def test_preparations_go_before_the_question_and_it_sees_their_answers() -> None:
    paths: list[tuple[str, str | None, bool]] = []

    async def serve(call: Call) -> None:
        paths.append((call.path, call.headers.get("x-session"), "authorization" in call.headers))
        if call.path.endswith("/sessions"):
            call.answer("201 Created", b'{"id": "s-1"}')
        elif call.path.endswith("/stop"):
            call.answer("200 OK", b"{}")
        else:
            await whole(call)

    async with served(serve) as url:
        taped = Taped(url, dialect=Prepared())
        await taped.client.open()
        run = await taped.client.start("chat", text="hi")
        assert await run.ended()
        stop = await taped.client.ask(Action.STOP, run_id="r")
        await taped.client.answer(stop)
        await taped.client.close()
    assert paths == [("/agent/sessions", None, True), ("/agent/s-1", "s-1", True), ("/agent/stop", None, True)]
    prepares, asks, stops = taped.all(ops.Connecting)
    assert (prepares.ask, asks.ask, stops.ask) == (None, run.asked.ask, stop.ask)
    assert taped.names(prepares.conn) == ["connecting", "sent", "connected", "closed"]
    assert taped.names(asks.conn)[:3] == ["connecting", "asked", "sent"]
    assert taped.names(stops.conn) == ["connecting", "asked", "connected", "closed"]
    assert taped.all(ops.Connected)[0].body == '{"id": "s-1"}'


async def test_a_preparation_that_is_refused_refuses_the_question() -> None:
    async def serve(call: Call) -> None:
        call.answer("403 Forbidden", b'{"error": {"code": "not_yours", "message": "Not yours."}}')

    async with served(serve) as url:
        taped = Taped(url, dialect=Prepared())
        await taped.client.open(credentials=Credentials.VALID)
        run = await taped.client.start("chat", text="hi")
        assert await run.ended()
        await taped.client.close()
    assert run.refusal is not None
    assert (run.refusal.code, run.refusal.message) == ("not_yours", "Not yours.")
    assert taped.names(run.asked.conn) == ["connecting", "sent", "asked", "refused"]
