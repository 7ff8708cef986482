"""What comes over fast connections is judged as if it were fed to the judge one by one, as it came."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest
from picows import WSMsgType
from picows.picows import _make_test_ws_frame

from benchmarks import load_server
from conformance.bounds import Bounds
from conformance.catalogue import load
from conformance.checks import all_checks
from conformance.history import operations as ops
from conformance.history.operations import Action, Asked, Operation
from conformance.history.recorder import frame_operation
from conformance.judge import Judge
from conformance.target import Target, TargetTable
from load.fast import Connection, Fast
from load.generator import Generator
from load.measure import Measure, measured
from load.settings import Settings
from load.stream import as_sent
from load.turn import Turn

_URL = "ws://127.0.0.1:1/ws"
_USERS = 12
_ROUNDS = 4
_STEP_US = 400
_EVENTS = 20
_TOKENS = Random(7)
Frames = list[tuple[int, bytes]]
Defect = Callable[[Frames], None]


class Answer(NamedTuple):
    """An upgrade."""

    status: int
    headers: dict[str, str]


class Transport:
    """Sends nothing."""

    response = Answer(101, {})

    def send(self, kind: WSMsgType, data: bytes) -> None:
        """Take it for sent."""


class Load:
    """Users over fast connections, of whom all is noted `as_it_came`, too."""

    def __init__(self, out: Path) -> None:
        target = Target(target=TargetTable(url=_URL), bounds=Bounds())
        self.generator = Generator(Settings(target, _URL, f"{out}"))
        self.stream = self.generator.stream
        self.recorder = self.generator.recorder
        self.at = 0
        self.recorder.clock.now = lambda: self.at  # type: ignore[method-assign]
        self.as_it_came: list[Operation] = []
        self.recorder._listeners.append(self.as_it_came.append)
        self.lines = [self._connected(number) for number in range(_USERS)]

    def _connected(self, number: int) -> Connection:
        person = self.generator.person()
        assert isinstance(person, Fast)
        person.join()
        line = Connection(person, next(person.wire.conns), person.wire, self.stream)
        record = self.recorder.record
        record(ops.Connecting(self.at, line.number, person.user, _URL, scenario="chat"))
        line.on_ws_connected(Transport())  # type: ignore[arg-type]
        greeting = (
            b'{"type":"connection_established","protocol":"five-events/1","connection_id":"c-%d","user_id":"u-%d",'
            b'"server_time":"%b","heartbeat_s":25,"capabilities":["text_stream"]}' % (number, number, self._stamp())
        )
        self.came(line, greeting)
        return line

    def _stamp(self) -> bytes:
        moment = datetime.fromtimestamp(self.generator.header.began_us / 1e6, UTC) + timedelta(microseconds=self.at)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()

    def came(self, line: Connection, raw: bytes) -> None:
        """Have a frame come."""
        self.at += _STEP_US
        self.as_it_came.append(frame_operation(ops.Received, self.at, line.number, as_sent(raw)))
        frame = _make_test_ws_frame(WSMsgType.TEXT, raw, True, False)
        line.on_ws_frame(line._transport, frame)  # type: ignore[arg-type]

    def ask(self, number: int, line: Connection, run: str) -> list[bytes]:
        """Have a user ask; return the frames that answer."""
        token = line.person.token()
        script = load_server.script(token, _EVENTS)
        request, asks = f"req-{_TOKENS.getrandbits(96):024x}", next(line.person.wire.asks)
        asked = Asked(
            self.at,
            asks,
            line.number,
            line.person.user,
            Action.START,
            request_id=request,
            canary=token,
            behaviour="chat",
            script=script,
        )
        line.turns.append(Turn(asked))
        line.ask(asked, token)
        template, places = load_server.template(_EVENTS)
        swaps = {b"R" * 36: run, b"H" * 36: f"t-{run}", b"Q" * 28: request, b"C" * 26: token, b"U" * 21: f"u-{number}"}
        frames = [template[start:stop] for start, stop in pairwise(places)]
        raws = [frame[2 if frame[1] < 126 else 4 :] for frame in frames]
        for old, new in swaps.items():
            raws = [raw.replace(old, new.encode()) for raw in raws]
        return raws

    def run(self, defect: Defect | None, random: Random) -> None:
        """Have all users ask at once, again and again; plant a defect in the middle."""
        for turn in range(_ROUNDS):
            answers = [self.ask(n, line, f"{random.getrandbits(128):032x}") for n, line in enumerate(self.lines)]
            frames = [(n, answers[n][at]) for at in range(len(answers[0])) for n in range(_USERS)]
            if defect is not None and turn == _ROUNDS // 2:
                defect(frames)
            for number, raw in frames:
                self.came(self.lines[number], raw.replace(b"2026-01-01T00:00:00.000000Z", self._stamp()))
            if turn % 2:
                self.stream.flush()
        self.stream.finish()


def _place(frames: Frames, user: int, nth: int) -> int:
    """Return where a user's n-th frame is."""
    return [at for at, (number, _) in enumerate(frames) if number == user][nth]


