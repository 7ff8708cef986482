"""Server-sent events, sans-IO: bytes in, events out (WHATWG HTML section 9.2, server-sent events)."""

from collections.abc import Iterator

import msgspec

_BOM = b"\xef\xbb\xbf"
_DATA = b"data: "
NEAR = 80


class ServerEvent(msgspec.Struct, frozen=True, gc=False):
    """An event: its data as it came, the lines joined by line feeds; its type; and the id to resume after."""

    data: bytes
    type: str = "message"
    last_id: str = ""

    def frame(self, *, named: bool) -> bytes:
        """Return what a dialect decodes: the event's data; for a `named` one with the line before that names it."""
        named = named and self.type != "message"
        return b"event: %b\ndata: %b" % (self.type.encode(), self.data) if named else self.data


class Comment(msgspec.Struct, frozen=True):
    """A line that starts with a colon: mostly a sign of life."""

    text: bytes


class Stray(msgspec.Struct, frozen=True):
    """A line with a field that the standard does not know: clients ignore it."""

    line: bytes


class Row(msgspec.Struct, frozen=True):
    """The data of events that came one right after the other, each on one line with the stream's `piece` in it."""

    data: list[bytes]


Item = ServerEvent | Comment | Stray | Row


class EventStream:
    """Splits a stream of bytes into its events. Lines end with LF, CRLF or CR, whatever way the bytes are cut.

    `comments` counts the comments so far, `last_id` is the id to resume after and `retry_ms` the time to wait before.
    Events with `piece` near the beginning of their data are told in rows, if it is given.
    """

    def __init__(self, piece: bytes = b"") -> None:
        self.comments = 0
        self.last_id = ""
        self.retry_ms: int | None = None
        self._piece = piece
        self._begun = False
        self._after_cr = False
        self._parts: list[bytes] = []
        self._data: list[bytes] = []
        self._type = ""

    def feed(self, chunk: bytes) -> Iterator[str | bytes]:
        """Take in bytes and yield the data of each event that they complete: bytes where it is not UTF-8."""
        for item in self.items(chunk):
            if isinstance(item, ServerEvent):
                try:
                    yield item.data.decode()
                except UnicodeDecodeError:
                    yield item.data

    def items(self, chunk: bytes) -> Iterator[Item]:
        """Take in bytes and yield the events, comments and stray lines that they complete, in order."""
        text = self._lines_of(chunk)
        if b"\n" not in text:
            self._parts.append(text)
            return
        self._parts.append(text)
        *blocks, rest = b"".join(self._parts).split(b"\n\n")
        self._parts.clear()
        row: list[bytes] = []
        for block in blocks:
            plain = block.startswith(_DATA) and b"\n" not in block and not self._data and not self._type
            if plain and self._piece and block.find(self._piece, 0, NEAR) >= 0:
                row.append(block[6:])
                continue
            if row:
                yield Row(row)
                row = []
            if plain:
                yield ServerEvent(block[6:], "message", self.last_id)
            else:
                yield from self._read(block.split(b"\n"))
                yield from self._dispatch()
        if row:
            yield Row(row)
        lines, end, unfinished = rest.rpartition(b"\n")
        if end:
            yield from self._read(lines.split(b"\n"))
        self._parts.append(unfinished)

    def close(self, *, named: bool = False) -> bytes | None:
        """The stream is over: return the frame of an event that was not finished, where there is one.

        A body that was cut leaves such an event; clients discard it, as the standard says, or read it all the same.
        """
        unfinished = b"".join(self._parts)
        self._parts.clear()
        if unfinished:
            for _ in self._read([unfinished]):
                pass
        event = next(self._dispatch(), None)
        return event.frame(named=named) if event is not None else None

    def _lines_of(self, chunk: bytes) -> bytes:
        """Return bytes with every line end as LF, and without the byte order mark of the stream."""
        if not self._begun:
            chunk = b"".join((*self._parts, chunk))
            self._parts.clear()
            if len(chunk) < len(_BOM) and _BOM.startswith(chunk):
                return chunk
            self._begun = True
            chunk = chunk.removeprefix(_BOM)
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return chunk

    def _read(self, lines: list[bytes]) -> Iterator[Item]:
        for line in lines:
            if not line:
                yield from self._dispatch()
                continue
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if name == b"data":
                self._data.append(value)
            elif not name:
                self.comments += 1
                yield Comment(value)
            elif name == b"event":
                self._type = value.decode(errors="replace")
            elif name == b"id":
                if b"\0" not in value:
                    self.last_id = value.decode(errors="replace")
            elif name == b"retry":
                if value.isdigit():
                    self.retry_ms = int(value)
            else:
                yield Stray(line)

    def _dispatch(self) -> Iterator[ServerEvent]:
        data, kind = self._data, self._type
        self._data, self._type = [], ""
        if data:
            yield ServerEvent(b"\n".join(data), kind or "message", self.last_id)
