"""One pydantic-ai agent behind its AG-UI and Vercel AI adapters, as its guides have it, in a FastAPI application."""

import sys
from dataclasses import dataclass
from typing import Annotated

import uvicorn
from backend import authenticated, run_tool
from fastapi import Depends, FastAPI
from pydantic_ai import Agent, RunContext
from pydantic_ai.ui.ag_ui import AGUIAdapter
from pydantic_ai.ui.vercel_ai import VercelAIAdapter
from starlette.requests import Request
from starlette.responses import Response


@dataclass
class Caller:
    """Whose run it is."""

    user: str


agent = Agent("openai:gpt-5-mini", deps_type=Caller, instructions="Be helpful.")


async def _run(ctx: RunContext[Caller], name: str, **arguments: object) -> str:
    return await run_tool(name, arguments, user=ctx.deps.user, thread=ctx.conversation_id, call=ctx.tool_call_id)


@agent.tool
async def echo(ctx: RunContext[Caller], text: str) -> str:
    """Return the text."""
    return await _run(ctx, "echo", text=text)


@agent.tool
async def sleep(ctx: RunContext[Caller], ms: int, text: str) -> str:
    """Return the text after so many milliseconds."""
    return await _run(ctx, "sleep", ms=ms, text=text)


@agent.tool
async def fail(ctx: RunContext[Caller], message: str) -> str:
    """Fail with the message."""
    return await _run(ctx, "fail", message=message)


@agent.tool
async def hang(ctx: RunContext[Caller]) -> str:
    """Never return."""
    return await _run(ctx, "hang")


@agent.tool
async def remember(ctx: RunContext[Caller], key: str, value: str) -> str:
    """Keep a value under a key, for this thread."""
    return await _run(ctx, "remember", key=key, value=value)


@agent.tool
async def recall(ctx: RunContext[Caller], key: str) -> str:
    """Return what this thread keeps under a key."""
    return await _run(ctx, "recall", key=key)


app = FastAPI()


@app.post("/agent")
async def run_agent(request: Request, user: Annotated[str, Depends(authenticated)]) -> Response:
    """Run the agent for an AG-UI client, for the user that the token names."""
    return await AGUIAdapter.dispatch_request(request, agent=agent, deps=Caller(user))


@app.post("/chat")
async def chat(request: Request, user: Annotated[str, Depends(authenticated)]) -> Response:
    """Run the agent for a client of the Vercel AI SDK."""
    return await VercelAIAdapter.dispatch_request(request, agent=agent, deps=Caller(user))


@app.get("/health")
async def health() -> str:
    """Say that it is up."""
    return "ok"


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]))
