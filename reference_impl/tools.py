"""The agent's tools, and the dispatcher that reports every call of one, whatever the tool does."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from reference_impl.context import UserExecutionContext
from reference_impl.emitter import UserEventEmitter
from reference_impl.errors import ToolFailed
from reference_impl.events import EventType
from reference_impl.journal import Journal
from reference_impl.model import ToolCall
from reference_impl.run import Interruption
from reference_impl.trace import span

MAX_SLEEP_MS = 86_400_000

log = logging.getLogger(__name__)

_JSON_TYPES: Mapping[type, str] = {str: "string", int: "integer"}

TOOLS = ("echo", "sleep", "fail", "hang", "remember", "recall")
"""The methods of `Toolbox` that are tools."""

Tool = Callable[..., Awaitable[Any]]


class Tools(Protocol):
    """Whatever runs the tools of one run."""

    async def run(self, call: ToolCall) -> Any:
        """The result of one call. Raises ToolFailed."""
        ...


class Toolbox:
    """The tools of WIRE.md, for one run. A tool lets a cancellation pass, so that a stop ends it too (LIF-02)."""

    def __init__(self, context: UserExecutionContext, journal: Journal) -> None:
        self._context = context
        self._journal = journal

    async def run(self, call: ToolCall) -> Any:
        """The result of one call. Raises ToolFailed, also for a tool or arguments that do not exist."""
        if call.tool not in TOOLS:
            known = ", ".join(TOOLS)
            raise ToolFailed("unknown_tool", f"There is no tool {call.tool[:64]!r}: expected one of {known}.")
        tool: Tool = getattr(self, call.tool)
        check_args(call, tool)
        return await tool(**call.args)

    async def echo(self, text: str) -> str:
        """Return `text`."""
        return text

    async def sleep(self, ms: int, text: str) -> str:
        """Return `text` after `ms` milliseconds."""
        if not 0 <= ms <= MAX_SLEEP_MS:
            raise ToolFailed("bad_arguments", f"sleep: ms must be from 0 to {MAX_SLEEP_MS}, not {ms}.")
        await asyncio.sleep(ms / 1000)
        return text

    async def fail(self, message: str) -> str:
        """Fail with `message`."""
        raise ToolFailed("tool_failed", message)

    async def hang(self) -> str:
        """Never return."""
        await asyncio.get_running_loop().create_future()
        raise AssertionError("a future that nobody knows was resolved")

    async def remember(self, key: str, value: str) -> str:
        """Keep `value` under `key` for this thread (LIF-12)."""
        await self._journal.remember(self._context.user_id, self._context.thread_id, key, value)
        return "remembered"

    async def recall(self, key: str) -> str:
        """Return what this thread keeps under `key`."""
        value = await self._journal.recall(self._context.user_id, self._context.thread_id, key)
        if value is None:
            raise ToolFailed("unknown_key", f"This thread remembers nothing under {key[:64]!r}.")
        return value


def describe_tools() -> list[dict[str, Any]]:
    """The tools as a model is told of them: OpenAI's function definitions."""
    return [{"type": "function", "function": _described(getattr(Toolbox, name))} for name in TOOLS]


def _described(tool: Tool) -> dict[str, Any]:
    properties = {name: {"type": _JSON_TYPES[kind]} for name, kind in parameters_of(tool).items()}
    parameters = {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
    return {"name": tool.__name__, "description": tool.__doc__, "parameters": parameters}


def parameters_of(tool: Tool) -> dict[str, type]:
    """The names and types of what a tool takes."""
    return {name: kind for name, kind in tool.__annotations__.items() if name != "return"}


def check_args(call: ToolCall, tool: Tool) -> None:
    """Raise ToolFailed unless the call has just the arguments that the tool takes, of the right types."""
    expected = parameters_of(tool)
    if call.args.keys() != expected.keys():
        got = ", ".join(sorted(call.args)) or "none"
        raise ToolFailed("bad_arguments", f"{call.tool} takes ({', '.join(expected)}), not ({got[:200]}).")
    for name, kind in expected.items():
        if type(call.args[name]) is not kind:
            got = type(call.args[name]).__name__
            raise ToolFailed("bad_arguments", f"{call.tool}: {name} must be {kind.__name__}, not {got}.")


class ToolDispatcher:
    """Runs the tool calls of one run and emits `tool_executing` and `tool_completed` around each (EVT-05).

    The tool runs when its start is on record and was handed over; its end is confirmed with what comes next, be that
    another call or the end of the run. `limit_s` bounds one call, None leaves it to the run's limit; a result of more
    than `max_result_bytes` is an error.
    """

    def __init__(
        self,
        toolbox: Tools,
        emitter: UserEventEmitter,
        *,
        interruption: Callable[[], Interruption | None],
        limit_s: float | None = None,
        max_result_bytes: int = 2**20,
    ) -> None:
        self._toolbox = toolbox
        self._emitter = emitter
        self._interruption = interruption
        self._limit_s = limit_s
        self._max_result_bytes = max_result_bytes

    async def dispatch_all(self, calls: Sequence[ToolCall]) -> None:
        """Make `calls` at once and return when all have ended."""
        if len(calls) == 1:
            await self.dispatch(calls[0])
            return
        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(self.dispatch(call))

    async def dispatch(self, call: ToolCall) -> None:
        """Make one call. A failing tool is reported and does not raise; cancellation is reported and passed on."""
        started = time.monotonic()
        self._emitter.emit(
            EventType.TOOL_EXECUTING,
            {"tool_name": call.tool, "tool_call_id": call.call_id, "parameters": call.args},
        )
        outcome = failed("internal", "The tool failed; the cause is in the engine's log.")
        try:
            # The tool runs only when its start is on record: a crash then leaves no call that nobody heard of.
            await self._emitter.flush()
            with span("tool", self._emitter.context, **{"tool.name": call.tool}):
                outcome = {"status": "ok", "result": await self._run(call)}
        except asyncio.CancelledError:
            code = (self._interruption() or Interruption.SHUTDOWN).value
            outcome = failed(code, f"The tool was ended before it had a result: {code}.")
            raise
        except ToolFailed as error:
            outcome = failed(error.code, error.message)
        except Exception:
            log.exception("tool %s failed in a way of its own", call.tool[:64])
        finally:
            call.outcome = outcome
            self.report(call, call.call_id, outcome, duration_ms=round((time.monotonic() - started) * 1000))

    async def _run(self, call: ToolCall) -> Any:
        if self._limit_s is None:
            result = await self._toolbox.run(call)
        else:
            limit = asyncio.timeout(self._limit_s)
            try:
                async with limit:
                    result = await self._toolbox.run(call)
            except TimeoutError:
                if not limit.expired():
                    raise
                raise ToolFailed("timeout", f"The tool took longer than {self._limit_s:g} s.") from None
        size = len(result.encode() if isinstance(result, str) else msgspec.json.encode(result))
        if size > self._max_result_bytes:
            raise ToolFailed("too_large", f"The result has {size} bytes; at most {self._max_result_bytes} are taken.")
        return result

    def report(self, call: ToolCall, tool_call_id: str, outcome: Mapping[str, Any], *, duration_ms: int) -> None:
        """Emit the one completion of a call, with a result or an error (EVT-08)."""
        self._emitter.emit(
            EventType.TOOL_COMPLETED,
            {"tool_name": call.tool, "tool_call_id": tool_call_id, **outcome, "duration_ms": duration_ms},
        )


def failed(code: str, message: str) -> dict[str, Any]:
    """The outcome of a call that has no result."""
    return {"status": "error", "error": {"code": code, "message": message}}
