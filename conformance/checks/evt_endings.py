"""EVT: how a run ends, and with what."""

from msgspec import UNSET

from conformance import script
from conformance.checks.check import Check, Evidence, on
from conformance.checks.silence import queued, silent
from conformance.dialects.fields import describe, shorten
from conformance.events import Kind
from conformance.express.stretch import Stretch
from conformance.history import operations as ops
from conformance.history.operations import Awaited
from conformance.story import Request, Sighting

_TERMINAL = (Kind.COMPLETED, Kind.FAILED, Kind.STOPPED)


class Endings(Check):
    """A run's end says what came of it."""

    decides = ("EVT-09", "EVT-10", "EVT-15")

    @on(Kind.COMPLETED)
    def completed(self, seen: Sighting) -> None:
        """A run that succeeded carries its answer, and the one that was streamed."""
        if seen.foreign or not seen.fresh:
            return
        story, answer = seen.story, seen.event.payload.final_response
        told = story.script
        if answer is UNSET and (told is None or not script.answer(told)):
            return  # the dialect has no field for it, and there was nothing to say
        self.exercised["EVT-09"] += 1
        answer = None if answer is UNSET else answer
        if answer is None or (not answer.strip() and (told is None or script.answer(told))):
            self.fail(
                "EVT-09",
                "a completed event without the final response",
                expected="final_response with the whole answer",
                actual=describe(answer),
                witnesses=[seen],
                run=story,
            )
        if story.text and not seen.incomplete and story.terminal is None:
            self._streamed(seen, answer or "")
        if told is not None and script.fails(told) and self.world.obeys_script:
            self._not_an_error(story.request, seen, "the run completed")

    def _streamed(self, seen: Sighting, answer: str) -> None:
        self.exercised["EVT-15"] += 1
        parts = sorted(seen.story.text, key=lambda part: part.event.seq or 0)
        streamed = "".join(part.event.payload.text or "" for part in parts)
        if streamed != answer and "\ufffd" not in streamed:  # else it may have been cut within a character
            at = next((i for i, (a, b) in enumerate(zip(streamed, answer, strict=False)) if a != b), None)
            at = min(len(streamed), len(answer)) if at is None else at
            self.fail(
                "EVT-15",
                f"the streamed text is not the final response: they part at character {at}",
                expected=shorten(answer[max(0, at - 20) :], 120),
                actual=shorten(streamed[max(0, at - 20) :], 120),
                witnesses=[parts[0], parts[-1], seen],
                run=seen.story,
            )

    def screen(self, told: Stretch) -> bool:
        """Every run answers, with what it streamed, and none was told to fail."""
        for run in told.ended:
            answer = told.events[run.stop - 1].payload.final_response
            if not answer or answer.isspace() or (run.text is not None and run.text != answer):
                return False
            if run.script is not None and script.fails(run.script):
                return False
        return True

    def tally(self, told: Stretch) -> None:
        """Count the answers."""
        self.exercised["EVT-09"] += len(told.ended)
        self.exercised["EVT-15"] += sum([run.text is not None for run in told.ended])

    @on(Kind.FAILED)
    def failed(self, seen: Sighting) -> None:
        """A run that failed says why."""
        if seen.foreign or not seen.fresh:
            return
        self.exercised["EVT-10"] += 1
        payload = seen.event.payload
        if not payload.code or not payload.message:
            self.fail(
                "EVT-10",
                "an error event that does not say what went wrong",
                expected="a code and a message",
                actual=f"code {payload.code!r}, message {payload.message!r}",
                witnesses=[seen],
                run=seen.story,
            )

    @on(ops.GaveUp)
    def gave_up(self, op: ops.GaveUp) -> None:
        """A failing run that ends in silence."""
        request = self.world.request_of(op.ask)
        if request is None or op.late or op.awaited is not Awaited.TERMINAL or request.asked.script is None:
            return
        story = request.story
        waiting = queued(request, self.world.open_of.get(request.asked.user, ()))
        fell_silent = (
            story is not None and story.terminal is None and silent(story, op, self.world.run_limit_s) and not waiting
        )
        if fell_silent and script.fails(request.asked.script) and self.world.obeys_script:
            self._not_an_error(request, self.here(op), "silence")

    @on(Kind.STOPPED)
    def stopped(self, seen: Sighting) -> None:
        """A failing run that ends as if it had been stopped."""
        story = seen.story
        if seen.foreign or not seen.fresh or story.terminal is not None or story.stop_asked is not None:
            return
        if story.script is not None and script.fails(story.script) and self.world.obeys_script:
            self._not_an_error(story.request, seen, "the run was stopped")

    def _not_an_error(self, request: Request | None, last: Evidence, actual: str) -> None:
        assert request is not None
        self.exercised["EVT-10"] += 1
        self.fail(
            "EVT-10",
            f"the model failed, yet {actual}" if actual != "silence" else "the model failed, and the run fell silent",
            expected="an error event with a code and a message",
            actual=actual,
            witnesses=[request, last],
            run=request.story,
        )
