"""five-events, written as a mapping, gives the same findings as the built-in dialect."""

import asyncio
import importlib
import json
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

import tests.checks
from conformance.dialects import named
from conformance.dialects.dialect import Dialect
from conformance.history.operations import Action, Asked, Operation, Received
from conformance.history.recorder import frame_operation
from conformance.judge import Judge
from conformance.runner import Options, reference, verify
from conformance.verdict import Outcome
from tests.checks.examples import EXAMPLES as CORPUS
from tests.checks.examples import Example
from tests.checks.histories import History
from tests.dialects_mapping.mappings import CATALOGUE, EXAMPLES, example

for _file in sorted(Path(tests.checks.__path__[0]).glob("test_???.py")):
    importlib.import_module(f"tests.checks.{_file.stem}")

FILE = EXAMPLES / "five-events.toml"
BUILT_IN, MAPPED = named("five-events"), example("five-events")
JUNK: list[Any] = [
    None, "", 5, -1, 0.5, True, [], [1], {}, {"a": 1}, "x", "None", "ok",
    "2026-01-31T09:30:00Z", "2026-01-31T10:30:00.125+01:00",
]  # fmt: skip
every_example = pytest.mark.parametrize("example", CORPUS, ids=lambda example: f"{example.kind}-{example.name}")


def outcomes(history: History, dialect: Dialect) -> dict[str, Outcome]:
    judge = Judge(history.header, dialect, CATALOGUE)
    for operation in history.operations:
        judge.feed(operation)
    assert judge.crashes == {}
    return {requirement.id: requirement.verdict for requirement in judge.verdict().requirements}


def mutated(operation: Operation, random: Random) -> Operation:
    """A frame with one field left out, or something else in its place."""
    assert isinstance(operation, Received)
    try:
        frame = json.loads(operation.raw)
    except (ValueError, RecursionError):
        return operation
    inner = [frame, *(value for value in frame.values() if isinstance(value, dict))] if isinstance(frame, dict) else []
    place = random.choice([place for place in inner if place] or [{}])
    if place:
        name = random.choice(sorted(place))
        place[name] = random.choice(JUNK)
        if random.random() < 0.3:
            del place[name]
    return frame_operation(Received, operation.at, operation.conn, json.dumps(frame))


def test_there_is_a_corpus() -> None:
    assert len(CORPUS) > 300


@every_example
def test_the_same_findings(example: Example) -> None:
    history = example.build()
    assert outcomes(history, MAPPED) == outcomes(history, BUILT_IN)


@every_example
def test_the_same_findings_when_something_is_wrong_with_two_frames(example: Example) -> None:
    history, random = example.build(), Random(example.name)
    frames = [number for number, op in enumerate(history.operations) if isinstance(op, Received)]
    for number in random.sample(frames, k=min(2, len(frames))):
        history.operations[number] = mutated(history.operations[number], random)
    assert outcomes(history, MAPPED) == outcomes(history, BUILT_IN)


def test_the_same_capabilities_and_bad_input() -> None:
    assert (MAPPED.name, MAPPED.transport, MAPPED.greets) == (BUILT_IN.name, BUILT_IN.transport, BUILT_IN.greets)
    assert (MAPPED.intrinsic, MAPPED.implied) == (BUILT_IN.intrinsic, BUILT_IN.implied)
    assert MAPPED.malformed.items() <= BUILT_IN.malformed.items()


@pytest.mark.parametrize(
    "fields",
    [
        {"action": Action.START},
        {"action": Action.START, "planted": {"type": "p-1", "run_id": "p-2"}},
        {"action": Action.START, "impersonates": "user-bobby"},
        {"action": Action.CONTINUE, "thread_id": "thread-1"},
        {"action": Action.STOP, "run_id": "run-1"},
        {"action": Action.RESUME, "run_id": "run-1", "after_seq": 3},
        {"action": Action.PING},
        {"action": Action.GARBAGE},
    ],
)
def test_the_same_requests(fields: dict[str, Any]) -> None:
    asked = Asked(at=0, ask=1, conn=1, user="user-alice", request_id="req-1", **fields)
    ours, theirs = (_request(dialect, asked) for dialect in (MAPPED, BUILT_IN))
    if asked.action is Action.START:  # the mapping always names the user, and has a context that may be empty
        theirs["payload"] = {"user_id": "user-alice", "context": {}, **theirs["payload"]}
    assert ours == theirs


def _request(dialect: Dialect, asked: Asked) -> Any:
    text = dialect.request(asked, '"hello"')
    return json.loads(text)


def test_a_runs_events_are_read_in_the_same_place() -> None:
    asked = Asked(at=0, ask=1, conn=1, user="u", action=Action.READ, run_id="run/1")
    ours, theirs = (list(d.exchanges("ws://host:1/ws", asked, "")) for d in (MAPPED, BUILT_IN))
    assert ours == theirs
    assert ours[0].url == "http://host:1/runs/run%2F1/events"


def test_the_reference_engine_passes_by_its_mapping(tmp_path: Path) -> None:
    only = ("EVT", "SCH", "ORD", "IDN", "ACC-04", "LIF-02", "DLV-05")
    mapped, built_in = tmp_path / "mapped", tmp_path / "built-in"
    found = []
    for folder, dialect in ((mapped, str(FILE)), (built_in, "five-events")):
        folder.mkdir()
        verdict = asyncio.run(verify(reference(dialect=dialect), Options(folder, only=only, seed=1)))
        assert verdict.harness_errors == ()
        found.append({requirement.id: requirement.verdict for requirement in verdict.requirements})
    assert found[0] == found[1]
    assert Outcome.FAIL not in found[0].values()
    header, *_ = (mapped / "history.jsonl").read_bytes().splitlines()
    assert msgspec.json.decode(header)["mapping"] == FILE.read_text()
