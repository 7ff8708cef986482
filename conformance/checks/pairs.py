"""Tool calls as they were told, paired with those that took place. Pure."""

from collections.abc import Iterable
from typing import Any

import msgspec

from conformance.ground import ToolCall
from conformance.story import Story, Tool


class Pairs(msgspec.Struct, frozen=True, eq=False):
    """`both` are the pairs; `changed` those that only the tool's name holds together; and what is left over."""

    both: list[tuple[Tool, ToolCall]]
    changed: list[tuple[Tool, ToolCall]]
    told: list[Tool]
    made: list[ToolCall]


def pair(story: Story, calls: Iterable[ToolCall]) -> Pairs:
    """Pair the tools of a run with the calls that were its: by id, else by name and parameters, else by name alone."""
    told, made = list(story.tools.items()), sorted(calls, key=lambda call: (not call.completed, call.line))
    both: list[tuple[Tool, ToolCall]] = []
    for fits in (_by_id, _by_all):
        for entry in list(told):
            call = next((call for call in made if fits(entry, call)), None)
            if call is not None:
                told.remove(entry)
                made.remove(call)
                both.append((entry[1], call))
    changed = []
    for entry in list(told):
        named = [call for call in made if same_tool(_name(entry[1]), call.op.tool)]
        rivals = [other for _, other in told if named and same_tool(_name(other), named[0].op.tool)]
        if len(named) == 1 and len(rivals) == 1:
            told.remove(entry)
            made.remove(named[0])
            changed.append((entry[1], named[0]))
    return Pairs(both, changed, [tool for _, tool in told], sorted(made, key=lambda call: call.line))


def same_tool(told: str, called: str) -> bool:
    """Tell whether a tool is told under its own name, or a longer one that ends in it (`mcp__tools__echo`)."""
    return told == called or (told.endswith(called) and not told[: -len(called)][-1:].isalnum())


def same_parameters(told: Any, called: Any) -> bool:
    """Tell whether parameters agree as far as they are told: some engines leave out what is long, or all of it."""
    if isinstance(told, str):
        try:
            told = msgspec.json.decode(told) if told.strip() else None
        except msgspec.DecodeError:
            return False
    if not told or not called:
        return True
    if not isinstance(told, dict) or not isinstance(called, dict):
        return bool(told == called)
    common = told.keys() & called.keys()
    return bool(common) and all(told[name] == called[name] for name in common)


def _by_id(entry: tuple[str, Tool], call: ToolCall) -> bool:
    return call.op.tool_call_id == entry[0]


def _by_all(entry: tuple[str, Tool], call: ToolCall) -> bool:
    payload = entry[1].started.event.payload
    return same_tool(payload.tool_name, call.op.tool) and same_parameters(payload.parameters, call.op.arguments)


def _name(tool: Tool) -> str:
    name: str = tool.started.event.payload.tool_name
    return name
