"""One Google ADK agent (its model through LiteLLM), as the quickstart has it: `adk api_server` finds `root_agent`."""

from backend import run_tool
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


root_agent = LlmAgent(
    name="assistant",
    model=LiteLlm(model="openai/gpt-5-mini"),
    instruction="Be helpful.",
    tools=[echo, sleep, fail, hang, remember, recall],
)
