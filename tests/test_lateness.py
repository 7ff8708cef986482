"""The kit's own lateness is in the history before what it came to late."""

import asyncio
import time

from conformance.history import operations as ops
from conformance.history.operations import Operation
from conformance.history.recorder import Clock, Recorder
from conformance.lateness import Lateness


async def test_what_the_kit_comes_to_late_is_recorded_after_its_being_late() -> None:
    tape: list[Operation] = []
    clock = Clock()
    lateness = Lateness(clock)
    recorder = lateness.recorder = Recorder(clock, [lateness.look, tape.append])
    watching = asyncio.create_task(lateness.watch())
    await asyncio.sleep(0)
    recorder.record(ops.Pinged(clock.now(), 1))
    time.sleep(0.2)  # noqa: ASYNC251 - the event loop is held up on purpose
    began = clock.now()
    recorder.record(ops.Pinged(began, 2))
    watching.cancel()
    first, lagged, late = tape
    assert isinstance(lagged, ops.Lagged)
    assert (first, late) == (ops.Pinged(first.at, 1), ops.Pinged(began, 2))
    assert 130 <= lagged.by_ms <= (began - first.at) / 1000
    assert lateness.late_us(0) >= 130_000
    assert lateness.late_us(began + 1) == 0


def test_before_it_watches_nothing_is_late() -> None:
    tape: list[Operation] = []
    clock = Clock()
    lateness = Lateness(clock)
    recorder = lateness.recorder = Recorder(clock, [lateness.look, tape.append])
    recorder.record(ops.Pinged(clock.now() + 10_000_000, 1))
    assert len(tape) == 1
