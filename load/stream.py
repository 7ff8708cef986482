"""The history of a load as it grows: judged block by block, and then forgotten but for samples of violating runs."""

import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from conformance.catalogue import Catalogue
from conformance.checks import all_checks
from conformance.dialects.dialect import Dialect
from conformance.events import Kind
from conformance.express.lane import Lane
from conformance.express.speech import Speech
from conformance.history import operations as ops
from conformance.history.operations import AnyOperation, Header, Operation
from conformance.history.recorder import frame_operation
from conformance.judge import Judge
from load.measure import Measure, measured

_ENCODE = msgspec.json.Encoder().encode
_READ = msgspec.json.Decoder(AnyOperation).decode
_LINE = b'{"op":"received","at":%d,"conn":%d,"frame":%b}\n'
_PLAIN = (ops.Asked, ops.Sent, ops.Pinged)
_AT = re.compile(rb'"at":(\d+)')
_CHATTER = (Kind.TEXT, Kind.THINKING, Kind.STARTED)
_EVER = 1 << 62
_PAGE = 512
_GONE = 256
Frame = tuple[int, int, bytes]
Block = tuple[list[bytes], list[Any]]


class Stream:
    """Takes in operations and judges them, in blocks. `seen` is told of each block once it is judged.

    `frame` takes text frames as they were received: when (µs), on which connection, and their bytes. They are read when
    they are judged; `redact` takes the secrets out of them. All else comes by `record`.

    Frames that but go on with a run are best judged together. So each connection holds them back (`hold`) up to its
    next other frame; before anything remarkable of whatever connection they are judged, too.
    """

    def __init__(
        self, header: Header, dialect: Dialect, catalogue: Catalogue, *, memory: "Memory", seen: Callable[[], None]
    ) -> None:
        self.judge = Judge(header, dialect, catalogue, checks=(*all_checks(), Measure))
        self.measure = measured(self.judge.checks)
        self.redact: Callable[[bytes], bytes] = bytes
        self._lane = Lane(self.judge, lambda line, number: _READ(line))
        self._memory = memory
        self._seen = seen
        self._came: list[bytes | Frame] = []
        self.frame: Callable[[Frame], None] = self._came.append
        self._held: dict[int, list[Frame]] = {}
        self._next_line = 2
        self._under_way: Iterator[None] = iter(())
        self.speech = self._lane.speech
        self.chatter = chatter(self.speech) if self.speech is not None else ()

    def record(self, operation: Operation) -> None:
        """Take in any operation."""
        line = _ENCODE(operation) + b"\n"
        if operation.__class__ not in _PLAIN:
            self.release()
            self._memory.begin(operation, line)
        self._came.append(line)

    def hold(self, conn: int, held: list[Frame]) -> None:
        """Take in, at the latest when something remarkable comes, what a connection holds back in this list."""
        self._held[conn] = held

    def release(self, *, before: int = _EVER) -> None:
        """Take in what is held back since before a time (µs)."""
        for held in self._held.values():
            if held and held[0][0] < before:
                self.take(held)
        self._held = {conn: held for conn, held in self._held.items() if held}

    def take(self, held: list[Frame]) -> None:
        """Take in what was held back so far."""
        self._came += held
        held.clear()

    @property
    def waiting(self) -> int:
        """How many operations are not judged yet."""
        return len(self._came)

    def steps(self) -> Iterator[None]:
        """Judge everything that has come, in small steps."""
        for _ in self._under_way:
            yield
        self._under_way = self._judged()
        for _ in self._under_way:
            yield

    def flush(self) -> None:
        """Judge everything that has come."""
        for _ in self.steps():
            pass

    def _judged(self) -> Iterator[None]:
        while self._came:
            came = self._came[:_PAGE]
            del self._came[:_PAGE]
            lines, typed = self._read(came)
            yield
            number = self._next_line
            self._next_line += len(lines)
            yield from self._lane.steps(lines, typed, number)
            self._seen()

    def _read(self, came: list[bytes | Frame]) -> Block:
        """Return operations as lines of a history, which are remembered, and what those that are plain say."""
        lines = [one if one.__class__ is bytes else _LINE % one for one in came]
        typed: list[Any] = []
        if self.speech is not None:
            raws = b"".join([one[2] for one in came if one.__class__ is tuple])
            if self.redact(raws) != raws or raws.find(b"\n") >= 0:
                lines = [one if one.__class__ is bytes else self._odd(*one) for one in came]
            typed = self.speech.read(lines)
            if None in typed:
                for place in [place for place, said in enumerate(typed) if said is None]:
                    if came[place].__class__ is tuple:
                        lines[place] = self._odd(*came[place])
        self._memory(b"".join(lines))
        return lines, typed

    def _odd(self, at: int, conn: int, raw: bytes) -> bytes:
        """Return the line of a frame that may not be plain."""
        operation = frame_operation(ops.Received, at, conn, as_sent(self.redact(raw)))
        line = _ENCODE(operation) + b"\n"
        self._memory.begin(operation, line)
        return line

    def finish(self) -> None:
        """Judge everything, also what waits for the rest of its run: nothing more comes."""
        self.release()
        self.flush()
        self._lane.finish(self._next_line)
        self._seen()


def chatter(speech: Speech) -> tuple[bytes, ...]:
    """Return how the frames begin, as engines write them, that no behaviour waits for."""
    frames: dict[Kind, Any] = {kind: frame for frame, kind in speech.kinds.items()}
    configs = [frames[kind].__struct_config__ for kind in _CHATTER if kind in frames]
    heads = [(config.tag_field, config.tag) for config in configs]
    return tuple(f'{{"{field}":{space}"{tag}"'.encode() for space in ("", " ") for field, tag in heads)


def as_sent(raw: bytes) -> str | bytes:
    """Return the text of a text frame; its bytes, where they are no text."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


class Memory:
    """The lines of the last blocks, as many as fit into `size` bytes; and how each open connection began."""

    def __init__(self, size: int) -> None:
        self._room = size
        self._blocks: deque[bytes] = deque()
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

    def __call__(self, lines: bytes) -> None:
        """Keep a block."""
        self._blocks.append(lines)
        self._room -= len(lines)
        while self._room < 0 and len(self._blocks) > 1:
            self._room += len(self._blocks.popleft())

    def of(self, conns: set[int]) -> list[bytes]:
        """Return what is remembered of these connections, in the order in which it came."""
        began = [line for conn in sorted(conns) for line in self._began.get(conn, ())]
        known = set(began)
        marks = [b'"conn":%d%s' % (conn, end) for conn in conns for end in (b",", b"}")]
        lines = [line for block in self._blocks for line in _with(block, marks) if line not in known]
        return began + sorted(lines, key=_came_at)


def _with(block: bytes, marks: list[bytes]) -> list[bytes]:
    """Return the lines of a block that hold one of these marks."""
    if not any(mark in block for mark in marks):
        return []
    return [line + b"\n" for line in block.split(b"\n") if any(mark in line for mark in marks)]


def _came_at(line: bytes) -> int:
    found = _AT.search(line)
    return int(found[1]) if found else 0
