"""A recording judged again: the same history gives the same verdict."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from conformance.catalogue import Catalogue
from conformance.dialects import recorded
from conformance.express.lane import Lane
from conformance.history.store import HistoryReader
from conformance.judge import Judge
from conformance.verdict import Verdict

_BLOCKS_A_COLLECTION = 256


def judge_recording(
    lines: IO[bytes], *, name: str, catalogue: Catalogue, only: Sequence[str] = (), block: int = 1 << 19
) -> Verdict:
    """Judge a history of the kit's; `name` is what error messages call it. It is read by about `block` bytes.

    `only` are ids and families of requirements; where it is empty, those in the history's header count. Raises
    `UsageError` where `lines` are not such a history.
    """
    reader = HistoryReader(lines, name=name)
    header = reader.header
    judge = Judge(header, recorded(header.dialect, header.mapping), catalogue)
    lane = Lane(judge, reader.operation)
    with _collecting_seldom():
        for count, (number, read) in enumerate(reader.blocks(block), start=1):
            lane.feed(read, number)
            if count % _BLOCKS_A_COLLECTION == 0:
                gc.collect()
    if reader.last is not None:
        judge.feed(reader.last)
    return judge.verdict(only=only or reader.header.only, truncated=reader.truncated)


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Keep the garbage collector from looking for cycles every few hundred objects: judging leaves hardly any."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
