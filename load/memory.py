"""What a load remembers of its history, for samples of what is violated: the last of it, and how connections began."""

import re
from collections import deque
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import NamedTuple

import msgspec

from conformance.history import operations as ops
from conformance.history.operations import Operation

LINE = b'{"op":"received","at":%d,"conn":%d,"frame":%b}\n'
_AT = re.compile(rb'"at":(\d+)')
_GONE = 256
_HEAD = 64
_OPERATION, _A_BYTE_SAID = 512, 5
_ENCODE = msgspec.json.Encoder().encode
Plain = ops.Asked | ops.Sent | ops.Pinged


class Frames(NamedTuple):
    """Received frames, one after the other in `raws`: when each came (µs), on which connection, and its length."""

    raws: bytes
    ats: tuple[int, ...]
    conns: tuple[int, ...]
    lengths: tuple[int, ...]

    @property
    def size(self) -> int:
        """About the bytes that they take."""
        return len(self.raws) + _HEAD * len(self.ats)

    def of(self, conns: set[int]) -> list[bytes]:
        """Return the lines of those that came on these connections."""
        if conns.isdisjoint(self.conns):
            return []
        places = pairwise(accumulate(self.lengths, initial=0))
        told = zip(self.ats, self.conns, places, strict=True)
        return [LINE % (at, conn, self.raws[start:stop]) for at, conn, (start, stop) in told if conn in conns]


class Lines(NamedTuple):
    """Lines of a history."""

    lines: bytes

    @property
    def size(self) -> int:
        """The bytes that they take."""
        return len(self.lines)

    def of(self, conns: set[int]) -> list[bytes]:
        """Return those of these connections."""
        marks = [b'"conn":%d%s' % (conn, end) for conn in conns for end in (b",", b"}")]
        if not any(mark in self.lines for mark in marks):
            return []
        return [line + b"\n" for line in self.lines.split(b"\n") if any(mark in line for mark in marks)]


class Singles(NamedTuple):
    """Lines of a history one by one, and operations whose lines are written once somebody wants them."""

    kept: list[bytes | Plain]

    @property
    def size(self) -> int:
        """About the bytes that they take: a script, made of lists and objects, takes a multiple of its text.

        It counts with the frame that says it.
        """
        return sum(map(_size, self.kept))

    def of(self, conns: set[int]) -> list[bytes]:
        """Return the lines of those of these connections."""
        lines = Lines(b"".join([one for one in self.kept if isinstance(one, bytes)])).of(conns)
        told = [one for one in self.kept if not isinstance(one, bytes) and one.conn in conns]
        return lines + [_ENCODE(one) + b"\n" for one in told]


def _size(one: bytes | Plain) -> int:
    if isinstance(one, bytes):
        return len(one)
    return _OPERATION + (_A_BYTE_SAID * len(one.frame) if isinstance(one, ops.Sent) else 0)


class Memory:
    """What came last, as much as fits into `size` bytes; and how each open connection began."""

    def __init__(self, size: int) -> None:
        self._room = size
        self._blocks: deque[Frames | Lines | Singles] = deque()
        self._began: dict[int, list[bytes]] = {}
        self._gone: deque[int] = deque()

    def begin(self, operation: Operation, line: bytes) -> None:
        """Note what may be how a connection began, or its end."""
        conn = getattr(operation, "conn", None)
        if conn is None:
            return
        if isinstance(operation, ops.Connecting):
            self._began[conn] = [line]
        elif isinstance(operation, (ops.Connected, ops.Received)) and len(self._began.get(conn, ())) in (1, 2):
            self._began[conn].append(line)
        elif isinstance(operation, ops.Closed):
            self._gone.append(conn)
            if len(self._gone) > _GONE:
                self._began.pop(self._gone.popleft(), None)

    def keep(self, block: Frames | Lines | Singles) -> None:
        """Keep a block, and forget the oldest ones where there is no room."""
        self._blocks.append(block)
        self._room -= block.size
        while self._room < 0 and len(self._blocks) > 1:
            self._room += self._blocks.popleft().size

    def of(self, conns: set[int]) -> list[bytes]:
        """Return what is remembered of these connections, in the order in which it came."""
        began = [line for conn in sorted(conns) for line in self._began.get(conn, ())]
        known = set(began)
        lines = [line for line in self._all_of(conns) if line not in known]
        return began + sorted(lines, key=_came_at)

    def _all_of(self, conns: set[int]) -> Iterator[bytes]:
        for block in self._blocks:
            yield from block.of(conns)


def _came_at(line: bytes) -> int:
    found = _AT.search(line)
    return int(found[1]) if found else 0
