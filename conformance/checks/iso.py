"""ISO: nobody sees anybody else."""

import re
from collections.abc import Container
from typing import Any

from conformance import canary
from conformance.checks.check import EVERY_EVENT, Check, Evidence, on, on_odd
from conformance.checks.excerpt import novel, parts_with, without
from conformance.events import Accepted, Heartbeat, Kind, Pong, Ready, Refusal, Unknown
from conformance.express.stretch import Stretch
from conformance.history import operations as ops
from conformance.history.operations import Action
from conformance.identity import Mark
from conformance.story import Connection, Notice, Passage, Sighting, Story

_WORDS = re.compile(rb"[\w-]{8,}")
_SPACED = bytes(c if chr(c).isalnum() or chr(c) in "_-" else 32 for c in range(256))
_APART = bytes(c if (c < 128 and chr(c).isalnum()) or chr(c) in "_-" else 32 for c in range(256))
_KEYS = b"agent_started event_id run_id thread_id user_id timestamp agent_name payload request_id traceparent"
_ENDS = (Kind.COMPLETED, Kind.FAILED, Kind.STOPPED)
_FIRST_AND_LAST = (Kind.STARTED, Kind.COMPLETED)


class Leaks(Check):
    """Whose canaries and ids turn up on whose connection."""

    decides = ("ISO-01", "ISO-02", "ISO-03", "ISO-07", "ISO-10", "ISO-11")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._users: set[str] = set()
        self._gone: set[str] = set()
        self._named: dict[str, set[bytes]] = {}
        self._trespass: dict[int, dict[int, str]] = {}
        self._neighbours: set[frozenset[str | None]] = set()
        self._looked_at = 0
        self._alone_frames: int | None = None

    # -- who is there -----------------------------------------------------------------------------------------------

    @on(ops.Connecting)
    def connecting(self, op: ops.Connecting) -> None:
        """Another user may be seen from now on."""
        if op.user is not None and len(self._users) < 2:
            self._users.add(op.user)
            if len(self._users) == 2:
                self._alone_frames = self.world.frames

    @on(ops.Connected)
    def connected(self, op: ops.Connected) -> None:
        """A connection that may inherit something from a user who left."""
        connection = self.world.connections[op.conn]
        self.exercised["ISO-10"] += bool(self._gone - {connection.op.user or ""})
        if op.body:
            self._canaries(op.body.encode(), connection, [self.here(op)], None)
            self._ids(op.body.encode(), connection, self.here(op), None)

    @on(ops.Closed)
    def closed(self, op: ops.Closed) -> None:
        """A user may have left."""
        user = self.world.connections[op.conn].op.user
        if user is not None and not self.world.connections_of(user):
            if len(self._gone) < 4096:
                self._gone.add(user)
            self._named.pop(user, None)
        self._trespass.pop(op.conn, None)

    @on(ops.Asked)
    def asked(self, op: ops.Asked) -> None:
        """What a client names itself is no leak when the answer names it again."""
        named = self._named.setdefault(op.user, set())
        if op.owner is not None or op.impersonates:
            named.update(i.encode() for i in (op.run_id, op.thread_id, op.impersonates) if i)
        if op.owner and op.thread_id and op.run_id is None:
            self.exercised["ISO-07"] += 1
            self._trespass.setdefault(op.conn, {})[op.ask] = op.owner
        if op.owner and op.thread_id and len(self._neighbours) < 4_096:
            self._neighbours.add(frozenset((op.user, op.owner)))

    # -- what is on the wire ----------------------------------------------------------------------------------------

    @on(ops.Received)
    def frame(self, op: ops.Received) -> None:
        """Look for canaries as they stand in any frame, or encoded."""
        raw = bytes(op.frame) if op.text is None and op.binary is None else op.raw
        self._canaries(raw, self.world.connections[op.conn], [self.here(op)], None)
        self._looked_at = self.world.line

    def _canaries(self, raw: bytes, connection: Connection, evidence: list[Evidence], story: Story | None) -> None:
        """Report others' canaries."""
        for token in canary.find(raw):
            mark = self.world.marks.get(token.encode())
            if mark is not None and mark.user != connection.op.user:
                self._leak("ISO-01", token, mark, connection, evidence, story)

    def _leak(
        self,
        requirement: str,
        what: str,
        mark: Mark,
        connection: Connection,
        evidence: list[Evidence],
        story: Story | None,
    ) -> None:
        kind = "canary" if requirement == "ISO-01" else f"{mark.kind} id"
        source: list[Evidence] = []
        request = self.world.request_of(mark.ask)
        if request is not None:
            source.append(request)
        for each in (requirement, *self._also(mark.user, connection)):
            self.fail(
                each,
                f"a {kind} of {mark.user} on a connection of {connection.op.user}",
                expected=f"nothing of {mark.user}",
                actual=what,
                witnesses=[*source, *evidence],
                run=story,
                user=connection.op.user,
                scenario=connection.op.scenario,
            )

    def _also(self, user: str, connection: Connection) -> list[str]:
        """Return what is violated besides where something of a user shows on another's connection."""
        if any(owner == user and self._let_in(ask) for ask, owner in self._trespass.get(connection.number, {}).items()):
            return ["ISO-07"]
        if frozenset((user, connection.user)) in self._neighbours:
            return []  # one was in the other's thread
        return ["ISO-10"] if user in self._gone and not self.world.connections_of(user) else []

    def _let_in(self, ask: int) -> bool:
        """Tell whether what shows may answer the question: to continue a thread takes a run, which begins first."""
        request = self.world.request_of(ask)
        return request is None or not request.runs or request.accepted is not None or request.story is not None

    @on(Ready, Accepted, Unknown, Pong, Heartbeat)
    def notice(self, notice: Notice) -> None:
        """Look for others' ids in frames that belong to no run."""
        event = notice.event
        if isinstance(event, Accepted) and event.exact:
            own = notice.connection.op.user
            values = [value.encode() for value in (event.run_id, event.thread_id) if value]
            if all(mark.user == own for _, mark in self.world.marks.among(values)):
                return
        self._ids(notice.op.raw, notice.connection, notice, None)

    @on(Refusal)
    def refusal(self, notice: Notice) -> None:
        """An error shown to a user."""
        asked = notice.request.asked if notice.request is not None else None
        if asked is not None:  # who is refused entry has not trespassed
            self._trespass.get(asked.conn, {}).pop(asked.ask, None)
        self._error(notice, notice.op.raw, notice.connection)
        self._ids(notice.op.raw, notice.connection, notice, None)

    @on(ops.Refused)
    def refused(self, op: ops.Refused) -> None:
        """An HTTP error shown to a user; one that answers a question is told as a `Refusal` as well."""
        connection = self.world.connections[op.conn]
        if any(request.asked.action is not Action.READ for request in connection.unanswered):
            return
        self._error(self.here(op), op.body.encode(), connection)
        self._ids(op.body.encode(), connection, self.here(op), None)

    def _error(self, evidence: Evidence, raw: bytes, connection: Connection) -> None:
        self.exercised["ISO-11"] += len(self._users) > 1
        others = [(word.decode(), mark.user) for word, mark in self._others_ids(raw, connection)]
        for token in canary.find(raw):
            mark = self.world.marks.get(token.encode())
            if mark is not None and mark.user != connection.op.user:
                others.append((token, mark.user))
        for what, user in others:
            self.fail(
                "ISO-11",
                f"an error shown to {connection.op.user} carries data of {user}",
                expected="an error about the user's own request only",
                actual=what,
                witnesses=[evidence],
                user=connection.op.user,
            )

    def _ids(self, raw: bytes, connection: Connection, evidence: Evidence, story: Story | None) -> None:
        for word, mark in self._others_ids(raw, connection):
            self._leak("ISO-02", word.decode(), mark, connection, [evidence], story)

    def _others_ids(self, raw: bytes, connection: Connection) -> list[tuple[bytes, Mark]]:
        """Return the ids of others in a frame, but for those that the user has named."""
        user = connection.op.user
        named = self._named.get(user, ()) if user is not None else ()
        return [
            (word, mark)
            for word, mark in self.world.marks.among(_WORDS.findall(raw))
            if mark.user != user and mark.kind not in ("canary", "request") and word not in named
        ]

    @on_odd(*EVERY_EVENT)
    def event(self, seen: Sighting) -> None:
        """A run event: whose run it is."""
        if seen.foreign:
            self._foreign_run(seen)
            return
        trace = seen.event.traceparent
        if seen.story.first is None and trace and trace.count("-") == 3:
            self._traced(seen, trace.split("-")[1])

    def _traced(self, seen: Sighting, trace: str) -> None:
        """A run's trace is its user's: within a traceparent it is no word of its own."""
        mark = self.world.marks.get(trace.encode())
        if mark is not None and mark.user != seen.connection.op.user:
            self._leak("ISO-02", trace, mark, seen.connection, [seen], seen.story)

    @on(Passage)
    def passage(self, passage: Passage) -> None:
        """Search some events of a run for others' ids; and for encoded canaries, where their frames were not."""
        if passage.sightings[0].foreign or not self._users:
            return  # nobody is known: a recording that others made
        pieces = [novel(seen) for seen in passage.sightings]
        whole = b" ".join(pieces)
        words = whole.translate(_SPACED).split()
        own = passage.story.user
        if any(mark.user != own for _, mark in self.world.marks.among(words)):
            for seen, piece in zip(passage.sightings, pieces, strict=True):
                self._ids(piece, seen.connection, seen, seen.story)
        if canary.may_be_encoded(whole):
            for seen, piece in zip(passage.sightings, pieces, strict=True):
                if seen.line != self._looked_at:
                    self._canaries(piece, seen.connection, [seen], seen.story)

    def screen(self, told: Stretch) -> bool:
        """What is due to be searched holds no id of others, nor a canary in any code."""
        return self._frames_plain(told) and self._texts_plain(told)

    def _frames_plain(self, told: Stretch) -> bool:
        """Tell whether start events name nobody but their own run and user, and payloads nobody at all."""
        raws = told.raws
        passed: Container[int] = range(len(raws)) if told.passed is None else set(told.passed)
        due = [raws[at] for at in told.others if at in passed and told.kinds[at] not in _FIRST_AND_LAST]
        due += [without(raws[run.stop - 1], run.text) for run in told.ended]
        pieces = [raw[raw.find(b'"payload"') :] for raw in due]
        if min(map(len, pieces), default=9) < 9:  # the key is written otherwise
            return False
        pieces += [novel(seen) for seen in told.before]
        pieces.append(_KEYS)
        starts = [raws[run.first] for run in told.begun]
        if b"\\" in b"".join(starts):
            return False
        for run, raw in zip(told.begun, starts, strict=True):
            event, user = told.events[run.first], run.user
            if not self._is_of(event.user_id, user):
                return False
            if run.story is not None and not (self._is_of(run.run_id, user) and self._is_of(run.thread_id, user)):
                return False  # those of other runs came with their acceptance, within the stretch, as nobody else's
            rest = f"{event.event_id} {event.agent_name} {event.payload.request_id} {event.traceparent}"
            pieces += (rest.encode(), raw[raw.find(b'"timestamp"') :])
        whole = b" ".join(pieces)
        if any(piece in whole for piece in canary.ENCODED):
            return False
        return not self._marked(set(whole.translate(_SPACED).split()), told)

    def _is_of(self, word: str, user: str) -> bool:
        """Tell whether an id is not known as anybody else's."""
        mark = self.world.marks.get(word.encode())
        return mark is None or mark.user == user

    def _texts_plain(self, told: Stretch) -> bool:
        """Tell whether the streamed texts hold no canary but their runs' own, and nobody's ids."""
        texts = [run.text.replace(run.asked.canary or "\0", " ") for run in told.ended if run.text is not None]
        whole = "\n".join(texts).encode()
        if canary.may_be_encoded(whole) or any(canary.find(whole)):
            return False
        return not self._marked(set(whole.translate(_APART).split()), told)

    def _marked(self, words: set[bytes], told: Stretch) -> bool:
        """Tell whether any of these words is somebody's, or becomes so within the stretch."""
        return self.world.marks.any_of(words) or not told.marks.keys().isdisjoint(words)

    @on(Kind.FAILED)
    def failed(self, seen: Sighting) -> None:
        """A run's error, shown to its user."""
        if not seen.foreign:
            self._error(seen, seen.op.raw, seen.connection)

    def _foreign_run(self, seen: Sighting) -> None:
        story, connection = seen.story, seen.connection
        self._ids(seen.op.raw, connection, seen, story)
        for requirement in ("ISO-03", *(self._also(story.user, connection) if story.user is not None else ())):
            self.fail(
                requirement,
                f"an event of {story.user}'s run on a connection of {connection.op.user}",
                expected=f"only runs of {connection.op.user}",
                actual=f"{seen.event.kind.name.lower()} of run {seen.event.run_id}",
                witnesses=[*([story.request] if story.request else []), seen],
                run=story,
                user=connection.op.user,
                scenario=connection.op.scenario,
            )

    # -- text that is split over events -----------------------------------------------------------------------------

    @on(*_ENDS)
    def ended(self, seen: Sighting) -> None:
        """Search the streamed text as a whole."""
        if not seen.foreign and seen.fresh and seen.story.terminal is None:
            self._streamed(seen.story)

    @on_odd(Story)
    def settled(self, story: Story) -> None:
        """A run without an end: search what there is."""
        if story.terminal is None:
            self._streamed(story)

    def _streamed(self, story: Story) -> None:
        parts = story.text
        if not parts or not self._users:
            return
        whole = "".join(part.event.payload.text or "" for part in parts).encode()
        connection = parts[0].connection
        for token in canary.find(whole):
            mark = self.world.marks.get(token.encode())
            if mark is not None and mark.user != story.user:
                holding = parts_with(parts, token)
                if len(holding) > 1 or token.encode() not in holding[0].op.raw:
                    self._leak("ISO-01", token, mark, connection, list(holding), story)
        for word, mark in self.world.marks.among(_WORDS.findall(whole)):
            if mark.user != story.user and mark.kind not in ("canary", "request"):
                self._leak("ISO-02", word.decode(), mark, connection, [*parts_with(parts, word.decode())], story)

    def finish(self) -> None:
        """Every frame was searched for what is others', since there were any."""
        alone = self._alone_frames
        for requirement in ("ISO-01", "ISO-02", "ISO-03"):
            self.exercised[requirement] = 0 if alone is None else self.world.frames - alone
