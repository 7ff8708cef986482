"""LIF: run after run, without end and without growth."""

from typing import Any

from conformance.checks.check import Check, Unconcerned, on
from conformance.dialects.fields import shorten
from conformance.events import Kind, Refusal
from conformance.express.stretch import Stretch
from conformance.history import operations as ops
from conformance.recent import Recent
from conformance.story import Connection, Notice, Request, Sighting

_ENDS = (Kind.COMPLETED, Kind.FAILED, Kind.STOPPED)


class ManyRuns(Unconcerned):
    """A connection can run any number of runs one after the other."""

    decides = ("LIF-11",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._done: dict[int | str, int] = {}

    @on(Kind.COMPLETED)
    def completed(self, seen: Sighting) -> None:
        """Another run on this connection is over."""
        request = seen.story.request
        if request is None or request.connection is not seen.connection or seen.story.terminal is not None:
            return
        key = _whose(seen.connection)
        done = self._done[key] = self._done.get(key, 0) + 1
        self.exercised["LIF-11"] += done > 1

    def tally(self, told: Stretch) -> None:
        """Count the runs that are over."""
        for run in told.ended:
            done = self._done[run.connection.number] = self._done.get(run.connection.number, 0) + 1
            self.exercised["LIF-11"] += done > 1

    @on(ops.Closed)
    def closed(self, op: ops.Closed) -> None:
        """Forget a connection."""
        self._done.pop(op.conn, None)

    @on(ops.GaveUp)
    def gave_up(self, op: ops.GaveUp) -> None:
        """A later run does not get through."""
        request = self.world.request_of(op.ask)
        connection = self.world.connections.get(op.conn)
        done = self._done.get(_whose(connection), 0) if connection is not None else 0
        if request is None or op.late or request.asked.behaviour != "again" or not done:
            return
        self.exercised["LIF-11"] += 1
        self.fail(
            "LIF-11",
            f"after {done} runs a connection cannot run another",
            expected="a run like the first",
            actual=f"no {op.awaited.value} within {op.waited_ms:,} ms",
            witnesses=[request, self.here(op)],
            run=request.story,
        )

    @on(Refusal)
    def refused(self, notice: Notice) -> None:
        """A later run is refused."""
        request = notice.request
        done = self._done.get(_whose(notice.connection), 0)
        if request is not None and request.asked.behaviour == "again" and done:
            self.exercised["LIF-11"] += 1
            self.fail(
                "LIF-11",
                f"after {done} runs a connection cannot run another",
                expected="a run like the first",
                actual=f"refused: {shorten(notice.op.raw, 120)}",
                witnesses=[request, notice],
                user=request.asked.user,
            )


def _whose(connection: Connection) -> int | str:
    """Return whose runs are counted together: a WebSocket's, or over HTTP a user's."""
    return connection.number if connection.op.method == "websocket" else connection.user or ""


class Memory(Check):
    """Within a thread the agent remembers."""

    decides = ("LIF-12",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._told: Recent[tuple[str, str], list[Request]] = Recent(1_024)

    @on(Kind.COMPLETED)
    def completed(self, seen: Sighting) -> None:
        """Hold what a thread recalls against what it was told before."""
        story, request = seen.story, seen.story.request
        if request is None or seen.foreign or not seen.fresh or story.thread_id is None or story.user is None:
            return
        key = (story.user, story.thread_id)
        before = self._told.get(key) or []
        told = request.asked.script
        if told is not None and any("recall" in step for step in told) and before and self.world.obeys_script:
            self.exercised["LIF-12"] += 1
            answer = seen.event.payload.final_response or ""
            earlier = [r for r in before if r.asked.canary and _over_before(r, request)]
            forgotten = [r for r in earlier if r.asked.canary not in answer]
            if forgotten and "memory" in self.world.capabilities:
                self.fail(
                    "LIF-12",
                    "an agent does not remember what was said in its thread",
                    expected=f"an answer that repeats {forgotten[0].asked.canary}",
                    actual=shorten(answer),
                    witnesses=[forgotten[0], request, seen],
                    run=story,
                )
        self._told.add(key, [*before[-8:], request])

    def screen(self, told: Stretch) -> bool:
        """No run is told to recall."""
        return not any("recall" in step for run in told.ended for step in run.script or ())

    def tally(self, told: Stretch) -> None:
        """Remember what each thread was told."""
        for run in told.ended:
            assert run.story is not None
            assert run.story.request is not None
            key = (run.user, run.thread_id)
            before = self._told.get(key) or []
            self._told.add(key, [*before[-8:], run.story.request])


def _over_before(one: Request, other: Request) -> bool:
    """Tell whether one run was over when the other was asked for."""
    terminal = one.story.terminal if one.story is not None else None
    return terminal is not None and terminal.op.at <= other.asked.at
