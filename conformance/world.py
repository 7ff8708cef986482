"""What is known so far: connections, questions, runs and whose they are, built operation by operation.

Checks read it and never write it. It holds what is open, and a bounded memory of what is over, so that a history of
any length is judged in constant memory.
"""

from collections.abc import Callable

from conformance import script
from conformance.dialects.dialect import Dialect
from conformance.events import Accepted, Event, Kind, Ready, Refusal, RunEvent
from conformance.ground import Ground
from conformance.history import operations as ops
from conformance.history.operations import Action, Asked, Header
from conformance.lags import Lags
from conformance.owners import Owners
from conformance.questions import Questions
from conformance.runs import Runs
from conformance.story import Connection, Notice, Request, Sighting, Story, Stream, Tool
from conformance.streams import begin_replay, deliver, joined, next_in_order, number, was_live

_EVER = 1 << 60


class World:
    """The state after the operations fed so far. `line` is the newest one's line in the history, `now` its time in µs.

    `on_settled` is called with each run that nothing more is expected of, before its details are dropped. `lags` are
    those of the kit's own event loop, `outages` the times for which it took the target's process away.
    """

    def __init__(self, header: Header, dialect: Dialect, on_settled: Callable[[Story], None]) -> None:
        self.header = header
        self.bounds = header.bounds
        self.dialect = dialect
        self.line = 1
        self.now = 0
        self.frames = 0
        self.events = 0
        self.scenario: str | None = None
        self.connections: dict[int, Connection] = {}
        self.announced: frozenset[str] | None = None
        self.run_limit_s = header.bounds.run_limit_s
        self.message_bytes = header.bounds.message_bytes
        self.heartbeat_s = header.bounds.heartbeat_s
        self.obeys_script = False
        self.streams_events = False
        self.lagged_at = -_EVER
        self.lags = Lags()
        self.outages = Lags()
        self.faults: dict[int, ops.FaultBegan] = {}
        self._questions = Questions()
        self.requests = self._questions.recent
        self.request_of = self._questions.of
        self.request_named = self._questions.named
        self._owners = Owners(header.granted)
        self.marks = self._owners.marks
        self.identity_of = self._owners.identity_of
        self.identity_on = self._owners.identity_on
        self._runs = Runs(self._questions, self._owners, on_settled)
        self.stories = self._runs.stories
        self.open_of = self._runs.open_of
        self.story_of = self._runs.of
        self.finish = self._runs.finish
        self.ground = Ground(self.requests, self.story_of, witnessed="witness" in header.granted)

    @property
    def capabilities(self) -> frozenset[str]:
        """What the target declares, else announces, else what the dialect implies; and what the kit grants."""
        if self.header.capabilities is not None:
            optional = frozenset(self.header.capabilities)
        else:
            optional = self.announced if self.announced is not None else self.dialect.implied
        seen = {self.dialect.transport, *(("sse",) if self.streams_events else ())}
        return optional | self.dialect.intrinsic | frozenset(self.header.granted) | seen

    def asked_again(self, request: Request | None) -> Story | None:
        """Return the run of which a question asks for the rest; None where it is not the asker's, or not known."""
        asked = request.asked if request is not None else None
        if asked is None or asked.action is not Action.RESUME or asked.owner is not None or not asked.run_id:
            return None
        return self.story_of(asked.run_id)

    def connections_of(self, user: str) -> list[Connection]:
        """Return the open connections of a user."""
        return [c for c in self.connections.values() if c.op.user == user and c.open]

    def slack_us(self, since: int) -> int:
        """Return by how much what came since a time (µs) may have come later than it should without being at fault.

        As late as the kit was, a target on the same machine may have been, too.
        """
        return 2 * (self.lags.since(since, self.now) + self.outages.since(since, self.now))

    def faults_on(self, user: str | None) -> list[ops.FaultBegan]:
        """Return the kit's faults under way on a user's network; on the target's process for None."""
        return [fault for fault in self.faults.values() if fault.user == user]

    def taken_for_dead(self, connection: Connection, op: ops.Closed) -> bool:
        """Tell whether a connection broke that the kit may have left without a pong: it was late, or did not read."""
        if self.heartbeat_s is None or op.code not in ops.TAKEN_FOR_DEAD:
            return False
        beat = self.heartbeat_s * 1e6
        unread = connection.was_paused and op.at - connection.paused_at >= beat
        return unread or self.lagged_at >= op.at - beat

    # -- operations of the kit --------------------------------------------------------------------------------------

    def enter(self, op: ops.Operation) -> None:
        """Take in any operation but a received frame."""
        match op:
            case Asked():
                self._asked(op)
            case ops.Connecting():
                self.connections[op.conn] = Connection(op.conn, self.line, op, self.dialect.decoder())
            case ops.Connected():
                self.connections[op.conn].connected = op
                kinds = [value for name, value in op.headers if name == "content-type"]
                self.streams_events = self.streams_events or any(k.startswith("text/event-stream") for k in kinds)
            case ops.Refused():
                self.connections[op.conn].refused = op
            case ops.Closed():
                self.connections[op.conn].closed = op
            case ops.Reading():
                connection = self.connections[op.conn]
                connection.paused = op.paused
                connection.was_paused = connection.was_paused or op.paused
                connection.paused_at = op.at if op.paused else connection.paused_at
            case ops.Lagged():
                self.lagged_at = op.at
                self.lags.add(op.at, round(op.by_ms * 1000))
            case ops.FaultBegan():
                self.faults[op.fault] = op
            case ops.FaultEnded():
                begun = self.faults.pop(op.fault, None)
                if begun is not None and begun.user is None:
                    self.lagged_at = op.at  # how fast the target was before that is the kit's doing
                    self.outages.add(op.at, op.at - begun.at)
            case ops.ScenarioBegan():
                self.scenario = op.scenario
            case ops.UserJoined():
                self._owners.joined(op.user)
            case _:
                self.ground.enter(op, self.line)

    def forget(self, conn: int) -> None:
        """Drop a closed connection that every check has seen closed."""
        self.connections.pop(conn, None)
        self._runs.forget(conn)

    def _asked(self, op: Asked) -> None:
        connection = self.connections[op.conn]
        self._questions.ask(op, self.line, connection)
        self.ground.asked(op)
        if op.canary:
            self.marks.add(op.canary, "canary", op.user, thread_id=op.thread_id, ask=op.ask)
        if op.action is Action.RESUME and (op.owner is None or not op.run_id):
            self._runs.asked_again(connection, op)  # of another's thread, too: the user may have runs of that name
        elif op.action is Action.STOP and op.owner is None and op.run_id:
            story = self.story_of(op.run_id)
            if story is not None and story.stop_asked is None:
                story.stop_asked = op

    # -- frames that belong to no run -------------------------------------------------------------------------------

    def notice(self, connection: Connection, op: ops.Frame | ops.Refused | ops.Closed, event: Event) -> Notice:
        """Take in an event that belongs to no run."""
        request: Request | None = None
        earlier: Story | None = None
        if isinstance(event, Ready):
            self._greeted(connection, event)
        elif isinstance(event, Accepted):
            request = self._questions.accepted(connection, event)
            if request is not None:
                earlier = self._runs.accepted(event, request, self.now)
        elif isinstance(event, Refusal):
            request = self._questions.refused(connection, event, self.line)
        return Notice(self.line, op, event, connection, request, earlier)

    def take_on(self, connection: Connection, op: ops.Frame, event: Accepted) -> tuple[Notice, Story]:
        """Take in the acceptance of a question that goes by the book (`express.Stretch`), as `notice` does."""
        request = self._questions.accepted(connection, event)
        assert request is not None
        story = self._runs.taken_on(event, request, self.now)
        return Notice(self.line, op, event, connection, request), story

    def _greeted(self, connection: Connection, event: Ready) -> None:
        connection.ready = event
        connection.ready_at = self.now
        if event.capabilities is not None:
            self.announced = (self.announced or frozenset()) | frozenset(event.capabilities)
        self.run_limit_s = self.run_limit_s or event.run_limit_s
        self.message_bytes = self.message_bytes or event.message_bytes
        self.heartbeat_s = self.heartbeat_s or event.heartbeat_s
        self._owners.greeted(connection, event)

    # -- runs -------------------------------------------------------------------------------------------------------

    def continues(self, connection: Connection, op: ops.Frame, event: RunEvent) -> Sighting | None:
        """Return the sighting of an event that continues its run exactly as its predecessor left it, else None.

        Nothing about its place and its ids is remarkable then: same run, thread, user and agent, the next seq, a new
        event id, a timestamp not earlier, on the one connection that tells this run. No odd check need look at it.
        """
        story = self.stories.get(event.run_id)  # type: ignore[arg-type]
        if story is None:
            return None
        stream, last = story.stream, story.last
        if stream is None or last is None or story.connection is not connection:
            return None
        before = last.event
        if (
            not (self._next_in_recording(story, event) if event.seq is None else next_in_order(story, event))
            or event.kind is Kind.STARTED
            or event.thread_id != before.thread_id
            or event.user_id != before.user_id
            or event.agent_name != before.agent_name
            or event.traceparent != before.traceparent
            or stream.missing
            or connection.was_paused
        ):
            return None
        return Sighting(self.line, op, event, connection, story, stream)

    def _next_in_recording(self, story: Story, event: RunEvent) -> bool:
        """Tell whether an event goes on with a recorded run whose events have neither numbers nor ids."""
        before = story.last.event.timestamp if story.last is not None else None
        now = event.timestamp
        in_time = before is now if before is None or now is None else now >= before
        return in_time and not self.header.timed and not story.high and not story.ids and event.event_id is None

    def enter_next(self, sighting: Sighting) -> None:
        """Enter a sighting that `continues` its run, after the checks have seen it."""
        story, event, stream = sighting.story, sighting.event, sighting.stream
        story.by_the_book = False
        self.events += 1
        stream.events += 1
        story.events += 1
        if event.seq is not None and event.event_id is not None:
            stream.high = story.high = event.seq
            story.ids[event.event_id] = event.seq
        story.last = sighting
        self._tell(story, sighting)

    def sight(self, connection: Connection, op: ops.Frame | ops.Closed, event: RunEvent) -> Sighting:
        """Place any run event: its run, its stream, and whether it is news."""
        self.events += 1
        story = self._runs.told_by(connection, event, self.now)
        story.by_the_book = False
        story.take_up()
        stream = story.streams.get(connection.number) or self._join(connection, story, event)
        seq = event.seq
        if seq is not None and stream.cursor is not None and seq == stream.cursor + 1 <= stream.high:
            begin_replay(stream, connection, event)
        event_id = event.event_id
        fresh = event_id is None or event_id not in story.ids
        if seq is not None and fresh and seq <= story.high and seq not in story.missing:
            again = seq > stream.high or seq in stream.missing  # seen, but not on this connection
            fresh = not (again or stream.resumed or story.settled or event_id is None)
        elif seq is not None and not fresh:
            fresh = seq > story.high and stream is story.stream  # a new event under a used id
        overtaking = False
        if stream.replaying and seq is not None:
            overtaking = seq > stream.high + 1 and was_live(connection, event)
            stream.replaying = seq != stream.high + 1
        foreign = connection.op.user != story.user
        return Sighting(self.line, op, event, connection, story, stream, fresh, foreign, overtaking)

    def _join(self, connection: Connection, story: Story, event: RunEvent) -> Stream:
        request = story.request
        own = request.connection is connection if request is not None else not self.header.timed
        shares = own or "multi_connection" in self.capabilities
        return joined(story, connection, event, own=own, shares=shares)

    def settle(self, sighting: Sighting) -> None:
        """Enter any sighting into its run and stream, after the checks have seen it."""
        event, stream, story = sighting.event, sighting.stream, sighting.story
        excused = sighting.overtaking or (stream.joined_late and not stream.events)
        deliver(sighting)
        if sighting.foreign or not sighting.fresh:
            return
        story.events += 1
        if event.event_id is not None:
            story.ids.setdefault(event.event_id, event.seq or 0)
        if event.seq is not None:
            number(story, event.seq, excused=excused)
        if story.first is None:
            self.begin(story, sighting, event.traceparent)
        story.last = sighting
        self._tell(story, sighting)

    def begin(self, story: Story, sighting: Sighting, trace: str | None) -> None:
        """Enter the first event of a run, and its trace."""
        story.first = sighting
        if story.thread_id is None:
            story.thread_id = sighting.event.thread_id
        if trace and trace.count("-") == 3 and story.user:
            self.marks.add(trace.split("-")[1], "trace", story.user)

    def _tell(self, story: Story, sighting: Sighting) -> None:
        """Enter what an event says into its run."""
        event = sighting.event
        kind = event.kind
        if kind is Kind.TEXT:
            story.text.append(sighting)
        elif kind is Kind.THINKING:
            story.thought = True
        elif kind is Kind.TOOL_STARTED:
            _tool_started(story, sighting)
        elif kind is Kind.TOOL_COMPLETED or (kind is Kind.TOOL_DEFERRED and story.script is None):
            _tool_completed(story, sighting)  # a tool of the kit's script is the target's to run: never deferred
        elif event.terminal and story.terminal is None:
            self.end(story, sighting)

    def end(self, story: Story, sighting: Sighting) -> None:
        """Enter the terminal event of a run."""
        sighting.stream.ended = True
        story.terminal = sighting
        if not self.obeys_script and story.script:
            event = sighting.event
            told = script.answer(story.script) if event.kind is Kind.COMPLETED else ""
            self.obeys_script = bool(told) and told in (event.payload.final_response or "")
        self._runs.end(story)


def _tool_started(story: Story, sighting: Sighting) -> None:
    call_id = sighting.event.payload.tool_call_id
    if call_id not in story.tools:
        early = story.early.pop(call_id, None)
        if early is not None and (early.event.seq or 0) < (sighting.event.seq or 0):
            early = None
        story.tools[call_id] = Tool(sighting, early)
        story.open_tools += early is None


def _tool_completed(story: Story, sighting: Sighting) -> None:
    call_id = sighting.event.payload.tool_call_id
    tool = story.tools.get(call_id)
    if tool is None:
        story.early.setdefault(call_id, sighting)
    elif tool.completed is None:
        tool.completed = sighting
        story.open_tools -= 1
