"""ISO: what one user does is not felt by another."""

from typing import Any

from conformance.checks.check import Check, on
from conformance.dialects.fields import shorten
from conformance.events import Kind, Refusal
from conformance.express.stretch import Stretch
from conformance.history import operations as ops
from conformance.history.operations import Action
from conformance.story import Notice, Request, Sighting

_TROUBLE = {"failing": "ISO-08", "slow_reader": "ISO-09", "greedy": "ISO-12", "abandoned": "ISO-12"}
_ENDS = (Kind.COMPLETED, Kind.FAILED, Kind.STOPPED)


class Bystanders(Check):
    """What one user does neither fails, delays nor locks out another."""

    decides = ("ISO-08", "ISO-09", "ISO-12")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._calm: dict[str, int] = {}

    def screen(self, told: Stretch) -> bool:
        """Nobody is measured against a neighbour's trouble."""
        return not any((run.asked.behaviour or "").startswith(("calm", "bystander")) for run in told.ended)

    @on(*_ENDS)
    def ended(self, seen: Sighting) -> None:
        """A bystander's run ends: how long did it take, and how did it end?"""
        story = seen.story
        request = story.request
        if request is None or seen.foreign or story.terminal is not None or request.asked.behaviour is None:
            return
        took = seen.op.at - request.asked.at
        user = request.asked.user
        behaviour, _, trouble = request.asked.behaviour.partition(":")
        if behaviour == "calm":
            self._calm[user] = max(took, self._calm.get(user, 0))
        elif behaviour == "bystander" and trouble in _TROUBLE:
            self._disturbed(seen, request, trouble, took)

    def _disturbed(self, seen: Sighting, request: Request, trouble: str, took: int) -> None:
        requirement = _TROUBLE[trouble]
        calm = self._calm.get(request.asked.user)
        if calm is None:
            return
        bounds = self.world.bounds
        allowed = calm + bounds.scaled_ms(bounds.delivery_p95_ms) * 1000
        if allowed < took <= allowed + self.world.slack_us(request.asked.at):
            return
        self.exercised[requirement] += 1
        if seen.event.kind is not Kind.COMPLETED:
            actual = f"{seen.event.kind.name.lower()}: {shorten(seen.op.raw, 120)}"
        elif took > allowed and requirement != "ISO-12":
            actual = f"{took / 1000:,.0f} ms"
        else:
            return
        self.fail(
            requirement,
            f"a bystander's run suffers from another user's trouble ({trouble.replace('_', ' ')})",
            expected=f"completed within {allowed / 1000:,.0f} ms ({calm / 1000:,.0f} ms when it is calm)",
            actual=actual,
            witnesses=[request, seen],
            run=seen.story,
        )

    @on(ops.GaveUp)
    def gave_up(self, op: ops.GaveUp) -> None:
        """A bystander's run that never ended."""
        request = self.world.request_of(op.ask)
        if request is None or op.late or not request.runs or request.refusal is not None:
            return
        behaviour, _, trouble = (request.asked.behaviour or "").partition(":")
        if behaviour == "bystander" and trouble in _TROUBLE and self._calm:
            self.fail(
                _TROUBLE[trouble],
                f"a bystander's run hangs in another user's trouble ({trouble.replace('_', ' ')})",
                expected="a run like any other",
                actual=f"no end within {op.waited_ms:,} ms",
                witnesses=[request, self.here(op)],
                run=request.story,
                user=request.asked.user,
            )

    @on(Refusal)
    def refused(self, notice: Notice) -> None:
        """A user who has nothing open is refused."""
        request = notice.request
        if request is None or request.asked.action not in (Action.START, Action.CONTINUE):
            return
        if not (request.asked.behaviour or "").startswith("bystander"):
            return
        user = request.asked.user
        if self.world.open_of.get(user):
            return
        trouble = (request.asked.behaviour or "").partition(":")[2]
        self.fail(
            "ISO-08" if trouble == "failing" and user in self._calm else "ISO-12",  # not calm: refused before that
            f"a user without open runs is refused in another user's trouble ({trouble.replace('_', ' ')})",
            expected="a run like any other: limits are counted for each user",
            actual=shorten(notice.op.raw, 160),
            witnesses=[request, notice],
            user=user,
        )
