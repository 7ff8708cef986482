"""Judging a recording in bulk gives the very verdict that judging it operation by operation gives."""

import asyncio
import io
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from benchmarks.history import Generator
from conformance.catalogue import Catalogue, load
from conformance.dialects import named
from conformance.errors import UsageError
from conformance.express.block import Block
from conformance.express.lane import Lane
from conformance.history.store import HistoryReader
from conformance.judge import Judge
from conformance.rejudge import judge_recording
from conformance.runner import Options, Silent, reference, verify
from conformance.verdict import Verdict

CATALOGUE: Catalogue = load()


def one_by_one(history: bytes) -> Verdict:
    reader = HistoryReader(io.BytesIO(history), name="history.jsonl")
    judge = Judge(reader.header, named(reader.header.dialect), CATALOGUE)
    for operation in reader:
        judge.feed(operation)
    return judge.verdict(only=reader.header.only, truncated=reader.truncated)


def in_bulk(history: bytes, block: int = 1 << 19) -> Verdict:
    return judge_recording(io.BytesIO(history), name="history.jsonl", catalogue=CATALOGUE, block=block)


def same(history: bytes) -> Verdict:
    bulk = in_bulk(history)
    slow = one_by_one(history).to_json().decode()
    assert bulk.to_json().decode() == slow
    assert in_bulk(history, block=20_000).to_json().decode() == slow
    return bulk


def generated(events: int = 600, **options: Any) -> list[bytes]:
    return list(Generator(events=events, **options).lines())


class Quiet(Silent):
    """Hears of the progress and says nothing."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A history of the reference engine's."""
    out = tmp_path_factory.mktemp("recorded")
    asyncio.run(verify(reference(), Options(out, only=("EVT", "ISO-04", "DLV-05"), seed=1), Quiet()))
    return (out / "history.jsonl").read_bytes()


# -- histories as they are --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [3, 5, 20, 180, 300, 700])
@pytest.mark.parametrize("together", [1, 7, 60])
def test_generated_histories(length: int, together: int) -> None:
    verdict = same(b"".join(generated(2_000, lengths=(length,), together=together)))
    assert verdict.events >= 2_000
    assert not verdict.findings
    assert not verdict.harness_errors


