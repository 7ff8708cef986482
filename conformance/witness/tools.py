"""The tool witness: the tools over plain HTTP and over MCP, with every call recorded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive

from conformance import __version__
from conformance.history.operations import CallEnd
from conformance.witness.caller import Caller, caller
from conformance.witness.gate import ClientGone, while_there
from conformance.witness.ledger import Ledger
from conformance.witness.toolbox import TOOLS, Toolbox, ToolFailed

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from mcp.server.lowlevel import Server
    from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams


class ToolWitness:
    """The tools. `routes` serve both ways; those of MCP work while `serving_mcp` is entered."""

    def __init__(self, ledger: Ledger) -> None:
        from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager

        self._ledger = ledger
        self._toolbox = Toolbox()
        # As many sessions as the target likes: some frameworks open one for each run and never close it.
        self._sessions = StreamableHTTPSessionManager(self._server(), max_sessions=None)
        self._mcp = StreamableHTTPASGIApp(self._sessions)

    @property
    def routes(self) -> list[BaseRoute]:
        """Its routes."""
        return [
            Route("/tools", self.listed, methods=["GET"]),
            Route("/tools/{name}", self.called, methods=["POST"]),
            Route("/mcp", self._mcp),
        ]

    async def call(self, name: str, arguments: Any, who: Caller, *, via: str, receive: Receive) -> str:
        """Run a tool and record it. Raises `ToolFailed`, and `ClientGone` where nobody waits for the result."""
        number = self._ledger.tool_began(name, arguments, via=via, who=who)
        try:
            result = await while_there(receive, self._toolbox.run(name, arguments, who))
        except ToolFailed as failed:
            self._ledger.tool_ended(number, CallEnd.FAILED, error=failed.message)
            raise
        except (ClientGone, asyncio.CancelledError):
            self._ledger.tool_ended(number, self._ledger.cut_short)
            raise
        self._ledger.tool_ended(number, CallEnd.COMPLETED, result=result)
        return result

    # -- plain HTTP ---------------------------------------------------------------------------------------------------

    async def listed(self, request: Request) -> Response:
        """Answer `GET /tools`: names, descriptions, and the JSON Schema of the arguments."""
        tools = [{"name": t.name, "description": t.description, "parameters": t.schema} for t in TOOLS.values()]
        return JSONResponse({"tools": tools})

    async def called(self, request: Request) -> Response:
        """Answer `POST /tools/{name}`: `{"result": …}`, or an HTTP error with `{"error": {"code", "message"}}`."""
        try:
            raw = await request.body()
            arguments = _arguments(raw)
            name, who = request.path_params["name"], caller(request.headers)
            result = await self.call(name, arguments, who, via="http", receive=request.receive)
        except ToolFailed as failed:
            return JSONResponse({"error": {"code": failed.code, "message": failed.message}}, failed.status)
        except (ClientDisconnect, ClientGone):
            return Response(status_code=400)  # which nobody reads
        return JSONResponse({"result": result})

    # -- MCP ----------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def serving_mcp(self) -> AsyncIterator[None]:
        """Serve MCP sessions. To be entered and left by the same task, once."""
        async with self._sessions.run():
            yield

    def _server(self) -> "Server[Any]":
        from mcp.server.lowlevel import Server

        return Server(
            "agent-conformance", version=__version__, on_list_tools=self._mcp_listed, on_call_tool=self._mcp_called
        )

    async def _mcp_listed(
        self, context: "ServerRequestContext[Any]", params: "PaginatedRequestParams | None"
    ) -> "ListToolsResult":
        from mcp_types import ListToolsResult, Tool

        tools = [Tool(name=t.name, description=t.description, input_schema=t.schema) for t in TOOLS.values()]
        return ListToolsResult(tools=tools)

    async def _mcp_called(
        self, context: "ServerRequestContext[Any]", params: "CallToolRequestParams"
    ) -> "CallToolResult":
        from mcp_types import CallToolResult, TextContent

        request = context.request
        assert isinstance(request, Request)
        who = caller(context.meta, request.headers)
        try:
            text = await self.call(params.name, params.arguments or {}, who, via="mcp", receive=request.receive)
        except ToolFailed as failed:
            return CallToolResult(content=[TextContent(text=failed.message)], is_error=True)
        except ClientGone:
            return CallToolResult(content=[], is_error=True)  # which nobody reads
        return CallToolResult(content=[TextContent(text=text)])


def _arguments(raw: bytes) -> Any:
    """Return the arguments in a body, {} where it is empty; what is not JSON stands as a string."""
    try:
        return msgspec.json.decode(raw) if raw.strip() else {}
    except (msgspec.DecodeError, RecursionError):
        return raw.decode(errors="replace")
