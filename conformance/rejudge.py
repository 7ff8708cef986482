"""A recording judged again: the same history gives the same verdict."""

from collections.abc import Sequence
from typing import IO

from conformance.catalogue import Catalogue
from conformance.dialects import recorded
from conformance.express.lane import Lane
from conformance.history.store import HistoryReader
from conformance.judge import Judge, collecting_seldom
from conformance.verdict import Verdict


def judge_recording(
    lines: IO[bytes], *, name: str, catalogue: Catalogue, only: Sequence[str] = (), block: int = 1 << 17
) -> Verdict:
    """Judge a history of the kit's; `name` is what error messages call it. It is read by about `block` bytes.

    `only` are ids and families of requirements; where it is empty, those in the history's header count. Raises
    `UsageError` where `lines` are not such a history.
    """
    reader = HistoryReader(lines, name=name)
    header = reader.header
    judge = Judge(header, recorded(header.dialect, header.mapping), catalogue)
    lane = Lane(judge, reader.operation)
    with collecting_seldom():
        after = 2
        for number, read in reader.blocks(block):
            lane.feed(read, number)
            after = number + len(read)
            del read
        lane.finish(after)
    if reader.last is not None:
        judge.feed(reader.last)
    return judge.verdict(only=only or reader.header.only, truncated=reader.truncated)
