"""One question for a run, as the user who asked it knows it."""

import asyncio

import msgspec

from conformance.history.operations import Asked


class Turn(msgspec.Struct, eq=False, gc=False):
    """A run that was asked for. `changed` is set with each piece of news of it that somebody waits for.

    `problem` says why it did not end well, once it is `over`; `seq` is that of the newest event.
    """

    asked: Asked
    run_id: str | None = None
    thread_id: str | None = None
    seq: int = 0
    tool_began: bool = False
    over: bool = False
    problem: str | None = None
    changed: "asyncio.Future[None] | None" = None

    def end(self, problem: str | None = None) -> None:
        """Nothing more comes."""
        if not self.over:
            self.over, self.problem = True, problem
            self.tell()

    def tell(self) -> None:
        """Wake who waits."""
        changed, self.changed = self.changed, None
        if changed is not None and not changed.done():
            changed.set_result(None)


class Ended(msgspec.Struct, frozen=True):
    """What a user did once: which behaviour, how long it took in ms, and why it did not go well, if so."""

    behaviour: str
    took_ms: float
    problem: str | None = None
