"""How a dialect's lines are read in one step: the operation and, within it, the frame as typed structs."""

from functools import reduce
from operator import or_
from typing import Any, get_args

import msgspec

from conformance.dialects.dialect import Dialect
from conformance.events import Kind
from conformance.history import operations as ops


class Speech:
    """Reads the lines of a history in `dialect`: those that may be plain, in one step.

    `received` is the class of received frames that are told by the book, `acceptance` that of their frames that accept
    a question; all others are run events, of these `kinds`: `text` is what streams text, `end` what completes a run.
    None of it stands for any other frame.
    """

    def __init__(self, frames: Any, acceptance: type) -> None:
        self.acceptance = acceptance
        self.kinds: dict[type, Kind] = {frame: frame.kind for frame in get_args(frames) if frame is not acceptance}
        frame_of = {kind: frame for frame, kind in self.kinds.items()}
        self.text, self.end = frame_of[Kind.TEXT], frame_of[Kind.COMPLETED]
        self.received: type = msgspec.defstruct(
            "PlainReceived",
            [("at", int), ("conn", int), ("frame", frames)],
            tag_field="op",
            tag="received",
            forbid_unknown_fields=True,
            frozen=True,
            gc=False,
        )
        plain: Any = reduce(or_, (self.received, ops.Asked, ops.Sent, ops.Pinged))
        self._decode = msgspec.json.Decoder(plain).decode

    def read(self, lines: list[bytes]) -> list[Any]:
        """Return what each line says; None for a line that says anything else."""
        rest = iter(lines)
        read: list[Any] = []
        while len(read) < len(lines):
            try:
                read.extend(map(self._decode, rest))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                read.append(None)
        return read


def speech_of(dialect: Dialect) -> Speech | None:
    """Return how to read a dialect in one step; None for one that does not say."""
    frames, acceptance = getattr(dialect, "plain_frames", None), getattr(dialect, "acceptance", None)
    return Speech(frames, acceptance) if frames is not None and acceptance is not None else None
