"""One Google ADK agent (its model through LiteLLM) behind ag-ui-adk's endpoint, as their guides have it."""

import sys
from collections.abc import Callable
from typing import Any

import uvicorn
from ag_ui.core import RunAgentInput
from ag_ui_adk import ADKAgent, AGUIToolset, add_adk_fastapi_endpoint
from backend import authenticated, run_tool
from fastapi import Depends, FastAPI, Request
from google.adk.agents import LlmAgent
from google.adk.models.lite_llm import LiteLlm
from google.adk.tools import ToolContext


async def _run(ctx: ToolContext, name: str, **arguments: object) -> str:
    return await run_tool(name, arguments, user=ctx.user_id, thread=ctx.session.id, call=ctx.function_call_id)


async def echo(text: str, tool_context: ToolContext) -> str:
    """Return the text."""
    return await _run(tool_context, "echo", text=text)


async def sleep(ms: int, text: str, tool_context: ToolContext) -> str:
    """Return the text after so many milliseconds."""
    return await _run(tool_context, "sleep", ms=ms, text=text)


async def fail(message: str, tool_context: ToolContext) -> str:
    """Fail with the message."""
    return await _run(tool_context, "fail", message=message)


async def hang(tool_context: ToolContext) -> str:
    """Never return."""
    return await _run(tool_context, "hang")


async def remember(key: str, value: str, tool_context: ToolContext) -> str:
    """Keep a value under a key, for this thread."""
    return await _run(tool_context, "remember", key=key, value=value)


async def recall(key: str, tool_context: ToolContext) -> str:
    """Return what this thread keeps under a key."""
    return await _run(tool_context, "recall", key=key)


async def identity(request: Request, _: RunAgentInput) -> dict[str, Any]:
    """Put the authenticated user into the state, from where the agent takes it."""
    return {"user_id": authenticated(request.headers.get("authorization"))}


def user_of(run: RunAgentInput) -> str:
    """Return the user of a run."""
    return str(run.state["user_id"])


tools: list[Callable[..., Any] | AGUIToolset] = [AGUIToolset(), echo, sleep, fail, hang, remember, recall]
assistant = LlmAgent(
    name="assistant", model=LiteLlm(model="openai/gpt-5-mini"), instruction="Be helpful.", tools=list(tools)
)
agent = ADKAgent(adk_agent=assistant, app_name="interop", user_id_extractor=user_of, use_in_memory_services=True)
app = FastAPI()
add_adk_fastapi_endpoint(
    app, agent, path="/agent", extract_state_from_request=identity, dependencies=[Depends(authenticated)]
)


@app.get("/health")
async def health() -> str:
    """Say that it is up."""
    return "ok"


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]))
