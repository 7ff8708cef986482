"""Recordings that others made: the frames of one connection, as they came, one a line."""

from collections.abc import Sequence
from typing import IO

from conformance import __version__
from conformance.catalogue import Catalogue
from conformance.dialects import named
from conformance.errors import UsageError
from conformance.history import operations as ops
from conformance.history.operations import FORMAT, ClosedBy, Header
from conformance.history.recorder import frame_operation
from conformance.judge import Judge
from conformance.verdict import Verdict

_CONN = 1


def judge_frames(
    lines: IO[bytes], *, name: str, dialect: str, catalogue: Catalogue, only: Sequence[str] = ()
) -> Verdict:
    """Judge the frames that a client received on one connection, one a line, in order.

    The recording is taken to be whole: where it ends, the target closed the connection. When a frame came is not
    recorded, so nothing is said of latency. Raises `UsageError` where there is no frame at all.
    """
    spoken = named(dialect)
    header = Header(
        format=FORMAT,
        kit=__version__,
        catalogue=catalogue.REVISION,
        began_us=0,
        target=name,
        dialect=spoken.name,
        command="check",
        timed=False,
    )
    judge = Judge(header, spoken, catalogue)
    judge.feed(ops.Connecting(0, _CONN, None, name))
    judge.feed(ops.Connected(0, _CONN))
    frames = 0
    for line in lines:
        text = line.rstrip(b"\r\n")
        if text:
            frames += 1
            judge.feed(frame_operation(ops.Received, frames, _CONN, text.decode(errors="surrogateescape")))
    if not frames:
        raise UsageError(f"{name}: no frames in it; expected one a line")
    judge.feed(ops.Closed(frames + 1, _CONN, ClosedBy.TARGET))
    return judge.verdict(only=only)
