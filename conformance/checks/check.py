"""What a check is.

A check names the requirements it `decides` and marks methods with `@on(…)`: they are called with each thing of that
kind as the history is fed. `Kind` members call with a `Sighting`, classes of control events with a `Notice`, classes
of operations with the operation, `Passage` with some consecutive events of a run, and `Story` with a run that nothing
more is expected of. The world is as it was before a run event, and as it is after anything else.

Most events continue their run exactly as the event before left it (`World.continues`). A method marked `@on_odd(…)`
is not called with those, only with the others; and the raw frames of those are not handed out (`ops.Received`). Marked
`@on_odd(Story)` it is not called with runs that went by the book from their acceptance to their end.
"""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Protocol, TypeVar

import msgspec

from conformance.events import Kind
from conformance.express.stretch import Stretch
from conformance.history.operations import Frame, Operation
from conformance.story import Sighting, Story
from conformance.verdict import Distribution, Finding, Measurement, Witness
from conformance.world import World

EVERY_EVENT = tuple(Kind)
Method = TypeVar("Method", bound=Callable[..., None])
_LONGEST = 480


class Evidence(Protocol):
    """An operation with its line in the history."""

    @property
    def line(self) -> int:
        """Its line in the history."""
        ...

    @property
    def op(self) -> Operation:
        """The operation."""
        ...


class Here:
    """An operation as evidence."""

    def __init__(self, line: int, op: Operation) -> None:
        self.line = line
        self.op = op


def on(*what: Any) -> Callable[[Method], Method]:
    """Mark a check's method to be called with each of these."""

    def mark(method: Method) -> Method:
        method.handles = what  # type: ignore[attr-defined]
        return method

    return mark


def on_odd(*what: Any) -> Callable[[Method], Method]:
    """Mark a check's method to be called with run events of these kinds that do not just continue their run.

    With `Story` it is called with runs of which something was not by the book.
    """

    def mark(method: Method) -> Method:
        method.handles_odd = what  # type: ignore[attr-defined]
        return method

    return mark


class Violation(msgspec.Struct, frozen=True):
    """A violation that a check reports: a `finding`, once it is known that it will be shown."""

    requirement: str
    message: str
    expected: str
    actual: str
    run_id: str | None
    user: str | None
    scenario: str | None
    evidence: tuple[Evidence, ...]
    witness: Callable[[Evidence], Witness]

    def finding(self) -> Finding:
        """Return it with its witnesses written out."""
        witnesses = tuple(map(self.witness, self.evidence))
        last = witnesses[-1] if witnesses else None
        return Finding(
            requirement=self.requirement,
            message=self.message,
            expected=self.expected,
            actual=self.actual,
            run_id=self.run_id,
            user=self.user or (last.user if last else None),
            scenario=self.scenario,
            location=f"history.jsonl:{last.line}" if last else None,
            witnesses=witnesses,
        )


class Check:
    """Decides some requirements. `exercised` counts the situations that could have shown a violation of each.

    `dialect` names the only one whose histories it looks at, if so.
    `undecided` gives a reason why a requirement stays unknown although it was exercised; `measured` holds figures,
    `distributions` the samples behind them. `shares` gives the counts behind what is decided by a share: hits, samples,
    and the largest share that is allowed.
    """

    decides: ClassVar[tuple[str, ...]] = ()
    dialect: ClassVar[str | None] = None

    def __init__(self, world: World, report: Callable[["Violation"], None]) -> None:
        self.world = world
        self.exercised = dict.fromkeys(self.decides, 0)
        self.undecided: dict[str, str] = {}
        self.measured: list[Measurement] = []
        self.shares: dict[str, tuple[int, int, float]] = {}
        self.distributions: list[Distribution] = []
        self._report = report

    def finish(self) -> None:
        """Decide what can only be decided at the end."""

    def screen(self, told: Stretch) -> bool:
        """Tell whether nothing in a stretch that goes by the book can be a violation, nor need be looked at one by one.

        It must change nothing that the check knows of the history: other checks may say no. A check that does not
        define it says no to every stretch, which keeps all of them from being judged in bulk.
        """
        return False

    def tally(self, told: Stretch) -> None:
        """Count, and remember, what the events of a stretch would have made the check count and remember one by one.

        Called once all checks let the stretch pass, with the world as it is after it. Only pings, and runs that settle
        meanwhile, were handed out as ever.
        """

    def fail(
        self,
        requirement: str,
        message: str,
        *,
        expected: str,
        actual: str,
        witnesses: Iterable[Evidence],
        run: Story | None = None,
        user: str | None = None,
        scenario: str | None = None,
    ) -> None:
        """Report a violation. User, scenario and location are taken from the run or the last witness, if not given."""
        evidence = tuple(witnesses)
        if scenario is None:
            last = evidence[-1].op if evidence else None
            scenario = run.scenario if run is not None else self._scenario_of(getattr(last, "conn", None))
        self._report(
            Violation(
                requirement=requirement,
                message=message,
                expected=expected,
                actual=actual,
                run_id=run.run_id if run is not None else None,
                user=user or (run.user if run is not None else None),
                scenario=scenario or self.world.scenario,
                evidence=evidence,
                witness=self._witness,
            )
        )

    def here(self, op: Operation) -> Here:
        """Return the operation just fed as evidence."""
        return Here(self.world.line, op)

    def _scenario_of(self, conn: int | None) -> str | None:
        connection = self.world.connections.get(conn) if conn is not None else None
        return connection.op.scenario if connection else None

    def _witness(self, evidence: Evidence) -> Witness:
        op = evidence.op
        conn = getattr(op, "conn", None)
        connection = self.world.connections.get(conn) if conn is not None else None
        if isinstance(op, Frame):
            text = op.raw.decode(errors="backslashreplace")
            if isinstance(evidence, Sighting) and evidence.pieces > 1:
                text = text.rpartition("\n")[2]
        else:
            fields = msgspec.to_builtins(op)
            text = ", ".join(f"{key}={value}" for key, value in fields.items() if key not in ("op", "at", "conn"))
        if len(text) > _LONGEST:
            text = f"{text[:_LONGEST]}… ({len(text)} characters)"
        user = connection.op.user if connection else getattr(op, "user", None)
        return Witness(evidence.line, op.at / 1000, op.__struct_config__.tag or "", conn, user, text)  # type: ignore[arg-type]


class Unconcerned(Check):
    """A check that has nothing to do with runs that go by the book."""

    def screen(self, told: Stretch) -> bool:
        """Let every stretch pass."""
        return True


def ms(microseconds: float) -> str:
    """Write a duration given in µs as milliseconds."""
    return f"{microseconds / 1000:,.0f} ms"
