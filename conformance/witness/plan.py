"""What the model does next: its moves in answer to one request, from nothing but what it is shown. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from conformance.witness.conversation import Conversation, Item, Kind
from conformance.witness.script_text import BadScript, find_scripts

_STEPS = "think, tool, parallel, say, stall_ms, slow_ms, fail or recall"
MAX_PAUSE_MS = 86_400_000
UNSCRIPTED_THOUGHT = "The message holds no script: repeating it."
NOTHING_EARLIER = "There are no earlier messages."


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the model does. `step` is the index in the script; `pace_ms` the pause after each token."""

    step: int | None = None
    pace_ms: float = 0.0


class Think(Move, frozen=True):
    """Reason."""

    text: str


class Say(Move, frozen=True):
    """Answer."""

    text: str


class ToolCall(msgspec.Struct, frozen=True):
    """One tool call: the tool's name as it was offered, the arguments as JSON, or on purpose not quite."""

    name: str
    arguments: str


class CallTools(Move, frozen=True):
    """Ask for these tool calls, all at once, and end the answer."""

    calls: tuple[ToolCall, ...]


class Stall(Move, frozen=True):
    """Be silent for so long."""

    ms: float


class Fail(Move, frozen=True):
    """Fail: with an HTTP status before anything is sent, or in the middle of the stream."""

    message: str
    status: int = 500
    mid_stream: bool = False


def plan(conversation: Conversation, offered: Sequence[str], *, parallel: bool = True) -> tuple[Move, ...]:
    """Return what the model does in answer to this conversation: up to the next tool calls, or to the end.

    `offered` names the tools; where `parallel` is not allowed, parallel calls are made one after the other. A script
    that is not as the protocol says makes the model refuse the request with status 400.
    """
    newest = conversation.newest
    if newest is None:
        return (Fail(message="no message of a user is to be seen", status=400),)
    message = conversation.items[newest]
    try:
        scripts = find_scripts(message.text)
        if not scripts:
            return (Think(text=UNSCRIPTED_THOUGHT), Say(text=f"You said: {message.text}"))
        earlier = _earlier(conversation.items[:newest])
        if len(scripts) > 1:  # a whole conversation in one message
            earlier.append(f"{message.role}: {message.text[: scripts[-1].start]}")
        follower = _Follower(offered, earlier, conversation.calls_made(newest), parallel=parallel)
        return _failing_first(follower.follow(scripts[-1].steps))
    except BadScript as bad:
        return (Fail(message=str(bad), status=400),)


def _earlier(items: Sequence[Item]) -> list[str]:
    return [f"{item.role}: {item.text}" for item in items if item.kind in (Kind.SAID, Kind.ANSWERED)]


def _failing_first(moves: list[Move]) -> tuple[Move, ...]:
    """A failure before the stream leaves nothing of what would come before it but the time."""
    if moves and isinstance(moves[-1], Fail) and not moves[-1].mid_stream:
        return (*(move for move in moves[:-1] if isinstance(move, Stall)), moves[-1])
    return tuple(moves)


