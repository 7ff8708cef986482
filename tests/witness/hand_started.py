"""An agent that knows nothing of the kit: a WebSocket server in front of the official `openai` client.

    OPENAI_BASE_URL=… OPENAI_API_KEY=… python hand_started.py PORT

It speaks five-events and has two tools of its own. Whose model it asks, it is not told.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import uuid4

from openai import AsyncOpenAI, OpenAIError
from openai.types.chat import ChatCompletionMessageParam
from websockets.asyncio.server import ServerConnection, serve

Send = Callable[[dict[str, Any]], Awaitable[None]]
Messages = list[ChatCompletionMessageParam]
MODEL = AsyncOpenAI(max_retries=0)


async def echo(text: str) -> str:
    return text


async def sleep(ms: int, text: str) -> str:
    await asyncio.sleep(ms / 1000)
    return text


TOOLS = {tool.__name__: tool for tool in (echo, sleep)}
OFFERED: Any = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "additionalProperties": True}}}
    for name in TOOLS
]


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Run:
    """One run: asks the model, calls the tools that it wants, and tells of both."""

    def __init__(self, user: str, thread: str, messages: Messages, send: Send) -> None:
        self.id = str(uuid4())
        self.messages = messages
        self._ids = {"run_id": self.id, "thread_id": thread, "user_id": user, "agent_name": "by-hand"}
        self._send = send
        self._seq = count(1)

    async def tell(self, type: str, **payload: Any) -> None:
        event = {"type": type, "event_id": str(uuid4()), "seq": next(self._seq), "timestamp": now(), "payload": payload}
        await self._send({**event, **self._ids})

    async def execute(self, request_id: str) -> None:
        began = time.monotonic()
        await self.tell("agent_started", request_id=request_id)
        try:
            answer = await self.converse()
        except OpenAIError as error:
            await self.tell("agent_error", code="model_failed", message=str(error), retryable=True)
            return
        took = round((time.monotonic() - began) * 1000)
        await self.tell("agent_completed", final_response=answer, duration_ms=took)

    async def converse(self) -> str:
        await self.tell("agent_thinking", thought="Asking the model.", step=1)
        answer = ""
        while True:
            stream = MODEL.chat.completions.stream(model="any", messages=self.messages, tools=OFFERED)
            async with stream as events:
                async for event in events:
                    if event.type == "content.delta":
                        await self.tell("message_chunk", text=event.delta)
                message = (await events.get_final_completion()).choices[0].message
            self.messages.append(message.model_dump(exclude_none=True))  # type: ignore[arg-type]
            answer += message.content or ""
            calls: Any = message.tool_calls
            if not calls:
                return answer
            for call, result in zip(calls, await asyncio.gather(*map(self.call, calls)), strict=True):
                self.messages.append({"role": "tool", "tool_call_id": call.id, "content": result})

    async def call(self, call: Any) -> str:
        name, arguments = call.function.name, json.loads(call.function.arguments)
        named = {"tool_name": name, "tool_call_id": str(uuid4())}
        began = time.monotonic()
        await self.tell("tool_executing", **named, parameters=arguments)
        try:
            told: dict[str, Any] = {"status": "ok", "result": await TOOLS[name](**arguments)}
        except (KeyError, TypeError) as error:
            told = {"status": "error", "error": {"code": "tool_failed", "message": f"{name} failed: {error}"}}
        took = round((time.monotonic() - began) * 1000)
        await self.tell("tool_completed", **named, **told, duration_ms=took)
        return json.dumps(told)


async def connected(socket: ServerConnection) -> None:
    user = f"visitor-{uuid4()}"
    threads: dict[str, Messages] = {}

    async def send(frame: dict[str, Any]) -> None:
        await socket.send(json.dumps(frame))

    greeting = {"protocol": "five-events/1", "connection_id": str(uuid4()), "user_id": user, "server_time": now()}
    await send({"type": "connection_established", **greeting, "heartbeat_s": 20, "capabilities": ["text_stream"]})
    async with asyncio.TaskGroup() as runs:
        async for frame in socket:
            message = json.loads(frame)
            payload = message["payload"]
            thread = payload.get("thread_id") or str(uuid4())
            said = payload.get("user_request") or payload.get("content")
            if message["type"] not in ("start_agent", "user_message") or not isinstance(said, str):
                await send({"type": "error", "code": "unknown_type", "message": "Expected start_agent."})
                continue
            messages = threads.setdefault(thread, [])
            messages.append({"role": "user", "content": said})
            run = Run(user, thread, messages, send)
            ids = {"request_id": payload["request_id"], "run_id": run.id, "thread_id": thread, "duplicate": False}
            await send({"type": "run_accepted", "payload": ids})
            runs.create_task(run.execute(payload["request_id"]))


async def main(port: int) -> None:
    async with serve(connected, "127.0.0.1", port):
        print("ready", flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
