"""DLV-08: what the kit's faults of the network do to runs."""

from typing import Any

from conformance.checks.check import Check, Here, on, on_odd
from conformance.dialects.fields import shorten
from conformance.events import Kind, Refusal
from conformance.express.stretch import Stretch
from conformance.history import operations as ops
from conformance.history.operations import Awaited
from conformance.story import Notice, Request, Sighting, Story

_ENDS = (Kind.COMPLETED, Kind.FAILED, Kind.STOPPED)


class Weather(Check):
    """A run that was open during a fault of the network is whole in the end."""

    decides = ("DLV-08",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._hit: dict[int, tuple[Story, Here]] = {}
        self._open: dict[str, Here] = {}
        self._faults = 0

    def screen(self, told: Stretch) -> bool:
        """No run ends in bad weather, nor was it hit by some."""
        if not self._open and not self._hit:
            return True
        return not any(
            run.user in self._open or (run.story is not None and run.story.number in self._hit) for run in told.ended
        )

    @on(ops.FaultBegan)
    def began(self, op: ops.FaultBegan) -> None:
        """The network of a user gets bad."""
        if op.user is None:
            return
        self._faults += 1
        self._open[op.user] = self.here(op)
        for story in self.world.open_of.get(op.user, ()):
            if story.terminal is None:
                self._hit[story.number] = (story, self.here(op))

    @on(ops.FaultEnded)
    def passed(self, op: ops.FaultEnded) -> None:
        """It is as good as before."""
        self._open = {user: here for user, here in self._open.items() if here.op.fault != op.fault}  # type: ignore[attr-defined]

    @on(*_ENDS)
    def ended(self, seen: Sighting) -> None:
        """A run that began in bad weather ends in it."""
        story = seen.story
        began = self._open.get(story.user or "")
        if began is not None and not seen.foreign and story.terminal is None:
            self._hit.setdefault(story.number, (story, began))

    @on_odd(Story)
    def settled(self, story: Story) -> None:
        """Nothing more comes: is it whole?"""
        hit = self._hit.pop(story.number, None)
        if hit is None or story.terminal is None or story.partly_seen:
            return
        self.exercised["DLV-08"] += 1
        if story.missing:
            numbers = sorted(story.missing)
            shown = f"{', '.join(map(str, numbers[:8]))}{', …' if len(numbers) > 8 else ''}"
            self._lost(story, hit[1], f"never delivered: seq {shown}", story.terminal)

    @on(Refusal)
    def refused(self, notice: Notice) -> None:
        """The client came back for it, and there is none."""
        request = notice.request
        hit = self._asked_for(request)
        if hit is not None:
            self.exercised["DLV-08"] += 1
            self._lost(*hit, f"refused: {shorten(notice.op.raw, 120)}", notice)

    @on(ops.GaveUp)
    def gave_up(self, op: ops.GaveUp) -> None:
        """The client came back for it, and its end never comes."""
        request = self.world.request_of(op.ask)
        hit = self._asked_for(request)
        if hit is not None and op.awaited is Awaited.TERMINAL and not op.late:
            self.exercised["DLV-08"] += 1
            self._lost(*hit, f"no end within {op.waited_ms:,} ms after it was resumed", self.here(op))

    def _asked_for(self, request: Request | None) -> tuple[Story, Here] | None:
        """Return the run of which a client asked for the rest, if its end was not seen."""
        story = self.world.asked_again(request)
        return self._hit.pop(story.number, None) if story is not None and story.terminal is None else None

    def _lost(self, story: Story, began: Here, actual: str, last: Any) -> None:
        self.fail(
            "DLV-08",
            f"a fault of the network ({began.op.kind.value}) costs a run events",  # type: ignore[attr-defined]
            expected="each of its events, to the terminal one, when the client resumes",
            actual=actual,
            witnesses=[began, *([story.last] if story.last is not None and story.last is not last else []), last],
            run=story,
        )

    def finish(self) -> None:
        """Say what is missing to decide."""
        if not self.exercised["DLV-08"] and self._faults:
            self.undecided["DLV-08"] = "no fault of the network hit a run that was seen to its end"
