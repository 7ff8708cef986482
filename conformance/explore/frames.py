"""Frames that every target must refuse: made from the protocol's own requests by mutation, and from scratch.

A mutated frame counts only where it certainly is none that the protocol allows: it is not JSON any more, it is no
object, or it lacks a field that its request is required to have, or holds something else there.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.dialects.dialect import Dialect
from conformance.errors import UsageError
from conformance.history.operations import Action, Asked

_OTHERS: tuple[Any, ...] = (None, True, 7, -1.5, [], {}, [[]], {"text": "x"})
_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)


def requests(dialect: Dialect) -> list[str]:
    """Return the frames by which a client asks for something in a protocol."""
    found = []
    for action in (Action.START, Action.CONTINUE, Action.STOP, Action.RESUME):
        thread = "thread-of-a-mutant" if action is Action.CONTINUE else None
        asked = Asked(0, 0, 0, "", action, "req-of-a-mutant", thread, run_id="run-of-a-mutant")
        try:
            frame = dialect.request(asked, "hello")
        except (NotImplementedError, UsageError):
            continue
        if _is_object(frame) and frame not in found:
            found.append(frame)
    return found


def malformed(dialect: Dialect) -> SearchStrategy[str]:
    """Frames that are malformed in a protocol."""
    options = [
        st.sampled_from(sorted(dialect.malformed.values(), key=len)),
        _TEXT.filter(lambda text: not _is_object(text)),
        _JSON.filter(lambda value: not isinstance(value, dict)).map(lambda value: msgspec.json.encode(value).decode()),
    ]
    frames = requests(dialect)
    if frames:
        options += [_truncated(frames), _damaged(frames)]
    required = [(frame, path) for frame in frames for path in dialect.required(frame)]
    if required:
        options.append(_wrong(required))
    return st.one_of(options)


def unknown_types(dialect: Dialect) -> SearchStrategy[str]:
    """Well-formed frames of types that no protocol has."""
    names = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=20).map("x_{}".format)
    payloads = st.dictionaries(_TEXT, _JSON, max_size=2)
    return st.builds(lambda name, payload: _encoded({"type": name, "payload": payload}), names, payloads)


def _truncated(frames: Sequence[str]) -> SearchStrategy[str]:
    """Real frames that end too early."""
    return st.sampled_from(frames).flatmap(lambda frame: st.integers(1, len(frame) - 1).map(lambda end: frame[:end]))


def _damaged(frames: Sequence[str]) -> SearchStrategy[str]:
    """Real frames with some characters replaced, such that they are no JSON any more."""

    def damage(frame: str, at: int, by: str) -> str:
        where = at % len(frame)
        return frame[:where] + by + frame[where + 1 :]

    by = st.sampled_from(("}", '"', "\\", ",", "\x01", "\ufffd"))
    damaged = st.builds(damage, st.sampled_from(frames), st.integers(0, 400), by)
    return damaged.filter(lambda frame: not _is_json(frame))


def _wrong(required: Sequence[tuple[str, tuple[str, ...]]]) -> SearchStrategy[str]:
    """Real frames that lack a required field, or hold something else there than a text."""
    places, others = st.sampled_from(required), st.sampled_from(_OTHERS)
    missing = places.map(lambda place: _without(place[0], place[1]))
    return missing | st.builds(lambda place, value: _with(place[0], place[1], value), places, others)


def _without(frame: str, path: tuple[str, ...]) -> str:
    document = msgspec.json.decode(frame)
    del _holder(document, path)[path[-1]]
    return _encoded(document)


def _with(frame: str, path: tuple[str, ...], value: object) -> str:
    document = msgspec.json.decode(frame)
    _holder(document, path)[path[-1]] = value
    return _encoded(document)


def _holder(document: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    for name in path[:-1]:
        document = document[name]
    return document


def _encoded(document: Mapping[str, Any]) -> str:
    return msgspec.json.encode(document).decode()


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return False
    return True


def _is_object(text: str) -> bool:
    return _is_json(text) and isinstance(msgspec.json.decode(text), dict)
