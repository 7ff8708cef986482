"""The judge: feeds a history to the checks, one operation at a time, and gives the verdict. Pure: no clock, no I/O."""

import gc
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from msgspec import Raw

from conformance import __version__
from conformance.catalogue import Catalogue, Requirement
from conformance.checks import all_checks
from conformance.checks.check import Check, Violation
from conformance.dialects.dialect import Dialect
from conformance.events import Event, Kind, Refusal, RunEvent
from conformance.history.operations import Action, Closed, ClosedBy, Connecting, Header, Operation, Received, Refused
from conformance.story import LONGEST_PASSAGE, Connection, Passage, Sighting, Story
from conformance.verdict import (
    SCHEMA,
    Finding,
    Measurement,
    Outcome,
    RequirementVerdict,
    Verdict,
    cause,
    overall,
    summarise,
)
from conformance.world import World

Handler = Callable[..., None]
SHOWN = 10  # and the first of each further scenario and cause, up to
MOST = 200
_SELDOM = 200_000
SOURCE_FAMILIES = frozenset({"SRC", "TST"})


class Judge:
    """Judges one history. `feed` every operation, then ask for the `verdict` once.

    `findings` are those certain so far. A check that crashes is silenced; what it decides becomes unknown.
    """

    def __init__(
        self,
        header: Header,
        dialect: Dialect,
        catalogue: Catalogue,
        *,
        checks: Iterable[type[Check]] | None = None,
    ) -> None:
        self.header = header
        self.catalogue = catalogue
        self.world = World(header, dialect, self._settled)
        self.findings: dict[str, list[Finding]] = {}
        self.violations: dict[str, int] = {}
        self.crashes: dict[str, str] = {}
        self.operations = 0
        self._seen: set[tuple[str, str, str | None, str]] = set()
        self._scenes: dict[str, set[tuple[str | None, str]]] = {}
        kinds = all_checks() if checks is None else checks
        self.checks = [kind(self.world, self._report) for kind in kinds if kind.dialect in (None, dialect.name)]
        self._by_kind: list[list[Handler]] = [[] for _ in range(max(Kind) + 1)]
        self._odd_by_kind: list[list[Handler]] = [[] for _ in range(max(Kind) + 1)]
        self._by_class: dict[type, list[Handler]] = {}
        self._on_odd_run: list[Handler] = []
        for check in self.checks:
            self._register(check)
        self._on_frame = self._by_class.get(Received, [])
        self._on_passage = self._by_class.get(Passage, [])
        self._on_run = self._by_class.get(Story, [])

    def _register(self, check: Check) -> None:
        for name in dir(type(check)):
            method = getattr(type(check), name)
            for what in getattr(method, "handles", ()):
                if isinstance(what, Kind):
                    self._by_kind[what].append(getattr(check, name))
                    self._odd_by_kind[what].append(getattr(check, name))
                else:
                    self._by_class.setdefault(what, []).append(getattr(check, name))
            for what in getattr(method, "handles_odd", ()):
                odd = self._on_odd_run if what is Story else self._odd_by_kind[what]
                odd.append(getattr(check, name))

    def feed(self, op: Operation) -> None:
        """Take in the next operation of the history."""
        world = self.world
        world.line += 1
        world.now = op.at
        self.operations += 1
        if isinstance(op, Received):
            self._received(op)
        elif self._stands(op):
            if isinstance(op, Closed) and op.by is ClosedBy.TARGET:
                connection = world.connections[op.conn]
                self._decoded(connection, op, connection.decoder.closed())
            world.enter(op)
            self._call(self._by_class.get(type(op), ()), op)
            if isinstance(op, Refused) and op.status is not None:
                self._refused(op, op.status)
            elif isinstance(op, Closed):
                world.forget(op.conn)

    def _refused(self, op: Refused, status: int) -> None:
        """An HTTP error answers the question of its exchange, as an error frame does on a WebSocket."""
        connection = self.world.connections[op.conn]
        if any(request.asked.action is not Action.READ for request in connection.unanswered):
            event = self.world.dialect.refusal(status, op.body.encode())
            self._call(self._by_class.get(Refusal, ()), self.world.notice(connection, op, event))

    def _stands(self, op: Operation) -> bool:
        """Tell whether an operation's connection is there: not over, nor left out of the recording."""
        conn = getattr(op, "conn", None)
        return conn is None or conn in self.world.connections or isinstance(op, Connecting)

    def _received(self, op: Received) -> None:
        world = self.world
        connection = world.connections.get(op.conn)
        if connection is None:
            return
        world.frames += 1
        connection.received += 1
        self._told(connection, op, connection.decoder.decode(op.raw))

    def feed_pieces(self, at: int, conn: int, raws: list[bytes]) -> bool:
        """Take in frames that came one right after the other, if they are the pieces of one text; tell whether.

        They are judged as one where each but continues its run; else they must be fed one by one.
        """
        world = self.world
        connection = world.connections.get(conn)
        raw = b"\n".join(raws)
        event = connection.decoder.joined(raws) if connection is not None and 126 not in raw else None
        seen = world.continues(connection, Received(at, conn, Raw(raw)), event) if connection and event else None
        if connection is None or event is None or seen is None:
            return False
        connection.decoder.join(event)
        seen.pieces = number = len(raws)
        world.line += number
        seen.line = world.line
        world.now = at
        self.operations += number
        world.frames += number
        world.events += number - 1
        connection.received += number
        self._next(seen)
        return True

    def _told(self, connection: Connection, op: Received, events: Sequence[Event]) -> None:
        raw = op.raw
        if len(events) == 1 and isinstance(events[0], RunEvent):
            seen = self.world.continues(connection, op, events[0])
            if seen is not None and (126 not in raw or 126 not in raw.replace(seen.story.own_canary, b"")):
                self._next(seen)
                return
        self._call(self._on_frame, op)
        self._decoded(connection, op, events)

    def _decoded(self, connection: Connection, op: Received | Closed, events: Iterable[Event]) -> None:
        """Enter what a frame says, or the end of a connection."""
        world = self.world
        for event in events:
            if isinstance(event, RunEvent):
                self._event(world.sight(connection, op, event))
            else:
                notice = world.notice(connection, op, event)
                self._call(self._by_class.get(type(event)) or self._inherited(type(event)), notice)

    def _inherited(self, kind: type) -> list[Handler]:
        """Return the handlers of a class that no check names, because a dialect made it: those of its bases."""
        handlers = [handler for base in kind.__mro__[1:] for handler in self._by_class.get(base, ())]
        self._by_class[kind] = handlers
        return handlers

    def _next(self, seen: Sighting) -> None:
        """An event that continues its run: the checks of what it says look at it; its passage is judged later."""
        event, story = seen.event, seen.story
        self._call(self._by_kind[event.kind], seen)
        passage = story.passage
        passage.append(seen)
        if event.terminal or len(passage) >= LONGEST_PASSAGE:
            self._pass(story)
        self.world.enter_next(seen)

    def _event(self, seen: Sighting) -> None:
        """Any other event of a run: all checks look at it at once."""
        story = seen.story
        if story.passage:
            self._pass(story)
        self._call(self._odd_by_kind[seen.event.kind], seen)
        self._call(self._on_passage, Passage(story, [seen]))
        self.world.settle(seen)

    def _pass(self, story: Story) -> None:
        passage = Passage(story, story.passage)
        story.passage = []
        self._call(self._on_passage, passage)

    def _call(self, handlers: Iterable[Handler], argument: object) -> None:
        for handle in handlers:
            try:
                handle(argument)
            except Exception:
                self._crashed(handle)

    def _settled(self, story: Story) -> None:
        if story.passage:
            self._pass(story)
        if not story.by_the_book or story.terminal is None:
            self._call(self._on_odd_run, story)
        self._call(self._on_run, story)

    def _crashed(self, handle: Handler) -> None:
        check: Check = handle.__self__  # type: ignore[attr-defined]
        name = type(check).__name__
        if name not in self.crashes:
            self.crashes[name] = f"check {name} crashed at line {self.world.line}: {traceback.format_exc(limit=-3)}"

    def _report(self, violation: Violation) -> None:
        """Count a violation; keep the first few, and the first of each further scenario and cause."""
        requirement = violation.requirement
        self.violations[requirement] = self.violations.get(requirement, 0) + 1
        shown = self.findings.setdefault(requirement, [])
        scenes = self._scenes.setdefault(requirement, set())
        scene = (violation.scenario, cause(violation.message))
        if len(shown) >= SHOWN and (scene in scenes or len(shown) >= MOST):
            return
        key = (requirement, violation.message, violation.run_id, violation.actual)
        if key not in self._seen:
            self._seen.add(key)
            scenes.add(scene)
            shown.append(violation.finding())

    # -- the verdict ------------------------------------------------------------------------------------------------

    def verdict(self, *, only: Iterable[str] = (), warnings: Iterable[str] = (), truncated: bool = False) -> Verdict:
        """Settle what is open and give the verdict on the whole catalogue, or on the ids and families in `only`."""
        self.world.finish()
        for check in self.checks:
            try:
                check.finish()
            except Exception:
                self._crashed(check.finish)
        selected = self.catalogue.select(only) if only else list(self.catalogue)
        requirements = tuple(self._decide(requirement) for requirement in selected)
        header = self.header
        began = datetime.fromtimestamp(header.began_us / 1e6, UTC).isoformat(timespec="milliseconds")
        notes = [*warnings, *(["the recording ends in the middle of a line"] if truncated else [])]
        return Verdict(
            schema=SCHEMA,
            kit=__version__,
            catalogue=header.catalogue,
            command=header.command,
            target=header.target,
            dialect=header.dialect,
            seed=header.seed,
            verdict=overall(requirements),
            summary=summarise(requirements),
            requirements=requirements,
            capabilities=tuple(sorted(self.world.capabilities)),
            began=began.replace("+00:00", "Z"),
            duration_ms=self.world.now / 1000,
            operations=self.operations,
            events=self.world.events,
            measurements=self._measurements(),
            warnings=tuple(notes),
            harness_errors=tuple(self.crashes.values()),
            repeat=header.repeat,
            profile=header.profile,
            distributions=tuple(distribution for check in self.checks for distribution in check.distributions),
        )

    def _measurements(self) -> tuple[Measurement, ...]:
        return tuple(measurement for check in self.checks for measurement in check.measured)

    def _decide(self, requirement: Requirement) -> RequirementVerdict:
        name = requirement.id
        deciding = [check for check in self.checks if name in check.decides]
        exercised = sum(check.exercised[name] for check in deciding)
        found = self.violations.get(name, 0)
        undecided = next((check.undecided[name] for check in deciding if name in check.undecided), None)
        crashed = [type(check).__name__ for check in deciding if type(check).__name__ in self.crashes]
        if found:
            outcome, reason = Outcome.FAIL, f"violated {found} time{'s' if found > 1 else ''}"
        elif requirement.family in SOURCE_FAMILIES:
            outcome, reason = Outcome.NOT_APPLICABLE, "needs a source tree: agent-conformance audit PATH"
        elif requirement.capability is not None and requirement.capability not in self.world.capabilities:
            outcome, reason = Outcome.NOT_APPLICABLE, f"the target does not declare {requirement.capability}"
        elif not deciding:
            outcome, reason = Outcome.UNKNOWN, "no check yet"
        elif crashed:
            outcome, reason = Outcome.UNKNOWN, f"its check crashed: {', '.join(crashed)}"
        elif undecided is not None:
            outcome, reason = Outcome.UNKNOWN, undecided
        elif not exercised:
            outcome, reason = Outcome.UNKNOWN, "nothing was seen that could decide it"
        else:
            outcome, reason = Outcome.PASS, f"held {exercised} time{'s' if exercised > 1 else ''}"
        return RequirementVerdict(
            id=name,
            level=requirement.level,
            statement=requirement.statement,
            verdict=outcome,
            exercised=max(exercised, found),
            reason=reason,
            violations=found,
            findings=tuple(self.findings.get(name, ())),
        )


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Keep the garbage collector from looking for cycles all the time: judging makes many objects, and hardly any."""
    before = gc.get_threshold()
    gc.set_threshold(_SELDOM, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
