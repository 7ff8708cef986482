"""Frames other than run events: connecting, answers, errors, closing."""

import asyncio
import base64
import gc
import json
import time
import weakref
from typing import Any

import jwt
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode

from reference_impl.uvicorn_protocol import PartingWebSocketProtocol, whole_text
from tests.reference_impl.engine_harness import (
    SECRET,
    Address,
    Client,
    bearer,
    check_story,
    engine,
    say,
    script,
    small_receive_buffer,
    token,
    tool,
    types,
)


@pytest.mark.parametrize("size", [2, 125, 126, 65_535])
def test_a_usual_frame_is_read_without_the_parser(size: int) -> None:
    text = "é" * (size // 2) + "e" * (size % 2)
    assert whole_text(Frame(Opcode.TEXT, text.encode()).serialize(mask=True)) == text


def test_all_other_frames_are_the_parsers() -> None:
    usual = Frame(Opcode.TEXT, b"hello")
    masked = usual.serialize(mask=True)
    others = [
        masked[:-1],
        masked * 2,
        usual.serialize(mask=False),
        Frame(Opcode.TEXT, b"hello", fin=False).serialize(mask=True),
        bytes([masked[0] | 0x40]) + masked[1:],
        Frame(Opcode.BINARY, b"hello").serialize(mask=True),
        Frame(Opcode.PING, b"hello").serialize(mask=True),
        Frame(Opcode.CONT, b"hello").serialize(mask=True),
        Frame(Opcode.TEXT, b"hell\xff").serialize(mask=True),
        Frame(Opcode.TEXT, b"e" * 65_536).serialize(mask=True),
        *(masked[:size] for size in range(len(masked))),
    ]
    assert [whole_text(other) for other in others] == [None] * len(others)


async def refusal(target: Address, **options: object) -> InvalidStatus:
    """How an upgrade is refused; fails if it is not."""
    with pytest.raises(InvalidStatus) as caught:
        async with connect(target.url, **options):  # type: ignore[arg-type]
            pass
    return caught.value


async def test_connection_established_is_as_the_protocol_says() -> None:
    options: dict[str, Any] = {"heartbeat_s": 7, "run_limit_s": 8, "max_message_bytes": 9_000}
    async with engine(**options) as target, target.client("alice") as alice, target.client("alice") as second:
        first = alice.seen[0]
        assert second.seen[0]["connection_id"] != first["connection_id"]
    assert first.pop("connection_id")
    assert first.pop("server_time").endswith("Z")
    assert first == {
        "type": "connection_established",
        "protocol": "five-events/1",
        "user_id": "alice",
        "heartbeat_s": 7,
        "capabilities": ["resume", "stop", "threads", "multi_connection", "text_stream", "memory"],
        "limits": {"run_s": 8, "message_bytes": 9_000},
    }


def forged(**claims: object) -> dict[str, str]:
    secret = str(claims.pop("secret", SECRET))
    algorithm = claims.pop("algorithm", "HS256")
    encoded = jwt.encode(claims, "" if algorithm == "none" else secret, algorithm=str(algorithm))
    return {"Authorization": f"Bearer {encoded}"}


LATER = int(time.time()) + 86_400  # long after the slowest run of the tests


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": f"Basic {token('alice')}"},
        {"Authorization": f"Bearer {token('alice')}x"},
        {"Authorization": f"Bearer {token('alice', lifetime_s=-10)}"},
        forged(sub="alice"),
        forged(exp=LATER),
        forged(sub="", exp=LATER),
        forged(sub="None", exp=LATER),
        forged(sub="alice", exp=LATER, secret="another secret that is more than 32 bytes long"),
        forged(sub="alice", exp=LATER, algorithm="none"),
    ],
)
async def test_bad_credentials_are_refused_with_401(headers: dict[str, str]) -> None:
    async with engine() as target:
        refused = await refusal(target, additional_headers=headers)
        async with target.web(None) as web:
            answers = [
                await web.post("/runs", headers=headers, json={"user_request": "x", "request_id": "r"}),
                await web.get("/runs/some-run/events", headers=headers),
            ]
        assert len(target.assembly.manager) == 0
    assert refused.response.status_code == 401
    assert refused.response.headers["WWW-Authenticate"] == "Bearer"
    for answer in answers:
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    secret_part = headers.get("Authorization", "").partition(" ")[2]
    if secret_part:
        assert secret_part not in (refused.response.body or b"").decode() + answers[0].text


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_good_algorithms_are_accepted(algorithm: str) -> None:
    headers = forged(sub="alice", exp=LATER, algorithm=algorithm)
    async with engine() as target, target.client("", headers=headers) as alice:
        assert alice.seen[0]["user_id"] == "alice"


