"""The record of the kit's own faults: each begins and ends as an operation of the history."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from conformance.history.operations import FaultBegan, FaultEnded, FaultKind
from conformance.history.recorder import Recorder


class Faults:
    """Numbers the faults of one run of the kit, and records them."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._numbers = count(1)

    def begin(self, kind: FaultKind, *, user: str | None = None, detail: str = "") -> int:
        """Record that a fault begins, of `user`'s network or of the target's process; return its number."""
        number = next(self._numbers)
        self.recorder.record(FaultBegan(self.recorder.clock.now(), number, kind, user, detail))
        return number

    def end(self, fault: int, *, problem: str | None = None) -> None:
        """Record that it is over."""
        self.recorder.record(FaultEnded(self.recorder.clock.now(), fault, problem))

    @contextmanager
    def during(self, kind: FaultKind, *, user: str | None = None, detail: str = "") -> Iterator[None]:
        """Record a fault that lasts as long as the block."""
        fault = self.begin(kind, user=user, detail=detail)
        try:
            yield
        finally:
            self.end(fault)
