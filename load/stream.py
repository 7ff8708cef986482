"""The history of a load as it grows: judged block by block, and then forgotten but for samples of violating runs."""

from collections.abc import Callable, Iterator
from typing import Any, get_args

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
from load.memory import LINE, Frames, Lines, Memory, Plain, Singles

_ENCODE = msgspec.json.Encoder().encode
_READ = msgspec.json.Decoder(AnyOperation).decode
_PLAIN = frozenset(get_args(Plain))
_CHATTER = (Kind.TEXT, Kind.THINKING, Kind.STARTED)
_EVER = 1 << 62
_PAGE = 512
Frame = tuple[int, int, bytes]
Known = tuple[bytes, Any]
"""What need not be read any more, as a block has it: its bytes, if they are needed, and what it says if it is plain."""
Block = tuple[list[bytes], list[Any]]


class FrameLane(Lane):
    """An express lane whose blocks hold received frames that are plain as such, not as lines."""

    def operation(self, line: bytes, said: Any, number: int) -> Operation:
        """Return the operation that is at a place of a block."""
        assert self.speech is not None
        if said.__class__ is self.speech.received:
            return self.evidence(line, said)
        plain: Operation | None = said
        return plain or super().operation(line, said, number)

    def evidence(self, line: bytes, said: Any) -> ops.Received:
        """Return a received frame."""
        return ops.Received(said.at, said.conn, msgspec.Raw(line))


class Stream:
    """Takes in operations and judges them, in blocks. `seen` is told of each block once it is judged.

    `frame` takes text frames as they were received: when (µs), on which connection, and their bytes. They are read when
    they are judged; `redact` takes the secrets out of them. All else comes by `record`.

    Frames that but go on with a run are best judged together. So each connection holds them back (`hold`) up to its
    next other frame; before anything remarkable of whatever connection they are judged, too.
    """

    def __init__(
        self, header: Header, dialect: Dialect, catalogue: Catalogue, *, memory: Memory, seen: Callable[[], None]
    ) -> None:
        self.judge = Judge(header, dialect, catalogue, checks=(*all_checks(), Measure))
        self.measure = measured(self.judge.checks)
        self.redact: Callable[[bytes], bytes] = bytes
        self._lane = FrameLane(self.judge, lambda line, number: _READ(line))
        self._memory = memory
        self._seen = seen
        self._came: list[Frame | Known] = []
        self.frame: Callable[[Frame], None] = self._came.append
        self._held: dict[int, list[Frame]] = {}
        self._next_line = 2
        self._under_way: Iterator[None] = iter(())
        self.speech = self._lane.speech
        self.chatter = chatter(self.speech) if self.speech is not None else ()

    def record(self, operation: Operation) -> None:
        """Take in any operation."""
        if isinstance(operation, ops.Received) and operation.text is None and operation.binary is None:
            self.release()
            self.frame((operation.at, operation.conn, operation.raw))
            return
        if operation.__class__ in _PLAIN:
            self._came.append((b"", operation))
        else:
            self.release()
            self._came.append((self._line(operation), None))

    def _line(self, operation: Operation) -> bytes:
        """Return the line of an operation that may be how a connection began, or its end."""
        line = _ENCODE(operation) + b"\n"
        self._memory.begin(operation, line)
        return line

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

    def _read(self, came: list[Frame | Known]) -> Block:
        """Return operations as the lane takes them, and what those that are plain say. All are remembered."""
        speech = self.speech
        if speech is None:
            texts = [self._odd(*one) if len(one) == 3 else one[0] or _ENCODE(one[1]) + b"\n" for one in came]
            self._memory.keep(Lines(b"".join(texts)))
            return texts, []
        places = [place for place, one in enumerate(came) if len(one) == 2]
        known: list[Any] = [came[place] for place in places]
        frames: list[Any] = came
        for place in reversed(places):
            del frames[place]
        texts, typed = self._heard(speech, frames)
        for place, (text, said) in zip(places, known, strict=True):
            texts.insert(place, text)
            typed.insert(place, said)
        self._memory.keep(Singles([text if said is None else said for text, said in known]))
        return texts, typed

    def _heard(self, speech: Speech, frames: list[Frame]) -> Block:
        """Return the bytes of frames, or their lines where they are not plain, and what those that are plain say."""
        if not frames:
            return [], []
        ats, conns, raws = map(tuple, zip(*frames, strict=True))
        whole = b"".join(raws)
        if self.redact(whole) != whole:
            raws = tuple(map(self.redact, raws))
            whole = b"".join(raws)
        texts = list(raws)
        typed, odd = speech.hear(ats, conns, raws)
        if not odd and whole.find(b"\n") < 0:
            self._memory.keep(Frames(whole, ats, conns, tuple(map(len, raws))))
            return texts, typed
        typed = [None if b"\n" in raw else said for raw, said in zip(raws, typed, strict=True)]
        for place in [place for place, said in enumerate(typed) if said is None]:
            texts[place] = self._odd(ats[place], conns[place], raws[place])
        told = zip(texts, typed, ats, conns, strict=True)
        lines = [text if said is None else LINE % (at, conn, text) for text, said, at, conn in told]
        self._memory.keep(Lines(b"".join(lines)))
        return texts, typed

    def _odd(self, at: int, conn: int, raw: bytes) -> bytes:
        """Return the line of a frame that may not be plain."""
        return self._line(frame_operation(ops.Received, at, conn, as_sent(self.redact(raw))))

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