class _Follower:
    """Follows a script of whose tool calls `done` are over."""

    def __init__(self, offered: Sequence[str], earlier: list[str], done: int, *, parallel: bool) -> None:
        self._offered = offered
        self._earlier = earlier
        self._done = done
        self._parallel = parallel

    def follow(self, steps: list[Any]) -> list[Move]:
        moves: list[Move] = []
        pace = 0.0
        for number, step in enumerate(steps):
            match read_step(step, number):
                case SlowDown(ms=ms):
                    pace = ms
                case Recall(pace_ms=own):
                    text = "\n".join(self._earlier) or NOTHING_EARLIER
                    moves.append(Say(text=text, step=number, pace_ms=own or pace))
                case CallTools(calls=calls) as group:
                    if self._done:  # all that comes before was said when they were asked for
                        moves.clear()
                    left = calls[self._done :]
                    self._done = max(0, self._done - len(calls))
                    if left:
                        named = self._named(left if self._parallel else left[:1])
                        return [*moves, CallTools(calls=named, step=number, pace_ms=group.pace_ms or pace)]
                case Fail() as failure:
                    return [*moves, failure]
                case move:
                    moves.append(msgspec.structs.replace(move, pace_ms=move.pace_ms or pace))
        return moves

    def _named(self, calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
        return tuple(ToolCall(offered_name(call.name, self._offered), call.arguments) for call in calls)


def offered_name(name: str, offered: Sequence[str]) -> str:
    """Return the name under which a tool is offered: its own, else the shortest that ends in it after a separator."""
    if name in offered:
        return name
    similar = [other for other in offered if other.endswith(name) and not other[: -len(name)][-1:].isalnum()]
    return min(similar, key=len, default=name)


# -- the steps of a script -----------------------------------------------------------------------------------------


class SlowDown(Move, frozen=True):
    """Pause so long after each token, from here on."""

    ms: float


class Recall(Move, frozen=True):
    """Say everything that can be seen of earlier messages."""


def read_step(step: Any, number: int) -> Move:
    """Return what a step of a script asks for. Raises `BadScript`."""
    match step:
        case {"think": str(text), **rest}:
            return Think(text=text, step=number, pace_ms=_pace(rest, step, number))
        case {"say": str(text), **rest}:
            return Say(text=text, step=number, pace_ms=_pace(rest, step, number))
        case {"recall": True, **rest}:
            return Recall(step=number, pace_ms=_pace(rest, step, number))
        case {"tool": _}:
            pace = _pace({key: step[key] for key in step if key == "slow_ms"}, step, number)
            return CallTools(calls=(_call(step, step, number),), step=number, pace_ms=pace)
        case {"parallel": list(calls), **rest}:
            pace = _pace(rest, step, number)
            return CallTools(calls=tuple(_call(call, step, number) for call in calls), step=number, pace_ms=pace)
        case {"stall_ms": int() | float() as ms, **rest} if not rest:
            return Stall(ms=_pause(ms, step, number), step=number)
        case {"slow_ms": int() | float() as ms, **rest} if not rest:
            return SlowDown(ms=_pause(ms, step, number), step=number)
        case {"fail": str(message), **rest}:
            return _failure(message, rest, step, number)
        case _:
            raise BadScript(_not_known(step, number))


def _failure(message: str, rest: Mapping[Any, Any], step: Any, number: int) -> Fail:
    when, status = rest.get("when", "before_stream"), rest.get("status", 500)
    known = rest.keys() <= {"when", "status"} and when in ("before_stream", "mid_stream")
    if not known or type(status) is not int or not 400 <= status <= 599:
        expected = '{"fail": message}, with "when": "before_stream" or "mid_stream", and "status": 400 to 599'
        raise BadScript(_not_known(step, number, expected))
    return Fail(message=message or "The model failed.", status=status, mid_stream=when == "mid_stream", step=number)


def _call(call: Any, step: Any, number: int) -> ToolCall:
    match call:
        case {"tool": str(name), **rest} if name and rest.keys() <= {"args", "bad_arguments", "slow_ms"}:
            args = rest.get("args", {})
            if isinstance(args, dict):
                text = msgspec.json.encode(args).decode()
                return ToolCall(name, text[:-1] if rest.get("bad_arguments") else text)
    expected = '{"tool": name, "args": {…}}, with "bad_arguments": true or "slow_ms": n'
    raise BadScript(_not_known(step, number, expected))


def _pace(rest: Mapping[Any, Any], step: Any, number: int) -> float:
    if not rest:
        return 0.0
    slow = rest.get("slow_ms")
    if rest.keys() != {"slow_ms"} or not isinstance(slow, int | float):
        raise BadScript(_not_known(step, number))
    return _pause(slow, step, number)


def _pause(ms: float, step: Any, number: int) -> float:
    if isinstance(ms, bool) or not 0 <= ms <= MAX_PAUSE_MS:
        raise BadScript(_not_known(step, number, f"a pause of 0 to {MAX_PAUSE_MS} ms"))
    return float(ms)


def _not_known(step: Any, number: int, expected: str = _STEPS) -> str:
    text = msgspec.json.encode(step).decode()
    shown = text if len(text) <= 80 else f"{text[:79]}…"
    return f"step {number + 1} of the script: expected {expected}; found {shown}"
