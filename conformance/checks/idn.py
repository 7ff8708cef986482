"""IDN: ids are real."""

from itertools import pairwise
from typing import Any

from conformance.checks.check import EVERY_EVENT, Check, on, on_odd
from conformance.events import Accepted, Flaw, Kind, Ready
from conformance.express.stretch import Stretch
from conformance.history.operations import Credentials
from conformance.identity import is_no_id, is_placeholder
from conformance.recent import Recent, RecentSet
from conformance.story import Notice, Sighting, Story, recalled


class Presence(Check):
    """Every run event names its run, and by the same ids from first to last."""

    decides = ("IDN-01", "IDN-02", "IDN-03", "IDN-08", "IDN-10")

    @on(Flaw)
    def flaw(self, notice: Notice) -> None:
        """A run event without a run id."""
        flaw = notice.event
        assert isinstance(flaw, Flaw)
        if flaw.requirement == "IDN-01":
            self.fail(
                "IDN-01",
                "a run event without a run_id",
                expected="run_id: a non-empty string",
                actual=f"run_id: {flaw.actual}",
                witnesses=[notice],
            )

    @on_odd(*EVERY_EVENT)
    def event(self, seen: Sighting) -> None:
        """Hold an event's ids against those of its run's first event."""
        event = seen.event
        first = seen.story.first
        if event.run_id == "":
            self.fail(
                "IDN-01",
                "a run event without a run_id",
                expected="run_id: a non-empty string",
                actual='run_id: ""',
                witnesses=[seen],
                run=seen.story,
            )
        if first is None or seen.foreign:
            self._first(seen)
            return
        known = first.event
        if event.run_id != known.run_id or event.thread_id != known.thread_id or event.user_id != known.user_id:
            self._changed(seen, first)

    def _first(self, seen: Sighting) -> None:
        event = seen.event
        chosen = self._chosen(seen)
        for name in ("run_id", "thread_id", "user_id", "event_id"):
            value = getattr(event, name)
            stands_in = is_no_id if name == "event_id" else is_placeholder
            if value and stands_in(value) and value not in chosen:
                self._placeholder(seen, name, value)
        self._owner(seen)
        self._kinds(seen)
        if event.kind is not Kind.STARTED and event.seq is not None and event.seq > 1 and seen.story.request is None:
            self._replaced(seen)

    def _chosen(self, seen: Sighting) -> tuple[str | None, ...]:
        """Return the ids that the kit itself chose: they are not held against the target."""
        request = seen.story.request
        return (seen.connection.user, request.asked.thread_id if request is not None else None)

    def _placeholder(self, seen: Sighting, name: str, value: str) -> None:
        self.fail(
            "IDN-02",
            f"{name} is a placeholder",
            expected=f"{name}: an id of its own",
            actual=f"{name}: {value!r}",
            witnesses=[seen],
            run=seen.story,
        )

    def _owner(self, seen: Sighting) -> None:
        own = self.world.identity_on(seen.connection)
        if seen.foreign or own is None or seen.event.user_id is None:
            return
        self.exercised["IDN-08"] += 1
        if seen.event.user_id != own:
            self.fail(
                "IDN-08",
                "a run's events name another user than the authenticated one",
                expected=f"user_id: {own}",
                actual=f"user_id: {seen.event.user_id}",
                witnesses=[seen],
                run=seen.story,
            )

    def _kinds(self, seen: Sighting) -> None:
        event = seen.event
        ready = seen.connection.ready
        chosen = event.thread_id in self._chosen(seen)[1:]
        ids = {
            "run_id": event.run_id,
            "thread_id": None if chosen else event.thread_id,
            "user_id": event.user_id,
            "connection_id": ready.connection_id if ready else None,
        }
        self.exercised["IDN-10"] += 1
        for (name, value), (other, same) in pairwise(sorted(ids.items(), key=lambda item: str(item[1]))):
            if value and value == same:
                self.fail(
                    "IDN-10",
                    f"{name} and {other} are the same id",
                    expected="an id of its own for each kind of thing",
                    actual=f"{name} = {other} = {value}",
                    witnesses=[seen],
                    run=seen.story,
                )

    def _replaced(self, seen: Sighting) -> None:
        """An event of a run that nobody asked for, and that goes on where one of the same thread left off."""
        event = seen.event
        if not event.run_id or is_placeholder(event.run_id):
            return
        if any(request.runs for request in seen.connection.unanswered):
            return
        for story in self.world.open_of.get(seen.story.user, ()):
            last = story.last
            if story is seen.story or last is None or story.stream is None or story.connection is not seen.connection:
                continue
            if story.thread_id == event.thread_id and story.high + 1 == event.seq:
                self.fail(
                    "IDN-03",
                    "the run_id changes in the middle of a run",
                    expected=f"run_id: {story.run_id}",
                    actual=f"run_id: {event.run_id}, with the next seq of the same thread",
                    witnesses=[last, seen],
                    run=story,
                )

    def _changed(self, seen: Sighting, first: Sighting) -> None:
        for name in ("run_id", "thread_id", "user_id"):
            was, now = getattr(first.event, name), getattr(seen.event, name)
            if was == now or now is None or was is None or (name == "run_id" and not now):
                continue
            if is_placeholder(now):
                self._placeholder(seen, name, now)
            else:
                self.fail(
                    "IDN-03",
                    f"{name} changes in the middle of a run",
                    expected=f"{name}: {was}",
                    actual=f"{name}: {now}",
                    witnesses=[first, seen],
                    run=seen.story,
                )
            if name == "user_id":
                self._owner(seen)

    @on(Kind.TOOL_STARTED)
    def tool(self, seen: Sighting) -> None:
        """A tool call's id is an id, too."""
        call_id = seen.event.payload.tool_call_id
        if call_id and is_no_id(call_id):
            self._placeholder(seen, "tool_call_id", call_id)

    def screen(self, told: Stretch) -> bool:
        """Ids are ids, each of its own."""
        for run in told.begun:
            event, ready = told.events[run.first], run.connection.ready
            run_id, thread_id, user_id = event.run_id, event.thread_id, event.user_id
            ids = {run_id, thread_id, user_id}
            if len(ids) < 3 or (ready is not None and ready.connection_id in ids):
                return False
            if is_placeholder(run_id) or is_placeholder(thread_id) or is_placeholder(user_id):
                return False
        return not any(is_placeholder(call.call_id) for call in told.calls)

    def tally(self, told: Stretch) -> None:
        """Count the runs' first events."""
        owned = [run for run in told.begun if self.world.identity_on(run.connection) is not None]
        self.exercised["IDN-08"] += len(owned)
        self.exercised["IDN-10"] += len(told.begun)

    @on(Ready)
    def greeted(self, notice: Notice) -> None:
        """The server names the connection and the user."""
        ready, own = notice.event, self.world.identity_on(notice.connection)
        assert isinstance(ready, Ready)
        if notice.connection.op.credentials not in (Credentials.VALID, Credentials.SHORT_LIVED):
            return  # who that is nobody can know: ACC-01
        for name in ("connection_id", "user_id"):
            value = getattr(ready, name)
            stands_in = is_no_id if name == "connection_id" else is_placeholder
            if value and stands_in(value) and value != notice.connection.user:
                self.fail(
                    "IDN-02",
                    f"{name} is a placeholder",
                    expected=f"{name}: an id of its own",
                    actual=f"{name}: {value!r}",
                    witnesses=[notice],
                )
        if own is not None and ready.user_id is not None:
            self.exercised["IDN-08"] += 1
            if ready.user_id != own:
                self.fail(
                    "IDN-08",
                    "the server greets another user than the authenticated one",
                    expected=f"user_id: {own}",
                    actual=f"user_id: {ready.user_id}",
                    witnesses=[notice],
                )

    def finish(self) -> None:
        """Every run event was looked at."""
        for requirement in ("IDN-01", "IDN-02", "IDN-03"):
            self.exercised[requirement] = self.world.events


