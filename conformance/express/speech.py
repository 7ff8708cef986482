"""How a dialect's lines are read in one step: the operation and, within it, the frame as typed structs."""

from collections.abc import Callable, Sequence
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
        self._decode_frame = msgspec.json.Decoder(frames).decode

    def read(self, lines: list[bytes]) -> list[Any]:
        """Return what each line says; None for a line that says anything else."""
        return _each(self._decode, lines)[0]

    def hear(self, ats: Sequence[int], conns: Sequence[int], raws: Sequence[bytes]) -> tuple[list[Any], bool]:
        """Return what received frames say, as `read` does of their lines; and whether some are not plain, and None.

        They are given as columns: when each came (µs), on which connection, and its bytes.
        """
        said, odd = _each(self._decode_frame, raws)
        if odd:
            told = zip(ats, conns, said, strict=True)
            return [self.received(*one) if one[2] is not None else None for one in told], True
        return list(map(self.received, ats, conns, said)), False


def _each(decode: Callable[[bytes], Any], texts: Sequence[bytes]) -> tuple[list[Any], bool]:
    """Decode each; put None for those that cannot be, and tell whether there are any."""
    rest = iter(texts)
    read: list[Any] = []
    odd = False
    while len(read) < len(texts):
        try:
            read.extend(map(decode, rest))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            read.append(None)
            odd = True
    return read, odd


def speech_of(dialect: Dialect) -> Speech | None:
    """Return how to read a dialect in one step; None for one that does not say."""
    frames, acceptance = getattr(dialect, "plain_frames", None), getattr(dialect, "acceptance", None)
    return Speech(frames, acceptance) if frames is not None and acceptance is not None else None