async def test_a_browser_sends_its_token_as_a_subprotocol_and_never_gets_it_back() -> None:
    encoded = "jwt." + base64.urlsafe_b64encode(token("alice").encode()).decode().rstrip("=")
    async with engine() as target:
        async with target.client("", headers={}, subprotocols=["jwt-auth", encoded]) as alice:
            assert alice.seen[0]["user_id"] == "alice"
            assert alice.socket.subprotocol == "jwt-auth"
            assert alice.socket.response is not None
            assert encoded not in str(alice.socket.response.headers)
        assert (await refusal(target, subprotocols=["jwt-auth"])).response.status_code == 401
        assert (await refusal(target, subprotocols=["jwt-auth", "jwt.!!"])).response.status_code == 401
        assert (await refusal(target, subprotocols=[encoded])).response.status_code == 401


async def test_a_connection_ends_with_its_token() -> None:
    headers = {"Authorization": f"Bearer {token('alice', lifetime_s=2)}"}
    async with engine() as target, target.client("", headers=headers) as alice:
        assert await alice.closed() == 1008


async def test_foreign_origins_are_refused() -> None:
    async with engine(allowed_origins=frozenset({"https://app.example"})) as target:
        for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
            refused = await refusal(target, additional_headers=bearer("alice"), origin=origin)
            assert refused.response.status_code == 403
        for origin in ("https://app.example", target.http):
            async with target.client("alice", origin=origin) as alice:
                assert alice.seen


@pytest.mark.parametrize(
    ("frame", "code", "hint"),
    [
        ("", "bad_json", "JSON"),
        ("{", "bad_json", "JSON"),
        ('{"type":"ping"} extra', "bad_json", "JSON"),
        ('{"type":"ping","payload":{"x":"\\ud800"}}', "bad_json", "JSON"),
        ('{"a":' * 10_000, "bad_json", "frame"),
        ('{"type":"start_agent","payload":{"context":{"a":' + "[" * 20_000 + "]" * 20_000 + "}}}", "bad_json", "deep"),
        ("[]", "bad_message", "frame"),
        ("{}", "bad_message", "type"),
        ('{"type":7}', "bad_message", "type"),
        ('{"type":"start_agent","payload":null}', "bad_message", "payload"),
        ('{"type":"start_agent","payload":{"request_id":"r1"}}', "bad_message", "user_request"),
        ('{"type":"start_agent","payload":{"user_request":"x"}}', "bad_message", "request_id"),
        ('{"type":"start_agent","payload":{"user_request":7,"request_id":"r1"}}', "bad_message", "user_request"),
        ('{"type":"start_agent","payload":{"user_request":"x","request_id":""}}', "bad_message", "request_id"),
        ('{"type":"start_agent","payload":{"user_request":"x","request_id":"null"}}', "bad_message", "request_id"),
        (
            '{"type":"start_agent","payload":{"user_request":"x","request_id":"r1","thread_id":7}}',
            "bad_message",
            "thread_id",
        ),
        (
            '{"type":"start_agent","payload":{"user_request":"x","request_id":"r1","context":[]}}',
            "bad_message",
            "context",
        ),
        ('{"type":"user_message","payload":{"content":"x","request_id":"r1"}}', "bad_message", "thread_id"),
        ('{"type":"stop_agent","payload":{}}', "bad_message", "run_id"),
        ('{"type":"resume","payload":{}}', "bad_message", "run_id"),
        ('{"type":"resume","payload":{"run_id":"a","thread_id":"b"}}', "bad_message", "thread_id"),
        ('{"type":"resume","payload":{"run_id":"a","after_seq":-1}}', "bad_message", "after_seq"),
        ('{"type":"resume","payload":{"run_id":"a","after_seq":1.5}}', "bad_message", "after_seq"),
        ('{"type":"ping","payload":{"correlation_id":[]}}', "bad_message", "correlation_id"),
        ('{"type":"dance","payload":{}}', "unknown_type", "dance"),
        (b'{"type":"ping"}', "bad_message", "text"),
    ],
)
async def test_malformed_input_is_answered_and_the_connection_goes_on(frame: str | bytes, code: str, hint: str) -> None:
    async with engine() as target, target.client("alice") as alice:
        await alice.socket.send(frame)
        error = await alice.next("error")
        check_story(await alice.run("still there"))
    assert error["code"] == code
    assert hint in error["message"]
    assert "Traceback" not in error["message"]
    assert error.get("request_id") == (
        "r1" if b"r1" in (frame if isinstance(frame, bytes) else frame.encode()) else None
    )


