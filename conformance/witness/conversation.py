"""What a model is shown: the messages of a request, in whichever form a framework puts them. Pure."""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

import msgspec

from conformance.witness.script_text import holds_script


class Kind(Enum):
    """What an item of a conversation is."""

    SAID = "said"
    CALLED = "called"
    ANSWERED = "answered"
    OTHER = "other"


class Item(msgspec.Struct, frozen=True):
    """A message, a tool call, a tool's result, or something else (reasoning)."""

    role: str
    text: str
    kind: Kind = Kind.SAID


class Conversation(msgspec.Struct, frozen=True):
    """The items of a request, oldest first."""

    items: tuple[Item, ...]

    @property
    def newest(self) -> int | None:
        """The index of the message to obey: the newest of the user's that holds a script, within the last turn.

        Frameworks add notes of their own in the user's name behind the user's words, so the very last message need
        not be it. A message that follows the model's answer begins a new turn. Without any of the user's, it is the
        last one that is not the model's.
        """
        users = [number for number, item in enumerate(self.items) if _said(item) and item.role == "user"]
        if not users:
            others = [number for number, item in enumerate(self.items) if _said(item) and item.role != "assistant"]
            return others[-1] if others else None
        for number in reversed(users):
            if holds_script(self.items[number].text):
                return number
            if self._begins_turn(number):
                break
        return users[-1]

    def _begins_turn(self, number: int) -> bool:
        before = [item for item in self.items[:number] if item.kind is not Kind.OTHER]
        return bool(before) and _said(before[-1]) and before[-1].role == "assistant"

    def calls_made(self, since: int) -> int:
        """Return how many tool calls were made and dealt with after the item `since`."""
        after = self.items[since + 1 :]
        called = sum(item.kind is Kind.CALLED for item in after)
        answered = sum(item.kind is Kind.ANSWERED for item in after)
        # Some frameworks show only the results, some leave out that of a call that failed.
        return max(called, answered)


def _said(item: Item) -> bool:
    return item.kind is Kind.SAID


def of_chat(messages: Iterable[Mapping[str, Any]]) -> list[Item]:
    """Read the `messages` of a Chat Completions request."""
    items: list[Item] = []
    for message in messages:
        role = str(message.get("role") or "user")
        text = text_of(message.get("content"))
        if role in ("tool", "function"):
            items.append(Item(role, text, Kind.ANSWERED))
            continue
        thought = message.get("reasoning_content") or message.get("reasoning")
        if thought:
            items.append(Item("reasoning", text_of(thought), Kind.OTHER))
        if text or role != "assistant":
            items.append(Item(role, text))
        calls = message.get("tool_calls") or ([message["function_call"]] if message.get("function_call") else [])
        items += [Item(role, _call_text(call), Kind.CALLED) for call in calls]
    return items


def of_responses(data: Any) -> list[Item]:
    """Read the `input` of a Responses request: a string, or a list of items and strings."""
    return [_item(item) for item in ([data] if isinstance(data, str) else data or ())]


def _item(item: Any) -> Item:
    if isinstance(item, str):
        return Item("user", item)
    kind = str(item.get("type") or "message")
    match kind:
        case "message":
            return Item(str(item.get("role") or "user"), text_of(item.get("content")))
        case "function_call" | "custom_tool_call":
            return Item("assistant", _call_text(item), Kind.CALLED)
        case "function_call_output" | "custom_tool_call_output":
            return Item("tool", text_of(item.get("output")), Kind.ANSWERED)
        case "item_reference":
            return _referenced(str(item.get("id") or ""))
        case "reasoning":
            return Item(kind, "\n".join(text_of(item.get(name)) for name in ("summary", "content")), Kind.OTHER)
        case _:
            return Item(kind, _json(item), Kind.OTHER)


def _referenced(name: str) -> Item:
    """Return what an id of the witness's own stands for, as far as counting goes."""
    if name.startswith("fc_"):
        return Item("assistant", "", Kind.CALLED)
    return Item("assistant", "", Kind.SAID if name.startswith("msg_") else Kind.OTHER)


def _call_text(call: Mapping[str, Any]) -> str:
    function = call["function"] if isinstance(call.get("function"), dict) else call
    arguments = function.get("arguments", function.get("input", ""))
    return f"{function.get('name', '')} {arguments if isinstance(arguments, str) else _json(arguments)}"


def text_of(content: Any) -> str:
    """Return the words of a message's content: a string, or parts. What has no words stands as JSON."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(_part(part) for part in content)
    return _part(content)


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict):
        for name in ("text", "refusal"):
            if isinstance(part.get(name), str):
                return str(part[name])
    return _json(part)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
