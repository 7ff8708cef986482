"""The reference engine behind a network that is cut at every event, and in processes that end: it loses nothing."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from conformance.cli import run
from conformance.history.operations import PROCESS_FAULTS, FaultKind
from conformance.launch import Launched, free_port

DECIDED = ["DLV-05", "DLV-08", "LIF-04", "LIF-05", "LIF-06", "LIF-07"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a run of the scenarios with faults left, those of the full profile."""
    out = tmp_path_factory.mktemp("faults")
    words = ["verify", "--reference", "--only", ",".join(DECIDED), "--profile", "full", "--seed", "7", "--quiet"]
    assert run([*words, "--out", str(out)]) == 0
    return out


def test_nothing_is_lost(folder: Path) -> None:
    verdict = json.loads((folder / "verdict.json").read_text())
    outcomes = {r["id"]: (r["verdict"], r["reason"]) for r in verdict["requirements"]}
    assert {id: outcome for id, (outcome, _) in outcomes.items()} == dict.fromkeys(DECIDED, "pass"), outcomes
    assert verdict["harness_errors"] == []
    exercised = {r["id"]: r["exercised"] for r in verdict["requirements"]}
    assert exercised["DLV-08"] >= 100
    assert exercised["LIF-05"] >= 10
    assert exercised["LIF-06"] >= 10


def test_each_kind_of_fault_happened_and_came_to_its_end(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    began = {op["fault"]: FaultKind(op["kind"]) for op in lines if op["op"] == "fault_began"}
    assert set(began.values()) == set(FaultKind)
    ended = {op["fault"]: op.get("problem") for op in lines if op["op"] == "fault_ended"}
    assert ended == dict.fromkeys(began)
    of_the_process = [op for op in lines if op["op"] == "fault_began" and began[op["fault"]] in PROCESS_FAULTS]
    assert not any("user" in op for op in of_the_process)


def test_what_the_faults_broke_was_closed_by_the_kit(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    abrupt = [op for op in lines if op["op"] == "closed" and op.get("code") == 1006]
    paused = {op["conn"] for op in lines if op["op"] == "reading"}
    silent = {op["conn"] for op in lines if op["op"] == "connecting" and op.get("answers_pings") is False}
    held = {op["conn"] for op in lines if op["op"] == "connecting" and op.get("proxied")}
    frozen = {op["conn"] for op in lines if op["op"] == "connecting" and op.get("scenario") == "frozen"}
    assert [op for op in abrupt if op["conn"] not in paused | silent | held | frozen] == []


def test_judged_again_it_is_the_same(folder: Path, here: Path) -> None:
    assert run(["check", str(folder / "history.jsonl"), "--out", "again"]) == 0
    recorded, again = (json.loads((place / "verdict.json").read_text()) for place in (folder, here / "again"))
    assert again["requirements"] == recorded["requirements"]


def test_what_the_kit_did_not_start_it_does_not_end(foreign_target: Path, here: Path) -> None:
    """The scenarios of the process are not played, and the verdict says what to do."""
    port = free_port()
    url = f"ws://127.0.0.1:{port}/ws"
    launched = Launched(
        [sys.executable, "-m", "reference_impl", "--port", str(port), "--secret-env", "JWT_SECRET"],
        url=url,
        health=f"http://127.0.0.1:{port}/ready",
        output=here / "engine.log",
        directory=here,
        environment={"JWT_SECRET": os.environ["JWT_SECRET"]},
    )
    with asyncio.Runner() as runner:
        runner.run(launched.__aenter__())
        only = ["--only", "LIF-05,LIF-06,LIF-07", "--quiet", "--out", "out"]
        run(["verify", "--url", url, "--secret-env", "JWT_SECRET", *only])
        assert launched.exited is None
        runner.run(launched.__aexit__(None, None, None))
    verdict = json.loads(Path("out/verdict.json").read_text())
    outcomes = {r["id"]: (r["verdict"], r["reason"]) for r in verdict["requirements"]}
    assert outcomes["LIF-05"][0] == "not_applicable"
    assert outcomes["LIF-06"] == (
        "unknown",
        "the kit did not start the target: say how in the target file ([target] command)",
    )
    assert outcomes["LIF-07"][0] == "unknown"
    assert "[target] command" in outcomes["LIF-07"][1]