async def test_ping_and_heartbeat_ack() -> None:
    async with engine() as target, target.client("alice") as alice:
        await alice.send("ping", correlation_id="c1")
        assert await alice.receive() == {"type": "pong", "payload": {"correlation_id": "c1"}}
        await alice.socket.send('{"type":"ping"}')
        assert await alice.receive() == {"type": "pong", "payload": {}}
        await alice.send("heartbeat_ack")
        await alice.nothing_more()


async def test_idle_connections_see_heartbeats() -> None:
    async with engine(heartbeat_s=0.05) as target, target.client("alice") as alice:
        beats = [await alice.receive() for _ in range(3)]
    assert [beat["type"] for beat in beats] == ["heartbeat"] * 3
    assert all(beat["payload"]["server_time"] for beat in beats)


async def test_a_dead_peer_is_closed_within_three_heartbeats() -> None:
    heartbeat_s = 0.3
    async with engine(heartbeat_s=heartbeat_s) as target:
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        upgrade = (
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{target.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: Bearer {token('alice')}\r\n\r\n"
        )
        writer.write(upgrade.encode())
        assert b" 101 " in await reader.readline()
        began = time.monotonic()
        # It reads but never answers a ping.
        async with asyncio.timeout(5):
            while await reader.read(4096):
                pass
        assert time.monotonic() - began < 3 * heartbeat_s
        await target.assembly.manager.wait_empty()
        writer.close()


@pytest.mark.parametrize("size", [1_001, 300_000])
async def test_an_oversize_message_is_answered_and_closes_its_own_connection(size: int) -> None:
    async with engine(max_message_bytes=1_000) as target, target.client("bob") as bob:
        async with target.client("alice") as alice:
            await alice.socket.send("x" * size)
            assert (await alice.receive())["code"] == "too_large"
            assert await alice.closed() == 1009
        check_story(await bob.run("not disturbed"))


async def test_a_message_beyond_what_is_read_at_all_closes_with_1009() -> None:
    async with engine(max_message_bytes=1_000) as target, target.client("bob") as bob:
        async with target.client("alice") as alice:
            await alice.socket.send("x" * 20_000_000)
            assert await alice.closed() == 1009
        check_story(await bob.run("not disturbed"))


async def test_the_size_limit_counts_bytes() -> None:
    async with engine(max_message_bytes=200) as target, target.client("alice") as alice:
        await alice.socket.send(
            json.dumps({"type": "ping", "payload": {"correlation_id": "é" * 40}}, ensure_ascii=False)
        )
        assert (await alice.receive())["type"] == "pong"
        await alice.socket.send(
            json.dumps({"type": "ping", "payload": {"correlation_id": "é" * 90}}, ensure_ascii=False)
        )
        assert (await alice.receive())["code"] == "too_large"


async def fill_until_closed(alice: Client, target: Address) -> None:
    """Have alice's connection sent much more than it reads."""
    async with target.client("alice", max_queue=None) as talker:
        while True:
            events = await talker.run(script(*[tool("echo", text="x" * 60_000) for _ in range(1)], say("y" * 4_000)))
            check_story(events)
            async with target.web(None) as web:
                if "engine_slow_consumers_total 1.0" in (await web.get("/metrics")).text:
                    return


async def test_a_slow_reader_is_closed_with_4408_and_delays_nobody() -> None:
    async with engine(outbox_frames=200, outbox_bytes=1_000_000, close_grace_s=0.5) as target:
        small = small_receive_buffer()
        await asyncio.get_running_loop().sock_connect(small, ("127.0.0.1", target.port))
        async with connect(
            target.url, sock=small, additional_headers=bearer("alice"), max_queue=1, close_timeout=1
        ) as socket:
            alice = Client(socket)
            await alice.receive()
            await fill_until_closed(alice, target)
            assert await alice.closed() == 4408
    # What came is a prefix of the whole: no frame is missing in between.
    runs: dict[str, list[int]] = {}
    for frame in alice.seen[1:]:
        runs.setdefault(frame["run_id"], []).append(frame["seq"])
    assert runs
    for seqs in list(runs.values())[:-1]:
        assert seqs == list(range(1, seqs[-1] + 1))
    assert list(runs.values())[-1] == list(range(1, len(list(runs.values())[-1]) + 1))


async def test_a_user_may_not_have_endless_connections() -> None:
    async with engine(max_connections_per_user=1) as target:
        async with target.client("alice"), target.client("bob") as bob:
            async with connect(target.url, additional_headers=bearer("alice")) as second:
                assert await Client(second).closed() == 1013
            check_story(await bob.run("not locked out"))
        await target.assembly.manager.wait_empty()
        async with target.client("alice") as alice:
            check_story(await alice.run("room again"))


async def test_what_a_connection_took_is_freed_with_it_and_not_when_garbage_is_collected() -> None:
    freed = asyncio.Event()
    async with engine() as target:
        gc.collect()
        gc.disable()
        try:
            async with target.client("alice") as client:
                (server_side,) = [one for one in gc.get_objects() if type(one) is PartingWebSocketProtocol]
                weakref.finalize(server_side, freed.set)
                del server_side
                check_story(await client.run("hello"))
            async with asyncio.timeout(10):
                await freed.wait()
        finally:
            gc.enable()


async def test_two_connections_of_a_user_see_the_same_in_the_same_order() -> None:
    async with engine() as target, target.client("alice") as alice, target.client("alice") as second:
        accepted = [await alice.start(script(tool("echo", text="x"), say("a b c"))) for _ in range(4)]
        for one in accepted:
            assert await alice.follow(one["run_id"]) == await second.follow(one["run_id"])
    assert "run_accepted" not in types(second.seen)


async def test_the_users_see_nothing_of_each_other() -> None:
    async with engine() as target, target.client("alice") as alice, target.client("bob") as bob:
        secret = await alice.start(script(tool("remember", key="k", value="canary"), tool("hang")), thread_id="shared")
        await alice.next("tool_executing")
        thread = await bob.run(script(tool("recall", key="k"), {"recall": True}), thread_id="shared")
        check_story(thread)
        for type, payload in (
            ("stop_agent", {"run_id": secret["run_id"]}),
            ("resume", {"run_id": secret["run_id"]}),
            ("resume", {"run_id": secret["run_id"], "last_event_id": alice.seen[-1]["event_id"]}),
        ):
            await bob.send(type, **payload)
            theirs = await bob.next("error")
            await bob.send(type, **{**payload, "run_id": "no such run"})
            assert theirs == await bob.next("error")
            assert theirs["code"] == "not_found"
        await alice.run("hello", thread_id="hers alone")
        for thread_id in ("hers alone", "nobody's"):
            await bob.send("user_message", content="x", thread_id=thread_id, request_id="r", user_id="alice")
            await bob.send("resume", thread_id=thread_id, request_id="r")
        errors = await bob.have(10, "error")
        assert len({json.dumps(error) for error in errors[6:]}) == 1
        await bob.nothing_more()
        seen = json.dumps(bob.seen)
        assert alice.seen[0]["connection_id"] not in seen
        for word in ("canary", "alice", secret["run_id"]):
            assert word not in seen
        assert target.assembly.engine.running == 1
