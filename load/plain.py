"""A user over the kit's own client: every dialect, over WebSocket or HTTP."""

from conformance.client import Client, Run, Wire
from conformance.errors import TargetUnreachable
from conformance.events import Kind
from conformance.history.operations import Action, Asked
from conformance.script import Script
from load.person import Person
from load.turn import Turn


class Plain(Person):
    """A user who holds one client at a time."""

    def __init__(self, wire: Wire, patience_s: float) -> None:
        super().__init__(wire, patience_s)
        self._client: Client | None = None
        self._runs: dict[int, Run] = {}

    @property
    def connected(self) -> bool:
        """Whether the client is open."""
        return self._client is not None and self._client.closed is None

    @property
    def conn(self) -> int:
        """The number of its connection."""
        return self._client.conn if self._client is not None else 0

    async def connect(self, scenario: str, *, resuming: Turn | None = None) -> str | None:
        """Open a client."""
        if self.connected:
            return None
        self.join()
        self._client = client = Client(self.wire, self.user, scenario=scenario)
        if resuming is not None:
            client.adopt(self._runs[resuming.asked.ask])
        try:
            let_in = await client.open() and await client.greeted()
        except TargetUnreachable as error:
            return str(error)
        return None if let_in else "refused"

    async def ask(self, behaviour: str, script: Script, token: str, *, label: str) -> Turn:
        """Ask for a run."""
        assert self._client is not None
        run = await self._client.start(behaviour, script, label=label, token=token)
        turn = Turn(run.asked)
        self._runs[turn.asked.ask] = run
        return turn

    async def ended(self, turn: Turn) -> bool:
        """Wait until a run is over."""
        run = self._runs.pop(turn.asked.ask)
        came = await run.ended(due_ms=self.patience_s * 1000)
        problem = None if run.completed else "refused" if run.refusal else "not completed" if came else "no end"
        turn.end(problem)
        if run in run.client.runs:
            run.client.runs.remove(run)
        return came

    async def tool_began(self, turn: Turn) -> bool:
        """Wait until a tool of a run has begun."""
        return await self._runs[turn.asked.ask].until(Kind.TOOL_STARTED)

    async def say(self, asked: Asked, text: str, turn: Turn) -> None:
        """Not used: the client asks itself."""
        raise NotImplementedError

    async def resume(self, turn: Turn) -> None:
        """Ask for what was missed of a run."""
        assert self._client is not None
        run = self._runs[turn.asked.ask]
        await self._client.ask(Action.RESUME, run_id=run.run_id, after_seq=len(run.events))

    def pause(self) -> None:
        """Stop reading."""
        if self._client is not None:
            self._client.pause()

    def go_on(self) -> None:
        """Go on reading."""
        if self._client is not None:
            self._client.resume_reading()

    def cut(self) -> None:
        """Not awaited: `leave` drops what is there."""

    async def leave(self) -> None:
        """Close the client."""
        if self._client is not None:
            await self._client.close()
