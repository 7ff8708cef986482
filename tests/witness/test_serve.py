"""Serving: addresses, environment, the way down, secrets, the history, and the blocking run."""

import asyncio
import signal
import sys
from typing import Any

import httpx
import msgspec
import pytest

from conformance.errors import UsageError
from conformance.history.operations import (
    CallEnd,
    ModelCallBegan,
    ModelCallEnded,
    Operation,
    SeenText,
    ToolCallBegan,
    ToolCallEnded,
)
from tests.witness.harness import CANARY, say, script, serving, tool
from tests.witness.test_tools import session

ALONE = """
from conformance.witness import serve
serve.run(say=lambda line: print(line, flush=True), host="127.0.0.1", port=0)
"""


async def test_the_environment_names_what_is_served() -> None:
    async with serving() as site:
        environment = site.served.environment
        root = site.served.url
        assert environment["OPENAI_BASE_URL"] == environment["CONFORMANCE_MODEL_URL"] == f"{root}/v1"
        assert environment["OPENAI_API_KEY"]
        assert environment["CONFORMANCE_TOOLS_URL"] == f"{root}/tools"
        assert environment["CONFORMANCE_MCP_URL"] == f"{root}/mcp"
        assert "X-Run-Id" in environment["CONFORMANCE_TOOL_HEADERS"].split(",")


async def test_it_is_not_to_be_looked_for_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "intranet.example,localhost")
    monkeypatch.delenv("no_proxy", raising=False)
    async with serving() as site:
        assert site.served.environment["NO_PROXY"] == "intranet.example,localhost,127.0.0.1"
        assert site.served.environment["no_proxy"] == "127.0.0.1,localhost"


@pytest.mark.parametrize("part", ["model", "tools"])
async def test_either_part_can_be_served_alone(part: str) -> None:
    there, absent = ("/v1/models", "/tools") if part == "model" else ("/tools", "/v1/models")
    async with serving(**{"model": False, "tools": False, part: True}) as site, site.http() as http:
        assert (await http.get(there)).status_code == 200
        assert (await http.get(absent)).status_code == 404
        assert ("OPENAI_BASE_URL" in site.served.environment) == (part == "model")
        assert ("CONFORMANCE_MCP_URL" in site.served.environment) == (part == "tools")


async def test_nothing_is_left_behind() -> None:
    before = asyncio.all_tasks()
    async with serving() as site, site.http() as http, session(site) as mcp:
        await http.get("/v1/models")
        await mcp.list_tools()
    assert asyncio.all_tasks() == before
    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient(trust_env=False) as http:
            await http.get(site.served.url)


async def test_what_is_under_way_is_ended_and_recorded_as_such() -> None:
    before = asyncio.all_tasks()
    body: dict[str, Any] = {"messages": [{"role": "user", "content": script(say("a"), {"stall_ms": 86_400_000})}]}
    async with asyncio.TaskGroup() as group:
        async with serving() as site:
            http = site.http()
            begun = [
                group.create_task(http.post("/v1/chat/completions", json={**body, "stream": True})),
                group.create_task(http.post("/v1/chat/completions", json=body)),
                group.create_task(http.post("/tools/hang")),
            ]
            await site.book.first(ToolCallBegan)
            await site.book.first(ModelCallBegan, lambda began: began.stream)
            await site.book.first(ModelCallBegan, lambda began: not began.stream)
        streamed, whole, hanging = [await task for task in begun]
        await http.aclose()
    assert streamed.status_code == 200
    assert "[DONE]" not in streamed.text
    assert whole.status_code == hanging.status_code == 503
    assert {end.end for end in site.book.all(ModelCallEnded)} == {CallEnd.SHUT_DOWN}
    assert site.book.last(ToolCallEnded).end is CallEnd.SHUT_DOWN
    assert asyncio.all_tasks() == before


async def test_a_tool_that_hangs_over_mcp_does_not_hold_up_the_way_down() -> None:
    async with serving() as site:
        entered, leave = asyncio.Event(), asyncio.Event()

        async def client() -> None:
            async with session(site) as mcp:
                calling = asyncio.create_task(mcp.call_tool("hang", {}))
                entered.set()
                await leave.wait()
                calling.cancel()

        using = asyncio.create_task(client())
        await entered.wait()
        await site.book.first(ToolCallBegan)
    assert site.book.last(ToolCallEnded).end is CallEnd.SHUT_DOWN
    leave.set()
    await asyncio.gather(using, return_exceptions=True)


async def test_a_port_that_is_taken_is_said() -> None:
    async with serving() as site:
        port = int(site.served.url.rpartition(":")[2])
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{port}"):
            async with serving(port=port):
                pass


async def test_secrets_stay_out_of_what_is_recorded() -> None:
    async with serving(redact=lambda text: text.replace("s3cr3t", "*")) as site, site.http() as http:
        steps = ({"think": "s3cr3t"}, say("s3cr3t"), tool("echo", text="s3cr3t"))
        messages = [{"role": "user", "content": script(*steps)}]
        answer = await http.post("/v1/chat/completions", json={"model": "m", "messages": messages})
        assert answer.json()["choices"][0]["message"]["content"] == "s3cr3t"
        await http.post("/tools/echo", json={"text": "s3cr3t"})
        await http.post("/tools/fail", json={"message": "s3cr3t"})
        assert b"s3cr3t" not in msgspec.json.encode(site.book.operations)
        assert site.book.all(ToolCallBegan)[0].arguments == {"text": "*"}


def test_calls_can_be_written_and_read_again() -> None:
    operations: list[Operation] = [
        ModelCallBegan(1, 1, "responses", seen=(SeenText("user", CANARY),), newest=0, canary=CANARY),
        ModelCallEnded(2, 1, CallEnd.COMPLETED, steps=(0,), text="x"),
        ToolCallBegan(3, 2, "echo", {"text": "A"}),
        ToolCallEnded(4, 2, CallEnd.FAILED, error="x"),
    ]
    kinds = ModelCallBegan | ModelCallEnded | ToolCallBegan | ToolCallEnded
    for operation in operations:
        line = msgspec.json.encode(operation)
        assert line.startswith(b'{"op":"')
        assert msgspec.json.decode(line, type=kinds) == operation


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_runs_alone_until_a_signal_and_says_each_call_in_a_line(number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ALONE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    exports: dict[str, str] = {}
    while "CONFORMANCE_TOOL_HEADERS" not in exports:
        word, _, assignment = (await process.stdout.readline()).decode().strip().partition(" ")
        assert word == "export"
        name, _, value = assignment.partition("=")
        exports[name] = value
    async with httpx.AsyncClient(trust_env=False, timeout=None) as http:
        messages = [{"role": "user", "content": script(tool("echo", text="A\nB"))}]
        await http.post(f"{exports['OPENAI_BASE_URL']}/chat/completions", json={"model": "m", "messages": messages})
        await http.post(f"{exports['CONFORMANCE_TOOLS_URL']}/echo", json={"text": "A\nB"})
        await http.post(f"{exports['CONFORMANCE_TOOLS_URL']}/fail", json={"message": "oh"})
    lines = [(await process.stdout.readline()).decode() for _ in range(3)]
    assert "model chat.completions m 1 messages" in lines[0]
    assert 'echo {"text":"A\\nB"}' in lines[0]
    assert "tool echo" in lines[1]
    assert "A B" in lines[1]
    assert "FAILED  oh" in lines[2]
    process.send_signal(number)
    out, err = await process.communicate()
    assert (process.returncode, out, err) == (0, b"", b"")
