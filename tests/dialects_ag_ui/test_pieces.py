"""The pieces of a streamed text may be judged as one: whatever a capture holds, the verdict is the same."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.dialects import named
from conformance.judge import Judge
from conformance.story import LONGEST_PASSAGE
from conformance.verdict import Verdict
from tests.dialects_ag_ui.streams import (
    FRAMINGS,
    Frame,
    Frames,
    call,
    finished,
    judged,
    lines,
    result,
    started,
    stream,
    violated,
)

_CLOCK = 1_769_851_800_000
_WORDS = st.one_of(st.text(max_size=6), st.sampled_from(["Hello", " ", "~", "cnry~0123456789abcdef0123~", "\u2028"]))
_ENCODED: dict[str, Callable[[Frames], bytes]] = {"lines": lines, "stream": stream}


def streamed(message: str, *words: str) -> Frames:
    """A message of the assistant's, told word by word."""
    return [
        {"type": "TEXT_MESSAGE_START", "messageId": message, "role": "assistant"},
        *(piece(message, word) for word in words),
        {"type": "TEXT_MESSAGE_END", "messageId": message},
    ]


def piece(message: str, delta: str) -> Frame:
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": message, "delta": delta}


@st.composite
def captures(draw: st.DrawFn) -> Frames:
    """Runs that say things word by word and call a tool, by the rules; with timestamps, or without."""
    frames: Frames = []
    for number in range(draw(st.integers(1, 2))):
        frames.append(started(f"run-{number}"))
        for message in range(draw(st.integers(1, 2))):
            words = draw(st.lists(_WORDS.filter(bool), min_size=1, max_size=8))
            times = draw(st.sampled_from([1, 1, 1, 1, 1, 1, LONGEST_PASSAGE]))
            frames += streamed(f"msg-{number}-{message}", *words * times)
        if draw(st.booleans()):
            frames += [*call(identifier=f"call-{number}"), result(identifier=f"call-{number}")]
        frames.append(finished(f"run-{number}"))
    if draw(st.booleans()):
        step = draw(st.sampled_from([0, 1, 40, 0.25]))
        frames = [{**frame, "timestamp": _CLOCK + place * step} for place, frame in enumerate(frames)]
    return frames


@st.composite
def changes(draw: st.DrawFn) -> Callable[[Frames], Frames]:
    """One thing that goes wrong, or is unusual, somewhere in a capture."""
    place, other = draw(st.integers(0, 5000)), draw(st.integers(0, 5000))
    fields: Any = draw(
        st.sampled_from(
            [
                {"delta": ""},
                {"delta": None},
                {"delta": 7},
                {"delta": "\ud83d"},
                {"messageId": "msg-0-1"},
                {"messageId": "somebody-else"},
                {"messageId": None},
                {"timestamp": _CLOCK - 60_000},
                {"timestamp": _CLOCK + 60_000},
                {"timestamp": 1_769_851_800},
                {"timestamp": "2026-01-31T09:30:00Z"},
                {"timestamp": None},
                {"type": "TEXT_MESSAGE_CHUNK"},
                {"type": "REASONING_MESSAGE_CONTENT"},
                {"type": "STEP_STARTED", "stepName": "a"},
                {"type": "TEXT_MESSAGE_CONTENT", "messageId": "msg-0-0", "delta": "late"},
                {"type": "NOT_OF_AG_UI"},
                {"acme.note": "x"},
                {"runId": "run-0"},
            ]
        )
    )
    kind = draw(st.sampled_from(["change", "insert", "drop", "twice", "swap", "unstamp"]))

    def change(frames: Frames) -> Frames:
        here, there = place % len(frames), other % len(frames)
        changed = list(frames)
        match kind:
            case "change":
                changed[here] = {**changed[here], **fields}
            case "insert":
                changed.insert(here, {**piece("msg-0-0", "more"), **fields})
            case "drop":
                del changed[here]
            case "twice":
                changed.insert(there, changed[here])
            case "swap":
                changed[here], changed[there] = changed[there], changed[here]
            case "unstamp":
                changed[here] = {name: value for name, value in changed[here].items() if name != "timestamp"}
        return changed or frames

    return change


def _recorded(rows: list[tuple[int, bool]]) -> Callable[..., bool]:
    feed = Judge.feed_pieces

    def recording(judge: Judge, at: int, conn: int, raws: list[bytes]) -> bool:
        rows.append((len(raws), feed(judge, at, conn, raws)))
        return rows[-1][1]

    return recording


def one_by_one(recording: bytes) -> Verdict:
    """Judge a recording piece by piece."""
    with patch.object(type(named("ag-ui")), "piece", ""):
        return judged(recording)


def same(recording: bytes) -> Verdict:
    """Judge a recording both ways: the verdicts must be equal, in all they count and find."""
    together, apart = judged(recording), one_by_one(recording)
    for ours, theirs in zip(together.requirements, apart.requirements, strict=True):
        assert ours == theirs
    assert together == apart
    return together


@pytest.mark.parametrize("framing", FRAMINGS)
def test_pieces_are_judged_together(framing: str) -> None:
    """Else the other tests of this file would compare a way with itself."""
    frames = [started(), *streamed("msg-1", *"abcdef"), finished()]
    rows: list[tuple[int, bool]] = []
    with patch.object(Judge, "feed_pieces", autospec=True, side_effect=_recorded(rows)):
        judged(_ENCODED[framing](frames))
    assert rows == [(6, True)]


@pytest.mark.parametrize("framing", FRAMINGS)
@settings(max_examples=60, deadline=None)
@given(captures())
def test_a_capture_without_fault(framing: str, frames: Frames) -> None:
    assert violated(same(_ENCODED[framing](frames))) == set()


@pytest.mark.parametrize("framing", FRAMINGS)
@settings(max_examples=250, deadline=None)
@given(captures(), st.lists(changes(), min_size=1, max_size=3))
def test_a_capture_with_faults(framing: str, frames: Frames, wrong: list[Callable[[Frames], Frames]]) -> None:
    for change in wrong:
        frames = change(frames)
    same(_ENCODED[framing](frames))
