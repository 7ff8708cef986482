"""ISO: the runs of one user are kept apart, too."""

from typing import Any

from conformance import canary, script
from conformance.checks.check import EVERY_EVENT, Unconcerned, on, on_odd
from conformance.checks.overlap import concurrent
from conformance.events import Accepted, Kind, Refusal
from conformance.express.stretch import Stretch
from conformance.history.operations import Received
from conformance.identity import Mark
from conformance.recent import Recent
from conformance.story import Notice, Request, Sighting, Story


class Mixing(Unconcerned):
    """What a run was told turns up in no other thread of its user's, nor in a run beside it.

    A stretch that goes by the book holds no canary but its runs' own.
    """

    decides = ("ISO-04", "ISO-05")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._threads: Recent[str, set[str]] = Recent(2_048)

    # -- runs that could mix ----------------------------------------------------------------------------------------

    @on(Accepted)
    def accepted(self, notice: Notice) -> None:
        """A run that could mix with others: in two threads, or two at once on one."""
        if notice.request is not None and notice.request.story is not None:
            self._may_mix(notice.request.story)

    @on(Kind.STARTED)
    def started(self, seen: Sighting) -> None:
        """Over HTTP a run that starts was accepted."""
        if seen.connection.op.ask is not None and seen.story.first is None:
            self._may_mix(seen.story)

    def _may_mix(self, story: Story) -> None:
        if story.user is None or story.thread_id is None:
            return
        mine = [s for s in self.world.open_of.get(story.user, ()) if s is not story]
        self.exercised["ISO-05"] += sum(s.thread_id == story.thread_id for s in mine)
        self._on_thread(story.user, story.thread_id)

    def tally(self, told: Stretch) -> None:
        """Count the runs that could mix."""
        for run in told.accepted:
            self.exercised["ISO-05"] += run.alongside
            self._on_thread(run.user, run.thread_id)

    def _on_thread(self, user: str, thread_id: str) -> None:
        before = self._threads.get(user)
        if before is None:
            before = set()
            self._threads.add(user, before)
        self.exercised["ISO-04"] += len(before) > (thread_id in before)
        if len(before) < 2:  # two show that there is another than any third
            before.add(thread_id)

    @on(Refusal)
    def refusal(self, notice: Notice) -> None:
        """A run that is refused because its thread is busy is one that cannot mix."""
        asked = notice.request.asked if notice.request is not None else None
        if asked is not None and asked.thread_id is not None and asked.owner is None:
            busy = self.world.open_of.get(asked.user, ())
            self.exercised["ISO-05"] += any(story.thread_id == asked.thread_id for story in busy)

    # -- those that did ---------------------------------------------------------------------------------------------

    @on_odd(*EVERY_EVENT)
    def event(self, seen: Sighting) -> None:
        """Look in a run's event for what other runs of its user were told."""
        if seen.foreign or not isinstance(seen.op, Received):
            return
        for token in canary.find(seen.op.raw):
            mark = self.world.marks.get(token.encode())
            if mark is not None and mark.user == seen.connection.op.user:
                self._own_users(seen, token, mark)

    def _own_users(self, seen: Sighting, token: str, mark: Mark) -> None:
        story = seen.story
        if story.request is not None and token == story.request.asked.canary:
            return  # or the kit asked for the same twice
        source = self.world.request_of(mark.ask)
        other = source.story if source is not None else None
        if source is None or other is None or other is story:
            return
        if other.thread_id is not None and story.thread_id is not None and other.thread_id != story.thread_id:
            self._mixed("ISO-04", "another thread's", token, source, seen)
        elif concurrent(story, other) and story.script is not None and not script.recalls(story.script):
            self._mixed("ISO-05", "a concurrent run's", token, source, seen)

    def _mixed(self, requirement: str, whose: str, token: str, source: Request, seen: Sighting) -> None:
        self.fail(
            requirement,
            f"{whose} canary in a run that was not told it",
            expected="only what this run was told",
            actual=token,
            witnesses=[source, seen],
            run=seen.story,
        )
