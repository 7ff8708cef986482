"""Histories: what is recorded is stored, and read back byte for byte."""

import io
from pathlib import Path

import msgspec
import pytest

from conformance.bounds import Bounds
from conformance.catalogue import load
from conformance.errors import UsageError
from conformance.history import operations as ops
from conformance.history.operations import Action, Asked, ClosedBy, Credentials, Header, Operation
from conformance.history.recorder import Clock, Recorder, frame_operation
from conformance.history.store import HistoryReader, HistoryWriter
from conformance.rejudge import judge_recording

HEADER = Header(1, "0", 1, 1_767_225_600_000_000, "by hand", "five-events", bounds=Bounds(factor=2.0), only=("EVT",))
EVERY_OPERATION: list[Operation] = [
    ops.ScenarioBegan(1, "golden-path", "one user"),
    ops.UserJoined(2, "user-alice", "golden-path"),
    ops.Connecting(3, 1, "user-alice", "ws://x", credentials=Credentials.SHORT_LIVED, expires_at=9, ask=0),
    ops.Connected(4, 1, 101, (("a", "b"), ("a", "c"))),
    ops.Refused(5, 2, None, "no answer"),
    Asked(6, 1, 1, "user-alice", Action.START, script=[{"say": "\u2028"}], planted={"seq": "9"}, owner=""),
    frame_operation(ops.Sent, 7, 1, '{"type":"ping"}'),
    frame_operation(ops.Received, 8, 1, "plain"),
    ops.Pinged(9, 1),
    ops.GaveUp(10, 1, ops.Awaited.TERMINAL, 5000, 1, "r", True),
    ops.Reading(11, 1, True),
    ops.Lagged(12, 71.5),
    ops.FaultBegan(12, 1, ops.FaultKind.RESET, "user-alice", "at once"),
    ops.FaultEnded(12, 1, "it did not come back"),
    ops.Footprint(12, 17, 65_536),
    ops.ModelCallBegan(12, 1, "responses", "m", True, (ops.SeenText("user", "hello"),), 0, "cnry~", ("echo",), "u"),
    ops.ModelCallEnded(12, 1, ops.CallEnd.FAILED, (0,), ("t",), "x", (ops.EmittedCall("c", "echo", "{"),), 500, "e"),
    ops.ToolCallBegan(12, 2, "echo", {"text": "A"}, "mcp", "u", "r", "t", "c"),
    ops.ToolCallEnded(12, 2, ops.CallEnd.COMPLETED, "A"),
    ops.Closed(13, 1, ClosedBy.TARGET, 1008, "why"),
    ops.ScenarioEnded(14, "golden-path", "cut short"),
]
FRAMES: list[tuple[str | bytes, str]] = [
    ('{"type":"pong"}', "frame"),
    ('{"type": "pong",\t"x" : 1.0e+2, "x": null}', "frame"),
    ('"\\u00e9\\ud83d\\ude00"', "frame"),
    ('{"text":"é\u2028\u2029\x7f"}', "frame"),
    ("[]", "frame"),
    ("0", "frame"),
    ("", "text"),
    ("hello", "text"),
    ('{"type":\n"pong"}', "text"),
    ('{"type":"pong"}\n', "text"),
    (' {"type":"pong"}', "text"),
    ('{"type":"pong"}\r', "text"),
    ('{"type":"pong"', "text"),
    ('{"type":NaN}', "text"),
    ("[" * 10_000, "text"),
    ("[" * 200 + "]" * 200, "frame"),
    ("[" * 201 + "]" * 201, "text"),
    ("[" + "[]," * 300 + "0]", "frame"),
    ("\x00\x01", "text"),
    (b'{"type":"pong"}', "binary"),
    (b"", "binary"),
    (b"\xff\x00\n", "binary"),
    ("\ud800", "binary"),
]


def written(path: Path, *operations: Operation) -> bytes:
    with HistoryWriter(path, HEADER) as writer:
        for operation in operations:
            writer(operation)
    return path.read_bytes()


def read(data: bytes) -> HistoryReader:
    return HistoryReader(io.BytesIO(data), name="history.jsonl")


# -- what is stored -------------------------------------------------------------------------------------------------


def test_every_operation_comes_back_as_it_was(tmp_path: Path) -> None:
    reader = read(written(tmp_path / "h", *EVERY_OPERATION))
    assert reader.header == HEADER
    assert list(reader) == EVERY_OPERATION
    assert not reader.truncated


def test_no_kind_of_operation_is_forgotten_above() -> None:
    assert {type(operation) for operation in EVERY_OPERATION} == set(ops.AnyOperation.__args__)


@pytest.mark.parametrize(("data", "form"), FRAMES, ids=[repr(data)[:30] for data, _ in FRAMES])
def test_frames_come_back_byte_for_byte(tmp_path: Path, data: str | bytes, form: str) -> None:
    operation = frame_operation(ops.Received, 5, 1, data)
    (line,) = written(tmp_path / "h", operation).splitlines()[1:]
    assert f'"{form}":'.encode() in line
    (back,) = read(written(tmp_path / "h", operation))
    assert isinstance(back, ops.Received)
    assert back.raw == (data if isinstance(data, bytes) else data.encode(errors="surrogatepass"))
    assert back == operation


def test_a_frame_of_json_stands_in_the_line_as_it_is(tmp_path: Path) -> None:
    frame = '{"b" : 1, "a":[ ]}'
    assert frame.encode() in written(tmp_path / "h", frame_operation(ops.Sent, 5, 1, frame))


def test_each_operation_is_one_line(tmp_path: Path) -> None:
    operations = [frame_operation(ops.Received, 5, 1, data) for data, _ in FRAMES]
    assert written(tmp_path / "h", *operations).count(b"\n") == len(FRAMES) + 1


