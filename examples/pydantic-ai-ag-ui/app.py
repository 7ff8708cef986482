"""An assistant with pydantic-ai behind an AG-UI endpoint: one agent, users with tokens, tools with their names."""

import os
from dataclasses import dataclass
from typing import Annotated

import httpx
import jwt
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic_ai import Agent, RunContext
from pydantic_ai.ui.ag_ui import AGUIAdapter
from starlette.requests import Request
from starlette.responses import Response

_SECRET = os.environ["JWT_SECRET"]
_TOOLS_URL = os.environ["TOOLS_URL"]
_http = httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None))


@dataclass
class Caller:
    """Whose run it is."""

    user: str


# --8<-- [start:wiring]
# The model is found by OPENAI_BASE_URL and OPENAI_API_KEY: the provider's, or in the gate the kit's scripted one.
agent = Agent(os.environ.get("MODEL", "openai:gpt-5-mini"), deps_type=Caller, instructions="Be helpful.")


async def _use(ctx: RunContext[Caller], tool: str, **arguments: object) -> str:
    """Run a tool of our tool service, and say for whom. A failure is told to the model in the tool's own words."""
    whose = {"X-User-Id": ctx.deps.user, "X-Thread-Id": ctx.conversation_id, "X-Tool-Call-Id": ctx.tool_call_id}
    headers = {name: value for name, value in whose.items() if value is not None}
    answer = (await _http.post(f"{_TOOLS_URL}/{tool}", json=arguments, headers=headers)).json()
    if "error" in answer:
        raise RuntimeError(answer["error"]["message"])
    return str(answer["result"])


# --8<-- [end:wiring]


@agent.tool
async def echo(ctx: RunContext[Caller], text: str) -> str:
    """Return the text."""
    return await _use(ctx, "echo", text=text)


@agent.tool
async def sleep(ctx: RunContext[Caller], ms: int, text: str) -> str:
    """Return the text after so many milliseconds."""
    return await _use(ctx, "sleep", ms=ms, text=text)


@agent.tool
async def fail(ctx: RunContext[Caller], message: str) -> str:
    """Fail with the message."""
    return await _use(ctx, "fail", message=message)


@agent.tool
async def hang(ctx: RunContext[Caller]) -> str:
    """Never return."""
    return await _use(ctx, "hang")


@agent.tool
async def remember(ctx: RunContext[Caller], key: str, value: str) -> str:
    """Keep a value under a key, for this thread."""
    return await _use(ctx, "remember", key=key, value=value)


@agent.tool
async def recall(ctx: RunContext[Caller], key: str) -> str:
    """Return what this thread keeps under a key."""
    return await _use(ctx, "recall", key=key)


def authenticated(authorization: Annotated[str | None, Header()] = None) -> str:
    """Return the user that a bearer token names; answers 401 where there is none to believe."""
    scheme, _, token = (authorization or "").partition(" ")
    try:
        if scheme.lower() != "bearer":
            raise jwt.InvalidTokenError("no bearer token")
        claims = jwt.decode(token, _SECRET, algorithms=["HS256"], options={"require": ["sub", "exp"]})
    except jwt.InvalidTokenError:
        raise HTTPException(401, "credentials are missing or not valid", {"WWW-Authenticate": "Bearer"}) from None
    return str(claims["sub"])


app = FastAPI()


@app.post("/agent")
async def run_agent(request: Request, user: Annotated[str, Depends(authenticated)]) -> Response:
    """Run the agent for an AG-UI client, for the user that the token names."""
    return await AGUIAdapter.dispatch_request(request, agent=agent, deps=Caller(user))


@app.get("/health")
async def health() -> str:
    """Say that it is up."""
    return "ok"
