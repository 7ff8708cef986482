"""One LangChain agent behind ag-ui-langgraph's FastAPI endpoint, with a checkpointer, as its examples have it."""

import sys

import uvicorn
from ag_ui_langgraph import LangGraphAgent, add_langgraph_fastapi_endpoint
from backend import authenticated, run_tool
from fastapi import Depends, FastAPI
from langchain.agents import create_agent
from langchain.tools import ToolRuntime, tool
from langgraph.checkpoint.memory import MemorySaver


async def _run(runtime: ToolRuntime, name: str, **arguments: object) -> str:
    # The endpoint does not hand the user on to the graph: its tools know the thread only.
    thread = runtime.config["configurable"]["thread_id"]
    return await run_tool(name, arguments, user=None, thread=thread, call=runtime.tool_call_id)


@tool
async def echo(text: str, runtime: ToolRuntime) -> str:
    """Return the text."""
    return await _run(runtime, "echo", text=text)


@tool
async def sleep(ms: int, text: str, runtime: ToolRuntime) -> str:
    """Return the text after so many milliseconds."""
    return await _run(runtime, "sleep", ms=ms, text=text)


@tool
async def fail(message: str, runtime: ToolRuntime) -> str:
    """Fail with the message."""
    return await _run(runtime, "fail", message=message)


@tool
async def hang(runtime: ToolRuntime) -> str:
    """Never return."""
    return await _run(runtime, "hang")


@tool
async def remember(key: str, value: str, runtime: ToolRuntime) -> str:
    """Keep a value under a key, for this thread."""
    return await _run(runtime, "remember", key=key, value=value)


@tool
async def recall(key: str, runtime: ToolRuntime) -> str:
    """Return what this thread keeps under a key."""
    return await _run(runtime, "recall", key=key)


graph = create_agent(
    model="openai:gpt-5-mini",
    tools=[echo, sleep, fail, hang, remember, recall],
    system_prompt="Be helpful.",
    checkpointer=MemorySaver(),
)
app = FastAPI()
add_langgraph_fastapi_endpoint(
    app, LangGraphAgent(name="assistant", graph=graph), "/agent", dependencies=[Depends(authenticated)]
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]))
