"""Calls as lines for people: one when a call has ended."""

from collections.abc import Callable

import msgspec

from conformance.history.operations import (
    CallEnd,
    ModelCallBegan,
    ModelCallEnded,
    Operation,
    ToolCallBegan,
    ToolCallEnded,
)

_WIDTH = 160
_ENDS = {
    CallEnd.COMPLETED: "",
    CallEnd.FAILED: "FAILED  ",
    CallEnd.CLIENT_GONE: "CLIENT GONE  ",
    CallEnd.SHUT_DOWN: "SHUT DOWN  ",
}


class Lines:
    """Says a line for each call that ends (a `Record`): when it began, how long it took, what it was."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._open: dict[int, ModelCallBegan | ToolCallBegan] = {}

    def __call__(self, operation: Operation) -> None:
        """Take in an operation."""
        match operation:
            case ModelCallBegan() | ToolCallBegan():
                self._open[operation.call] = operation
            case ModelCallEnded() | ToolCallEnded():
                began = self._open.pop(operation.call)
                self._say(_line(began, operation))


def _line(began: ModelCallBegan | ToolCallBegan, ended: ModelCallEnded | ToolCallEnded) -> str:
    took_ms = (ended.at - began.at) / 1000
    what = f"{_asked(began)}  ->  {_ENDS[ended.end]}{_answered(ended)}".replace("\n", " ")
    what = what if len(what) <= _WIDTH else f"{what[: _WIDTH - 1]}…"
    return f"{began.at / 1e6:9.3f} s  {took_ms:8.1f} ms  #{began.call}  {what}"


def _asked(began: ModelCallBegan | ToolCallBegan) -> str:
    if isinstance(began, ToolCallBegan):
        whose = f" of {began.thread_id or began.user}" if began.thread_id or began.user else ""
        return f"tool {began.tool} {msgspec.json.encode(began.arguments).decode()} ({began.via}){whose}"
    return f"model {began.endpoint} {began.model} {len(began.seen)} messages{' streamed' if began.stream else ''}"


def _answered(ended: ModelCallEnded | ToolCallEnded) -> str:
    if ended.error is not None:
        return ended.error
    if isinstance(ended, ToolCallEnded):
        return ended.result or ""
    calls = [f"{call.name} {call.arguments}" for call in ended.tool_calls]
    steps = f"steps {', '.join(str(step + 1) for step in ended.steps)}: " if ended.steps else ""
    return steps + "  ".join([*([repr(ended.text)] if ended.text else []), *calls])
