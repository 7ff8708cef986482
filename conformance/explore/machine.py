"""The state machine whose rules draw steps, against a model of who is connected and what runs there are.

Hypothesis runs rules one after the other and knows no event loop, so that drawing and doing are apart: an example is
drawn whole, from the model alone, and then carried out at once on the kit's loop. What is drawn never depends on how
fast the target was.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from hypothesis.strategies import SearchStrategy

from conformance.dialects.dialect import Dialect
from conformance.explore import frames, scripts
from conformance.explore import steps as do
from conformance.explore.steps import AnyStep, Deed, Moment, Steps

STEPS = 28
# With fewer than ten, Hypothesis does not begin with small ones: those would take as long as any, and show less.
_EXAMPLES = 9
USERS = ("ann", "ben", "cyd")
_WHO = st.integers(0, len(USERS) - 1)
_BACK = st.sampled_from((0, 0, 1, 2))


@dataclass(frozen=True)
class Range:
    """What may be explored: how the target is spoken to, what it can do, whether it tells users apart."""

    dialect: Dialect
    capabilities: frozenset[str]
    tells_users: bool
    knows_limit: bool

    def has(self, *names: str) -> bool:
        """Tell whether the target has all these capabilities."""
        return self.capabilities.issuperset(names)


class _Kept(DirectoryBasedExampleDatabase):
    """A database that keeps what failed once, also when it does not for the moment."""

    def delete(self, key: bytes, value: bytes) -> None:
        """Keep it."""


def draw(within: Range, perform: Callable[[Steps], None], *, number: int, database: Path) -> None:
    """Draw some examples and have each carried out, or until `perform` raises; the same for the same `number`.

    What failed before, by the `database`, comes first.
    """
    kind: type[RuleBasedStateMachine] = seed(number)(machine(within, perform))
    how = settings(
        max_examples=_EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        database=_Kept(database),
        phases=(Phase.reuse, Phase.generate),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        print_blob=False,
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(kind, settings=how)


def _bad_input(within: Range) -> SearchStrategy[AnyStep]:
    """Return what may be sent that must be refused: malformed, of an unknown type, too much."""
    dialect, who = within.dialect, st.sampled_from(USERS)
    bad: list[SearchStrategy[AnyStep]] = [st.builds(do.Send, user=who, frame=frames.malformed(dialect))]
    if within.has("websocket") and dialect.answers_unknown:
        bad.append(st.builds(do.Send, user=who, frame=frames.unknown_types(dialect), unknown_type=st.just(True)))
    if within.knows_limit:
        bad.append(st.builds(do.Oversize, user=who, over=st.sampled_from((1, 1000))))
    return st.one_of(bad)


def machine(within: Range, perform: Callable[[Steps], None]) -> type[RuleBasedStateMachine]:
    """Return the machine for a target. `perform` carries out an example, and raises where it violates something."""
    hanging = within.has("stop")
    deeds = [
        deed
        for deed, needed in (
            (Deed.STOP, ("run_access", "stop")),
            (Deed.RESUME, ("run_access", "resume")),
            (Deed.READ, ("run_access",)),
            (Deed.CONTINUE, ("threads",)),
        )
        if within.has(*needed)
    ]

    def can(*names: str) -> Callable[[Any], bool]:
        return lambda self: bool(self.ran()) and within.has(*names)

    class Exploration(RuleBasedStateMachine):
        """Draws the steps of one example."""

        def __init__(self) -> None:
            super().__init__()
            self._before = sys.exception()
            self.steps: list[AnyStep] = []
            self.windows = dict.fromkeys(USERS, 0)
            self.runs = dict.fromkeys(USERS, 0)

        def ran(self) -> list[str]:
            """Return the users who have runs."""
            return [user for user in USERS if self.runs[user]]

        def connected(self) -> list[str]:
            """Return the users who are connected."""
            return [user for user in USERS if self.windows[user]]

        def took(self, step: AnyStep, user: str) -> None:
            """Enter a step of a user, who is connected afterwards."""
            self.steps.append(step)
            self.windows[user] = max(1, self.windows[user])

        def _picked(self, number: int) -> str:
            ran = self.ran()
            return ran[number % len(ran)]

        @rule(who=_WHO, script=scripts.busy())
        def start_tool(self, who: int, script: Any) -> None:
            """Ask for a run with a tool that takes a while."""
            self.runs[USERS[who]] += 1
            self.took(do.Start(user=USERS[who], script=script), USERS[who])

        @rule(who=_WHO, script=scripts.busy())
        def work(self, who: int, script: Any) -> None:
            """Ask for such a run, and go on when the tool is at work."""
            self.start_tool(who=who, script=script)
            self.steps.append(do.Await(user=USERS[who], until=Moment.TOOL))

        @rule(who=_WHO, script=scripts.scripts(hanging=hanging), same=st.booleans())
        def start(self, who: int, script: Any, same: bool) -> None:
            """Ask for a run of any shape."""
            same_thread = same and bool(self.runs[USERS[who]]) and within.has("threads")
            self.runs[USERS[who]] += 1
            self.took(do.Start(user=USERS[who], script=script, same_thread=same_thread), USERS[who])

        @precondition(lambda self: bool(self.ran()))
        @rule(who=_WHO, until=st.sampled_from((Moment.TOOL, Moment.TOOL, *Moment)), back=_BACK)
        def wait(self, who: int, until: Moment, back: int) -> None:
            """Wait for a moment of a run."""
            user = self._picked(who)
            self.steps.append(do.Await(user=user, until=until, back=back % self.runs[user]))

        @precondition(lambda self: bool(self.connected()))
        @rule(who=_WHO, cut=st.booleans())
        def reconnect(self, who: int, cut: bool) -> None:
            """Leave, and come back at once."""
            connected = self.connected()
            user = connected[who % len(connected)]
            self.steps += [do.Disconnect(user=user, cut=cut), do.Connect(user=user)]

        @precondition(lambda self: bool(self.connected()))
        @rule(who=_WHO, cut=st.booleans())
        def disconnect(self, who: int, cut: bool) -> None:
            """Leave."""
            connected = self.connected()
            user = connected[who % len(connected)]
            self.windows[user] -= 1
            self.steps.append(do.Disconnect(user=user, cut=cut))

        @precondition(lambda self: within.has("websocket"))
        @rule(who=_WHO)
        def connect(self, who: int) -> None:
            """Connect, or open another window."""
            if self.windows[USERS[who]] < 3:
                self.windows[USERS[who]] += 1
                self.steps.append(do.Connect(user=USERS[who]))

        @rule(ms=st.sampled_from((20, 100)))
        def pause(self, ms: int) -> None:
            """Let time pass."""
            self.steps.append(do.Pause(ms=ms))

        @precondition(can("resume"))
        @rule(who=_WHO, back=_BACK, after=st.none() | st.integers(0, 8))
        def resume(self, who: int, back: int, after: int | None) -> None:
            """Ask for a run's events again."""
            user = self._picked(who)
            self.took(do.Resume(user=user, back=back % self.runs[user], after=after), user)

        @precondition(can("run_access", "resume"))
        @rule(who=_WHO, back=_BACK)
        def read(self, who: int, back: int) -> None:
            """Read a run over HTTP."""
            user = self._picked(who)
            self.steps.append(do.Read(user=user, back=back % self.runs[user]))

        @precondition(can("stop"))
        @rule(who=_WHO, back=_BACK)
        def stop(self, who: int, back: int) -> None:
            """Stop a run."""
            user = self._picked(who)
            self.took(do.Stop(user=user, back=back % self.runs[user]), user)

        @precondition(can("idempotency"))
        @rule(who=_WHO, back=_BACK)
        def repeat(self, who: int, back: int) -> None:
            """Repeat a request."""
            user = self._picked(who)
            self.took(do.Repeat(user=user, back=back % self.runs[user]), user)

        @rule(step=_bad_input(within))
        def send(self, step: do.Send | do.Oversize) -> None:
            """Send what must be refused."""
            self.took(step, step.user)

        @precondition(lambda self: bool(deeds) and within.tells_users and bool(self.ran()))
        @rule(who=_WHO, number=_WHO, back=_BACK, deed=st.sampled_from(deeds or [Deed.READ]))
        def trespass(self, who: int, number: int, back: int, deed: Deed) -> None:
            """Name what is another's."""
            of = self._picked(number)
            user = USERS[who] if USERS[who] != of else USERS[(who + 1) % len(USERS)]
            self.took(do.Trespass(user=user, deed=deed, of=of, back=back % self.runs[of]), user)

        def teardown(self) -> None:
            """Carry out what was drawn, unless the drawing was broken off."""
            if self.steps and sys.exception() is self._before:
                perform(tuple(self.steps))

    return Exploration
