"""A served witness, the book of what it records, and clients for it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from conformance.history.operations import ModelCallBegan, ModelCallEnded, Operation, ToolCallBegan, ToolCallEnded
from conformance.history.recorder import Clock
from conformance.witness.serve import Witness, witness

O = TypeVar("O", bound=Operation)  # noqa: E741
Step = dict[str, Any]

CANARY = "cnry~0123456789abcdef0123~"
ECHO = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}


class Book:
    """Every operation that was recorded, in order."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self._grown = asyncio.Event()

    def __call__(self, operation: Operation) -> None:
        self.operations.append(operation)
        self._grown.set()

    def all(self, kind: type[O]) -> list[O]:
        return [operation for operation in self.operations if isinstance(operation, kind)]

    def last(self, kind: type[O]) -> O:
        return self.all(kind)[-1]

    async def first(self, kind: type[O], where: Callable[[O], bool] = lambda _: True) -> O:
        """Wait for it."""
        while True:
            for operation in self.all(kind):
                if where(operation):
                    return operation
            self._grown.clear()
            await self._grown.wait()


class Site:
    """A served witness and its book."""

    def __init__(self, served: Witness, book: Book) -> None:
        self.served = served
        self.book = book

    def openai(self) -> AsyncOpenAI:
        return AsyncOpenAI(
            base_url=self.served.model_url,
            api_key="no key at all",
            max_retries=0,
            http_client=DefaultAsyncHttpxClient(trust_env=False),
        )

    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.served.url, trust_env=False, timeout=None)

    def pairs(self) -> list[tuple[ModelCallBegan, ModelCallEnded]]:
        ends = {end.call: end for end in self.book.all(ModelCallEnded)}
        return [(began, ends[began.call]) for began in self.book.all(ModelCallBegan)]

    def tool_pairs(self) -> list[tuple[ToolCallBegan, ToolCallEnded]]:
        ends = {end.call: end for end in self.book.all(ToolCallEnded)}
        return [(began, ends[began.call]) for began in self.book.all(ToolCallBegan)]


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Site]:
    book = Book()
    async with witness(book, Clock(), **options) as served:
        yield Site(served, book)


def script(*steps: Step) -> str:
    return f"{CANARY} script: {json.dumps(steps)}"


def think(text: str) -> Step:
    return {"think": text}


def say(text: str) -> Step:
    return {"say": text}


def tool(name: str, **args: Any) -> Step:
    return {"tool": name, "args": args}


def parallel(*calls: Step) -> Step:
    return {"parallel": list(calls)}


def sse(text: str) -> list[tuple[str | None, str]]:
    """The events of a stream: name and data."""
    events = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines())
        if lines:
            events.append((lines.get("event"), lines["data"]))
    return events
