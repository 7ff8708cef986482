"""A Chainlit application as its guides have it: the OpenAI client, a loop over its tool calls, a `cl.Step` for each."""

import asyncio
import json
from typing import Any

import chainlit as cl
from backend import run_tool
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageToolCallParam

client = AsyncOpenAI()
PARAMETERS = {
    "echo": {"text": "string"},
    "sleep": {"ms": "integer", "text": "string"},
    "fail": {"message": "string"},
    "hang": {},
    "remember": {"key": "string", "value": "string"},
    "recall": {"key": "string"},
}
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {
                "type": "object",
                "properties": {key: {"type": kind} for key, kind in of.items()},
                "required": list(of),
            },
        },
    }
    for name, of in PARAMETERS.items()
]


@cl.header_auth_callback
async def login(headers: dict[str, str]) -> cl.User | None:
    """Let nobody in but those who have a token of this server's."""
    return None


@cl.on_chat_start
async def begin() -> None:
    """Begin a conversation."""
    cl.user_session.set("messages", [{"role": "system", "content": "Be helpful."}])


async def call(tool: ChatCompletionMessageToolCallParam) -> dict[str, Any]:
    """Run a tool that the model asked for, and show it."""
    user, name = cl.user_session.get("user"), tool["function"]["name"]
    try:
        async with cl.Step(name=name, type="tool") as step:
            step.input = arguments = json.loads(tool["function"]["arguments"] or "{}")
            thread = cl.context.session.thread_id
            step.output = await run_tool(
                name, arguments, user=user.identifier if user else None, thread=thread, call=step.id
            )
            said = step.output
    except Exception as error:
        said = f"Error: {error}"
    return {"role": "tool", "tool_call_id": tool["id"], "content": said}


async def ask(messages: list[Any], answer: cl.Message) -> list[ChatCompletionMessageToolCallParam]:
    """Ask the model, stream what it says, and return the tool calls that it wants."""
    calls: dict[int, ChatCompletionMessageToolCallParam] = {}
    said = ""
    thinking = cl.Step(name="thinking", type="llm")
    async for chunk in await client.chat.completions.create(
        model="gpt-5-mini", messages=messages, tools=TOOLS, stream=True
    ):
        delta = chunk.choices[0].delta if chunk.choices else None
        if delta is None:
            continue
        thought = (delta.model_extra or {}).get("reasoning_content")
        if thought:
            await thinking.stream_token(thought)
        if delta.content:
            said += delta.content
            await answer.stream_token(delta.content)
        for piece in delta.tool_calls or []:
            known = calls.setdefault(
                piece.index, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
            )
            known["id"] += piece.id or ""
            if piece.function is not None:
                known["function"]["name"] += piece.function.name or ""
                known["function"]["arguments"] += piece.function.arguments or ""
    if thinking.output:
        await thinking.update()
    wanted = list(calls.values())
    messages.append({"role": "assistant", "content": said, **({"tool_calls": wanted} if wanted else {})})
    return wanted


@cl.on_message
async def answer(message: cl.Message) -> None:
    """Answer a message of the user's."""
    messages: list[Any] = cl.user_session.get("messages") or []
    messages.append({"role": "user", "content": message.content})
    reply = cl.Message(content="")
    while calls := await ask(messages, reply):
        messages += await asyncio.gather(*(call(tool) for tool in calls))
    await reply.update()