def test_what_was_flushed_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "h"
    with HistoryWriter(path, HEADER) as writer:
        writer(ops.Pinged(1, 1))
        writer.flush()
        assert list(read(path.read_bytes())) == [ops.Pinged(1, 1)]
        writer.close()
    assert list(read(path.read_bytes())) == [ops.Pinged(1, 1)]


# -- what is broken -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 2, 10, 20])
def test_a_last_line_that_is_cut_off_is_tolerated_and_told(tmp_path: Path, cut: int) -> None:
    data = written(tmp_path / "h", ops.Pinged(1, 1), ops.Closed(2, 1, ClosedBy.KIT, 1000))
    reader = read(data[: -1 - cut])
    assert list(reader) == [ops.Pinged(1, 1)]
    assert reader.truncated


def test_a_last_line_without_its_end_that_is_whole(tmp_path: Path) -> None:
    reader = read(written(tmp_path / "h", ops.Pinged(1, 1))[:-1])
    assert list(reader) == [ops.Pinged(1, 1)]
    assert not reader.truncated


def test_a_verdict_tells_that_the_recording_is_cut_off(tmp_path: Path) -> None:
    data = written(tmp_path / "h", *EVERY_OPERATION)
    whole = judge_recording(io.BytesIO(data), name="h", catalogue=load())
    cut = judge_recording(io.BytesIO(data[:-5]), name="h", catalogue=load())
    assert whole.warnings == ()
    assert cut.warnings == ("the recording ends in the middle of a line",)
    assert cut.operations == whole.operations - 1


@pytest.mark.parametrize("line", [b"not json", b'{"op":"unheard_of","at":1}', b'{"op":"pinged"}', b"", b"[]", b"\xff"])
def test_a_bad_line_in_the_middle_names_its_number(tmp_path: Path, line: bytes) -> None:
    lines = written(tmp_path / "h", ops.Pinged(1, 1), ops.Pinged(2, 1), ops.Pinged(3, 1)).splitlines()
    lines[2] = line
    data = b"\n".join(lines) + b"\n"
    with pytest.raises(UsageError, match=r"^history\.jsonl:3: not an operation of a history: "):
        list(read(data))
    with pytest.raises(UsageError, match=r"^other:3: not an operation of a history: "):
        judge_recording(io.BytesIO(data), name="other", catalogue=load())


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"data: {}\n", b'{"op":"pinged","at":1,"conn":1}\n', b'{"op":"history"}\n']
)
def test_what_is_no_history(data: bytes) -> None:
    with pytest.raises(UsageError, match=r"^history\.jsonl:1: not a history of the kit .*--dialect NAME$"):
        read(data)


def test_a_history_of_another_format() -> None:
    data = msgspec.json.encode(msgspec.structs.replace(HEADER, format=2)) + b"\n"
    with pytest.raises(UsageError, match=r"^history\.jsonl:1: history format 2, this kit reads format 1$"):
        read(data)


# -- the recorder ---------------------------------------------------------------------------------------------------


def recorder() -> tuple[Recorder, list[Operation]]:
    heard: list[Operation] = []
    return Recorder(Clock(), [heard.append]), heard


def test_every_listener_hears_every_operation_in_order() -> None:
    one: list[Operation] = []
    two: list[Operation] = []
    recording = Recorder(Clock(), [one.append, two.append])
    for operation in EVERY_OPERATION:
        recording.record(operation)
    assert one == two == EVERY_OPERATION


def test_a_listener_for_a_while_hears_what_happens_then() -> None:
    heard: list[Operation] = []
    recorder = Recorder(Clock(), [])
    before, meanwhile, after = (ops.Lagged(at, 1.0) for at in (1, 2, 3))
    recorder.record(before)
    with recorder.heard_by(heard.append):
        recorder.record(meanwhile)
    recorder.record(after)
    assert heard == [meanwhile]


def test_times_do_not_go_back() -> None:
    recording, heard = recorder()
    before = recording.clock.now()
    for _ in range(100):
        recording.frame(ops.Received, 1, "{}")
    after = recording.clock.now()
    times = [operation.at for operation in heard]
    assert [before, *times, after] == sorted([before, *times, after])


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ('{"t":"eyJhbGciOi.one"}', '{"t":"secret~of~alice~"}'),
        ('{"t":"eyJhbGciOi.two and eyJhbGciOi.one"}', '{"t":"secret~of~bob~ and secret~of~alice~"}'),
        ("eyJhbGciOi.oneeyJhbGciOi.one", "secret~of~alice~secret~of~alice~"),
        (b"\xffeyJhbGciOi.two\xff", b"\xffsecret~of~bob~\xff"),
        ('{"t":"eyJhbGciOi.three"}', '{"t":"eyJhbGciOi.three"}'),
        ("short", "short"),
    ],
)
def test_secrets_are_replaced_by_their_users_marker(data: str | bytes, wanted: str | bytes) -> None:
    recording, heard = recorder()
    recording.keep_secret("eyJhbGciOi.one", of="alice")
    recording.keep_secret("eyJhbGciOi.two", of="bob")
    recording.keep_secret("short", of="carol")
    operation = recording.frame(ops.Received, 1, data)
    assert heard == [operation]
    assert operation.raw == (wanted if isinstance(wanted, bytes) else wanted.encode())


def test_secrets_in_headers_and_reasons() -> None:
    recording, _ = recorder()
    recording.keep_secret("eyJhbGciOi.one", of="alice")
    assert recording.redact_text("Bearer eyJhbGciOi.one, é") == "Bearer secret~of~alice~, é"
    assert recording.redact(b"eyJhbGciOi.one") == b"secret~of~alice~"
    assert recording.redact_text("nothing") == "nothing"
