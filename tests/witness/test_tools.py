"""The tools, over plain HTTP and by the official MCP client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client, ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent

from conformance.history.operations import CallEnd, ToolCallBegan, ToolCallEnded
from tests.witness.harness import CANARY, Site, serving

NAMES = ["echo", "sleep", "fail", "hang", "remember", "recall"]


@asynccontextmanager
async def session(site: Site, headers: dict[str, str] | None = None) -> AsyncIterator[ClientSession]:
    """An MCP session with the handshake, as most clients have it."""
    assert site.served.mcp_url is not None
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=None) as http,
        streamable_http_client(site.served.mcp_url, http_client=http) as (read, write),
        ClientSession(read, write) as client,
    ):
        await client.initialize()
        yield client


@asynccontextmanager
async def modern(site: Site, headers: dict[str, str] | None = None) -> AsyncIterator[Client]:
    """An MCP client of the newest revision, which has no sessions."""
    assert site.served.mcp_url is not None
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=None) as http,
        Client(streamable_http_client(site.served.mcp_url, http_client=http)) as client,
    ):
        yield client


def text(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


@pytest.mark.parametrize("connect", [session, modern])
async def test_mcp_has_the_tools(connect: Any) -> None:
    async with serving() as site, connect(site) as client:
        listed = (await client.list_tools()).tools
        assert [tool.name for tool in listed] == NAMES
        assert listed[1].input_schema == {
            "type": "object",
            "properties": {"ms": {"type": "integer"}, "text": {"type": "string"}},
            "required": ["ms", "text"],
            "additionalProperties": False,
        }


@pytest.mark.parametrize("connect", [session, modern])
async def test_each_tool_over_mcp(connect: Any) -> None:
    async with serving() as site, connect(site, {"X-Thread-Id": "t1", "X-User-Id": "ann"}) as client:
        assert text(await client.call_tool("echo", {"text": CANARY})) == CANARY
        assert text(await client.call_tool("sleep", {"ms": 5, "text": "slept"})) == "slept"
        failed = await client.call_tool("fail", {"message": "out of order"})
        assert (failed.is_error, text(failed)) == (True, "out of order")
        assert text(await client.call_tool("remember", {"key": "k", "value": "v"})) == "remembered"
        assert text(await client.call_tool("recall", {"key": "k"})) == "v"
        assert (await client.call_tool("recall", {"key": "other"})).is_error

        pairs = site.tool_pairs()
        assert [began.tool for began, _ in pairs] == ["echo", "sleep", "fail", "remember", "recall", "recall"]
        assert {(began.via, began.user, began.thread_id) for began, _ in pairs} == {("mcp", "ann", "t1")}
        assert pairs[0][0].arguments == {"text": CANARY}
        assert pairs[0][1].result == CANARY
        assert pairs[1][1].at - pairs[1][0].at >= 5000
        assert (pairs[2][1].end, pairs[2][1].error) == (CallEnd.FAILED, "out of order")


@pytest.mark.parametrize("connect", [session, modern])
async def test_who_calls_stands_in_meta_too(connect: Any) -> None:
    async with serving() as site, connect(site) as client:
        meta = {"run_id": "r1", "example.com/threadId": "t1", "user": "ann", "tool_call_id": "c1"}
        await client.call_tool("echo", {"text": "x"}, meta=meta)
        began = site.book.last(ToolCallBegan)
        assert (began.run_id, began.thread_id, began.user, began.tool_call_id) == ("r1", "t1", "ann", "c1")


@pytest.mark.parametrize("connect", [session, modern])
async def test_a_call_that_an_mcp_client_gives_up_ends(connect: Any) -> None:
    async with serving() as site, connect(site) as client:
        calling = asyncio.create_task(client.call_tool("hang", {}))
        await site.book.first(ToolCallBegan)
        assert site.served.open_calls == 1
        calling.cancel()
        assert (await site.book.first(ToolCallEnded)).end is CallEnd.CLIENT_GONE
        assert site.served.open_calls == 0
        assert text(await client.call_tool("echo", {"text": "still there"})) == "still there"


async def test_parallel_calls_over_mcp() -> None:
    async with serving() as site, session(site) as client:
        slow = asyncio.create_task(client.call_tool("hang", {}))
        await site.book.first(ToolCallBegan)
        assert text(await client.call_tool("echo", {"text": "meanwhile"})) == "meanwhile"
        slow.cancel()


async def test_http_has_the_tools() -> None:
    async with serving() as site, site.http() as http:
        listed = (await http.get("/tools")).json()["tools"]
        assert [tool["name"] for tool in listed] == NAMES
        assert listed[0]["parameters"]["properties"] == {"text": {"type": "string"}}
        assert all(tool["description"] for tool in listed)


async def test_each_tool_over_http() -> None:
    async with serving() as site, site.http() as http:
        who = {"X-Thread-Id": "t1", "X-Run-Id": "r1", "X-User-Id": "ann", "X-Tool-Call-Id": "c1"}
        response = await http.post("/tools/echo", json={"text": "A"}, headers=who)
        assert response.json() == {"result": "A"}
        began = site.book.last(ToolCallBegan)
        assert (began.tool, began.arguments, began.via) == ("echo", {"text": "A"}, "http")
        assert (began.user, began.run_id, began.thread_id, began.tool_call_id) == ("ann", "r1", "t1", "c1")

        response = await http.post("/tools/sleep", json={"ms": 5.0, "text": "B"})
        assert response.json() == {"result": "B"}
        began, ended = site.tool_pairs()[-1]
        assert ended.at - began.at >= 5000

        response = await http.post("/tools/fail", json={"message": "out of order"})
        assert response.status_code == 500
        assert response.json() == {"error": {"code": "tool_failed", "message": "out of order"}}
        assert site.book.last(ToolCallEnded).error == "out of order"

        await http.post("/tools/remember", json={"key": "k", "value": "v"}, headers=who)
        response = await http.post("/tools/recall", json={"key": "k"}, headers=who)
        assert response.json() == {"result": "v"}


async def test_memory_belongs_to_a_thread_of_a_user() -> None:
    async with serving() as site, site.http() as http:
        ann = {"X-User-Id": "ann", "X-Thread-Id": "t1"}
        await http.post("/tools/remember", json={"key": "k", "value": CANARY}, headers=ann)
        for others in ({**ann, "X-Thread-Id": "t2"}, {**ann, "X-User-Id": "bob"}, {"X-Thread-Id": "t1"}, {}):
            response = await http.post("/tools/recall", json={"key": "k"}, headers=others)
            assert response.status_code in (404, 422)
            assert CANARY not in response.text
        response = await http.post("/tools/remember", json={"key": "k", "value": "v"})
        assert response.json()["error"]["code"] == "no_thread"


async def test_a_client_that_does_not_wait_is_recorded() -> None:
    async with serving() as site, site.http() as http:
        calling = asyncio.create_task(http.post("/tools/hang", json={}))
        await site.book.first(ToolCallBegan)
        calling.cancel()
        assert (await site.book.first(ToolCallEnded)).end is CallEnd.CLIENT_GONE


@pytest.mark.parametrize(
    ("name", "content", "status", "code", "recorded"),
    [
        ("dance", b"{}", 404, "unknown_tool", {}),
        ("echo", b'{"txt":"A"}', 422, "bad_arguments", {"txt": "A"}),
        ("echo", b'{"text":1}', 422, "bad_arguments", {"text": 1}),
        ("echo", b'{"text":"A"', 422, "bad_arguments", '{"text":"A"'),
        ("echo", b"[1]", 422, "bad_arguments", [1]),
        ("sleep", b'{"ms":-1,"text":"A"}', 422, "bad_arguments", {"ms": -1, "text": "A"}),
        ("recall", b"", 422, "bad_arguments", {}),
    ],
)
async def test_calls_that_cannot_be_made_are_refused_and_recorded(
    name: str, content: bytes, status: int, code: str, recorded: Any
) -> None:
    async with serving() as site, site.http() as http:
        response = await http.post(f"/tools/{name}", content=content)
        assert response.status_code == status
        error = response.json()["error"]
        assert error["code"] == code
        ((began, ended),) = site.tool_pairs()
        assert (began.tool, began.arguments) == (name, recorded)
        assert (ended.end, ended.error) == (CallEnd.FAILED, error["message"])
