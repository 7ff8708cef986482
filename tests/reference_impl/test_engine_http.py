"""The HTTP side."""

import json
from typing import Any

import httpx
import pytest

from tests.reference_impl.engine_harness import check_story, engine, say, script, tool


def sse_events(text: str) -> list[dict[str, Any]]:
    """The events of a stream; asserts that each message has just an id and data."""
    events = []
    for message in text.split("\n\n")[:-1]:
        if message.startswith(":"):
            continue
        identity, data = message.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert identity == f"id: {event['event_id']}"
        events.append(event)
    return events


async def post_run(web: httpx.AsyncClient, message: str, request_id: str = "r1", **more: object) -> dict[str, Any]:
    answer = await web.post("/runs", json={"user_request": message, "request_id": request_id, **more})
    assert answer.status_code == 202
    body: dict[str, Any] = answer.json()
    return body


async def test_a_run_is_started_and_followed_live_by_sse() -> None:
    async with engine() as target, target.web("alice") as web, target.client("alice") as alice:
        accepted = await post_run(web, script(tool("sleep", ms=30, text="x"), say("a b")), thread_id="t")
        assert accepted == {"request_id": "r1", "run_id": accepted["run_id"], "thread_id": "t", "duplicate": False}
        answer = await web.get(f"/runs/{accepted['run_id']}/events", headers={"Accept": "text/event-stream"})
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        events = sse_events(answer.text)
        check_story(events)
        assert events == await alice.follow(accepted["run_id"])
        assert (await post_run(web, "again"))["duplicate"] is True


async def test_sse_follows_while_the_run_is_at_work_and_shows_life() -> None:
    async with engine(heartbeat_s=0.05) as target, target.web("alice") as web, target.client("alice") as alice:
        accepted = await post_run(web, script(tool("hang")))
        async with web.stream("GET", f"/runs/{accepted['run_id']}/events") as answer:
            lines = answer.aiter_lines()
            async for line in lines:
                if line.startswith(": heartbeat"):
                    break
            await alice.send("stop_agent", run_id=accepted["run_id"])
            rest = "\n".join([line async for line in lines])
        assert "agent_stopped" in rest


async def test_events_after_a_cursor_and_as_json() -> None:
    async with engine() as target, target.web("alice") as web, target.client("alice") as alice:
        events = await alice.run("hello")
        path = f"/runs/{events[0]['run_id']}/events"
        assert sse_events((await web.get(path, params={"after": 2})).text) == events[2:]
        header = {"Last-Event-ID": events[0]["event_id"]}
        assert sse_events((await web.get(path, headers=header)).text) == events[1:]
        answer = await web.get(path, params={"after": "1"}, headers={"Accept": "application/json"})
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {"run_id": events[0]["run_id"], "ended": True, "events": events[1:]}
        for bad in ("x", "-1", "1.5", "9" * 30):
            refused = await web.get(path, params={"after": bad})
            assert (refused.status_code, refused.json()["code"]) == (400, "bad_message")


async def test_a_long_run_comes_whole() -> None:
    async with engine() as target, target.web("alice") as web, target.client("alice") as alice:
        events = await alice.run(script(*[say("w " * 64) for _ in range(9)]))
        assert len(events) > 512
        path = f"/runs/{events[0]['run_id']}/events"
        assert sse_events((await web.get(path)).text) == events
        assert (await web.get(path, headers={"Accept": "application/json"})).json()["events"] == events


async def test_others_runs_and_missing_ones_are_the_same() -> None:
    async with engine() as target, target.client("alice") as alice, target.web("bob") as bob:
        run_id = (await alice.run("x"))[0]["run_id"]
        theirs = await bob.get(f"/runs/{run_id}/events")
        missing = await bob.get("/runs/no-such-run/events")
    assert theirs.status_code == missing.status_code == 404
    assert theirs.json() == missing.json()
    assert theirs.json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad_json"),
        (b'{"user_request": 7, "request_id": "r1"}', 400, "bad_message"),
        (b'{"user_request": "x", "request_id": "undefined"}', 400, "bad_message"),
        (b"x" * 70_000, 413, "too_large"),
    ],
)
async def test_bad_requests_are_answered(body: bytes, status: int, code: str) -> None:
    async with engine() as target, target.web("alice") as web:
        answer = await web.post("/runs", content=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_too_many_runs_are_429() -> None:
    async with engine(max_open_per_user=1) as target, target.web("alice") as web:
        await post_run(web, script(tool("hang")))
        answer = await web.post("/runs", json={"user_request": "x", "request_id": "r2"})
    assert (answer.status_code, answer.json()["code"], answer.json()["request_id"]) == (429, "rate_limited", "r2")


async def test_health_ready_and_metrics_need_no_credentials() -> None:
    async with engine() as target, target.client("alice") as alice, target.web(None) as web:
        events = await alice.run("x")
        assert (await web.get("/health")).json() == {"status": "ok"}
        assert (await web.get("/ready")).status_code == 200
        metrics = (await web.get("/metrics")).text
        target.assembly.engine.draining = True
        assert (await web.get("/ready")).status_code == 503
    assert 'engine_connections{state="open"} 1.0\n' in metrics
    assert f"engine_events_total {len(events)}.0\n" in metrics
