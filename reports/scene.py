"""What happened around a finding: its run, and who else was concerned, read from the history in bounded memory."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from conformance.dialects import recorded
from conformance.dialects.dialect import Decoder
from conformance.events import Kind, RunEvent
from conformance.history import operations as ops
from conformance.history.store import HistoryReader
from conformance.verdict import Finding, Verdict

MOST_SCENES = 24
"""Findings that are drawn: the first of each violated requirement."""
_MOST_MOMENTS = 300
_MOST_CONNECTIONS = 7
_LONGEST_FRAME = 4_000


@dataclass(slots=True)
class Moment:
    """Something that happened, at `at_ms`. `pieces` of a streamed text that follow each other are one moment.

    `what` is the kind of a run event, or what the operation is called. `call` is a tool's call id, or the number of a
    call that the witness recorded. `until_ms` is when the last of the pieces came. `stamped_ms` is the time that an
    event's timestamp gives, where the target's clock is the kit's.
    """

    line: int
    at_ms: float
    what: str
    conn: int | None = None
    run_id: str | None = None
    call: str | None = None
    name: str | None = None
    detail: str = ""
    pieces: int = 1
    until_ms: float = 0.0
    stamped_ms: float | None = None


@dataclass(slots=True)
class Line:
    """A connection: whose, and from when to when it was open (ms); `until_ms` is None where it stayed so."""

    conn: int
    user: str | None
    since_ms: float
    until_ms: float | None = None


@dataclass(slots=True)
class Scene:
    """A finding, the stretch of time to look at (ms), and what happened in it. `left_out` moments were too many.

    `frames` holds the witnesses' frames by line, longer than the verdict keeps them.
    """

    finding: Finding
    since_ms: float
    until_ms: float
    lines: dict[int, Line] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)
    frames: dict[int, str] = field(default_factory=dict)
    left_out: int = 0
    tokens: set[bytes] = field(default_factory=set)

    @property
    def witnessed(self) -> set[int]:
        """The lines of the witnesses."""
        return {witness.line for witness in self.finding.witnesses}

    def add(self, moment: Moment) -> None:
        """Take in a moment; pieces of one text, one after the other, become one."""
        last = self.moments[-1] if self.moments else None
        known = self.witnessed
        if (
            last is not None
            and moment.what == last.what == Kind.TEXT.name.lower()
            and (moment.conn, moment.run_id) == (last.conn, last.run_id)
            and moment.line not in known
            and last.line not in known
        ):
            last.pieces += 1
            last.until_ms = moment.at_ms
        elif len(self.moments) < _MOST_MOMENTS or moment.line in known:
            self.moments.append(moment)
        else:
            self.left_out += 1


def shown(verdict: Verdict) -> list[Finding]:
    """Return the findings that a scene is made of: the first of each requirement, as far as they have witnesses."""
    firsts = [requirement.findings[0] for requirement in verdict.requirements if requirement.findings]
    return [finding for finding in firsts if finding.witnesses][:MOST_SCENES]


def scenes(verdict: Verdict, history: Path | None) -> dict[str, Scene]:
    """Return a scene for each requirement that has one: from the history, or else from the witnesses alone.

    Where `history` is a folder, each finding points to a history of its own in there.
    """
    made = {finding.requirement: _from_witnesses(finding) for finding in shown(verdict)}
    for path, told in _histories(list(made.values()), history).items():
        with path.open("rb") as file:
            _widen(told, HistoryReader(file, name=str(path)))
        with path.open("rb") as file:
            _fill(told, HistoryReader(file, name=str(path)))
    for scene in made.values():
        _complete(scene)
    return made


def _histories(made: list[Scene], history: Path | None) -> dict[Path, list[Scene]]:
    """Return what tells of scenes; nothing outside of a folder does."""
    if history is None or not made:
        return {}
    if not history.is_dir():
        return {history: made} if history.is_file() else {}
    found: dict[Path, list[Scene]] = {}
    root = history.resolve()
    for scene in made:
        path = (root / (scene.finding.location or "").rpartition(":")[0]).resolve()
        if path.is_relative_to(root) and path.is_file():
            found.setdefault(path, []).append(scene)
    return found


def _from_witnesses(finding: Finding) -> Scene:
    times = [witness.at_ms for witness in finding.witnesses]
    scene = Scene(finding, min(times), max(times))
    for witness in finding.witnesses:
        if witness.conn is not None:
            scene.lines.setdefault(witness.conn, Line(witness.conn, witness.user, witness.at_ms))
    if finding.run_id:
        scene.tokens.add(finding.run_id.encode(errors="backslashreplace"))
    return scene


def _complete(scene: Scene) -> None:
    """Add the witnesses that the history did not show."""
    there = {moment.line for moment in scene.moments}
    for witness in scene.finding.witnesses:
        if witness.line not in there:
            there.add(witness.line)
            scene.moments.append(Moment(witness.line, witness.at_ms, witness.what, witness.conn, detail=witness.text))
    scene.moments.sort(key=lambda moment: (moment.at_ms, moment.line))


# -- first reading: how long it lasted, and which connections are concerned -----------------------------------------


def _widen(made: Iterable[Scene], reader: HistoryReader) -> None:
    lines: dict[int, Line] = {}
    by_token: dict[bytes, list[Scene]] = {}
    for scene in made:
        for token in scene.tokens:
            by_token.setdefault(token, []).append(scene)
    any_token = re.compile(b"|".join(map(re.escape, by_token))) if by_token else None
    for op in reader:
        if isinstance(op, ops.Connecting):
            lines[op.conn] = Line(op.conn, op.user, op.at / 1000)
        elif isinstance(op, ops.Closed | ops.Refused) and op.conn in lines:
            lines[op.conn].until_ms = op.at / 1000
        elif isinstance(op, ops.Received) and any_token is not None:
            for token in set(any_token.findall(op.raw)):
                for scene in by_token[token]:
                    _concern(scene, op, lines)
    for scene in made:
        _settle(scene, lines)


def _concern(scene: Scene, op: ops.Received, lines: dict[int, Line]) -> None:
    at = op.at / 1000
    scene.since_ms, scene.until_ms = min(scene.since_ms, at), max(scene.until_ms, at)
    if op.conn in lines and len(scene.lines) < _MOST_CONNECTIONS:
        scene.lines[op.conn] = lines[op.conn]


def _settle(scene: Scene, lines: dict[int, Line]) -> None:
    """Add a margin, and the other connections of the same users in that time."""
    margin = max(2.0, (scene.until_ms - scene.since_ms) * 0.04)
    scene.since_ms, scene.until_ms = max(0.0, scene.since_ms - margin), scene.until_ms + margin
    users = {line.user for line in scene.lines.values() if line.user} | {scene.finding.user}
    for line in lines.values():
        seen = line.since_ms <= scene.until_ms and (line.until_ms is None or line.until_ms >= scene.since_ms)
        if line.conn in scene.lines or (seen and line.user in users and len(scene.lines) < _MOST_CONNECTIONS):
            scene.lines[line.conn] = line


# -- second reading: what happened ----------------------------------------------------------------------------------


def _fill(made: list[Scene], reader: HistoryReader) -> None:
    dialect = recorded(reader.header.dialect, reader.header.mapping)
    concerned = {conn for scene in made for conn in scene.lines}
    decoders: dict[int, Decoder] = {conn: dialect.decoder() for conn in concerned}
    calls: dict[int, list[Scene]] = {}
    encode = msgspec.json.Encoder().encode
    for number, op in enumerate(reader, start=2):
        at = op.at / 1000
        conn = getattr(op, "conn", None)
        if conn is not None and conn not in concerned:
            continue
        moments = list(_moments(number, op, decoders, reader.header))
        if not moments:
            continue
        raw = b"" if conn is not None else encode(op)
        for scene in made:
            if number in scene.witnessed or (
                scene.since_ms <= at <= scene.until_ms and _belongs(scene, op, raw, calls)
            ):
                if isinstance(op, ops.ModelCallBegan | ops.ToolCallBegan):
                    calls.setdefault(op.call, []).append(scene)
                if isinstance(op, ops.Asked) and op.canary:
                    scene.tokens.add(op.canary.encode(errors="backslashreplace"))
                if number in scene.witnessed and isinstance(op, ops.Frame):
                    scene.frames[number] = _frame(op)
                for moment in moments:
                    scene.add(moment)


def _belongs(scene: Scene, op: ops.Operation, raw: bytes, calls: dict[int, list[Scene]]) -> bool:
    match op:
        case ops.FaultBegan():
            return op.user is None or op.user in {line.user for line in scene.lines.values()}
        case ops.FaultEnded():
            return any(m.call == str(op.fault) and m.what == "fault_began" for m in scene.moments)
        case ops.ModelCallEnded() | ops.ToolCallEnded():
            return any(scene is known for known in calls.get(op.call, ()))
        case ops.ModelCallBegan() | ops.ToolCallBegan():
            return any(token in raw for token in scene.tokens)
        case _:
            return getattr(op, "conn", None) in scene.lines


def _moments(line: int, op: ops.Operation, decoders: dict[int, Decoder], header: ops.Header) -> Iterator[Moment]:
    at = op.at / 1000
    match op:
        case ops.Received():
            events = decoders[op.conn].decode(op.raw)
            runs = [event for event in events if isinstance(event, RunEvent)]
            for event in runs:
                payload = event.payload if hasattr(event, "payload") else None
                yield Moment(
                    line,
                    at,
                    event.kind.name.lower(),
                    op.conn,
                    event.run_id,
                    getattr(payload, "tool_call_id", None),
                    getattr(payload, "tool_name", None),
                    detail=f"seq {event.seq}" if event.seq is not None else "",
                    until_ms=at,
                    stamped_ms=_stamped_ms(event, header),
                )
            if not runs and events:
                yield Moment(line, at, type(events[0]).__name__.lower(), op.conn)
        case ops.Asked():
            yield Moment(line, at, "asked", op.conn, op.run_id, name=op.action.value, detail=op.behaviour or "")
        case ops.GaveUp():
            yield Moment(line, at, "gave_up", op.conn, op.run_id, name=op.awaited.value, detail=f"{op.waited_ms} ms")
        case ops.Connecting() | ops.Refused() | ops.Closed():
            yield Moment(line, at, _tag(op), op.conn)
        case ops.FaultBegan():
            yield Moment(line, at, "fault_began", call=str(op.fault), name=op.kind.value, detail=op.detail)
        case ops.FaultEnded():
            yield Moment(line, at, "fault_ended", call=str(op.fault), detail=op.problem or "")
        case ops.ModelCallBegan():
            yield Moment(line, at, "model_call_began", call=str(op.call), name="model", run_id=op.run_id)
        case ops.ToolCallBegan():
            yield Moment(line, at, "tool_call_began", call=str(op.call), name=op.tool, run_id=op.run_id)
        case ops.ModelCallEnded() | ops.ToolCallEnded():
            yield Moment(line, at, _tag(op), call=str(op.call), detail=op.end.value)
        case _:
            return


def _stamped_ms(event: RunEvent, header: ops.Header) -> float | None:
    if event.timestamp is None or not header.same_clock:
        return None
    return event.timestamp.timestamp() * 1000 - header.began_us / 1000


def _tag(op: ops.Operation) -> str:
    return str(op.__struct_config__.tag)


def _frame(op: ops.Frame) -> str:
    text = op.raw[: _LONGEST_FRAME * 4].decode(errors="backslashreplace")
    rest = len(op.raw) - len(text.encode())
    return text if rest <= 0 else f"{text[:_LONGEST_FRAME]}… ({len(op.raw):,} bytes)"
