"""IDN: what the client chose comes back as it was."""

from conformance.checks.check import Check, on
from conformance.dialects.fields import describe
from conformance.events import Accepted, Kind
from conformance.express.stretch import Stretch
from conformance.story import Notice, Request, Sighting


class Echo(Check):
    """Ids that the client chose come back as they were."""

    decides = ("IDN-07",)

    @on(Accepted)
    def accepted(self, notice: Notice) -> None:
        """Hold the answer against the request."""
        event, request = notice.event, notice.request
        assert isinstance(event, Accepted)
        if request is None:
            return
        asked = request.asked
        pairs = [("request_id", asked.request_id, event.request_id)]
        if asked.owner is None:
            pairs.append(("thread_id", asked.thread_id, event.thread_id))
        for name, sent, came in pairs:
            if sent is None:
                continue
            self.exercised["IDN-07"] += 1
            if came != sent:
                self.fail(
                    "IDN-07",
                    f"the {name} that the client chose comes back changed",
                    expected=f"{name}: {describe(sent)}",
                    actual=f"{name}: {describe(came)}",
                    witnesses=[request, notice],
                    user=asked.user,
                )

    def screen(self, told: Stretch) -> bool:
        """Answers name the request; where the client chose the thread, that, too."""
        return all(run.asked.thread_id in (None, run.thread_id) for run in told.accepted)

    def tally(self, told: Stretch) -> None:
        """Count the answers and the starts, which name their requests."""
        chosen = sum([run.asked.thread_id is not None for run in told.accepted])
        self.exercised["IDN-07"] += len(told.accepted) + chosen + len(told.begun)

    @on(Kind.STARTED)
    def started(self, seen: Sighting) -> None:
        """The start event names the request."""
        request = seen.story.request
        came = seen.event.payload.request_id
        if request is None or seen.foreign or not seen.fresh or seen.story.first is not None or came is None:
            return
        self.exercised["IDN-07"] += 1
        asked = request.asked
        if seen.connection.op.ask is not None and asked.owner is None and asked.thread_id and seen.event.thread_id:
            self._thread(seen, request)
        if came != request.asked.request_id:
            self.fail(
                "IDN-07",
                "a run starts under another request_id than the client's",
                expected=f"request_id: {describe(request.asked.request_id)}",
                actual=f"request_id: {describe(came)}",
                witnesses=[request, seen],
                run=seen.story,
            )

    def _thread(self, seen: Sighting, request: Request) -> None:
        sent, came = request.asked.thread_id, seen.event.thread_id
        self.exercised["IDN-07"] += 1
        if came != sent:
            self.fail(
                "IDN-07",
                "the thread_id that the client chose comes back changed",
                expected=f"thread_id: {describe(sent)}",
                actual=f"thread_id: {describe(came)}",
                witnesses=[request, seen],
                run=seen.story,
            )
