"""AGU: AG-UI's own rules. The decoder finds what breaks them (`Violation`); here it is reported and counted."""

from collections.abc import Iterable

from conformance.checks.check import EVERY_EVENT, Unconcerned, on
from conformance.events import Kind, Refusal, ToolCompletedElsewhere, Unknown, Violation
from conformance.express.stretch import Stretch
from conformance.story import Notice, Sighting

_TEXT = ("AGU-06", "AGU-12", "AGU-13", "AGU-18")
_CALL = ("AGU-07", "AGU-12", "AGU-13")
_END = ("AGU-03", "AGU-04", "AGU-05", "AGU-10", "AGU-11")
_REASONING = ("AGU-09", "AGU-12", "AGU-18")
# what each event could have broken; the pieces of a message are not counted by themselves
_BY_KIND: dict[Kind, tuple[str, ...]] = {
    Kind.STARTED: ("AGU-01", "AGU-02", "AGU-05", "AGU-12", "AGU-13"),
    Kind.TOOL_STARTED: ("AGU-07", "AGU-14"),
    Kind.TOOL_COMPLETED: ("AGU-15", "AGU-17", "AGU-22"),
    Kind.COMPLETED: _END,
    Kind.FAILED: ("AGU-03", "AGU-04"),
    Kind.STOPPED: (*_END, "AGU-21"),
}
_BY_TYPE: dict[str, tuple[str, ...]] = {
    "ag-ui:TEXT_MESSAGE_START": _TEXT,
    "ag-ui:TEXT_MESSAGE_CHUNK": ("AGU-06", "AGU-12", "AGU-16"),
    "ag-ui:TEXT_MESSAGE_END": ("AGU-06",),
    "ag-ui:TOOL_CALL_START": _CALL,
    "ag-ui:TOOL_CALL_ARGS": ("AGU-07",),
    "ag-ui:TOOL_CALL_CHUNK": ("AGU-12", "AGU-13", "AGU-16"),
    "ag-ui:STEP_STARTED": ("AGU-08",),
    "ag-ui:STEP_FINISHED": ("AGU-08",),
    "ag-ui:REASONING_START": _REASONING,
    "ag-ui:REASONING_MESSAGE_START": _REASONING,
    "ag-ui:REASONING_MESSAGE_END": ("AGU-09",),
    "ag-ui:REASONING_END": ("AGU-09",),
    "ag-ui:REASONING_MESSAGE_CHUNK": ("AGU-12", "AGU-16"),
    "ag-ui:THINKING_START": ("AGU-09",),
    "ag-ui:THINKING_TEXT_MESSAGE_START": ("AGU-09", "AGU-18"),
    "ag-ui:STATE_DELTA": ("AGU-19", "AGU-20"),
    "ag-ui:ACTIVITY_SNAPSHOT": ("AGU-12",),
    "ag-ui:ACTIVITY_DELTA": ("AGU-19", "AGU-20"),
    "ag-ui:MESSAGES_SNAPSHOT": ("AGU-23",),
}


class RulesOfDialects(Unconcerned):
    """What decoders find that breaks a rule of their dialect's own."""

    @on(Violation)
    def violation(self, notice: Notice) -> None:
        """Report what the decoder found."""
        violation = notice.event
        assert isinstance(violation, Violation)
        run = self.world.story_of(violation.run_id) if violation.run_id else None
        self.fail(
            violation.requirement,
            violation.message,
            expected=violation.expected,
            actual=violation.actual,
            witnesses=[notice],
            run=run,
        )


class AgUiRules(Unconcerned):
    """What only AG-UI asks for."""

    decides = tuple(f"AGU-{number:02}" for number in range(1, 25))
    dialect = "ag-ui"

    @on(*(kind for kind in EVERY_EVENT if kind in _BY_KIND))
    def event(self, seen: Sighting) -> None:
        """Count what the event could have broken; of a call that was made elsewhere nothing is known."""
        if not isinstance(seen.event, ToolCompletedElsewhere):
            self._count(_BY_KIND[seen.event.kind])

    def tally(self, told: Stretch) -> None:
        """Count what the events of a stretch could have broken."""
        for kind, requirements in _BY_KIND.items():
            times = told.kinds.count(kind)
            for requirement in requirements:
                self.exercised[requirement] += times

    @on(Kind.OTHER)
    def other(self, seen: Sighting) -> None:
        """Count what the event could have broken."""
        self._count(_BY_TYPE.get(getattr(seen.event, "type", ""), ()))

    @on(Refusal, Unknown)
    def beside(self, notice: Notice) -> None:
        """An event that came where no run was: it could have been a stream's first."""
        self._count(("AGU-01",))

    def _count(self, requirements: Iterable[str]) -> None:
        for requirement in requirements:
            self.exercised[requirement] += 1

    def finish(self) -> None:
        """Every event was held against the types that there are."""
        self.exercised["AGU-24"] = self.world.events
