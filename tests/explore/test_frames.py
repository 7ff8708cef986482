"""Fuzzed frames: an engine that reads requests to the letter, and knows nothing of the kit, refuses each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.dialects import named
from conformance.explore import frames
from reference_impl.agui import decode_input
from reference_impl.errors import ErrorCode, Refusal
from reference_impl.messages import RunRequest, StartAgent, UserMessage, decode_message


def taken(frame: str) -> None:
    message = decode_message(frame)
    if isinstance(message, StartAgent | UserMessage):
        RunRequest.of(message)


@given(frames.malformed(named("five-events")))
def test_no_malformed_frame_of_five_events_is_taken(frame: str) -> None:
    with pytest.raises(Refusal) as refused:
        taken(frame)
    assert refused.value.code in (ErrorCode.BAD_JSON, ErrorCode.BAD_MESSAGE)


@given(frames.unknown_types(named("five-events")))
def test_no_frame_of_an_unknown_type_is_taken(frame: str) -> None:
    with pytest.raises(Refusal) as refused:
        taken(frame)
    assert refused.value.code is ErrorCode.UNKNOWN_TYPE


@given(frames.malformed(named("ag-ui")))
def test_no_malformed_input_of_ag_ui_is_taken(frame: str) -> None:
    with pytest.raises(Refusal):
        decode_input(frame.encode())


@pytest.mark.parametrize("dialect", ["five-events", "ag-ui"])
def test_the_requests_that_are_mutated_are_the_protocols_own(dialect: str) -> None:
    spoken = named(dialect)
    found = frames.requests(spoken)
    assert len(found) == (4 if dialect == "five-events" else 2)
    assert all(spoken.required(frame) for frame in found)
    for frame in found if dialect == "five-events" else []:
        taken(frame)


@given(st.data())
def test_mutants_lack_something_that_is_required(data: st.DataObject) -> None:
    whole = frames.requests(named("five-events"))
    assert data.draw(frames.malformed(named("five-events"))) not in whole
