"""What is known so far: connections, questions, runs and whose they are, built operation by operation.

Checks read it and never write it. It holds what is open, and a bounded memory of what is over, so that a history of
any length is judged in constant memory.
"""

from collections import deque
from collections.abc import Callable
from datetime import timedelta
from itertools import islice

from conformance import script
from conformance.dialects.dialect import Dialect
from conformance.events import Accepted, Event, Kind, Ready, Refusal, RunEvent
from conformance.ground import Ground
from conformance.history import operations as ops
from conformance.history.operations import Action, Asked, Header
from conformance.identity import Marks, is_placeholder
from conformance.recent import Recent
from conformance.story import Connection, Notice, Request, Sighting, Story, Stream, Tool

_REMEMBERED = 1_024
_DETAILED = 128
_GAP = 10_000
_EVER = 1 << 60
_LAGS = 1_024


class World:
    """The state after the operations fed so far. `line` is the newest one's line in the history, `now` its time in µs.

    `on_settled` is called with each run that nothing more is expected of, before its details are dropped.
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
        self.requests: Recent[int, Request] = Recent(_REMEMBERED, _let_go)
        self.stories: dict[str, Story] = {}
        self.open_of: dict[str | None, list[Story]] = {}
        self.over: Recent[str, Story] = Recent(_REMEMBERED)
        self.marks = Marks()
        self.identities: Recent[str, str] = Recent(_REMEMBERED)
        self.users_of: Recent[str, str] = Recent(_REMEMBERED)
        self.announced: frozenset[str] | None = None
        self.run_limit_s = header.bounds.run_limit_s
        self.message_bytes = header.bounds.message_bytes
        self.heartbeat_s = header.bounds.heartbeat_s
        self.obeys_script = False
        self.streams_events = False
        self.lagged_at = -_EVER
        self._lags: deque[tuple[int, int]] = deque(maxlen=_LAGS)
        self.faults: dict[int, ops.FaultBegan] = {}
        self._mints_users = "jwt" in header.granted
        self._anonymous = "anonymous" in header.granted
        self.ground = Ground(self.requests, self.story_of, witnessed="witness" in header.granted)
        self._by_request_id: Recent[tuple[str, str], Request] = Recent(_REMEMBERED)
        self._detailed: deque[Story] = deque()
        self._resumed: dict[int, dict[str | None, Story]] = {}
        self._born = 0
        self._on_settled = on_settled

    @property
    def capabilities(self) -> frozenset[str]:
        """What the target declares, else announces, else what the dialect implies; and what the kit grants."""
        if self.header.capabilities is not None:
            optional = frozenset(self.header.capabilities)
        else:
            optional = self.announced if self.announced is not None else self.dialect.implied
        seen = {self.dialect.transport, *(("sse",) if self.streams_events else ())}
        return optional | self.dialect.intrinsic | frozenset(self.header.granted) | seen

    def story_of(self, run_id: str) -> Story | None:
        """Return the run of that id, open or remembered."""
        return self.stories.get(run_id) or self.over.get(run_id)

    def request_of(self, ask: int | None) -> Request | None:
        """Return the question of that number, if there is one and it is remembered."""
        return self.requests.get(ask) if ask is not None else None

    def asked_again(self, request: Request | None) -> Story | None:
        """Return the run of which a question asks for the rest; None where it is not the asker's, or not known."""
        asked = request.asked if request is not None else None
        if asked is None or asked.action is not Action.RESUME or asked.owner is not None or not asked.run_id:
            return None
        return self.story_of(asked.run_id)

    def request_named(self, user: str, request_id: str) -> Request | None:
        """Return a user's question of that request id, if it is remembered: the first one, where it was repeated."""
        return self._by_request_id.get((user, request_id))

    def connections_of(self, user: str) -> list[Connection]:
        """Return the open connections of a user."""
        return [c for c in self.connections.values() if c.op.user == user and c.open]

    def late_us(self, since: int) -> int:
        """Return for how long the kit itself was late since a time (µs), so that it may have seen things later."""
        if len(self._lags) == _LAGS and self._lags[0][0] > since:
            return self.now - since
        return sum(min(by, at - since) for at, by in self._lags if at > since)

    def slack_us(self, since: int) -> int:
        """Return by how much what came since a time (µs) may have come later than it should without being at fault.

        As late as the kit was, a target on the same machine may have been, too.
        """
        return 2 * self.late_us(since)

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

    def identity_of(self, user: str | None) -> str | None:
        """Return the user id by which the target should know a user of the kit's; None where that is not known yet."""
        if user is None:
            return None
        return user if self._mints_users else self.identities.get(user)

    def identity_on(self, connection: Connection) -> str | None:
        """Return the user id that a connection's credentials stand for; None where it has none, or it is not known."""
        return None if self._anonymous else self.identity_of(connection.op.user)

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
                self._lags.append((op.at, round(op.by_ms * 1000)))
            case ops.FaultBegan():
                self.faults[op.fault] = op
            case ops.FaultEnded():
                begun = self.faults.pop(op.fault, None)
                if begun is not None and begun.user is None:
                    self.lagged_at = op.at  # how fast the target was before that is the kit's doing
                    self._lags.append((op.at, op.at - begun.at))
            case ops.ScenarioBegan():
                self.scenario = op.scenario
            case ops.UserJoined():
                if self._mints_users:
                    self._identify(op.user, op.user)
            case _:
                self.ground.enter(op, self.line)

    def forget(self, conn: int) -> None:
        """Drop a closed connection that every check has seen closed."""
        self.connections.pop(conn, None)
        self._resumed.pop(conn, None)

    def _asked(self, op: Asked) -> None:
        connection = self.connections[op.conn]
        request = Request(op, self.line, connection)
        self.requests.add(op.ask, request)
        connection.unanswered.append(request)
        if len(connection.unanswered) > 256:
            del connection.unanswered[:128]
        if request.runs and op.request_id and self._by_request_id.get((op.user, op.request_id)) is None:
            self._by_request_id.add((op.user, op.request_id), request)
        self.ground.asked(op)
        if op.canary:
            self.marks.add(op.canary, "canary", op.user, thread_id=op.thread_id, ask=op.ask)
        if op.action is Action.RESUME and (op.owner is None or not op.run_id):
            self._rewind(connection, op)  # of another's thread, too: the user may have runs of that name
        elif op.action is Action.STOP and op.owner is None and op.run_id:
            story = self.story_of(op.run_id)
            if story is not None and story.stop_asked is None:
                story.stop_asked = op

    def _rewind(self, connection: Connection, op: Asked) -> None:
        """The client asks for a run's events again: from its cursor on they are expected once more."""
        if op.run_id:
            named = self.story_of(op.run_id)
            stories = [named] if named else []
        else:
            known = [*self._detailed, *self.stories.values()]
            stories = [s for s in known if s.thread_id == op.thread_id and s.user == op.user]
        for story in stories:
            stream = story.streams.setdefault(connection.number, Stream())
            story.stream = None
            self._resumed.setdefault(connection.number, {})[story.thread_id] = story
            stream.high = stream.cursor = op.after_seq or 0
            stream.resumed = stream.replaying = True
            stream.joined_late = False
            stream.ended = False
            stream.missing.clear()
            stream.overtook.clear()
            stream.late.clear()

    # -- frames that belong to no run -------------------------------------------------------------------------------

    def notice(self, connection: Connection, op: ops.Frame | ops.Refused | ops.Closed, event: Event) -> Notice:
        """Take in an event that belongs to no run."""
        if isinstance(event, Ready):
            self._greeted(connection, event)
        elif isinstance(event, Accepted):
            request, earlier = self._accepted(connection, event)
            return Notice(self.line, op, event, connection, request, earlier)
        elif isinstance(event, Refusal):
            return Notice(self.line, op, event, connection, self._refused(connection, event))
        return Notice(self.line, op, event, connection)

    def _greeted(self, connection: Connection, event: Ready) -> None:
        connection.ready = event
        connection.ready_at = self.now
        user = connection.op.user
        if event.capabilities is not None:
            self.announced = (self.announced or frozenset()) | frozenset(event.capabilities)
        self.run_limit_s = self.run_limit_s or event.run_limit_s
        self.message_bytes = self.message_bytes or event.message_bytes
        self.heartbeat_s = self.heartbeat_s or event.heartbeat_s
        if user and event.user_id and self.identities.get(user) is None and not self._mints_users:
            self._identify(user, event.user_id)
        if user and event.connection_id:
            self.marks.add(event.connection_id, "connection", user)

    def _identify(self, user: str, identity: str) -> None:
        self.identities.add(user, identity)
        if self.users_of.get(identity) is None:
            self.users_of.add(identity, user)
        self.marks.add(identity, "user", user)

    def _accepted(self, connection: Connection, event: Accepted) -> tuple[Request | None, Story | None]:
        waiting = [r for r in connection.unanswered if r.runs]
        named = [r for r in waiting if r.asked.request_id == event.request_id]
        request = next(iter(named or waiting), None)
        if request is None:
            return None, None
        request.accepted = event
        connection.unanswered.remove(request)
        earlier = self.story_of(event.run_id) if event.run_id else None
        if earlier is not None and _same_question(earlier.request, request):
            request.story = earlier
            return request, None
        if earlier is not None and (earlier.request is None or earlier.request is request) and not earlier.settled:
            story, earlier = earlier, None
        else:
            story = self._open(event.run_id, request.asked.user, event.thread_id, request.connection)
        first = self.request_named(request.asked.user, request.asked.request_id or "") if event.duplicate else None
        self._bind(story, first if first is not None and first.story is None else request)
        request.story = story
        return request, earlier

    def _bind(self, story: Story, request: Request) -> None:
        story.request = request
        story.thread_id = story.thread_id or request.asked.thread_id
        self._give(story, request.asked.user)
        request.story = story
        story.own_canary = (request.asked.canary or "\0").encode()

    def _give(self, story: Story, user: str | None) -> None:
        """Enter a run as the user's."""
        if story.user != user or story not in self.open_of.get(user, ()):
            self._take(story)
            story.user = user
            if story.terminal is None:
                self.open_of.setdefault(user, []).append(story)

    def _take(self, story: Story) -> None:
        mine = self.open_of.get(story.user, [])
        if story in mine:
            mine.remove(story)
            if not mine:
                del self.open_of[story.user]

    def _refused(self, connection: Connection, event: Refusal) -> Request | None:
        waiting = connection.unanswered
        named = [r for r in waiting if event.request_id is not None and r.asked.request_id == event.request_id]
        request = next(iter(named or [r for r in waiting if r.may_be_refused] or waiting), None)
        if request is not None:
            request.refusal = event
            request.refused_line = self.line
            waiting.remove(request)
        return request

    # -- runs -------------------------------------------------------------------------------------------------------

    def _open(self, run_id: str | None, user: str | None, thread_id: str | None, connection: Connection) -> Story:
        self._born += 1
        real = run_id if run_id is not None and not is_placeholder(run_id) else None
        scenario = connection.op.scenario
        story = Story(self._born, real, user, thread_id, scenario, self.now)
        if real is not None and real in self.stories:
            self._end(self.stories[real])
        self.stories[real if real is not None else f"\0{self._born}"] = story
        self._give(story, user)
        if user:
            if real is not None:
                self.marks.add(real, "run", user, thread_id=thread_id)
            if thread_id:
                self.marks.add(thread_id, "thread", user, thread_id=thread_id)
        return story

    def _find(self, connection: Connection, event: RunEvent) -> Story:
        run_id = event.run_id
        if run_id is None or is_placeholder(run_id):
            asked = self._exchange_of(connection)
            if asked is not None:
                meant = asked.story
            elif connection.op.method == "POST" and connection.op.ask is None:
                meant = self._nameless_of(connection)
            else:
                meant = self._meant(connection, event)
            if meant is not None:
                return meant
        else:
            story = self.over.get(run_id)
            if story is not None:
                return self._again(connection, event, story)
        user = self.users_of.get(event.user_id) if event.user_id else None
        story = self._open(run_id, user or connection.op.user, event.thread_id, connection)
        if story.user == connection.op.user:
            asked = self._exchange_of(connection)
            if asked is not None and asked.story is None:
                self._bind(story, asked)
            elif event.kind is Kind.STARTED:
                self._bind_by_start(connection, event, story)
        return story

    def _exchange_of(self, connection: Connection) -> Request | None:
        """Return the question for a run that an HTTP exchange was made for; None on a WebSocket."""
        request = self.request_of(connection.op.ask)
        return request if request is not None and request.runs else None

    def _nameless_of(self, connection: Connection) -> Story | None:
        """Return the run without an id that the answer to a recorded request has told of, None where it has not yet."""
        mine = (s for s in (*self.stories.values(), *self._detailed) if s.connection is connection and s.run_id is None)
        return next(mine, None)

    def _meant(self, connection: Connection, event: RunEvent) -> Story | None:
        """Return the run that an event without a run id can only belong to, None where that cannot be told."""
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

    def _bind_by_start(self, connection: Connection, event: RunEvent, story: Story) -> None:
        """A run that starts before it was accepted names its request, or is the only one asked for."""
        waiting = [r for r in connection.unanswered if r.runs and r.story is None]
        request_id = event.payload.request_id
        named = [r for r in waiting if r.asked.request_id == request_id]
        elsewhere = self.request_named(connection.op.user or "", request_id or "")
        if not named and elsewhere is not None:
            named = [elsewhere] if elsewhere.story is None else []
            waiting = []  # the start came first on another connection than the one that asked
        if named or len(waiting) == 1:
            self._bind(story, (named or waiting)[0])

    def _again(self, connection: Connection, event: RunEvent, story: Story) -> Story:
        """An event under the id of a run that is over: a new run where one was asked for, else the old one's."""
        stream = story.streams.get(connection.number)
        if stream is not None and stream.resumed:
            return story  # it was asked for again
        known = event.event_id is not None and event.event_id in story.ids
        waiting = any(r.runs and r.story is None for r in connection.unanswered)
        if event.kind is not Kind.STARTED or known or not waiting:
            return story
        new = self._open(event.run_id, connection.op.user, event.thread_id, connection)
        self._bind_by_start(connection, event, new)
        return new

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
            not (self._next_in_recording(story, event) if event.seq is None else _next_in_order(story, event))
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
        story = self.stories.get(event.run_id) if event.run_id is not None else None
        if story is None:
            story = self._find(connection, event)
        stream = story.streams.get(connection.number)
        if stream is None:
            stream = self._join(connection, story, event)
        seq = event.seq
        if seq is not None and stream.cursor is not None and seq == stream.cursor + 1 <= stream.high:
            _begin_replay(stream, connection, event)
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
        stream = Stream()
        request = story.request
        own = request.connection is connection if request is not None else not self.header.timed
        shares = own or "multi_connection" in self.capabilities
        if event.seq is not None and event.seq > 1 and not (shares and saw_begin(connection, request)):
            stream.joined_late = True
            stream.high = event.seq - 1
        story.stream = stream if story.connection is None and own else None
        story.connection = story.connection or connection
        story.streams[connection.number] = stream
        return stream

    def settle(self, sighting: Sighting) -> None:
        """Enter any sighting into its run and stream, after the checks have seen it."""
        event, stream, story = sighting.event, sighting.stream, sighting.story
        seq = event.seq
        excused = sighting.overtaking or (stream.joined_late and not stream.events)
        stream.events += 1
        if seq is not None and sighting.overtaking:
            stream.overtook.add(seq)
        elif seq is not None:
            if seq == stream.high + 1:
                stream.high = seq
            elif seq > stream.high:
                gap = set(islice(range(stream.high + 1, seq), _GAP)) - stream.overtook
                stream.missing |= gap
                story.excused -= gap
                stream.high = seq
            elif seq in stream.missing:
                stream.missing.discard(seq)
                stream.late.add(seq)
        if event.terminal:
            stream.ended = True
        if sighting.foreign or not sighting.fresh:
            return
        story.events += 1
        if event.event_id is not None:
            story.ids.setdefault(event.event_id, seq or 0)
        if seq is not None:
            if seq > story.high:
                if seq > story.high + 1:
                    gap = set(islice(range(story.high + 1, seq), _GAP))
                    story.missing |= gap
                    if excused:
                        story.excused |= gap
                story.high = seq
            elif story.missing:
                story.missing.discard(seq)
        if story.first is None:
            self.begin(story, sighting)
        story.last = sighting
        self._tell(story, sighting)

    def begin(self, story: Story, sighting: Sighting) -> None:
        """Enter the first event of a run."""
        story.first = sighting
        if story.thread_id is None:
            story.thread_id = sighting.event.thread_id
        trace = sighting.event.traceparent
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
            self._tool_started(story, sighting)
        elif kind is Kind.TOOL_COMPLETED or (kind is Kind.TOOL_DEFERRED and story.script is None):
            self._tool_completed(story, sighting)  # a tool of the kit's script is the target's to run: never deferred
        elif event.terminal and story.terminal is None:
            self.end(story, sighting)

    def _tool_started(self, story: Story, sighting: Sighting) -> None:
        call_id = sighting.event.payload.tool_call_id
        if call_id not in story.tools:
            early = story.early.pop(call_id, None)
            if early is not None and (early.event.seq or 0) < (sighting.event.seq or 0):
                early = None
            story.tools[call_id] = Tool(sighting, early)
            story.open_tools += early is None

    def _tool_completed(self, story: Story, sighting: Sighting) -> None:
        call_id = sighting.event.payload.tool_call_id
        tool = story.tools.get(call_id)
        if tool is None:
            story.early.setdefault(call_id, sighting)
        elif tool.completed is None:
            tool.completed = sighting
            story.open_tools -= 1

    def end(self, story: Story, sighting: Sighting) -> None:
        """Enter the terminal event of a run."""
        sighting.stream.ended = True
        story.terminal = sighting
        event = sighting.event
        if event.kind is Kind.COMPLETED and not self.obeys_script:
            told = script.answer(story.script) if story.script else ""
            self.obeys_script = bool(told) and told in (event.payload.final_response or "")
        self._end(story)

    def _end(self, story: Story) -> None:
        key = story.run_id or next((k for k, s in self.stories.items() if s is story), None)
        if key is not None and self.stories.get(key) is story:
            del self.stories[key]
            self.over.add(key, story)
        self._take(story)
        self._detailed.append(story)
        if len(self._detailed) > _DETAILED:
            self._settle_story(self._detailed.popleft())

    def _settle_story(self, story: Story) -> None:
        self._on_settled(story)
        story.forget_details()

    def finish(self) -> None:
        """Nothing more comes: settle every run."""
        while self._detailed:
            self._settle_story(self._detailed.popleft())
        for story in list(self.stories.values()):
            self._settle_story(story)