def test_most_of_a_plain_history_is_judged_in_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or else these tests compare one thing with itself."""
    fed: list[int] = []
    feed = Lane._one_by_one

    def counted(lane: Lane, block: Block, at: int, stop: int) -> None:
        fed.append(stop - at)
        feed(lane, block, at, stop)

    monkeypatch.setattr(Lane, "_one_by_one", counted)
    lines = generated(4_000, together=5)
    in_bulk(b"".join(lines))
    beside_connections = sum(fed) - 1_000
    assert beside_connections < len(lines) * 0.05


def test_the_reference_engines_history(recorded: bytes) -> None:
    assert same(recorded).events > 50


# -- and with something wrong -----------------------------------------------------------------------------------------


def drop(lines: list[bytes], at: int, random: Random) -> None:
    del lines[at]


def duplicate(lines: list[bytes], at: int, random: Random) -> None:
    lines.insert(random.randrange(at, min(len(lines), at + 60)), lines[at])


def swap(lines: list[bytes], at: int, random: Random) -> None:
    other = min(len(lines) - 1, at + random.choice((1, 1, 2, 15)))
    lines[at], lines[other] = lines[other], lines[at]


def retag(lines: list[bytes], at: int, random: Random) -> None:
    kinds = [b"agent_started", b"agent_thinking", b"tool_executing", b"tool_completed", b"message_chunk"]
    kinds += [b"agent_completed", b"agent_error", b"acme.progress", b"error", b"pong"]
    was = next((kind for kind in kinds if b'"type":"%b"' % kind in lines[at]), b"agent_started")
    lines[at] = lines[at].replace(was, random.choice(kinds), 1)


def reconnect(lines: list[bytes], at: int, random: Random) -> None:
    lines[at] = lines[at].replace(b'"conn":', b'"conn":%d' % random.randrange(1, 5), 1)


def take_over(lines: list[bytes], at: int, random: Random) -> None:
    """Replace a field of one frame, or its text, by what another has there."""
    one, other = msgspec.json.decode(lines[at]), msgspec.json.decode(lines[random.randrange(2, len(lines))])
    one, other = one.get("frame", one), other.get("frame", other)
    if isinstance(one.get("payload"), dict) and isinstance(other.get("payload"), dict) and random.random() < 0.5:
        one, other = one["payload"], other["payload"]
    names = sorted(one.keys() & other.keys())
    if names:
        name = random.choice(names)
        was, now = msgspec.json.encode({name: one[name]})[1:-1], msgspec.json.encode({name: other[name]})[1:-1]
        lines[at] = lines[at].replace(was, now)


def leak(lines: list[bytes], at: int, random: Random) -> None:
    """Put an id or a canary of any run into a text."""
    source = lines[random.randrange(2, len(lines))]
    found = [value for value in _strings(msgspec.json.decode(source)) if len(value) > 20]
    texts = [value for value in _strings(msgspec.json.decode(lines[at]).get("frame", {}).get("payload", {})) if value]
    if found and texts:
        text, word = random.choice(texts), random.choice(found)[:40]
        for old, new in ((text, f"{text} {word}"), (text, word)):
            quoted = msgspec.json.encode(old)
            if quoted in lines[at] and random.random() < 0.7:
                lines[at] = lines[at].replace(quoted, msgspec.json.encode(new))
                return


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in items for text in _strings(item)]


def late(lines: list[bytes], at: int, random: Random) -> None:
    by = random.choice((400_000, 600_000, 400_000_000, -600_000))
    head, found, tail = lines[at].partition(b'"at":')
    number, _, rest = tail.partition(b",")
    lines[at] = head + found + b"%d," % max(0, int(number) + by) + rest if found else lines[at]


def corrupt(lines: list[bytes], at: int, random: Random) -> None:
    """Change one character within a frame, so that the line stays an operation."""
    start = lines[at].find(b'"frame":{')
    if start > 0:
        where = random.randrange(start + 9, len(lines[at]) - 3)
        changed = lines[at][:where] + random.choice((b"x", b"0", b"~", b" ", b"-")) + lines[at][where + 1 :]
        lines[at] = changed if _is_json(changed) else lines[at]


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except msgspec.DecodeError:
        return False
    return True


def add(lines: list[bytes], at: int, random: Random) -> None:
    """Put an operation in between, on the connection of its neighbour."""
    near = msgspec.json.decode(lines[at])
    conn, now, user = near.get("conn", 1), near.get("at", 0), near.get("user", "user-1")
    run = next((v for v in _strings(near) if len(v) == 36), "none")
    line = random.choice(
        (
            {"op": "closed", "at": now, "conn": conn, "by": random.choice(("kit", "target"))},
            {"op": "reading", "at": now, "conn": conn, "paused": random.random() < 0.5},
            {"op": "lagged", "at": now, "by_ms": 700.0},
            {"op": "pinged", "at": now, "conn": conn},
            {"op": "received", "at": now, "conn": conn, "frame": {"type": "pong", "payload": {}}},
            {"op": "received", "at": now, "conn": conn, "frame": {"type": "error", "code": "internal", "message": run}},
            {"op": "asked", "at": now, "ask": 900_000, "conn": conn, "user": user, "action": "stop", "run_id": run},
            {"op": "asked", "at": now, "ask": 900_001, "conn": conn, "user": user, "action": "resume", "run_id": run},
            {"op": "gave_up", "at": now, "conn": conn, "awaited": "terminal", "waited_ms": 5_000, "ask": 3},
        )
    )
    lines.insert(at + 1, msgspec.json.encode(line) + b"\n")


def rename(lines: list[bytes], at: int, random: Random) -> None:
    """Change what stays the same throughout a run, its agent or its trace; in one event, or from one on."""
    trace = b"%032x" % random.getrandbits(128)
    agents = (b'"another"', b'"assistant","traceparent":"00-%b-00f067aa0ba902b7-01"' % trace)
    was, now = b'"agent_name":"assistant"', b'"agent_name":' + random.choice(agents)
    for place in range(at, at + random.choice((1, 1, 30))):
        if place < len(lines):
            lines[place] = lines[place].replace(was, now)


MUTATIONS = (drop, duplicate, swap, retag, reconnect, take_over, leak, late, corrupt, add, rename)


def _type(line: bytes) -> str:
    return str(msgspec.json.decode(line).get("frame", {}).get("type", ""))


def mutated(lines: list[bytes], random: Random, times: int) -> bytes:
    """Return a history with things wrong about its frames. Connections are the kit's own, and stay as they are."""
    lines = list(lines)
    for _ in range(times):
        frames = [at for at, line in enumerate(lines) if line.startswith(b'{"op":"received"')]
        random.choice(MUTATIONS)(lines, random.choice(frames), random)
    return b"".join(lines)


@pytest.mark.parametrize("mutation", MUTATIONS)
@pytest.mark.parametrize("together", [1, 6])
def test_one_thing_wrong(mutation: Any, together: int) -> None:
    random = Random(f"{mutation.__name__} {together}")
    for seed in range(8):
        lines = generated(400, lengths=(4, 5, 9, 20), together=together, seed=seed)
        mutation(lines, random.randrange(1_001, len(lines)), random)
        same(b"".join(lines))


@pytest.mark.parametrize("seed", range(12))
def test_many_things_wrong(seed: int) -> None:
    random = Random(seed)
    lines = generated(
        800, lengths=random.choice(((5, 20), (5, 300, 600))), together=random.choice((1, 4, 30)), seed=seed
    )
    same(mutated(lines, random, random.choice((2, 8, 30))))


