"""The agent behind three protocols over HTTP, each at its own place: `server.py PORT SECRET_VARIABLE`. For tests only.

`/chat` speaks the UI message stream of the AI SDK; `/v1/responses` the Responses interface, every event of which goes
through the official types; `/sse` what the worked example `chat-sse` maps. `/lossy` is `/chat` without some parts.
"""

import json
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import jwt
import uvicorn
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.dialects_http.agent import Call, Happening, ModelFailed, Outcome, Thought, Words, act

Speaks = Callable[[AsyncIterator[Happening]], AsyncIterator[bytes]]
_SECRET = os.environ[sys.argv[2]] if __name__ == "__main__" else ""
_EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def place(speaks: Speaks, read: Callable[[Any], tuple[str, list[str]]], headers: dict[str, str]) -> Any:
    """Make an endpoint that answers with what the agent does; `read` takes the question and what was said before."""

    async def endpoint(request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            jwt.decode(token if scheme == "Bearer" else "", _SECRET, ["HS256"], options={"require": ["exp", "sub"]})
        except jwt.PyJWTError:
            return _refused(401, "unauthorized", "Credentials are needed.")
        body = await request.body()
        if len(body) > 65_536:
            return _refused(413, "too_large", "At most 65,536 bytes.")
        try:
            text, seen = read(json.loads(body))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
            return _refused(400, "bad_request", "This is no question.")
        stream = speaks(act(text, seen))
        return StreamingResponse(
            stream, media_type="text/event-stream", headers={"Cache-Control": "no-store", **headers}
        )

    return endpoint


def _refused(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status)


def _data(part: Any) -> bytes:
    return f"data: {part if isinstance(part, str) else json.dumps(part)}\n\n".encode()


# -- the UI message stream --------------------------------------------------------------------------------------------


def read_chat(body: Any) -> tuple[str, list[str]]:
    """Return the newest message, and those before."""
    *before, newest = ["".join(part["text"] for part in message["parts"]) for message in body["messages"]]
    return newest, before


async def speak_parts(happens: AsyncIterator[Happening]) -> AsyncIterator[bytes]:
    """Tell what happens in parts."""
    yield _data({"type": "start"})
    yield _data({"type": "start-step"})
    speaking = 0
    try:
        async for it in happens:
            match it:
                case Thought(text):
                    for part in ("start", "delta", "end"):
                        more = {"delta": text} if part == "delta" else {}
                        yield _data({"type": f"reasoning-{part}", "id": "r", **more})
                case Words(text):
                    speaking += 1
                    if speaking == 1:
                        yield _data({"type": "text-start", "id": "t"})
                    yield _data({"type": "text-delta", "id": "t", "delta": text})
                case Call(id, name, args):
                    yield _data({"type": "tool-input-available", "toolCallId": id, "toolName": name, "input": args})
                case Outcome(call, result, None):
                    yield _data({"type": "tool-output-available", "toolCallId": call.id, "output": result})
                case Outcome(call, _, error):
                    yield _data({"type": "tool-output-error", "toolCallId": call.id, "errorText": error})
        if speaking:
            yield _data({"type": "text-end", "id": "t"})
        yield _data({"type": "finish-step"})
        yield _data({"type": "finish", "finishReason": "stop"})
    except ModelFailed as error:
        yield _data({"type": "error", "errorText": str(error)})
    yield _data("[DONE]")


async def lose_parts(happens: AsyncIterator[Happening]) -> AsyncIterator[bytes]:
    """Tell what happens in parts, but for where a text begins and what fails in a tool."""
    async for part in speak_parts(happens):
        if b'"text-start"' not in part and b'"tool-output-error"' not in part:
            yield part


# -- the Responses interface ------------------------------------------------------------------------------------------


def read_input(body: Any) -> tuple[str, list[str]]:
    """Return the input, a text."""
    if not isinstance(body["input"], str) or body["stream"] is not True or not isinstance(body["model"], str):
        raise TypeError
    return body["input"], []


async def speak_events(happens: AsyncIterator[Happening]) -> AsyncIterator[bytes]:
    """Tell what happens in events of a response."""
    writer = ResponseWriter()
    yield writer.event("response.created", response=writer.response("in_progress"))
    yield writer.event("response.in_progress", response=writer.response("in_progress"))
    try:
        async for it in happens:
            for event in writer.tell(it):
                yield event
        for event in writer.end_message():
            yield event
        yield writer.event("response.completed", response=writer.response("completed"))
    except ModelFailed as error:
        failure = {"code": "server_error", "message": str(error)}
        yield writer.event("response.failed", response=writer.response("failed", error=failure))


class ResponseWriter:
    """Writes the events of one response, and keeps its output."""

    def __init__(self) -> None:
        self.id = f"resp_{uuid.uuid4().hex}"
        self.began = time.time()
        self.output: list[dict[str, Any]] = []
        self.number = 0
        self.speaking = False

    def event(self, kind: str, **fields: Any) -> bytes:
        """Return an event as it goes out; raises where the official types do not know it so."""
        data = _EVENTS.validate_python({"type": kind, "sequence_number": self.number, **fields})
        self.number += 1
        return f"event: {kind}\n".encode() + _data(data.model_dump_json(exclude_unset=True))

    def response(self, status: str, **fields: Any) -> dict[str, Any]:
        """Return the response as far as it has come."""
        fixed = {
            "object": "response",
            "model": "agent",
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        }
        output = [] if status == "in_progress" else self.output
        return {**fixed, "id": self.id, "created_at": self.began, "status": status, "output": output, **fields}

    def tell(self, it: Happening) -> list[bytes]:
        """Return the events of what happens."""
        match it:
            case Thought(text):
                return [*self.end_message(), *self.reasoning(text)]
            case Words(text):
                return [*([] if self.speaking else self.begin_message()), *self.words(text)]
            case Call(id, name, args):
                return [*self.end_message(), *self.function(id, name, json.dumps(args))]
            case Outcome(call, result, error):
                data = {"type": "function_call_output", "call_id": call.id, "status": "completed"}
                return [*self.end_message(), *self.whole({**data, "output": error or str(result)})]
        raise AssertionError(it)

    def add(self, item: dict[str, Any]) -> bytes:
        """Return the event with which an item begins."""
        item["id"] = f"{item['type'][:3]}_{uuid.uuid4().hex}"
        self.output.append(item)
        return self.event("response.output_item.added", output_index=len(self.output) - 1, item=item)

    def done(self) -> bytes:
        """Return the event with which the newest item ends."""
        return self.event("response.output_item.done", output_index=len(self.output) - 1, item=self.output[-1])

    def inside(self, kind: str, **fields: Any) -> bytes:
        """Return an event within the newest item."""
        return self.event(kind, item_id=self.output[-1]["id"], output_index=len(self.output) - 1, **fields)

    def whole(self, item: dict[str, Any]) -> list[bytes]:
        """Return the events of an item that comes at once."""
        return [self.add(item), self.done()]

    def reasoning(self, text: str) -> list[bytes]:
        """Return the events of a thought."""
        begun = self.add({"type": "reasoning", "summary": []})
        self.output[-1]["summary"] = [{"type": "summary_text", "text": text}]
        piece = self.inside("response.reasoning_summary_text.delta", summary_index=0, delta=text)
        return [
            begun,
            piece,
            self.inside("response.reasoning_summary_text.done", summary_index=0, text=text),
            self.done(),
        ]

    def function(self, call_id: str, name: str, arguments: str) -> list[bytes]:
        """Return the events of a call."""
        begun = self.add({"type": "function_call", "call_id": call_id, "name": name, "arguments": ""})
        self.output[-1]["arguments"] = arguments
        piece = self.inside("response.function_call_arguments.delta", delta=arguments)
        return [begun, piece, self.inside("response.function_call_arguments.done", arguments=arguments), self.done()]

    def begin_message(self) -> list[bytes]:
        """Return the events with which a message begins."""
        self.speaking = True
        begun = self.add({"type": "message", "role": "assistant", "status": "in_progress", "content": []})
        part = {"type": "output_text", "text": "", "annotations": []}
        self.output[-1]["content"].append(part)
        return [begun, self.inside("response.content_part.added", content_index=0, part=part)]

    def words(self, text: str) -> list[bytes]:
        """Return the event of some words."""
        self.output[-1]["content"][0]["text"] += text
        return [self.inside("response.output_text.delta", content_index=0, delta=text, logprobs=[])]

    def end_message(self) -> list[bytes]:
        """Return the events with which the message ends, if there is one."""
        if not self.speaking:
            return []
        self.speaking = False
        self.output[-1]["status"] = "completed"
        (part,) = self.output[-1]["content"]
        text = self.inside("response.output_text.done", content_index=0, text=part["text"], logprobs=[])
        return [text, self.inside("response.content_part.done", content_index=0, part=part), self.done()]


# -- the worked example chat-sse --------------------------------------------------------------------------------------


def read_message(body: Any) -> tuple[str, list[str]]:
    """Return the message."""
    if not isinstance(body["message"], str):
        raise TypeError
    return body["message"], []


async def speak_chat(happens: AsyncIterator[Happening]) -> AsyncIterator[bytes]:
    """Tell what happens in named events."""

    def named(name: str, data: Any) -> bytes:
        return f"event: {name}\n".encode() + _data(data)

    try:
        async for it in happens:
            match it:
                case Words(text):
                    yield named("token", {"text": text})
                case Call(id, name, args):
                    yield named("tool_start", {"id": id, "tool": name, "args": args, "at": int(time.time() * 1000)})
                case Outcome(call, result, error):
                    data = {"id": call.id, "output": result, "error": error, "at": int(time.time() * 1000)}
                    yield named("tool_end", {name: value for name, value in data.items() if value is not None})
        yield named("done", "[DONE]")
    except ModelFailed as error:
        yield named("failure", {"message": str(error)})


async def ready(request: Request) -> Response:
    """Answer that the server is there."""
    return PlainTextResponse("ready")


if __name__ == "__main__":
    routes = [
        Route("/chat", place(speak_parts, read_chat, {"x-vercel-ai-ui-message-stream": "v1"}), methods=["POST"]),
        Route("/lossy", place(lose_parts, read_chat, {"x-vercel-ai-ui-message-stream": "v1"}), methods=["POST"]),
        Route("/v1/responses", place(speak_events, read_input, {}), methods=["POST"]),
        Route("/sse", place(speak_chat, read_message, {}), methods=["POST"]),
        Route("/ready", ready),
    ]
    uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