def _next_in_order(story: Story, event: RunEvent) -> bool:
    """Tell whether an event is its run's next one by its number, with an id of its own, and not stamped earlier."""
    before = story.last.event.timestamp if story.last is not None else None
    return (
        event.exact
        and event.seq == story.high + 1
        and before is not None
        and event.timestamp >= before  # type: ignore[operator]
        and bool(event.event_id)
        and event.event_id not in story.ids
        and not story.missing
    )


def _begin_replay(stream: Stream, connection: Connection, event: RunEvent) -> None:
    """Go back to the cursor of a resume, once, where what came so far came live before the target read the question."""
    if was_live(connection, event):
        stream.high = stream.cursor or 0
        stream.missing.clear()
    stream.cursor = None


def _let_go(request: Request) -> None:
    """Part a forgotten question from its run, if that is over: each holds the other, else both would stay."""
    story = request.story
    if story is not None and story.settled and story.request is request:
        request.story = None


def _same_question(first: Request | None, request: Request) -> bool:
    """Tell whether a request is one of the same user asked again."""
    if first is None or first is request or not request.asked.request_id:
        return False
    return (first.asked.user, first.asked.request_id) == (request.asked.user, request.asked.request_id)


def saw_begin(connection: Connection, request: Request | None) -> bool:
    """Tell whether a connection must have seen a run from its first event on.

    It asked for the run, and not for one that was there already, or it was greeted before anybody asked.
    """
    if request is None:
        return False
    if request.connection is connection:
        return request.accepted is None or not request.accepted.duplicate
    return connection.ready_at is not None and connection.ready_at <= request.asked.at


def was_live(connection: Connection, event: RunEvent) -> bool:
    """Tell whether an event can have been sent live, because it happened after the client began to connect."""
    ready = connection.ready
    if ready is None or ready.server_time is None or event.timestamp is None:
        return True
    connecting = timedelta(microseconds=(connection.ready_at or connection.op.at) - connection.op.at)
    return event.timestamp > ready.server_time - connecting
