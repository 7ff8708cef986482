"""Recordings that others made: JSON Lines with one frame a line, or event streams as they came over HTTP."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import IO

import msgspec

from conformance import __version__
from conformance.catalogue import Catalogue
from conformance.dialects import named
from conformance.errors import UsageError
from conformance.history import operations as ops
from conformance.history.operations import FORMAT, ClosedBy, Header, Operation
from conformance.history.recorder import frame_operation
from conformance.judge import Judge, collecting_seldom
from conformance.story import LONGEST_PASSAGE
from conformance.transports.sse import NEAR, Comment, EventStream, Row, ServerEvent, Stray
from conformance.verdict import Verdict

_CHUNK = 1 << 18
_EVENT_STREAM = re.compile(rb"(?:\A(?:\xef\xbb\xbf)?|[\r\n])(?:data:|data[\r\n]|HTTP/[0-9])|\A\s*(?:event|id|retry)?:")
_STATUS_LINE = re.compile(rb"HTTP/[0-9.]+ ([0-9]{3})\s*(.*)")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)")


def judge_frames(
    lines: IO[bytes], *, name: str, dialect: str, catalogue: Catalogue, only: Sequence[str] = ()
) -> Verdict:
    """Judge the frames that a client received, in order, from a binary file.

    It holds the frames of one connection, one a line; or one or several event streams (`data: …`), each with the head
    of its HTTP response, as `curl -i` writes it, or a single one without. The recording is taken to be whole: where a
    stream ends, the target closed the connection. When a frame came is not recorded, so nothing is said of latency.
    Raises `UsageError` where there is no frame at all.
    """
    spoken = named(dialect)
    header = Header(
        format=FORMAT,
        kit=__version__,
        catalogue=catalogue.REVISION,
        began_us=0,
        target=name,
        dialect=spoken.name,
        mapping=spoken.source,
        command="check",
        timed=False,
    )
    judge = Judge(header, spoken, catalogue)
    frames = 0
    with collecting_seldom():
        for told in operations(lines, name=name, named=spoken.event_names, piece=spoken.piece.encode()):
            if isinstance(told, Pieces):
                frames += len(told.raws)
                _feed(judge, told)
            else:
                frames += isinstance(told, ops.Received | ops.Refused)
                judge.feed(told)
    if not frames:
        raise UsageError(f"{name}: no frames in it; expected one a line, or the data: lines of an event stream")
    return judge.verdict(only=only)


class Pieces(msgspec.Struct, frozen=True):
    """Frames of one connection, one right after the other, that may be pieces of a text; `at` is that of the first."""

    at: int
    conn: int
    raws: list[bytes]


def _feed(judge: Judge, row: Pieces) -> None:
    """Feed a judge with pieces: together if they are that, and no more than fit into one passage."""
    for start in range(0, len(row.raws), LONGEST_PASSAGE):
        raws, at = row.raws[start : start + LONGEST_PASSAGE], row.at + start
        if len(raws) == 1 or not judge.feed_pieces(at + len(raws) - 1, row.conn, raws):
            for place, raw in enumerate(raws):
                judge.feed(_received(at + place, row.conn, raw))


def operations(file: IO[bytes], *, name: str, named: bool = False, piece: bytes = b"") -> Iterator[Operation | Pieces]:
    """Return what happened according to a recording, as operations of a history; `at` only counts them.

    `named` tells that the names of server-sent events are part of their frames. Where `piece` is given, frames
    that have it near their beginning are told together.
    """
    first = file.read(_CHUNK)
    chunks = chain([first], iter(lambda: file.read(_CHUNK), b""))
    if _EVENT_STREAM.search(first):
        return _Responses(name, named=named, piece=piece).read(chunks)
    return _frames(chunks, name, piece)


def _frames(chunks: Iterable[bytes], name: str, piece: bytes) -> Iterator[Operation | Pieces]:
    yield ops.Connecting(0, 1, None, name)
    yield ops.Connected(0, 1)
    at, row = 1, Pieces(1, 1, [])
    for line in _lines(chunks):
        data = line.rstrip(b"\r")
        if piece and data.find(piece, 0, NEAR) >= 0:
            row.raws.append(data)
        elif data:
            if row.raws:
                yield row
                at += len(row.raws)
            yield _received(at, 1, data)
            at += 1
            row = Pieces(at, 1, [])
    if row.raws:
        yield row
    yield ops.Closed(at + len(row.raws), 1, ClosedBy.TARGET)


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    yield rest


def _received(at: int, conn: int, data: bytes) -> ops.Received:
    try:
        return ops.Received(at, conn, text=data.decode())
    except UnicodeDecodeError:
        return frame_operation(ops.Received, at, conn, data)


class _Responses:
    """The HTTP responses in a capture, each a connection of its own."""

    def __init__(self, name: str, *, named: bool, piece: bytes) -> None:
        self._name = name
        self._named = named
        self._piece = piece
        self._at = 0
        self._conn = 0
        self._open = False
        self._status: tuple[int, str] | None = None
        self._headers: list[tuple[str, str]] = []
        self._body: list[bytes] = []

    def read(self, chunks: Iterable[bytes]) -> Iterator[Operation | Pieces]:
        """Yield the operations of all responses."""
        stream = EventStream(self._piece)
        for chunk in chain(chunks, [b"\n"]):  # the last line may lack its end
            for item in stream.items(chunk):
                self._at += 1
                if isinstance(item, Row):
                    yield from self._begin()
                    yield Pieces(self._at, self._conn, item.data)
                    self._at += len(item.data) - 1
                    continue
                if isinstance(item, ServerEvent):
                    yield from self._begin()
                    yield _received(self._at, self._conn, item.frame(named=self._named))
                elif isinstance(item, Comment):
                    yield from self._begin()
                    yield ops.Pinged(self._at, self._conn)
                else:
                    yield from self._stray(item, stream)
        yield from self._end(stream.close(named=self._named))

    def _stray(self, item: Stray, stream: EventStream) -> Iterator[Operation]:
        line = item.line
        status = _STATUS_LINE.match(line)
        header = _HEADER.match(line)
        if status:
            yield from self._end(stream.close(named=self._named))
            self._status = (int(status[1]), status[2].decode("latin-1"))
        elif self._status is not None and not self._open and header:
            self._headers.append((header[1].decode().lower(), header[2].decode("latin-1")))
        elif self._status is not None and (self._status[0] >= 400 or self._is_json()):
            self._body.append(line)
        elif line.lstrip().startswith(b"{"):
            # an event that no client sees: the line is no frame, and is shown to be none
            yield from self._begin()
            yield _received(self._at, self._conn, b"[a line without data:] " + line)

    def _is_json(self) -> bool:
        """Tell whether the response is no stream: its body is one frame."""
        return any(name == "content-type" and kind.startswith("application/json") for name, kind in self._headers)

    def _begin(self) -> Iterator[Operation]:
        """The response has a body: it began."""
        if self._open:
            return
        self._open = True
        self._conn += 1
        accept = "text/event-stream" if self._status else ""
        yield ops.Connecting(self._at, self._conn, None, self._name, "POST", accept)
        status, _ = self._status or (200, "")
        yield ops.Connected(self._at, self._conn, status, tuple(self._headers))

    def _end(self, cut: bytes | None) -> Iterator[Operation]:
        """The response is over: the target closed it; or it was a refusal, and has no events."""
        if cut is not None:
            # an event without its empty line: clients of AG-UI read it all the same, where it is whole
            yield from self._begin()
            yield _received(self._at, self._conn, cut)
        if self._status is not None and not self._open:
            self._conn += 1
            status, reason = self._status
            accept = "application/json" if self._is_json() else "text/event-stream"
            yield ops.Connecting(self._at, self._conn, None, self._name, "POST", accept)
            if status >= 400:
                body = b"\n".join(self._body).decode(errors="replace")
                yield ops.Refused(self._at, self._conn, status, reason, tuple(self._headers), body)
            else:
                yield ops.Connected(self._at, self._conn, status, tuple(self._headers))
                self._open = True
                if self._body:
                    self._at += 1
                    yield _received(self._at, self._conn, b"\n".join(self._body))
        if self._open:
            yield ops.Closed(self._at + 1, self._conn, ClosedBy.TARGET)
        self._open = False
        self._status, self._headers, self._body = None, [], []
