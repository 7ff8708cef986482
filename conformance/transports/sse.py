"""Server-sent events, sans-IO: bytes in, event data out (WHATWG HTML, server-sent events)."""

from collections.abc import Iterator


class EventStream:
    """Splits a stream of bytes into the data of its events. Comments are counted in `comments`."""

    def __init__(self) -> None:
        self._buffer = b""
        self._data: list[str] = []
        self.comments = 0

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Take in bytes and yield the data of each event that they complete."""
        self._buffer += chunk
        *lines, self._buffer = self._buffer.replace(b"\r\n", b"\n").split(b"\n")
        for line in lines:
            if not line:
                if self._data:
                    yield "\n".join(self._data)
                    self._data.clear()
            elif line.startswith(b":"):
                self.comments += 1
            elif line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" ").decode(errors="replace"))
