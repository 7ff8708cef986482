"""A block of a history's lines, read as typed operations."""

from typing import Any

from conformance.express.speech import Speech


class Block:
    """Consecutive lines of a history, the first of which is `line`; `ops` is what each says, None where not plain.

    `stop` is the place after the last event that completes a run; the end, where none does.
    """

    def __init__(self, line: int, lines: list[bytes], ops: list[Any], speech: Speech) -> None:
        self.line = line
        self.lines = lines
        self.ops = ops
        self.speech = speech
        self.stop = self._after_last_end() or len(ops)

    def _after_last_end(self) -> int:
        received: Any = self.speech.received
        end: Any = self.speech.end
        after = len(self.ops)
        for op in reversed(self.ops):
            if type(op) is received and type(op.frame) is end:
                break
            after -= 1
        return after
