"""Runs: which there are, whose they are, and to which of them an event belongs."""

from collections import deque
from collections.abc import Callable

from conformance.events import Accepted, Kind, RunEvent
from conformance.history.operations import Asked
from conformance.identity import is_placeholder
from conformance.owners import Owners
from conformance.questions import Questions, same_question
from conformance.recent import Recent
from conformance.story import Connection, Request, Story, Stream
from conformance.streams import rewind

_REMEMBERED = 1_024
_DETAILED = 128


class Runs:
    """The runs that are open (`stories`, and by user `open_of`), and a bounded memory of those that are over.

    `on_settled` is called with each run that nothing more is expected of, before its details are dropped.
    """

    def __init__(self, questions: Questions, owners: Owners, on_settled: Callable[[Story], None]) -> None:
        self.stories: dict[str, Story] = {}
        self.open_of: dict[str | None, list[Story]] = {}
        self._questions = questions
        self._owners = owners
        self._on_settled = on_settled
        self._over: Recent[str, Story] = Recent(_REMEMBERED)
        self._detailed: deque[Story] = deque()
        self._resumed: dict[int, dict[str | None, Story]] = {}
        self._born = 0

    def of(self, run_id: str) -> Story | None:
        """Return the run of that id, open or remembered."""
        return self.stories.get(run_id) or self._over.get(run_id)

    def accepted(self, event: Accepted, request: Request, now: int) -> Story | None:
        """Enter the run for which a question was taken on; return another run that already had the id."""
        earlier = self.of(event.run_id) if event.run_id else None
        if earlier is not None and same_question(earlier.request, request):
            request.story = earlier
            return None
        if earlier is not None and (earlier.request is None or earlier.request is request) and not earlier.settled:
            story, earlier = earlier, None
        else:
            story = self._open(event.run_id, request.asked.user, event.thread_id, request.connection, now)
        asked = request.asked
        first = self._questions.named(asked.user, asked.request_id or "") if event.duplicate else None
        self._bind(story, first if first is not None and first.story is None else request)
        request.story = story
        return earlier

    def taken_on(self, event: Accepted, request: Request, now: int) -> Story:
        """Enter the run for which a question was taken on by the book: under an id that is new, and as one's only."""
        asked, run_id, thread_id = request.asked, event.run_id, event.thread_id
        self._born += 1
        story = Story(self._born, run_id, asked.user, thread_id, request.connection.op.scenario, now)
        story.by_the_book = True
        story.request, request.story = request, story
        story.own_canary = (asked.canary or "\0").encode()
        self.stories[run_id or ""] = story
        self.open_of.setdefault(asked.user, []).append(story)
        marks = self._owners.marks
        marks.add(run_id or "", "run", asked.user, thread_id=thread_id)
        marks.add(thread_id or "", "thread", asked.user, thread_id=thread_id)
        return story

    def told_by(self, connection: Connection, event: RunEvent, now: int) -> Story:
        """Return the run to which an event belongs: one that there is, else a new one."""
        run_id = event.run_id
        story = self.stories.get(run_id) if run_id is not None else None
        if story is not None:
            return story
        if run_id is None or is_placeholder(run_id):
            meant = self._nameless(connection, event)
            if meant is not None:
                return meant
        else:
            over = self._over.get(run_id)
            if over is not None:
                return self._again(connection, event, over, now)
        user = self._owners.user_of(event.user_id) or connection.op.user
        story = self._open(run_id, user, event.thread_id, connection, now)
        if story.user == connection.op.user:
            asked = self._questions.of_exchange(connection)
            if asked is not None and asked.story is None:
                self._bind(story, asked)
            elif event.kind is Kind.STARTED:
                self._bind_by_start(connection, event, story)
        return story

    def asked_again(self, connection: Connection, op: Asked) -> None:
        """The client asks for a run's events again: from its cursor on they are expected once more."""
        if op.run_id:
            named = self.of(op.run_id)
            stories = [named] if named else []
        else:
            known = [*self._detailed, *self.stories.values()]
            stories = [s for s in known if s.thread_id == op.thread_id and s.user == op.user]
        for story in stories:
            story.stream = None
            story.by_the_book = False
            self._resumed.setdefault(connection.number, {})[story.thread_id] = story
            rewind(story.streams.setdefault(connection.number, Stream(connection.user)), op.after_seq or 0)

    def end(self, story: Story) -> None:
        """Enter that a run is over; its details are kept for a while."""
        key = story.run_id or next((k for k, s in self.stories.items() if s is story), None)
        if key is not None and self.stories.get(key) is story:
            del self.stories[key]
            self._over.add(key, story)
        self._take(story)
        self._detailed.append(story)
        if len(self._detailed) > _DETAILED:
            self._settle(self._detailed.popleft())

    def forget(self, conn: int) -> None:
        """Forget what was asked for again on a connection that is closed."""
        self._resumed.pop(conn, None)

    def finish(self) -> None:
        """Nothing more comes: settle every run."""
        while self._detailed:
            self._settle(self._detailed.popleft())
        for story in list(self.stories.values()):
            self._settle(story)

    def _settle(self, story: Story) -> None:
        self._on_settled(story)
        story.forget_details()

    # -- new runs, and whose they are -------------------------------------------------------------------------------

    def _open(
        self, run_id: str | None, user: str | None, thread_id: str | None, connection: Connection, now: int
    ) -> Story:
        self._born += 1
        real = run_id if run_id is not None and not is_placeholder(run_id) else None
        story = Story(self._born, real, user, thread_id, connection.op.scenario, now)
        if real is not None and real in self.stories:
            self.end(self.stories[real])
        self.stories[real if real is not None else f"\0{self._born}"] = story
        self.open_of.setdefault(user, []).append(story)
        if user:
            if real is not None:
                self._owners.marks.add(real, "run", user, thread_id=thread_id)
            if thread_id:
                self._owners.marks.add(thread_id, "thread", user, thread_id=thread_id)
        return story

    def _bind(self, story: Story, request: Request) -> None:
        story.request = request
        asked = request.asked
        story.thread_id = story.thread_id or asked.thread_id
        self._give(story, asked.user)
        request.story = story
        story.own_canary = (asked.canary or "\0").encode()

    def _bind_by_start(self, connection: Connection, event: RunEvent, story: Story) -> None:
        request = self._questions.started_by(connection, event)
        if request is not None:
            self._bind(story, request)

    def _give(self, story: Story, user: str | None) -> None:
        """Enter a run as the user's."""
        if story.user != user or story not in self.open_of.get(user, ()):
            self._take(story)
            story.user = user
            if story.terminal is None:
                self.open_of.setdefault(user, []).append(story)

    def _take(self, story: Story) -> None:
        mine = self.open_of.get(story.user)
        if mine is not None and story in mine:
            mine.remove(story)
            if not mine:
                del self.open_of[story.user]

    # -- events that do not say whose they are ----------------------------------------------------------------------

    def _nameless(self, connection: Connection, event: RunEvent) -> Story | None:
        """Return the run that an event without a run id can only belong to, None where that cannot be told."""
        asked = self._questions.of_exchange(connection)
        if asked is not None:
            return asked.story
        if connection.op.method == "POST" and connection.op.ask is None:
            # the answer to a recorded request: the run without an id that it has told of, if it has yet
            known = (*self.stories.values(), *self._detailed)
            return next((s for s in known if s.connection is connection and s.run_id is None), None)
        return self._meant(connection, event)

    def _meant(self, connection: Connection, event: RunEvent) -> Story | None:
        user = connection.op.user
        mine = [s for s in self.open_of.get(user, ()) if s.terminal is None]
        known = [s for s in (*mine, *self._detailed) if s.user == user and event.event_id in s.ids]
        resumed = self._resumed.get(connection.number, {}).get(event.thread_id)
        if known or resumed is not None:
            return known[0] if known else resumed
        request_id = event.payload.request_id if event.kind is Kind.STARTED else None
        named = [s for s in mine if s.request is not None and request_id == s.request.asked.request_id]
        same_thread = [s for s in mine if s.thread_id is not None and s.thread_id == event.thread_id]
        following = [s for s in same_thread if event.seq is not None and event.seq == s.high + 1]
        return next((runs[0] for runs in (named, following, same_thread, mine) if len(runs) == 1), None)

    def _again(self, connection: Connection, event: RunEvent, story: Story, now: int) -> Story:
        """An event under the id of a run that is over: a new run where one was asked for, else the old one's."""
        stream = story.streams.get(connection.number)
        if stream is not None and stream.resumed:
            return story  # it was asked for again
        known = event.event_id is not None and event.event_id in story.ids
        waiting = any(r.runs and r.story is None for r in connection.unanswered)
        if event.kind is not Kind.STARTED or known or not waiting:
            return story
        new = self._open(event.run_id, connection.op.user, event.thread_id, connection, now)
        self._bind_by_start(connection, event, new)
        return new