class Uniqueness(Check):
    """An id names one thing only."""

    decides = ("IDN-04", "IDN-06", "IDN-09")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._runs: Recent[str, int] = Recent(16_384)
        self._event_ids: RecentSet[str] = RecentSet(16_384)
        self._calls: Recent[tuple[str | None, str | None, str], Sighting] = Recent(1_024)
        self._told: list[tuple[int, tuple[str | None, str | None, str], int]] = []

    @on(Accepted)
    def accepted(self, notice: Notice) -> None:
        """A new request gets a new run id."""
        event, request = notice.event, notice.request
        assert isinstance(event, Accepted)
        if request is None or request.story is None or not event.run_id or is_placeholder(event.run_id):
            return
        self._run(event.run_id, notice, request.story.number)

    def _run(self, run_id: str, seen: Notice | Sighting, number: int) -> None:
        known = self._runs.get(run_id)
        if known == number:
            return
        self.exercised["IDN-04"] += 1
        self._runs.add(run_id, number)
        if known is not None:
            self.fail(
                "IDN-04",
                "a run_id is used for a second run",
                expected="a run_id that no other run has or had",
                actual=f"{run_id} again, for another request",
                witnesses=[seen],
                run=seen.story if isinstance(seen, Sighting) else None,
            )

    @on_odd(*EVERY_EVENT)
    def event(self, seen: Sighting) -> None:
        """An event id is new, unless the event is delivered again."""
        event, story = seen.event, seen.story
        if seen.foreign:
            return
        if story.first is None and event.run_id and not is_placeholder(event.run_id):
            self._run(event.run_id, seen, story.number)
        event_id = event.event_id
        if event_id is None:
            return
        if not seen.fresh:
            self._again(seen)
        elif event_id in story.ids:
            self._same(story, event_id, [seen])

    def _same(self, story: Story, event_id: str, witnesses: list[Sighting]) -> None:
        self.fail(
            "IDN-06",
            "two events have the same event_id",
            expected="an event_id of its own for each event",
            actual=f"event_id {event_id!r} again",
            witnesses=witnesses,
            run=story,
        )

    @on(Story)
    def settled(self, story: Story) -> None:
        """The event ids of a run are not those of another."""
        for event_id in self._event_ids.enter(story.event_ids):
            self._same(story, event_id, [story.last] if story.last else [])

    def _again(self, seen: Sighting) -> None:
        """An event delivered again: it must have kept its id, and the id its event."""
        event, story = seen.event, seen.story
        if story.settled or event.event_id is None:
            return
        self.exercised["IDN-06"] += 1
        known = story.ids.get(event.event_id)
        if known is None:
            was = next((event_id for event_id, seq in story.ids.items() if seq == event.seq), None)
            self.fail(
                "IDN-06",
                "an event delivered again has a new event_id",
                expected=f"seq {event.seq} with event_id {was}",
                actual=f"event_id {event.event_id}",
                witnesses=[seen],
                run=story,
            )
        elif event.seq is not None and known != event.seq:
            self.fail(
                "IDN-06",
                "two events have the same event_id",
                expected=f"event_id {event.event_id} with seq {known} only",
                actual=f"seq {event.seq}",
                witnesses=[seen],
                run=story,
            )

    @on(Kind.TOOL_STARTED)
    def tool(self, seen: Sighting) -> None:
        """A tool call id is new in its thread."""
        if seen.foreign or not seen.fresh:
            return
        payload, story = seen.event.payload, seen.story
        self.exercised["IDN-09"] += 1
        key = (story.user, seen.event.thread_id, payload.tool_call_id)
        known = self._calls.get(key)
        if known is None:
            self._calls.add(key, seen)
            return
        before = known.event.payload
        same_call = known.story is story and before.tool_name == payload.tool_name
        if not same_call or before.parameters != payload.parameters:
            self.fail(
                "IDN-09",
                "two tool calls of a thread have the same tool_call_id",
                expected="a tool_call_id of its own for each call",
                actual=f"{payload.tool_call_id} for {before.tool_name} and for {payload.tool_name}",
                witnesses=[known, seen],
                run=story,
            )

    def screen(self, told: Stretch) -> bool:
        """Ids are new; those of events are compared when their runs settle."""
        if self._runs.any_of([run.run_id for run in told.accepted]):
            return False
        for run in told.begun:
            if run.story is not None and self._runs.get(run.run_id) != run.story.number:
                return False
            if is_placeholder(told.ids[run.first]):
                return False
        calls: list[tuple[int, tuple[str | None, str | None, str], int]] = []
        for run in told.chapters if told.calls else ():
            user, thread_id = run.user, run.thread_id
            calls += [(told.places[c.start], (user, thread_id, c.call_id), c.start) for c in run.calls if c.start >= 0]
        self._told = calls
        return not self._calls.any_of([key for _, key, _ in calls])

    def tally(self, told: Stretch) -> None:
        """Remember the runs and the tool calls, each in the order in which they came."""
        self.exercised["IDN-04"] += len(told.accepted)
        self._runs.add_all([(run.run_id, run.story.number) for run in told.accepted if run.story is not None])
        self._told.sort()
        self.exercised["IDN-09"] += len(self._told)
        calls = [(key, told.sightings[at]) for _, key, at in self._told]
        self._calls.add_all([(key, recalled(seen, seen.story)) for key, seen in calls])

    def finish(self) -> None:
        """Every event id was looked at."""
        self.exercised["IDN-06"] = max(self.exercised["IDN-06"], self.world.events)
