"""The tools: what they take, what they do, and what they remember. No network."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from conformance.witness.caller import Caller

MAX_SLEEP_MS = 86_400_000
_REMEMBERED_THREADS = 10_000
_WORDS: dict[type, tuple[str, str]] = {str: ("string", "a string"), int: ("integer", "a whole number")}


class ToolFailed(Exception):
    """A tool that has no result. `status` is the HTTP status that fits."""

    def __init__(self, code: str, message: str, *, status: int = 500) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class Tool(msgspec.Struct, frozen=True):
    """What a model is told of a tool. `parameters` maps names to types; all are required."""

    name: str
    description: str
    parameters: dict[str, type]

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its arguments."""
        return {
            "type": "object",
            "properties": {name: {"type": _WORDS[kind][0]} for name, kind in self.parameters.items()},
            "required": list(self.parameters),
            "additionalProperties": False,
        }

    def checked(self, arguments: Any) -> dict[str, Any]:
        """Return the arguments. Raises `ToolFailed` unless they are as the schema says."""
        if not isinstance(arguments, dict) or arguments.keys() != self.parameters.keys():
            got = ", ".join(arguments) or "none" if isinstance(arguments, dict) else type(arguments).__name__
            message = f"{self.name} takes ({', '.join(self.parameters)}), not ({got[:200]})"
            raise ToolFailed("bad_arguments", message, status=422)
        return {name: self._converted(name, value) for name, value in arguments.items()}

    def _converted(self, name: str, value: Any) -> Any:
        kind = self.parameters[name]
        if kind is int and isinstance(value, float) and value.is_integer():
            return int(value)  # some frameworks know only floats
        if type(value) is not kind:
            message = f"{self.name}: {name} must be {_WORDS[kind][1]}, not {type(value).__name__}"
            raise ToolFailed("bad_arguments", message, status=422)
        return value


TOOLS = {
    tool.name: tool
    for tool in (
        Tool("echo", "Returns the text.", {"text": str}),
        Tool("sleep", "Returns the text after so many milliseconds.", {"ms": int, "text": str}),
        Tool("fail", "Fails with the message.", {"message": str}),
        Tool("hang", "Never returns.", {}),
        Tool("remember", "Keeps a value under a key, for this thread.", {"key": str, "value": str}),
        Tool("recall", "Returns what this thread keeps under a key.", {"key": str}),
    )
}


class Toolbox:
    """Runs tools. What is remembered belongs to a thread of a user, as far as a call says whose it is."""

    def __init__(self) -> None:
        self._memory: dict[Caller, dict[str, str]] = {}
        self._tools: Mapping[str, Callable[..., Awaitable[str]]] = {
            "echo": self._echo,
            "sleep": self._sleep,
            "fail": self._fail,
            "hang": self._hang,
            "remember": self._remember,
            "recall": self._recall,
        }

    async def run(self, name: str, arguments: Any, who: Caller) -> str:
        """Return the result of one call. Raises `ToolFailed`, also for a tool or arguments that do not exist."""
        if name not in TOOLS:
            message = f"there is no tool {name[:64]!r}; expected one of {', '.join(TOOLS)}"
            raise ToolFailed("unknown_tool", message, status=404)
        checked = TOOLS[name].checked(arguments)
        if name in ("remember", "recall"):
            checked["thread"] = self._thread(name, who)
        return await self._tools[name](**checked)

    def _thread(self, name: str, who: Caller) -> dict[str, str]:
        """Return the memory of a call's thread.

        There is none for a call that does not say whose it is: one memory for all would carry words from user to user,
        and the target would be blamed for it.
        """
        if who.thread_id is None and who.user is None:
            message = f"{name}: the call names no thread (X-Thread-Id or _meta thread_id), so there is no memory for it"
            raise ToolFailed("no_thread", message, status=422)
        key = Caller(user=who.user, thread_id=who.thread_id)
        if key not in self._memory and len(self._memory) >= _REMEMBERED_THREADS:
            del self._memory[next(iter(self._memory))]
        return self._memory.setdefault(key, {})

    async def _echo(self, text: str) -> str:
        return text

    async def _sleep(self, ms: int, text: str) -> str:
        if not 0 <= ms <= MAX_SLEEP_MS:
            raise ToolFailed("bad_arguments", f"sleep: ms must be from 0 to {MAX_SLEEP_MS}, not {ms}", status=422)
        await asyncio.sleep(ms / 1000)
        return text

    async def _fail(self, message: str) -> str:
        raise ToolFailed("tool_failed", message)

    async def _hang(self) -> str:
        await asyncio.get_running_loop().create_future()
        raise AssertionError("a future that nobody knows was resolved")

    async def _remember(self, key: str, value: str, thread: dict[str, str]) -> str:
        thread[key] = value
        return "remembered"

    async def _recall(self, key: str, thread: dict[str, str]) -> str:
        if key not in thread:
            raise ToolFailed("unknown_key", f"this thread remembers nothing under {key[:64]!r}", status=404)
        return thread[key]
