"""What the messages of LangChain say, in the three forms in which LangGraph streams them.

Whole messages (`values`, `updates`, `messages/complete`, and what a model did not stream), pieces of one
(`messages` in the mode messages-tuple), and a message as far as it has come (`messages/partial`).
"""

from typing import Any

import msgspec

from conformance.dialects.fields import Fields
from conformance.dialects.telling import Teller
from conformance.events import Event

_THOUGHTS = {"reasoning": "reasoning", "thinking": "thinking"}
_PIECES = "AIMessageChunk"
_TYPES = {"AIMessage": "ai", _PIECES: "ai", "ToolMessage": "tool", "HumanMessage": "human", "SystemMessage": "system"}


class Streamed:
    """A message under way: what came of it, and its calls by their index, as pieces of JSON."""

    def __init__(self) -> None:
        self.text = ""
        self.thought = ""
        self.calls: dict[Any, list[str]] = {}
        self.names: dict[Any, tuple[str, str]] = {}


class Messages:
    """Tells the messages of one run; each thing once, in whichever form it comes first.

    `under_way` tells that the last one is not whole.
    """

    def __init__(self) -> None:
        self.under_way = False
        self._streamed: dict[str, Streamed] = {}
        self._whole: set[str] = set()
        self._results: set[str] = set()
        self._before: set[str] = set()

    def known(self, messages: Any) -> None:
        """Remember what was there before the run."""
        for message in messages if isinstance(messages, list) else ():
            if isinstance(message, dict):
                self._whole.add(_id(message))
                self._results.update(_call_id(message))
                self._before.update(call_id for call_id, _, _ in _calls(message))

    def whole(self, run: Teller, message: Any, told: list[Event]) -> None:
        """A whole message of the thread."""
        if not isinstance(message, dict):
            return
        kind = _kind(message, told)
        self.under_way = False
        if kind == "tool":
            self._result(run, message)
        elif kind == "ai" and (not _id(message) or _id(message) not in self._whole):
            self._whole.add(_id(message))
            before = self._streamed.get(_id(message))
            if before is None:
                run.thought(_thought(message))
                run.text(_text(message))
            self._tell_calls(run, _calls(message))

    def piece(self, run: Teller, message: Any, told: list[Event]) -> None:
        """A piece of a message; what is no piece is a whole one."""
        if not isinstance(message, dict) or message.get("type") != _PIECES:
            self.whole(run, message, told)
            return
        if _id(message) in self._whole:
            return
        streamed = self._streamed.setdefault(_id(message), Streamed())
        run.thought(_thought(message))
        run.text(_text(message))
        chunks = message.get("tool_call_chunks")
        for chunk in chunks if isinstance(chunks, list) else ():
            if isinstance(chunk, dict):
                _gather(streamed, chunk)
        last = message.get("chunk_position") == "last"
        self.under_way = not last and not _finished(message)
        if last:
            self._tell_calls(run, _gathered(streamed))

    def partial(self, run: Teller, message: Any, told: list[Event]) -> None:
        """A message as far as it has come."""
        if not isinstance(message, dict) or _kind(message, told) != "ai":
            self.whole(run, message, told)
            return
        if _id(message) in self._whole:
            return
        streamed = self._streamed.setdefault(_id(message), Streamed())
        thought, text = _thought(message), _text(message)
        if thought.startswith(streamed.thought):
            run.thought(thought[len(streamed.thought) :])
            streamed.thought = thought
        if text.startswith(streamed.text):
            run.text(text[len(streamed.text) :])
            streamed.text = text
        self.under_way = not _finished(message)
        if not self.under_way:
            self._tell_calls(run, _calls(message))

    def _tell_calls(self, run: Teller, calls: list[tuple[str, str, Any]]) -> None:
        for call_id, name, parameters in calls:
            if call_id not in run.calls and call_id not in self._before:
                run.call(call_id, name, parameters)

    def _result(self, run: Teller, message: dict[str, Any]) -> None:
        for call_id in _call_id(message):
            if call_id in self._results or call_id in self._before:
                return
            self._results.add(call_id)
            content = message.get("content")
            text = content if isinstance(content, str) else msgspec.json.encode(content).decode()
            failed = message.get("status") == "error"
            name = message.get("name")
            named = name if isinstance(name, str) else None
            if failed:
                run.outcome(call_id, named, error=text or "error")
            else:
                run.outcome(call_id, named, result=text)


def _kind(message: dict[str, Any], told: list[Event]) -> str:
    fields = Fields(message, prefix="message.")
    kind = fields.typed("type", str) or ""
    if _TYPES.get(kind, kind) == "tool":
        fields.typed("tool_call_id", str)
    told += fields.flaws
    return _TYPES.get(kind, kind)


def _id(message: dict[str, Any]) -> str:
    value = message.get("id")
    return value if isinstance(value, str) else ""


def _call_id(message: dict[str, Any]) -> list[str]:
    value = message.get("tool_call_id")
    return [value] if isinstance(value, str) else []


def _calls(message: dict[str, Any]) -> list[tuple[str, str, Any]]:
    listed = message.get("tool_calls")
    calls = [call for call in listed if isinstance(call, dict)] if isinstance(listed, list) else []
    return [
        (call["id"], call["name"], call.get("args"))
        for call in calls
        if isinstance(call.get("id"), str) and isinstance(call.get("name"), str)
    ]


def _finished(message: dict[str, Any]) -> bool:
    """Tell whether the model has said that this is all; servers without `chunk_position` have nothing else."""
    metadata = message.get("response_metadata")
    return isinstance(metadata, dict) and bool(metadata.get("finish_reason") or metadata.get("stop_reason"))


def _gather(streamed: Streamed, chunk: dict[str, Any]) -> None:
    index, name, call_id, args = (chunk.get(part) for part in ("index", "name", "id", "args"))
    if not isinstance(index, int | str | None):
        return
    if isinstance(call_id, str) and call_id and isinstance(name, str) and name:
        if index is None:
            index = call_id
        streamed.names[index] = (call_id, name)
    if isinstance(args, str):
        streamed.calls.setdefault(index, []).append(args)


def _gathered(streamed: Streamed) -> list[tuple[str, str, Any]]:
    """Return the calls whose arguments are JSON: those are run, the others are not."""
    found: list[tuple[str, str, Any]] = []
    for index, (call_id, name) in streamed.names.items():
        text = "".join(streamed.calls.get(index, []))
        try:
            found.append((call_id, name, msgspec.json.decode(text) if text else {}))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            continue
    return found


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "".join(block if isinstance(block, str) else _of_block(block, "text", "text") for block in blocks)


def _thought(message: dict[str, Any]) -> str:
    content, more = message.get("content"), message.get("additional_kwargs")
    blocks = content if isinstance(content, list) else []
    told = "".join(_of_block(block, kind, field) for block in blocks for kind, field in _THOUGHTS.items())
    other = more.get("reasoning_content") if isinstance(more, dict) else None
    return told or (other if isinstance(other, str) else "")


def _of_block(block: Any, kind: str, field: str) -> str:
    """Return the text of a block of content of that kind; some have no `type`, or several kinds of text."""
    if not isinstance(block, dict) or block.get("type") not in (kind, f"{kind}_delta"):
        return ""
    value = block.get(field)
    return value if isinstance(value, str) else ""
