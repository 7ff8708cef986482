"""A recording judged again: the same history gives the same verdict."""

from collections.abc import Sequence
from typing import IO

from conformance.catalogue import Catalogue
from conformance.dialects import recorded
from conformance.express.lane import Lane
from conformance.history.store import HistoryReader
from conformance.judge import Judge
from conformance.verdict import Verdict


def judge_recording(lines: IO[bytes], *, name: str, catalogue: Catalogue, only: Sequence[str] = ()) -> Verdict:
    """Judge a history of the kit's; `name` is what error messages call it.

    `only` are ids and families of requirements; where it is empty, those in the history's header count. Raises
    `UsageError` where `lines` are not such a history.
    """
    reader = HistoryReader(lines, name=name)
    header = reader.header
    judge = Judge(header, recorded(header.dialect, header.mapping), catalogue)
    lane = Lane(judge, reader.operation)
    for number, block in reader.blocks():
        lane.feed(block, number)
    if reader.last is not None:
        judge.feed(reader.last)
    return judge.verdict(only=only or reader.header.only, truncated=reader.truncated)
