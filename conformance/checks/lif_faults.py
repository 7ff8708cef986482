"""LIF, by what becomes of runs when the kit ends the target's process, and of the places of runs that were left."""

from typing import Any

from conformance.checks.check import Check, Here, on
from conformance.dialects.fields import shorten
from conformance.events import Accepted, Kind, Refusal
from conformance.express.stretch import Stretch
from conformance.history import operations as ops
from conformance.history.operations import Awaited, FaultKind
from conformance.story import Notice, Request, Sighting, Story

_ENDS = (Kind.COMPLETED, Kind.FAILED, Kind.STOPPED)
_REQUIREMENTS = {FaultKind.TERMINATE: "LIF-05", FaultKind.KILL: "LIF-06"}
_MESSAGES = {
    "LIF-05": "a run that was under way when the process was asked to end is lost",
    "LIF-06": "a run that was accepted before the process was killed is lost",
}
_UNMANAGED = "the kit did not start the target: say how in the target file ([target] command)"
_AGAIN = "after:abandoned"


class Survivors(Check):
    """What was under way when the process ended comes to its end all the same: at once, or when it is asked for."""

    decides = ("LIF-05", "LIF-06")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._hit: dict[int, tuple[Story, Here, str]] = {}
        self._ending: dict[int, str] = {}
        self._seen: dict[str, str] = {}

    def screen(self, told: Stretch) -> bool:
        """No run that ends is one of them."""
        return not self._hit or not any(run.story and run.story.number in self._hit for run in told.ended)

    @on(ops.FaultBegan)
    def began(self, op: ops.FaultBegan) -> None:
        """The process is about to end: remember what is under way."""
        requirement = _REQUIREMENTS.get(op.kind)
        if requirement is None:
            return
        self._ending[op.fault] = requirement
        self._seen.setdefault(requirement, f"no run was open when the kit ended the process ({op.kind.value})")
        lasting = "resume" in self.world.capabilities
        for story in [story for stories in self.world.open_of.values() for story in stories]:
            if story.terminal is not None or story.run_id is None or story.request is None:
                continue
            if lasting or story.request.connection.open:
                self._hit[story.number] = (story, self.here(op), requirement)

    @on(ops.FaultEnded)
    def back(self, op: ops.FaultEnded) -> None:
        """The process is there again. What cannot be asked for again had to end before its connection did."""
        requirement = self._ending.pop(op.fault, None)
        if requirement is None:
            return
        if op.problem is not None:
            self._seen[requirement] = op.problem
            self._hit = {n: hit for n, hit in self._hit.items() if hit[2] != requirement}
        elif requirement == "LIF-05" and "resume" not in self.world.capabilities:
            for story, began, _ in list(self._hit.values()):
                if story.request is not None and not story.request.connection.open:
                    self._lost(
                        story, began, "its connection ended without one, and it cannot be resumed", self.here(op)
                    )

    @on(*_ENDS)
    def ended(self, seen: Sighting) -> None:
        """One of them ends."""
        hit = None if seen.foreign else self._hit.pop(seen.story.number, None)
        if hit is not None:
            self.exercised[hit[2]] += 1

    @on(Refusal)
    def refused(self, notice: Notice) -> None:
        """One of them is asked for, and is not known any more."""
        request = notice.request
        hit = self._asked_for(request)
        if hit is not None:
            self._lost(*hit, f"refused: {shorten(notice.op.raw, 120)}", notice)

    @on(ops.GaveUp)
    def gave_up(self, op: ops.GaveUp) -> None:
        """One of them is asked for, and does not end."""
        request = self.world.request_of(op.ask)
        hit = self._asked_for(request)
        if hit is not None and op.awaited is Awaited.TERMINAL and not op.late:
            self._lost(*hit, f"no end within {op.waited_ms:,} ms after it was asked for again", self.here(op))

    def _asked_for(self, request: Request | None) -> tuple[Story, Here] | None:
        story = self.world.asked_again(request)
        hit = self._hit.get(story.number) if story is not None else None
        return hit[:2] if hit is not None else None

    def _lost(self, story: Story, began: Here, actual: str, last: Any) -> None:
        requirement = self._hit.pop(story.number)[2]
        self.exercised[requirement] += 1
        told = story.last or story.request
        self.fail(
            requirement,
            _MESSAGES[requirement],
            expected="its terminal event, before its connection ends or when the process is back",
            actual=actual,
            witnesses=[*([told] if told is not None else []), began, last],
            run=story,
        )

    def finish(self) -> None:
        """Say what is missing to decide."""
        managed = "managed" in self.world.capabilities
        for requirement in self.decides:
            if not self.exercised[requirement]:
                reason = self._seen.get(requirement) if managed else _UNMANAGED
                if reason is not None:
                    self.undecided[requirement] = reason


class Places(Check):
    """The places that abandoned runs took are free again when those runs are over."""

    decides = ("LIF-04",)

    def screen(self, told: Stretch) -> bool:
        """Nobody asks for another run after abandoning some."""
        return not any(run.asked.behaviour == _AGAIN for run in told.accepted)

    @on(Accepted)
    def accepted(self, notice: Notice) -> None:
        """There is a place again."""
        request = notice.request
        self.exercised["LIF-04"] += request is not None and request.asked.behaviour == _AGAIN

    @on(Refusal)
    def refused(self, notice: Notice) -> None:
        """There is none, although all runs that could take it are over."""
        request = notice.request
        if request is None or request.asked.behaviour != _AGAIN or self.world.open_of.get(request.asked.user):
            return
        self.exercised["LIF-04"] += 1
        self.fail(
            "LIF-04",
            "a user who abandoned runs gets no other, although all of them are over",
            expected="a run like any other",
            actual=f"refused: {shorten(notice.op.raw, 120)}",
            witnesses=[request, notice],
            user=request.asked.user,
        )
