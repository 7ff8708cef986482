"""Histories on disk: JSON Lines, the header first. Written and read as a stream, in constant memory."""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

from conformance.errors import UsageError
from conformance.history.operations import FORMAT, AnyOperation, Header, Operation

_ENCODER = msgspec.json.Encoder()


class HistoryWriter:
    """Writes a history; use as a context manager. What is written is readable even if the kit is killed."""

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        self._file: IO[bytes] = path.open("wb")
        self._file.write(_ENCODER.encode(header) + b"\n")

    def __call__(self, operation: Operation) -> None:
        """Append one operation."""
        self._file.write(_ENCODER.encode(operation) + b"\n")

    def flush(self) -> None:
        """Hand everything written so far to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._file.close()

    def __enter__(self) -> "HistoryWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class HistoryReader:
    """Reads a history from a binary file: `header`, then iterate over its operations.

    `truncated` becomes True where the last line is not whole (the kit was killed while it wrote); any other line that
    is not an operation raises `UsageError` with its number.
    """

    def __init__(self, lines: IO[bytes], *, name: str) -> None:
        self._lines = lines
        self._name = name
        self._decode: Callable[[bytes], AnyOperation] = msgspec.json.Decoder(AnyOperation).decode
        self.last: AnyOperation | None = None
        self.truncated = False
        self.header = self._read_header()

    def _read_header(self) -> Header:
        first = self._lines.readline()
        try:
            header = msgspec.json.decode(first, type=Header)
        except msgspec.MsgspecError as error:
            raise UsageError(
                f'{self._name}:1: not a history of the kit (expected {{"op":"history",…}}: {error}); '
                "for other recordings say --dialect NAME"
            ) from error
        if header.format != FORMAT:
            raise UsageError(f"{self._name}:1: history format {header.format}, this kit reads format {FORMAT}")
        return header

    def __iter__(self) -> Iterator[AnyOperation]:
        for number, line in enumerate(self._lines, start=2):
            operation = self._whole(line, number)
            if operation is None:
                return
            yield operation

    def blocks(self, size: int) -> Iterator[tuple[int, list[bytes]]]:
        """Read on in blocks of about `size` bytes: whole lines, and the number of the first.

        What follows the last line's end is no such line: it is `last`, where it is an operation nevertheless.
        """
        number = 2
        while lines := self._read(size, number):
            after = number + len(lines)
            yield number, lines
            del lines  # a block is not to be held while the next one is read: memory still in the cache is used again
            number = after

    def _read(self, size: int, number: int) -> list[bytes]:
        lines = BytesIO(self._lines.read(size)).readlines()
        if lines and not lines[-1].endswith(b"\n"):
            lines[-1] += self._lines.readline()
            if not lines[-1].endswith(b"\n"):
                self.last = self._whole(lines.pop(), number + len(lines))
        return lines

    def _whole(self, line: bytes, number: int) -> AnyOperation | None:
        """Return what a line says; None where it is the last one, cut off."""
        try:
            return self._decode(line)
        except msgspec.MsgspecError as error:
            if not line.endswith(b"\n"):
                self.truncated = True
                return None
            raise self._bad(number, error) from error

    def operation(self, line: bytes, number: int) -> AnyOperation:
        """Return what a whole line says."""
        try:
            return self._decode(line)
        except msgspec.MsgspecError as error:
            raise self._bad(number, error) from error

    def _bad(self, number: int, error: Exception) -> UsageError:
        return UsageError(f"{self._name}:{number}: not an operation of a history: {error}")
