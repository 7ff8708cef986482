"""Latencies of a recording, as a load measures them: both in bulk and event by event."""

from io import BytesIO

import msgspec
import pytest

from benchmarks.history import Generator
from conformance.catalogue import load
from conformance.dialects import named
from conformance.history.operations import Asked
from conformance.history.store import HistoryReader
from load.measure import FIRST_EVENT, RUN, Key
from load.memory import Memory
from load.sketch import Sketch
from load.stream import Stream

RECORDING = b"".join(Generator(events=2_000, together=10, lengths=(5, 20)).lines())
WAITED_US = 1_500_000


def seen(*, connecting_us: int, at_once: bool) -> dict[Key, Sketch]:
    """Measure the recording, each of whose questions was due before its user was connected."""
    reader = HistoryReader(BytesIO(RECORDING), name="recording")
    stream = Stream(reader.header, named("five-events"), load(), memory=Memory(1 << 20), seen=lambda: None)
    for operation in reader:
        asked = isinstance(operation, Asked) and connecting_us > 0
        due = {"due": operation.at - connecting_us} if asked else {}
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
