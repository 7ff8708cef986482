"""A scene as swim lanes: where each thing stands in the drawing. `templates/timeline.svg.jinja` draws it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

from conformance.verdict import Finding, Witness
from reports.scale import ticks
from reports.scene import Moment, Scene

WIDTH = 1_000
LEFT = 176
_RIGHT = 52
_TOP = 30
_LANE = 46
_LETTER_PX = 6.3
_BADGE_PX = 22
_MOST_RUNS = 3
_MOST_TOOLS = 6
_LATE_MS = 20.0
_ABSENT = re.compile(r"(none|nothing|no|never|silence|0)\b", re.IGNORECASE)
_CALLS = {"model_call": "model calls", "tool_call": "tool calls"}
_TERMINAL = frozenset(("completed", "failed", "stopped"))
_EVENTS = _TERMINAL | {"started", "thinking", "tool_started", "tool_completed", "tool_deferred", "text", "other"}


@dataclass(frozen=True, slots=True)
class Bar:
    """Something that lasted: px from `x` on. `kind` is its class; `label` is written into it."""

    x: float
    width: float
    kind: str
    title: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at `x` px. A `number` is that of a witness; `blamed` is the one that proves it."""

    x: float
    kind: str
    title: str
    label: str = ""
    number: int | None = None
    blamed: bool = False


@dataclass(slots=True)
class Lane:
    """One row, its middle at `y` px: a connection, a run, a tool, calls, or faults."""

    y: float
    label: str
    note: str
    kind: str
    bars: list[Bar] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    labelled_to: float = 0.0
    badged_to: float = 0.0


@dataclass(frozen=True, slots=True)
class Timeline:
    """The drawing: its lanes, the ticks of its axis (px and label), and links from witness to witness (px)."""

    finding: Finding
    height: float
    lanes: list[Lane]
    ticks: list[tuple[float, str]]
    links: list[tuple[float, float, float, float]]
    left_out: int


def letters(finding: Finding) -> dict[str, str]:
    """Name the users of a finding A, B, … in the order in which its witnesses show them."""
    users = [*(witness.user for witness in finding.witnesses), finding.user]
    return {user: chr(ord("A") + number % 26) for number, user in enumerate(dict.fromkeys(u for u in users if u))}


def blamed(finding: Finding) -> Witness | None:
    """Return the witness that proves the violation: the one at the finding's location, else the last."""
    line = (finding.location or "").rpartition(":")[2]
    at = [witness for witness in finding.witnesses if str(witness.line) == line]
    chosen = at or list(finding.witnesses)
    return chosen[-1] if chosen else None


def is_absence(finding: Finding) -> bool:
    """Tell whether what was seen is that something did not come."""
    gave_up = any(witness.what == "gave_up" for witness in finding.witnesses)
    return gave_up or bool(_ABSENT.match(finding.actual))


