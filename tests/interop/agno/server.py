"""One agno agent behind AgentOS's AG-UI interface, with its JWT middleware and a SQLite database, as documented."""

import sys
import tempfile
from pathlib import Path

import uvicorn
from agno.agent import Agent
from agno.db.sqlite import SqliteDb
from agno.models.openai import OpenAIChat
from agno.os import AgentOS
from agno.os.interfaces.agui import AGUI
from agno.os.middleware import JWTMiddleware
from agno.run import RunContext
from backend import SECRET, run_tool


async def _run(ctx: RunContext, name: str, **arguments: object) -> str:
    return await run_tool(name, arguments, user=ctx.user_id, thread=ctx.session_id, run=ctx.run_id)


async def echo(run_context: RunContext, text: str) -> str:
    """Return the text."""
    return await _run(run_context, "echo", text=text)


async def sleep(run_context: RunContext, ms: int, text: str) -> str:
    """Return the text after so many milliseconds."""
    return await _run(run_context, "sleep", ms=ms, text=text)


async def fail(run_context: RunContext, message: str) -> str:
    """Fail with the message."""
    return await _run(run_context, "fail", message=message)


async def hang(run_context: RunContext) -> str:
    """Never return."""
    return await _run(run_context, "hang")


async def remember(run_context: RunContext, key: str, value: str) -> str:
    """Keep a value under a key, for this thread."""
    return await _run(run_context, "remember", key=key, value=value)


async def recall(run_context: RunContext, key: str) -> str:
    """Return what this thread keeps under a key."""
    return await _run(run_context, "recall", key=key)


agent = Agent(
    id="assistant",
    model=OpenAIChat(id="gpt-5-mini"),
    db=SqliteDb(db_file=str(Path(tempfile.mkdtemp()) / "agno.db")),
    tools=[echo, sleep, fail, hang, remember, recall],
    add_history_to_context=True,
    telemetry=False,
)
agent_os = AgentOS(agents=[agent], interfaces=[AGUI(agent=agent)], telemetry=False)
app = agent_os.get_app()
app.add_middleware(JWTMiddleware, verification_keys=[SECRET], algorithm="HS256", user_isolation=True)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]))
