"""What holds for every legal recording of AG-UI, and for every one with a single event dropped, doubled or changed."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checks.examples import described
from tests.dialects_ag_ui.legal import Response, legal_recording, plain_run, written
from tests.dialects_ag_ui.streams import Frames, judged

seeds = st.integers(min_value=0, max_value=2**32 - 1)


@dataclass(frozen=True)
class Mutation:
    """What is done to the first event of a type, and exactly what that breaks."""

    what: Callable[[Frames, int], None]
    wire_type: str
    breaks: frozenset[str]

    @property
    def name(self) -> str:
        """What it is called in a test's id."""
        return f"{self.what.__name__}-{self.wire_type}"


def drop(frames: Frames, at: int) -> None:
    del frames[at]


def double(frames: Frames, at: int) -> None:
    frames.insert(at, frames[at])


def rename(frames: Frames, at: int) -> None:
    """Give what it is about another id or name."""
    names = ("toolCallId", "messageId", "stepName", "threadId")
    name = next(name for name in names if name in frames[at])
    frames[at] = {**frames[at], name: "another"}


def truncate(frames: Frames, at: int) -> None:
    del frames[at:]


def _mutation(what: Callable[[Frames, int], None], wire_type: str, *breaks: str) -> Mutation:
    return Mutation(what, wire_type, frozenset(breaks))


MUTATIONS = (
    _mutation(drop, "RUN_STARTED", "AGU-01", "EVT-01"),
    _mutation(drop, "RUN_FINISHED", "EVT-02"),
    _mutation(drop, "TEXT_MESSAGE_START", "AGU-06"),
    _mutation(drop, "TEXT_MESSAGE_END", "AGU-10"),
    _mutation(drop, "TOOL_CALL_START", "AGU-07", "AGU-15", "EVT-05", "EVT-06"),
    _mutation(drop, "TOOL_CALL_END", "AGU-10", "AGU-17"),
    _mutation(drop, "STEP_STARTED", "AGU-08"),
    _mutation(drop, "STEP_FINISHED", "AGU-10"),
    _mutation(drop, "REASONING_START", "AGU-09"),
    _mutation(drop, "REASONING_END", "AGU-11"),
    _mutation(drop, "REASONING_MESSAGE_START", "AGU-09"),
    _mutation(drop, "REASONING_MESSAGE_END", "AGU-11"),
    _mutation(double, "RUN_STARTED", "AGU-02", "EVT-01", "EVT-14"),
    _mutation(double, "RUN_FINISHED", "AGU-04", "EVT-02", "EVT-03"),
    _mutation(double, "TEXT_MESSAGE_START", "AGU-06"),
    _mutation(double, "TEXT_MESSAGE_END", "AGU-06"),
    _mutation(double, "TOOL_CALL_START", "AGU-07"),
    _mutation(double, "TOOL_CALL_END", "AGU-07"),
    _mutation(double, "TOOL_CALL_RESULT", "EVT-05"),
    _mutation(double, "STEP_STARTED", "AGU-08"),
    _mutation(double, "STEP_FINISHED", "AGU-08"),
    _mutation(double, "REASONING_MESSAGE_START", "AGU-09"),
    _mutation(double, "REASONING_MESSAGE_END", "AGU-09"),
    _mutation(rename, "RUN_FINISHED", "AGU-05"),
    _mutation(rename, "TEXT_MESSAGE_CONTENT", "AGU-06"),
    _mutation(rename, "TOOL_CALL_RESULT", "AGU-15", "EVT-05", "EVT-06"),
    _mutation(rename, "STEP_FINISHED", "AGU-08", "AGU-10"),
    _mutation(truncate, "TEXT_MESSAGE_CONTENT", "EVT-02"),
    _mutation(truncate, "RUN_FINISHED", "EVT-02"),
)


@given(seeds)
def test_a_legal_recording_violates_nothing(seed: int) -> None:
    random = Random(seed)
    assert described(judged(written(legal_recording(random), random))) == {}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
@given(seed=seeds)
def test_one_event_wrong_breaks_exactly_that(mutation: Mutation, seed: int) -> None:
    random = Random(seed)
    frames = plain_run(random)
    at = next(place for place, frame in enumerate(frames) if frame["type"] == mutation.wire_type)
    mutation.what(frames, at)
    responses = legal_recording(random)
    responses.insert(random.randrange(len(responses) + 1), Response(frames))
    assert described(judged(written(responses, random))).keys() == mutation.breaks