def drop(frames: Frames) -> None:
    del frames[_place(frames, 3, 8)]


def double(frames: Frames) -> None:
    at = _place(frames, 3, 8)
    frames.insert(at + 5, frames[at])


def reorder(frames: Frames) -> None:
    one, other = _place(frames, 3, 8), _place(frames, 3, 9)
    frames[one], frames[other] = frames[other], frames[one]


def leak(frames: Frames) -> None:
    at = _place(frames, 3, 8)
    frames.insert(at + 1, (5, frames[at][1]))


def leak_after_the_end(frames: Frames) -> None:
    frames.append((5, frames[_place(frames, 3, 8)][1]))


def foreign(frames: Frames) -> None:
    told = frames[_place(frames, 3, 3)][1]
    token = told[told.index(b"cnry~") :][:26]
    at = _place(frames, 5, 8)
    frames[at] = (5, frames[at][1].replace(b" word", b" " + token))


def ill_formed(frames: Frames) -> None:
    at = _place(frames, 3, 8)
    frames[at] = (3, frames[at][1].replace(b'"seq":', b'"seq":"x","sequence":'))


def no_json(frames: Frames) -> None:
    at = _place(frames, 3, 8)
    frames[at] = (3, frames[at][1][:-1])


def long_ago(frames: Frames) -> None:
    at = _place(frames, 3, 8)
    number, raw = frames[at]
    frames[at] = (number, raw.replace(b"2026-01-01T00:00:00.000000Z", b"2026-01-01T00:00:00.000001Z"))


def two_lines(frames: Frames) -> None:
    at = _place(frames, 3, 8)
    frames[at] = (3, frames[at][1].replace(b',"payload"', b',\n"payload"'))


def no_end(frames: Frames) -> None:
    del frames[_place(frames, 3, -1)]


def two_ends(frames: Frames) -> None:
    frames.append(frames[_place(frames, 3, -1)])


def _shown(judge: Judge) -> dict[str, Any]:
    """Return what a judge says, but not of which lines."""
    verdict = judge.verdict()
    requirements = {
        r.id: (r.verdict, r.exercised, r.violations, [(f.message, f.actual, f.run_id, f.user) for f in r.findings])
        for r in verdict.requirements
    }
    sketches = {key: sketch.counts for key, sketch in measured(judge.checks).settled().items()}
    return {"requirements": requirements, "sketches": sketches, "events": verdict.events, "all": verdict.operations}


_FOUND: dict[Defect | None, set[str]] = {
    None: set(),
    drop: {"ORD-01"},
    double: {"DLV-04"},
    reorder: {"ORD-02"},
    leak: {"ISO-02", "ISO-03"},
    leak_after_the_end: {"ISO-02", "ISO-03"},
    foreign: {"ISO-01", "EVT-15"},
    ill_formed: {"SCH-02", "ORD-01"},
    no_json: {"SCH-01", "ORD-01"},
    long_ago: {"SCH-03", "ORD-03"},
    two_lines: set(),
    no_end: set(),
    two_ends: {"DLV-04"},
}


@pytest.mark.parametrize("defect", _FOUND, ids=lambda defect: defect.__name__ if defect else "none")
def test_findings_are_the_same_as_one_by_one(defect: Defect | None, tmp_path: Path) -> None:
    made = Load(tmp_path)
    made.run(defect, Random(3))
    one_by_one = Judge(made.generator.header, made.generator.dialect, load(), checks=(*all_checks(), Measure))
    for operation in made.as_it_came:
        one_by_one.feed(operation)
    fast, slow = _shown(made.stream.judge), _shown(one_by_one)
    assert fast == slow
    assert {name for name, told in fast["requirements"].items() if told[2]} == _FOUND[defect]
    assert sum(counts.total() for key, counts in fast["sketches"].items() if key[0] == "delivery") > 900
    made.generator.samples.look(made.stream.judge.findings)
    assert bool(made.generator.samples.where) == bool(_FOUND[defect])


def test_a_sample_shows_frames_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    made = Load(tmp_path)
    made.run(double, Random(3))
    (sample,) = (tmp_path / "samples").iterdir()
    _, *lines = map(msgspec.json.decode, sample.read_bytes().splitlines())
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert len([line for line in lines if line["op"] == "received"]) == 2 + _ROUNDS * (_EVENTS + 1)
