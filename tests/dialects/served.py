"""A tiny scripted agent as an ASGI app that answers in several protocols: by its path, one knows which."""

import json
import uuid
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Step = tuple[str, Any]
Frame = tuple[str | None, Any]


def steps(text: str) -> Iterator[Step]:
    """What the agent does, by the script in a message: thinks, calls a tool, has its result, says something."""
    _, marker, script = text.partition("script: ")
    told: list[dict[str, Any]] = [{"say": f"You said: {text}"}]
    for step in json.JSONDecoder().raw_decode(script)[0] if marker else told:
        if "say" in step or "think" in step:
            yield next(iter(step.items()))
        elif "tool" in step:
            call = {"id": f"call-{uuid.uuid4()}", "name": step["tool"], "args": step["args"]}
            yield "call", call
            yield "result", {**call, "value": step["args"].get("text", "")}


def adk(body: dict[str, Any]) -> Iterator[Frame]:
    run = f"e-{uuid.uuid4()}"
    for kind, value in steps(body["newMessage"]["parts"][0]["text"]):
        part: dict[str, Any] = {"text": value, "thought": kind == "think"}
        if kind == "call":
            part = {"functionCall": value}
        elif kind == "result":
            part = {
                "functionResponse": {"id": value["id"], "name": value["name"], "response": {"result": value["value"]}}
            }
        stamp = datetime.now(UTC).timestamp()
        content = {"role": "model", "parts": [part]}
        yield (
            None,
            {"invocationId": run, "author": "a", "id": str(uuid.uuid4()), "timestamp": stamp, "content": content},
        )


def langgraph(body: dict[str, Any]) -> Iterator[Frame]:
    yield "metadata", {"run_id": str(uuid.uuid4()), "attempt": 1}
    for kind, value in steps(body["input"]["messages"][0]["content"]):
        message: dict[str, Any] = {"type": "ai", "id": str(uuid.uuid4()), "content": "", "tool_calls": []}
        if kind == "call":
            message["tool_calls"] = [value]
        elif kind == "result":
            message = {"type": "tool", "id": message["id"], "tool_call_id": value["id"], "content": value["value"]}
        else:
            message["content"] = value if kind == "say" else [{"type": "reasoning", "reasoning": value}]
        yield "updates", {"agent": {"messages": [message]}}


def a2a(body: dict[str, Any]) -> Iterator[Frame]:
    said = body["params"]["message"]
    task = {"id": str(uuid.uuid4()), "contextId": said.get("contextId", str(uuid.uuid4()))}
    ids = {"taskId": task["id"], "contextId": task["contextId"]}

    def answer(name: str, **content: Any) -> Frame:
        return None, {"jsonrpc": "2.0", "id": body["id"], "result": {name: content}}

    yield answer("task", **task, status={"state": "TASK_STATE_SUBMITTED"}, history=[said])
    for kind, value in steps(said["parts"][0]["text"]):
        if kind == "say":
            artifact = {"artifactId": "answer", "parts": [{"text": value}]}
            yield answer("artifactUpdate", **ids, artifact=artifact, append=True)
        else:
            yield answer("statusUpdate", **ids, status={"state": "TASK_STATE_WORKING"})
    yield answer("statusUpdate", **ids, status={"state": "TASK_STATE_COMPLETED"})


def chainlit(message: dict[str, Any], thread: str) -> Iterator[Frame]:
    def step(kind: str, parent: str | None, identifier: str | None = None, **fields: Any) -> dict[str, Any]:
        blank = {"threadId": thread, "input": "", "output": "", "isError": False, "start": _now(), "end": None}
        return {
            "id": identifier or str(uuid.uuid4()),
            "type": kind,
            "name": kind,
            "parentId": parent,
            **blank,
            **fields,
        }

    run = step("run", message["id"])
    yield "new_message", run
    tools: dict[str, dict[str, Any]] = {}
    for kind, value in steps(message["output"]):
        if kind == "call":
            tools[value["id"]] = step("tool", run["id"], name=value["name"], input=json.dumps(value["args"]))
            yield "new_message", tools[value["id"]]
        elif kind == "result":
            yield "update_message", {**tools[value["id"]], "output": value["value"], "end": _now()}
        else:
            yield "new_message", step("assistant_message" if kind == "say" else "llm", run["id"], output=value)
    yield "update_message", {**run, "end": _now()}


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """The app."""
    if scope["type"] == "websocket":
        await _socket(receive, send)
    elif scope["type"] == "http":
        await _http(scope["path"], receive, send)


async def _http(path: str, receive: Receive, send: Send) -> None:
    message = await receive()
    text = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        text += message.get("body", b"")
    speak = {"/run_sse": adk, "/": a2a}.get(path, langgraph if path.endswith("/runs/stream") else None)
    headers = [
        (b"content-type", b"text/event-stream" if speak else b"application/json"),
        (b"cache-control", b"no-store"),
    ]
    try:
        frames = speak(json.loads(text)) if speak else iter([(None, ["agent"])])
        first = next(frames)
    except (ValueError, KeyError, TypeError):
        await send({"type": "http.response.start", "status": 422, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"detail":"not a request"}'})
        return
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for name, data in [first, *frames]:
        line = (f"event: {name}\n" if name else "") + f"data: {json.dumps(data)}\n\n" if speak else json.dumps(data)
        await send({"type": "http.response.body", "body": line.encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _socket(receive: Receive, send: Send) -> None:
    thread = str(uuid.uuid4())
    await receive()
    await send({"type": "websocket.accept"})
    await send(
        {"type": "websocket.send", "text": '0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'}
    )
    while (message := await receive())["type"] == "websocket.receive":
        text = message.get("text") or ""
        if text.startswith("40"):
            await send({"type": "websocket.send", "text": '40{"sid":"t"}'})
        elif text.startswith("42"):
            name, *arguments = json.loads(text[2:])
            frames: Iterator[Frame] = iter([("clear_call_fn", {})])
            if name == "client_message":
                frames = chainlit(arguments[0]["message"], thread)
            for event, data in frames:
                await send({"type": "websocket.send", "text": f"42{json.dumps([event, data])}"})
        else:
            await send({"type": "websocket.close", "code": 1003})
            return
