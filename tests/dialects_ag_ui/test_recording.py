"""Recordings that others made: what is read from which form."""

import io

import pytest

from conformance.errors import UsageError
from conformance.history import operations as ops
from conformance.recording import Pieces, judge_frames, operations
from tests.dialects_ag_ui.streams import (
    CATALOGUE,
    Frame,
    encode,
    finished,
    judged,
    lines,
    outcome,
    run,
    started,
    stream,
    text,
    violated,
)

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\r\n"


def _read(recording: bytes) -> list[ops.Operation]:
    return [op for op in operations(io.BytesIO(recording), name="a recording") if isinstance(op, ops.Operation)]


def _tags(recording: bytes) -> list[str]:
    return [str(op.__struct_config__.tag) for op in _read(recording)]


def _frames(recording: bytes) -> list[tuple[int, bytes]]:
    return [(op.conn, op.raw) for op in _read(recording) if isinstance(op, ops.Received)]


@pytest.mark.parametrize("recorded", [b"data: 1\n\ndata: p2\n\ndata: p3\n\n: x\n\ndata: p4\n\n", b"1\np2\np3\n4\np5"])
def test_frames_that_may_be_pieces_of_a_text_are_told_together(recorded: bytes) -> None:
    told = list(operations(io.BytesIO(recorded), name="a recording", piece=b"p"))
    one_by_one = _read(recorded)
    rows = [(row.at, row.raws) for row in told if isinstance(row, Pieces)]
    assert rows == [(2, [b"p2", b"p3"]), (5, [recorded[-2:] if b"data" not in recorded else b"p4"])]
    assert [op for op in told if isinstance(op, ops.Operation)] == [
        op for op in one_by_one if not (isinstance(op, ops.Received) and op.raw.startswith(b"p"))
    ]


@pytest.mark.parametrize(
    ("recording", "frames"),
    [
        (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
        (b'{"a":1}\r\n\r\n{"b":2}', [b'{"a":1}', b'{"b":2}']),
        (b"not json\n", [b"not json"]),
        (b'{"a":\xff}\n', [b'{"a":\xff}']),
        (b'data: {"a":1}\n\ndata: {"b":2}\n\n', [b'{"a":1}', b'{"b":2}']),
        (b'\xef\xbb\xbfdata: {"a":1}\r\n\r\n', [b'{"a":1}']),
        (b'data: {"a":\rdata: 1}\r\r', [b'{"a":\n1}']),
        (b': hello\n\ndata: {"a":1}\n\n', [b'{"a":1}']),
        (b'event: RUN_STARTED\ndata: {"a":1}\n\n', [b'{"a":1}']),
        (b'data: {"a":1}\n\ndata: {"b":2}', [b'{"a":1}', b'{"b":2}']),
        (b'data: {"a":1}\n\ndata: {"b"', [b'{"a":1}', b'{"b"']),
    ],
)
def test_both_forms_are_told_apart_by_what_is_in_them(recording: bytes, frames: list[bytes]) -> None:
    assert _frames(recording) == [(1, frame) for frame in frames]


def test_a_recording_longer_than_one_read() -> None:
    frames = [encode(frame) for frame in run(text("word " * 20_000), *[text("more", f"m{n}") for n in range(2_000)])]
    assert [raw for _, raw in _frames(lines(frames))] == frames
    assert [raw for _, raw in _frames(stream(frames))] == frames


def test_a_stream_is_one_exchange_over_http() -> None:
    assert _tags(b': hi\n\ndata: {"a":1}\n\n') == ["connecting", "connected", "pinged", "received", "closed"]
    connecting, connected = _read(b'data: {"a":1}\n\n')[:2]
    assert isinstance(connecting, ops.Connecting)
    assert (connecting.method, connecting.accept) == ("POST", "")
    assert isinstance(connected, ops.Connected)
    assert (connected.status, connected.headers) == (200, ())


def test_each_response_is_a_connection_of_its_own() -> None:
    recording = _HEAD + stream(run()) + _HEAD + stream([started("run-b2"), *text(), finished("run-b2")])
    assert {conn for conn, _ in _frames(recording)} == {1, 2}
    assert violated(judged(recording)) == set()
    assert outcome(judged(recording), "SCH-07") == "pass"


def test_a_response_that_is_cut_does_not_spill_into_the_next() -> None:
    cut = _HEAD + stream([started(), text()[0]]) + b'data: {"type":"TEXT_MES\n'
    verdict = judged(cut + _HEAD + stream([started("run-b2"), *text(), finished("run-b2")]))
    assert violated(verdict) == {"SCH-01", "EVT-02"}


def test_the_head_of_a_response_is_judged() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n"
    assert violated(judged(head + stream(run()))) == {"SCH-07"}
    assert outcome(judged(stream(run())), "SCH-07") == "not_applicable"


def test_a_refusal_is_no_stream() -> None:
    refusal = b'HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\n\r\n{"detail":"no token"}\n'
    assert _tags(refusal) == ["connecting", "refused"]
    (refused,) = [op for op in _read(refusal) if isinstance(op, ops.Refused)]
    assert (refused.status, refused.reason, refused.body) == (401, "Unauthorized", '{"detail":"no token"}')
    assert violated(judged(refusal)) == set()


def test_an_event_without_the_data_prefix_is_a_violation() -> None:
    frames = run()
    recording = stream(frames[:1]) + encode({"type": "CUSTOM", "name": "a.b"}) + b"\n\n" + stream(frames[1:])
    verdict = judged(recording)
    assert violated(verdict) == {"SCH-01"}
    (finding,) = next(r.findings for r in verdict.requirements if r.id == "SCH-01")
    assert "[a line without data:]" in finding.actual


def test_other_fields_are_none_of_the_kits_business() -> None:
    assert violated(judged(b"retry: 10\nid: 1\nx-note: y\n" + stream(run()))) == set()


def test_a_body_that_is_cut() -> None:
    whole = stream(run())
    assert violated(judged(whole[:-1])) == set(), "the last empty line is lost more often by editors than by servers"
    assert violated(judged(whole[:-9])) == {"SCH-01", "EVT-02"}
    assert violated(judged(stream(run()[:-1]))) == {"EVT-02"}


def test_bytes_that_are_not_utf_8() -> None:
    frames: list[Frame | bytes] = [started(), b'{"type":"CUSTOM","name":"a.b","value":"\xff"}', *text(), finished()]
    assert violated(judged(lines(frames))) == {"SCH-01"}
    assert violated(judged(stream(frames))) == {"SCH-01"}


@pytest.mark.parametrize("recording", [b"", b"\n\n", b": nothing\n\n"])
def test_a_recording_without_frames_is_an_error(recording: bytes) -> None:
    with pytest.raises(UsageError, match="no frames in it"):
        judge_frames(io.BytesIO(recording), name="empty", dialect="ag-ui", catalogue=CATALOGUE)
