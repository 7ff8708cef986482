"""Tools that run elsewhere, called over plain HTTP."""

from contextlib import aclosing
from typing import Any
from urllib.parse import quote

import httpx

from reference_impl.context import UserExecutionContext
from reference_impl.errors import ToolFailed, Unavailable
from reference_impl.model import ToolCall
from reference_impl.outside import Outside, error_of


class RemoteToolbox:
    """Calls a tool by `POST {tools_url}/{name}` with its arguments; each call says whose it is."""

    def __init__(self, context: UserExecutionContext, outside: Outside) -> None:
        self._context = context
        self._outside = outside

    async def run(self, call: ToolCall) -> Any:
        """The result of one call. Raises ToolFailed. A cancellation closes the connection, which ends the tool."""
        url = f"{self._outside.endpoints.tools_url}/{quote(call.tool, safe='')}"
        headers = {"X-Tool-Call-Id": call.call_id}
        try:
            response = await self._outside.post("tools", url, body=call.args, context=self._context, headers=headers)
            async with aclosing(response):
                await response.aread()
        except (Unavailable, httpx.HTTPError):
            raise ToolFailed("unreachable", f"The tool {call.tool[:64]!r} cannot be reached.") from None
        if response.status_code >= 400:
            raise ToolFailed(*error_of(response.content))
        return response.json()["result"]
