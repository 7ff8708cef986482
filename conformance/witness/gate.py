"""Noticing that a client goes away, and ending what is under way when the witness itself does."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

T = TypeVar("T")


class ClientGone(Exception):
    """The client closed the connection before it had its answer."""


async def while_there(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Do `work` for a client whose request was read to its end.

    Raises `ClientGone` where the client goes first; the work has ended then.
    """
    doing = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({doing, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise ClientGone
        return doing.result()
    finally:
        doing.cancel()
        watching.cancel()
        await asyncio.gather(doing, watching, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Gate:
    """An ASGI application before another one: lets requests in until it is closed, and ends those that are in then."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._inside: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        answer = _Answer(send)
        task = asyncio.current_task()
        assert task is not None
        self._inside.add(task)
        try:
            if not self._closed:
                await self._app(scope, receive, answer.send)
        except asyncio.CancelledError:
            if not self._closed:
                raise
            task.uncancel()
        finally:
            self._inside.discard(task)
        if self._closed:
            await answer.end()

    async def close(self) -> None:
        """End all requests, and wait until they have ended."""
        self._closed = True
        inside = list(self._inside)
        for task in inside:
            task.cancel()
        if inside:
            await asyncio.wait(inside)


class _Answer:
    """What was sent of an answer."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = False
        self._ended = False

    async def send(self, message: Message) -> None:
        self._begun = True
        self._ended = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def end(self) -> None:
        """End it, with status 503 where it was not begun."""
        if not self._begun:
            await self._send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
        if not self._ended:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
