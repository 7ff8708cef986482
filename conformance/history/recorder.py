"""The recorder: stamps operations with the time and hands them to whoever listens (the writer, the judge)."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from conformance.history.operations import Frame, Operation

Listener = Callable[[Operation], None]
F = TypeVar("F", bound=Frame)
_SHORTEST_SECRET = 6
_DEEPEST = 200


class Clock:
    """Microseconds since the history began, from the monotonic clock; `began_us` is the wall-clock time of that."""

    def __init__(self) -> None:
        self._zero = time.monotonic_ns()
        self.began_us = time.time_ns() // 1000

    def now(self) -> int:
        """Return µs since the history began."""
        return (time.monotonic_ns() - self._zero) // 1000


class Recorder:
    """Passes each operation to all listeners, in order. Secrets never get past it: it replaces them by a marker."""

    def __init__(self, clock: Clock, listeners: Iterable[Listener]) -> None:
        self.clock = clock
        self._listeners = list(listeners)
        self._secrets: dict[bytes, dict[bytes, bytes]] = {}

    @contextmanager
    def heard_by(self, listener: Listener) -> Iterator[None]:
        """Tell one more listener of every operation, for a while."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    def keep_secret(self, secret: str, *, of: str) -> None:
        """Replace `secret` wherever it shows in a frame or header by a marker that names its user."""
        if len(secret) >= _SHORTEST_SECRET:
            raw = secret.encode()
            self._secrets.setdefault(raw[:_SHORTEST_SECRET], {})[raw] = f"secret~of~{of}~".encode()

    def redact(self, data: bytes) -> bytes:
        """Return `data` with every known secret replaced by its marker."""
        for beginning, secrets in self._secrets.items():
            if beginning in data:
                for secret, marker in secrets.items():
                    data = data.replace(secret, marker)
        return data

    def redact_text(self, text: str) -> str:
        """Return `text` with every known secret replaced by its marker."""
        return self.redact(text.encode(errors="surrogateescape")).decode(errors="replace")

    def record(self, operation: Operation) -> None:
        """Append one operation to the history."""
        for listener in self._listeners:
            listener(operation)

    def frame(self, kind: type[F], conn: int, data: bytes | str) -> F:
        """Append a frame as it was on the wire and return the operation."""
        operation = frame_operation(kind, self.clock.now(), conn, self.redact_frame(data))
        self.record(operation)
        return operation

    def redact_frame(self, data: bytes | str) -> bytes | str:
        """Like `redact`, for text or binary frames."""
        return self.redact(data.encode()).decode() if isinstance(data, str) else self.redact(data)


def frame_operation(kind: type[F], at: int, conn: int, data: bytes | str) -> F:
    """Build a frame operation in the form in which a history stores it (see `Frame`)."""
    raw = data.encode(errors="surrogatepass") if isinstance(data, str) else data
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return kind(at, conn, binary=raw)
    if isinstance(data, bytes):
        return kind(at, conn, binary=raw)
    return kind(at, conn, frame=msgspec.Raw(raw)) if _is_json_line(raw) else kind(at, conn, text=text)


def _is_json_line(raw: bytes) -> bool:
    if not raw or b"\n" in raw or b"\r" in raw or raw != raw.strip() or _is_deep(raw):
        return False
    try:
        msgspec.json.decode(raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def _is_deep(raw: bytes) -> bool:
    """Tell whether JSON may be nested deeper than whoever reads the history can follow, whatever the kit can now."""
    if raw.count(b"[") + raw.count(b"{") <= _DEEPEST:
        return False
    depth = deepest = 0
    for byte in raw:
        depth += (byte in b"[{") - (byte in b"]}")
        deepest = max(deepest, depth)
    return deepest > _DEEPEST
