"""A user of the load: what behaviours act with. Beneath it is a fast WebSocket, or the kit's own client."""

from abc import ABC, abstractmethod

from conformance import canary
from conformance.client import Wire
from conformance.history import operations as ops
from conformance.history.operations import Action, Asked, Awaited
from conformance.script import Script, as_text, takes_ms
from load.patience import Patience
from load.turn import Turn


class Person(ABC):
    """One user. Connects when it first asks, and again after it left or was cut off."""

    def __init__(self, wire: Wire, patience_s: float) -> None:
        self.wire = wire
        self.patience_s = patience_s
        self.user = wire.auth.new_user(wire.random)
        self.joined = False
        self._patience = Patience()
        self.due: int | None = None

    def token(self) -> str:
        """Return a fresh canary."""
        return canary.new(self.wire.random)

    @property
    @abstractmethod
    def connected(self) -> bool:
        """Whether its connection is there."""

    @abstractmethod
    async def connect(self, scenario: str, *, resuming: Turn | None = None) -> str | None:
        """Connect, where it is not; return why that failed, if it did. `scenario` is what the connection is for.

        Of the run `resuming` events may come as soon as it is open.
        """

    @abstractmethod
    async def say(self, asked: Asked, text: str, turn: Turn) -> None:
        """Send a question."""

    @abstractmethod
    def pause(self) -> None:
        """Stop reading."""

    @abstractmethod
    def go_on(self) -> None:
        """Go on reading."""

    @abstractmethod
    def cut(self) -> None:
        """Drop the connection without a word."""

    @abstractmethod
    async def leave(self) -> None:
        """Close the connection."""

    @abstractmethod
    async def resume(self, turn: Turn) -> None:
        """Ask for what was missed of a run."""

    @property
    @abstractmethod
    def conn(self) -> int:
        """The number of its connection."""

    async def ask(self, behaviour: str, script: Script, token: str, *, label: str) -> Turn:
        """Ask for a run that shows `behaviour`; `label` names it in figures."""
        wire = self.wire
        said = wire.say.get(behaviour)
        words = f"{token} {as_text(script)}"
        if said is not None:
            words = said.replace("{canary}", token) if "{canary}" in said else f"{said} {token}"
        request_id = f"req-{wire.random.getrandbits(96):024x}"
        asked = Asked(
            wire.recorder.clock.now(),
            next(wire.asks),
            self.conn,
            self.user,
            Action.START,
            request_id=request_id,
            thread_id=wire.dialect.new_thread(request_id),
            canary=token,
            behaviour=label,
            script=script if said is None else None,
            due=self.due,
        )
        self.due = None
        turn = Turn(asked)
        await self.say(asked, words, turn)
        return turn

    async def ended(self, turn: Turn) -> bool:
        """Wait until a run is over: as long as its script takes, and patience on top; return whether it is."""
        if await self._patience.came(turn, self.patience_s, lambda: turn.over):
            return True
        due = takes_ms(turn.asked.script) / 1000 if turn.asked.script else 0.0
        if await self._patience.came(turn, due, lambda: turn.over):
            return True
        self._gave_up(turn, Awaited.TERMINAL, due + self.patience_s)
        turn.end("no end")
        return False

    async def tool_began(self, turn: Turn) -> bool:
        """Wait until a tool of a run has begun, or the run is over."""
        return (
            await self._patience.came(turn, self.patience_s, lambda: turn.tool_began or turn.over) and turn.tool_began
        )

    def _gave_up(self, turn: Turn, awaited: Awaited, waited_s: float) -> None:
        recorder = self.wire.recorder
        now = recorder.clock.now()
        late = self.wire.late_us(turn.asked.at) > 0
        recorder.record(
            ops.GaveUp(now, turn.asked.conn, awaited, round(waited_s * 1000), turn.asked.ask, turn.run_id, late)
        )

    def join(self) -> None:
        """Tell the history of this user, once."""
        if not self.joined:
            self.joined = True
            recorder = self.wire.recorder
            recorder.record(ops.UserJoined(recorder.clock.now(), self.user))