@pytest.mark.parametrize("seed", range(6))
def test_a_recorded_history_with_things_wrong(seed: int, recorded: bytes) -> None:
    same(mutated(recorded.splitlines(keepends=True), Random(seed), 12))


@pytest.mark.parametrize(
    ("kind", "violated"),
    [
        ("agent_started", {"EVT-01", "EVT-03", "EVT-14", "ORD-03"}),
        ("agent_thinking", {"EVT-03", "ORD-03"}),
        ("tool_executing", {"EVT-03", "IDN-09", "ORD-03"}),
        ("tool_completed", {"EVT-03", "ORD-03"}),
        ("message_chunk", {"EVT-03", "ORD-03"}),
        ("agent_completed", {"EVT-02", "EVT-03"}),
    ],
)
def test_a_new_event_of_a_run_that_is_long_over(kind: str, violated: set[str]) -> None:
    """Of such a run little is kept: what is compared and shown of it is read again."""
    lines = generated(2_400, lengths=(12,))
    first = {_type(line): line for line in reversed(lines)}
    told = msgspec.json.decode(first[kind])
    late = told["frame"] | {"event_id": "late", "seq": 100}
    if "tool_name" in late["payload"]:
        late["payload"] = late["payload"] | {"tool_name": "another"}
    verdict = same(b"".join([*lines, msgspec.json.encode(told | {"frame": late}) + b"\n"]))
    found = {requirement.id: requirement.findings[0] for requirement in verdict.requirements if requirement.findings}
    assert found.keys() == violated
    before = {"EVT-01": "agent_started", "EVT-14": "agent_started", "IDN-09": "tool_executing"}
    for requirement, finding in found.items():
        was, _ = finding.witnesses
        assert was.text.encode() in first[before.get(requirement, "agent_completed")]


@pytest.mark.parametrize("block", [400, 3_000, 11_000, 70_000])
def test_wherever_blocks_end(block: int) -> None:
    random = Random(block)
    for together in (1, 3):
        lines = generated(600, lengths=(3, 8, 40, 150), together=together, seed=block)
        for history in (b"".join(lines), mutated(lines, random, 3)):
            assert in_bulk(history, block=block).to_json() == one_by_one(history).to_json()


# -- what the recording itself can be ---------------------------------------------------------------------------------


def test_a_truncated_last_line_is_told() -> None:
    whole = b"".join(generated())
    verdict = same(whole[:-20])
    assert verdict.warnings == ("the recording ends in the middle of a line",)


def test_a_last_line_without_its_end_counts() -> None:
    whole = b"".join(generated())
    assert same(whole[:-1]).events == one_by_one(whole).events


@pytest.mark.parametrize("bad", [b"{\n", b"\n", b'{"op":"nonsense"}\n', b'{"op":"pinged","at":1,\n"conn":1}\n'])
def test_a_bad_line_is_a_usage_error(bad: bytes) -> None:
    lines = generated()
    lines.insert(1_200, bad)
    with pytest.raises(UsageError) as slow:
        one_by_one(b"".join(lines))
    with pytest.raises(UsageError, match=r"^history\.jsonl:1201: not an operation of a history") as fast:
        in_bulk(b"".join(lines))
    assert str(fast.value) == str(slow.value)


def test_two_operations_on_a_line_are_a_usage_error() -> None:
    lines = generated()
    lines[1_200] = lines[1_200].rstrip(b"\n") + lines[1_201]
    del lines[1_201]
    with pytest.raises(UsageError, match=r"^history\.jsonl:1201:"):
        in_bulk(b"".join(lines))


def test_the_headers_selection_counts_where_none_is_given() -> None:
    lines = generated()
    lines[0] = lines[0].replace(b"}\n", b',"only":["EVT-02"]}\n')
    history = b"".join(lines)
    assert [r.id for r in in_bulk(history).requirements] == ["EVT-02"]
    other = judge_recording(io.BytesIO(history), name="x", catalogue=CATALOGUE, only=["EVT-05"])
    assert [r.id for r in other.requirements] == ["EVT-05"]


_PEAK = """
import gc
import resource
import sys
gc.disable()  # so that what is kept alive by a cycle counts
from conformance.catalogue import load
from conformance.rejudge import judge_recording
with open(sys.argv[1], "rb") as lines:
    judge_recording(lines, name="history.jsonl", catalogue=load())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_history(tmp_path: Path) -> None:
    peaks = []
    for events in (100_000, 400_000):
        path = tmp_path / f"{events}.jsonl"
        with path.open("wb") as file:
            file.writelines(Generator(events=events, lengths=(10,), together=4).lines())
        answer = subprocess.run([sys.executable, "-c", _PEAK, path], check=True, capture_output=True, text=True)
        peaks.append(int(answer.stdout))
        path.unlink()
    assert peaks[1] < peaks[0] * 1.25
