"""The history of a load as it grows: judged block by block, and then forgotten but for samples of violating runs."""

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from conformance.catalogue import Catalogue
from conformance.checks import all_checks
from conformance.dialects.dialect import Dialect
from conformance.express.lane import Lane
from conformance.history import operations as ops
from conformance.history.operations import AnyOperation, Header, Operation
from conformance.judge import Judge
from load.measure import Measure, measured

_ENCODE = msgspec.json.Encoder().encode
_READ = msgspec.json.Decoder(AnyOperation).decode
_PLAIN = (ops.Asked, ops.Sent, ops.Pinged)
_GONE = 256
Block = tuple[list[bytes], list[Any]]


class Stream:
    """Takes in operations and judges them, in blocks. `seen` is told of each block once it is judged.

    Frames that go by the book come by `plain`, read already; all else by `record`.
    """

    def __init__(
        self, header: Header, dialect: Dialect, catalogue: Catalogue, *, memory: "Memory", seen: Callable[[], None]
    ) -> None:
        self.judge = Judge(header, dialect, catalogue, checks=(*all_checks(), Measure))
        self.measure = measured(self.judge.checks)
        self._lane = Lane(self.judge, lambda line, number: _READ(line))
        self._memory = memory
        self._seen = seen
        self._lines: list[bytes] = []
        self._typed: list[Any] = []
        self._next_line = 2
        speech = self._lane.speech
        self.plain_frame: type | None = speech.received if speech is not None else None
        self.plain_frames: Any = getattr(dialect, "plain_frames", None)

    def record(self, operation: Operation) -> None:
        """Take in any operation."""
        line = _ENCODE(operation) + b"\n"
        if operation.__class__ in _PLAIN:
            self._typed.append(operation)
        else:
            self._typed.append(None)
            self._memory.begin(operation, line)
        self._lines.append(line)

    def plain(self, typed: Any, line: bytes) -> None:
        """Take in a received frame that is typed already, with its line in the history."""
        self._typed.append(typed)
        self._lines.append(line)

    @property
    def waiting(self) -> int:
        """How many operations are not judged yet."""
        return len(self._lines)

    def flush(self) -> None:
        """Judge everything that has come."""
        lines, typed, number = self._lines, self._typed, self._next_line
        if not lines:
            return
        self._lines, self._typed = [], []
        self._next_line += len(lines)
        self._lane.take(lines, typed, number)
        self._memory(lines)
        self._seen()

    def finish(self) -> None:
        """Judge everything, also what waits for the rest of its run: nothing more comes."""
        self.flush()
        self._lane.finish(self._next_line)
        self._seen()


class Memory:
    """The lines of the last blocks, as many as fit into `size` bytes; and how each open connection began."""

    def __init__(self, size: int) -> None:
        self._room = size
        self._blocks: deque[tuple[int, list[bytes]]] = deque()
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

    def __call__(self, lines: list[bytes]) -> None:
        """Keep a block."""
        size = sum(map(len, lines))
        self._blocks.append((size, lines))
        self._room -= size
        while self._room < 0 and len(self._blocks) > 1:
            self._room += self._blocks.popleft()[0]

    def of(self, conns: set[int]) -> list[bytes]:
        """Return what is remembered of these connections, in order."""
        began = [line for conn in sorted(conns) for line in self._began.get(conn, ())]
        known = set(began)
        marks = [b'"conn":%d%s' % (conn, end) for conn in conns for end in (b",", b"}")]
        lines = [line for _, block in self._blocks for line in block if any(mark in line for mark in marks)]
        return began + [line for line in lines if line not in known]
