"""Latencies of a recording, as a load measures them: both in bulk and event by event."""

from io import BytesIO

import msgspec
import pytest

from benchmarks.history import Generator
from conformance.catalogue import load
from conformance.dialects import named
from conformance.history.operations import Asked, Connected, Lagged
from conformance.history.store import HistoryReader
from load.measure import DELIVERY, FIRST_EVENT, RUN, WHILE_LATE, Key
from load.memory import Memory
from load.sketch import Sketch
from load.stream import Stream

RECORDING = b"".join(Generator(events=2_000, together=10, lengths=(5, 20)).lines())
WAITED_US = 1_500_000


def seen(*, at_once: bool, connecting_us: int = 0, slow_us: int = 0, lags_every: int = 0) -> dict[Key, Sketch]:
    """Measure the recording, its events as much slower as wanted, its questions due before its users were connected."""
    reader = HistoryReader(BytesIO(RECORDING), name="recording")
    header = msgspec.structs.replace(reader.header, began_us=reader.header.began_us + slow_us)
    stream = Stream(header, named("five-events"), load(), memory=Memory(1 << 20), seen=lambda: None)
    for number, operation in enumerate(reader, 1):
        if lags_every and number % lags_every == 0:
            stream.record(Lagged(operation.at - slow_us // 2, by_ms=50.0))
            stream.record(Lagged(operation.at, by_ms=0.1))
        asked = isinstance(operation, Asked) and connecting_us > 0
        due = {"due": operation.at - connecting_us} if asked else {}
        due |= {"at": -slow_us} if slow_us and isinstance(operation, Connected) else {}
        stream.record(msgspec.structs.replace(operation, **due))
        if at_once:
            stream.flush()
    stream.finish()
    return stream.measure.settled()


def waits(sketches: dict[Key, Sketch], what: str) -> Sketch:
    found = Sketch()
    for (name, _, _), sketch in sketches.items():
        if name == what:
            found.merge(sketch)
    return found


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("what", [FIRST_EVENT, RUN])
def test_a_user_waits_from_when_they_were_due(what: str, at_once: bool) -> None:
    asked = waits(seen(connecting_us=0, at_once=at_once), what)
    due = waits(seen(connecting_us=WAITED_US, at_once=at_once), what)
    assert asked.samples == due.samples > 100
    assert asked.over(WAITED_US) == 0
    assert due.over(WAITED_US * 0.99) == due.samples


def test_what_came_while_the_generator_was_late_is_told_apart_alike_in_bulk_and_event_by_event() -> None:
    bulk, single = (seen(at_once=at_once, slow_us=1_000, lags_every=301) for at_once in (False, True))
    assert {key: sketch.counts for key, sketch in bulk.items()} == {key: one.counts for key, one in single.items()}
    assert waits(bulk, DELIVERY).samples > 100
    assert waits(bulk, DELIVERY + WHILE_LATE).samples > 100
