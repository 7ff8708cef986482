"""A run that a client asked for, as far as that client knows."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from conformance.client.exchange import Asking
from conformance.events import Accepted, Kind, Refusal, RunEvent
from conformance.history.operations import Asked, Awaited
from conformance.identity import is_placeholder
from conformance.script import takes_ms

if TYPE_CHECKING:
    from conformance.client.client import Client


class Run:
    """A run that a client asked for, as far as that client knows."""

    def __init__(self, client: "Client", asked: Asked, text: str) -> None:
        self.client = client
        self.text = text
        self.asking: Asking | None = None
        self._asked = asked
        self.accepted: Accepted | None = None
        self.refusal: Refusal | None = None
        self.events: list[RunEvent] = []

    @property
    def asked(self) -> Asked:
        """The question."""
        return self.asking.asked if self.asking is not None else self._asked

    @property
    def gone(self) -> bool:
        """Whether nothing more can come on the connection that it was asked for on."""
        return self.client.closed is not None or (self.asking is not None and self.asking.over)

    @property
    def run_id(self) -> str | None:
        """Its id, once it is known."""
        if self.accepted is not None and real(self.accepted.run_id):
            return self.accepted.run_id
        return next((event.run_id for event in self.events[:1] if real(event.run_id)), None)

    @property
    def thread_id(self) -> str | None:
        """Its thread's id, once it is known."""
        if self.accepted is not None and self.accepted.thread_id:
            return self.accepted.thread_id
        return (self.events[0].thread_id if self.events else None) or self.asked.thread_id

    @property
    def over(self) -> bool:
        """Whether it has ended, or will never begin."""
        return self.refusal is not None or any(event.terminal for event in self.events)

    @property
    def completed(self) -> bool:
        """Whether it ended well."""
        return any(event.kind is Kind.COMPLETED for event in self.events)

    def has(self, kind: Kind) -> bool:
        """Whether an event of that kind has come."""
        return any(event.kind is kind for event in self.events)

    async def answered(self) -> bool:
        """Wait until the run is accepted or refused: over HTTP, until the answer begins."""
        return await self._wait(
            lambda: self.accepted is not None or self.refusal is not None or bool(self.events) or self._taken,
            Awaited.ANSWER,
        )

    @property
    def _taken(self) -> bool:
        """Whether the answer to the exchange that asks for it has begun."""
        return self.asking is not None and self.asking.taken

    async def until(self, kind: Kind) -> bool:
        """Wait until an event of that kind has come, or the run is over."""
        return await self._wait(lambda: self.has(kind) or self.over, Awaited.STARTED) and self.has(kind)

    async def ended(self, *, on: "Client | None" = None, due_ms: float = 0.0) -> bool:
        """Wait until the run is over: as long as its script takes, `due_ms`, and the kit's patience on top.

        With `on`, wait until another connection of the same user has seen its end.
        """
        script = self.asked.script
        due = due_ms + (takes_ms(script) if script else 0.0)
        if on is not None:
            return await on.wait(
                lambda: on.saw_end_of(self), Awaited.TERMINAL, self.asked.ask, due_ms=due, purpose="elsewhere"
            )
        return await self._wait(lambda: self.over, Awaited.TERMINAL, due)

    async def stopped(self) -> bool:
        """Wait until the run is over that was asked to stop: as long as that may take, and some patience."""
        bounds = self.client.wire.bounds
        return await self._wait(lambda: self.over, Awaited.TERMINAL, bounds.scaled_ms(bounds.stop_ms), purpose="stop")

    async def _wait(
        self, predicate: Callable[[], bool], awaited: Awaited, due_ms: float = 0.0, *, purpose: str | None = None
    ) -> bool:
        asked = self.asked
        return await self.client.wait(
            predicate,
            awaited,
            asked.ask,
            due_ms=due_ms,
            purpose=purpose or asked.behaviour or "",
            gone=lambda: self.gone,
            conn=asked.conn,
        )

    def hear(self, event: RunEvent) -> None:
        """Take in an event that came in answer to it, unless it is another run's."""
        if not real(event.run_id) or event.run_id == self.run_id or not self.events:
            self.events.append(event)


def real(identifier: str | None) -> bool:
    """Tell whether an id names something."""
    return bool(identifier) and not is_placeholder(identifier or "")
