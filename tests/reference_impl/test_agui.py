"""`POST /agui`: the same runs, told as AG-UI tells them."""

import json
from typing import Any

import httpx
import pytest

from tests.reference_impl.engine_harness import engine, say, script, tool

Told = list[dict[str, Any]]


def wish(run_id: str, thread_id: str, message: str) -> dict[str, Any]:
    return {
        "threadId": thread_id,
        "runId": run_id,
        "state": {},
        "messages": [{"id": "m", "role": "user", "content": message}],
        "tools": [],
        "context": [],
        "forwardedProps": {},
    }


def told(text: str) -> Told:
    """The events of a stream; asserts that each message has just data, or is a comment."""
    messages = [message for message in text.split("\n\n")[:-1] if not message.startswith(":")]
    assert all(message.startswith("data: ") and "\n" not in message for message in messages)
    return [json.loads(message.removeprefix("data: ")) for message in messages]


def types(events: Told) -> list[str]:
    return [event["type"] for event in events]


async def run(web: httpx.AsyncClient, message: str, *, run_id: str = "run-1", thread_id: str = "thread-1") -> Told:
    answer = await web.post("/agui", json=wish(run_id, thread_id, message))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    return told(answer.text)


async def test_a_run_is_told_from_start_to_finish_under_the_ids_of_the_client() -> None:
    async with engine() as target, target.web("alice") as web:
        events = await run(web, script({"think": "hm"}, tool("echo", text="x"), say("one two")))
    assert types(events) == [
        "RUN_STARTED",
        "REASONING_START",
        "REASONING_MESSAGE_START",
        "REASONING_MESSAGE_CONTENT",
        "REASONING_MESSAGE_END",
        "REASONING_END",
        "TOOL_CALL_START",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_END",
        "TOOL_CALL_RESULT",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "RUN_FINISHED",
    ]
    assert {(e["threadId"], e["runId"]) for e in (events[0], events[-1])} == {("thread-1", "run-1")}
    assert json.loads(events[7]["delta"]) == {"text": "x"}
    assert events[9]["content"] == "x"
    assert "".join(e["delta"] for e in events if e["type"] == "TEXT_MESSAGE_CONTENT") == "one two"
    stamps = [event["timestamp"] for event in events]
    assert stamps == sorted(stamps)


async def test_a_tool_that_fails_says_so_in_its_result() -> None:
    async with engine() as target, target.web("alice") as web:
        events = await run(web, script(tool("fail", message="broken"), say("well")))
    (result,) = [event for event in events if event["type"] == "TOOL_CALL_RESULT"]
    assert json.loads(result["content"])["error"]["message"] == "broken"
    assert events[-1]["type"] == "RUN_FINISHED"


async def test_a_model_that_fails_while_it_speaks_ends_message_and_run() -> None:
    async with engine() as target, target.web("alice") as web:
        events = await run(web, script(say("half a "), {"fail": "overloaded"}))
    assert types(events)[-2:] == ["TEXT_MESSAGE_END", "RUN_ERROR"]
    assert (events[-1]["code"], events[-1]["message"]) == ("model_failed", "overloaded")


async def test_events_come_while_the_run_is_at_work_and_comments_while_it_is_silent() -> None:
    async with engine(heartbeat_s=0.05) as target, target.web("alice") as web:
        body = wish("run-1", "thread-1", script(tool("hang")))
        async with web.stream("POST", "/agui", json=body) as answer:
            lines = answer.aiter_lines()
            async for line in lines:
                if "TOOL_CALL_END" in line:
                    break
            async for line in lines:
                if line:
                    assert line.startswith(":")
                    break


async def test_a_run_is_the_same_one_on_a_socket() -> None:
    async with engine() as target, target.web("alice") as web, target.client("alice") as alice:
        await run(web, script(say("hello")))
        assert (await alice.next("agent_started"))["payload"]["request_id"] == "run-1"
        assert (await alice.next("agent_completed"))["thread_id"] == "thread-1"


async def test_the_same_run_id_again_is_the_same_run_told_again() -> None:
    async with engine() as target, target.web("alice") as web:
        first = await run(web, script(say("hello")))
        assert await run(web, script(say("something else"))) == first
        answer = await web.post("/agui", json=wish("run-1", "thread-2", "x"))
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_another_users_thread_is_refused_and_an_own_one_remembers() -> None:
    async with engine() as target, target.web("alice") as web, target.web("bob") as other:
        await run(web, script(say("secret")))
        answer = await other.post("/agui", json=wish("run-2", "thread-1", script({"recall": True})))
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        again = await run(web, script({"recall": True}), run_id="run-3")
        assert "secret" in "".join(e["delta"] for e in again if e["type"] == "TEXT_MESSAGE_CONTENT")


async def test_a_client_that_leaves_ends_no_run() -> None:
    async with engine() as target, target.web("alice") as web, target.client("alice") as alice:
        body = wish("run-1", "thread-1", script(tool("sleep", ms=50, text="x"), say("done")))
        async with web.stream("POST", "/agui", json=body) as answer:
            async for line in answer.aiter_lines():
                if "TOOL_CALL_END" in line:
                    break
        assert (await alice.next("agent_completed"))["payload"]["final_response"] == "done"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{not json", 400, "bad_json"),
        ("[]", 400, "bad_message"),
        ("{}", 400, "bad_message"),
        (json.dumps({**wish("r", "t", "x"), "messages": []}), 400, "bad_message"),
        (json.dumps(wish("", "t", "x")), 400, "bad_message"),
        (json.dumps(wish("undefined", "t", "x")), 400, "bad_message"),
        (json.dumps(wish("r", "t", "x" * 70_000)), 413, "too_large"),
    ],
)
async def test_what_cannot_be_run_is_refused(body: str, status: int, code: str) -> None:
    async with engine() as target, target.web("alice") as web:
        answer = await web.post("/agui", content=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert types(await run(web, script(say("still here"))))[-1] == "RUN_FINISHED"


async def test_an_error_names_the_field_as_the_client_does() -> None:
    async with engine() as target, target.web("alice") as web:
        answer = await web.post("/agui", json=wish("null", "t", "x"))
        assert answer.json()["message"].startswith("runId ")


async def test_nobody_runs_anything_without_credentials() -> None:
    async with engine() as target, target.web("alice") as web:
        answer = await web.post("/agui", json=wish("r", "t", "x"), headers={"Authorization": "Bearer nonsense"})
        assert answer.status_code == 401


async def test_the_limit_of_open_runs_is_each_users_own() -> None:
    hanging = wish("r1", "t1", script(tool("hang")))
    async with (
        engine(max_open_per_user=1) as target,
        target.web("alice") as web,
        target.web("bob") as other,
        web.stream("POST", "/agui", json=hanging) as answer,
    ):
        async for line in answer.aiter_lines():
            if "TOOL_CALL_END" in line:
                break
        refused = await web.post("/agui", json=wish("r2", "t2", "x"))
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert types(await run(other, script(say("hi"))))[-1] == "RUN_FINISHED"


async def test_parts_of_a_message_are_read() -> None:
    async with engine() as target, target.web("alice") as web:
        body = wish("r", "t", "")
        body["messages"][0]["content"] = [{"type": "text", "text": script(say("from a part"))}]
        answer = await web.post("/agui", json=body)
        spoken = [e["delta"] for e in told(answer.text) if e["type"] == "TEXT_MESSAGE_CONTENT"]
    assert "".join(spoken) == "from a part"