class Drawing:
    """Lays one scene out, lane by lane."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._finding = scene.finding
        self._letters = letters(scene.finding)
        self._numbers = {w.line: n for n, w in enumerate(scene.finding.witnesses, start=1)}
        proof = blamed(scene.finding)
        self._proof = proof.line if proof else None
        self._lanes: list[Lane] = []
        self._span = max(scene.until_ms - scene.since_ms, 0.001)
        self._badged: set[int] = set()
        self._places: dict[int, tuple[float, float]] = {}

    def timeline(self) -> Timeline:
        """Return the whole drawing."""
        self._connections()
        runs = self._runs()
        self._calls()
        self._faults()
        self._elsewhere()
        self._absence(runs)
        places = [self._places[w.line] for w in self._finding.witnesses if w.line in self._places]
        links = [(*a, *b) for a, b in pairwise(dict.fromkeys(places)) if a[1] != b[1]]
        marks = [(self._x(at), f"{at:,.10g} ms") for at in ticks(self.scene.since_ms, self.scene.until_ms, 8)]
        for lane in self._lanes:
            lane.marks.sort(key=lambda mark: mark.number is not None)  # what is drawn last is on top
        height = _TOP + len(self._lanes) * _LANE + 14
        return Timeline(self._finding, height, self._lanes, marks, links, self.scene.left_out)

    # -- lanes ------------------------------------------------------------------------------------------------------

    def _connections(self) -> None:
        order = list(self._letters)
        lines = sorted(
            self.scene.lines.values(),
            key=lambda line: (order.index(line.user) if line.user in order else len(order), line.conn),
        )
        for line in lines:
            letter = self._letters.get(line.user or "")
            name = f"User {letter}" if letter else "another user"
            lane = self._lane(name, f"connection {line.conn}", f"conn user-{letter or 'other'}")
            until = self.scene.until_ms if line.until_ms is None else line.until_ms
            lane.bars.append(self._bar(line.since_ms, until, "open", f"connection {line.conn} of {line.user}"))
            for moment in [moment for moment in self.scene.moments if moment.conn == line.conn]:
                self._put(lane, moment, badge=True)

    def _runs(self) -> dict[str, Lane]:
        ids = dict.fromkeys(m.run_id for m in self._witness_moments() if m.run_id)
        if self._finding.run_id:
            ids = dict.fromkeys([self._finding.run_id, *ids])
        lanes = {}
        for run_id in list(ids)[:_MOST_RUNS]:
            events = [m for m in self.scene.moments if m.run_id == run_id and m.what in _EVENTS]
            if events:
                lanes[run_id] = lane = self._lane(f"Run {run_id[:8]}…", "its events, on all connections", "run")
                over = any(event.what in _TERMINAL for event in events)
                end = max(event.until_ms for event in events) if over else self.scene.until_ms
                title = f"run {run_id}" + ("" if over else ", its end is not in this stretch")
                lane.bars.append(self._bar(events[0].at_ms, end, "run" if over else "run unended", title))
                for event in events:
                    self._put(lane, event, badge=False)
                self._tools(events)
        return lanes

    def _tools(self, events: list[Moment]) -> None:
        room = _MOST_TOOLS - sum(lane.kind == "tool" for lane in self._lanes)
        by_call: dict[str, list[Moment]] = {}
        for event in events:
            if event.call is not None and event.what in ("tool_started", "tool_completed"):
                by_call.setdefault(event.call, []).append(event)
        # What a finding names is drawn first, where there are more than there is room for.
        named = sorted(by_call, key=lambda call: call not in self._finding.message)
        for call in [call for call in by_call if call in named[: max(0, room)]]:
            told = by_call[call]
            begun = next((event for event in told if event.what == "tool_started"), None)
            done = next((event for event in told if event.what == "tool_completed"), None)
            lane = self._lane(f"Tool {told[0].name or ''}", f"as told, call {call[:8]}", "tool")
            since = begun.at_ms if begun else self.scene.since_ms
            until = done.at_ms if done else self.scene.until_ms
            lacks = self._lacking(events, begun, done)
            kind = "tool half" if lacks else "tool"
            label = f"no {lacks[0]} told" if lacks else ""
            lane.bars.append(
                self._bar(since, until, kind, f"call {call}{''.join(f', no {end}' for end in lacks)}", label)
            )

    def _lacking(self, events: list[Moment], begun: Moment | None, done: Moment | None) -> list[str]:
        """Tell which end of a tool call is not told, as far as its run can be seen: what it had begun before is not."""
        seen = {event.what for event in events}
        lacks = ["start"] if begun is None and "started" in seen else []
        over = bool(seen & _TERMINAL) or is_absence(self._finding)
        return lacks + (["completion"] if done is None and over else [])

    def _calls(self) -> None:
        for prefix, title in _CALLS.items():
            begun = [moment for moment in self.scene.moments if moment.what == f"{prefix}_began"]
            if not begun:
                continue
            lane = self._lane(title.capitalize(), "as the witness saw them", "call")
            for moment in begun:
                ended = next(
                    (m for m in self.scene.moments if m.what == f"{prefix}_ended" and m.call == moment.call), None
                )
                until = ended.at_ms if ended else self.scene.until_ms
                title = f"{moment.name}, call {moment.call}, {ended.detail if ended else 'still open'}"
                lane.bars.append(self._bar(moment.at_ms, until, "call", title, moment.name or ""))
                for side in (moment, ended):
                    if side is not None and side.line in self._numbers:
                        self._put(lane, side, badge=True)

    def _faults(self) -> None:
        begun = [moment for moment in self.scene.moments if moment.what == "fault_began"]
        if begun:
            lane = self._lane("Faults", "made by the kit", "fault")
            for moment in begun:
                ended = next((m for m in self.scene.moments if m.what == "fault_ended" and m.call == moment.call), None)
                until = ended.at_ms if ended else self.scene.until_ms
                title = f"{moment.name} {moment.detail}"
                lane.bars.append(self._bar(moment.at_ms, until, "fault", title, moment.name or ""))
                if moment.line in self._numbers:
                    self._put(lane, moment, badge=True)

    def _elsewhere(self) -> None:
        """Witnesses that belong to no other lane: what the kit saw of the target's process."""
        rest = [moment for moment in self._witness_moments() if moment.line not in self._badged]
        if rest:
            lane = self._lane("Target", "as the kit saw it", "other")
            for moment in rest:
                self._put(lane, moment, badge=True)

    def _absence(self, runs: dict[str, Lane]) -> None:
        """Show what did not come where it should have been: in its run, or on the connection that waited."""
        if not is_absence(self._finding) or self._proof is None:
            return
        waited = next((m for m in self._witness_moments() if m.what == "gave_up"), None)
        at = waited or next((m for m in self._witness_moments() if m.line == self._proof), None)
        if at is None:
            return
        waiting = next((x for x in self._lanes if any(m.number == self._numbers.get(at.line) for m in x.marks)), None)
        lane = runs.get(self._finding.run_id or "") or waiting
        if lane is None:
            return
        if waited is not None:
            earlier = [m.at_ms for m in self.scene.moments if m.at_ms < waited.at_ms and m.conn == waited.conn]
            since = max(earlier, default=self.scene.since_ms)
            lane.bars.append(self._bar(since, waited.at_ms, "silence", self._finding.actual))
        lane.marks.append(Mark(self._x(at.at_ms), "absent", f"expected: {self._finding.expected}", "missing"))

    # -- things in lanes --------------------------------------------------------------------------------------------

    def _put(self, lane: Lane, moment: Moment, *, badge: bool) -> None:
        x = self._x(moment.at_ms)
        number = self._numbers.get(moment.line) if badge else None
        proof = number is not None and moment.line == self._proof
        if number is not None:
            x = max(x, lane.badged_to)
            lane.badged_to = x + _BADGE_PX
            self._badged.add(moment.line)
            self._places.setdefault(moment.line, (x, lane.y))
            self._lateness(lane, moment)
        if moment.pieces > 1:
            title = f"{moment.pieces} pieces of text, {moment.at_ms:,.1f} to {moment.until_ms:,.1f} ms"
            lane.bars.append(self._bar(moment.at_ms, moment.until_ms, "text", title))
            return
        label = self._label(lane, x, moment, first=proof)
        lane.marks.append(Mark(x, _kind(moment), _title(moment), label, number, proof))

    def _lateness(self, lane: Lane, moment: Moment) -> None:
        """Show from when to when an event was under way, where a finding is about that."""
        stamped = moment.stamped_ms
        if stamped is not None and moment.at_ms - stamped > _LATE_MS and self._finding.requirement.startswith("DLV"):
            title = f"stamped {stamped:,.1f} ms, arrived {moment.at_ms:,.1f} ms"
            lane.bars.append(self._bar(stamped, moment.at_ms, "late", title))

    def _label(self, lane: Lane, x: float, moment: Moment, *, first: bool) -> str:
        """Return a moment's label where there is room for it; what comes `first` takes the room of the one before."""
        label = moment.name if moment.what in ("asked", "gave_up") and moment.name else moment.what.replace("_", " ")
        label = {"gave_up": f"waited for {label}"}.get(moment.what, label)
        half = len(label) * _LETTER_PX / 2
        if first and x - half < lane.labelled_to:
            unlabel(lane)
        if moment.what == "text" or x - half < lane.labelled_to or x + half > WIDTH + 10:
            return ""
        lane.labelled_to = x + half + 6
        return label

    def _lane(self, label: str, note: str, kind: str) -> Lane:
        lane = Lane(_TOP + len(self._lanes) * _LANE + _LANE / 2, label, note, kind)
        self._lanes.append(lane)
        return lane

    def _bar(self, since: float, until: float, kind: str, title: str, label: str = "") -> Bar:
        x = self._x(since)
        width = max(2.0, self._x(until) - x)
        return Bar(x, width, kind, title, label if width > len(label) * _LETTER_PX + 6 else "")

    def _x(self, at_ms: float) -> float:
        within = min(1.0, max(0.0, (at_ms - self.scene.since_ms) / self._span))
        return round(LEFT + 8 + within * (WIDTH - LEFT - 8 - _RIGHT), 1)

    def _witness_moments(self) -> Iterator[Moment]:
        return (moment for moment in self.scene.moments if moment.line in self._numbers)


def unlabel(lane: Lane) -> None:
    """Take back the last label of a lane: what comes now says more."""
    labelled = [place for place, mark in enumerate(lane.marks) if mark.label]
    if labelled:
        lane.marks[labelled[-1]] = replace(lane.marks[labelled[-1]], label="")
        before = [mark for mark in lane.marks if mark.label]
        lane.labelled_to = before[-1].x + len(before[-1].label) * _LETTER_PX / 2 + 6 if before else 0.0


def _kind(moment: Moment) -> str:
    if moment.what in _TERMINAL:
        return "event terminal"
    return "event" if moment.what in _EVENTS else moment.what


def _title(moment: Moment) -> str:
    parts = (
        moment.what.replace("_", " "),
        moment.name,
        moment.detail,
        f"at {moment.at_ms:,.1f} ms, line {moment.line}",
    )
    return ", ".join(part for part in parts if part)
