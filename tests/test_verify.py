"""The main job, through the command: start an engine, drive it, judge it, leave a report."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import psutil
import pytest

import conformance
from conformance.cli import run
from conformance.verdict import json_schema

COMMAND = [sys.executable, "-c", "from conformance.cli import main; main()"]
FILES = {"verdict.json", "report.html", "report.md", "junit.xml", "results.sarif", "history.jsonl", "target.log"}


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that one quick run against the reference engine left."""
    out = tmp_path_factory.mktemp("quick")
    assert run(["verify", "--reference", "--seed", "7", "--quiet", "--out", str(out)]) == 0
    return out


def test_the_reference_engine_keeps_every_promise_that_is_decided(quick: Path) -> None:
    verdict = json.loads((quick / "verdict.json").read_text())
    outcomes = {r["id"]: (r["verdict"], r["reason"]) for r in verdict["requirements"]}
    assert verdict["verdict"] == "pass"
    assert {id for id, (outcome, _) in outcomes.items() if outcome == "fail"} == set()
    unknown = {id: reason for id, (outcome, reason) in outcomes.items() if outcome == "unknown"}
    assert set(unknown.values()) <= {"no check yet"}, unknown
    assert verdict["summary"]["pass"] >= 70


def test_with_the_witness_ground_truth_decides(here: Path) -> None:
    decided = ["EVT-12", "EVT-16", "ISO-06", "DLV-03", "LIF-02", "LIF-04"]
    words = ["--only", ",".join(decided), "--seed", "7", "--quiet", "--out", "out"]
    assert run(["verify", "--reference", "--witness", *words]) == 0
    verdict = json.loads((here / "out" / "verdict.json").read_text())
    assert [(r["id"], r["verdict"]) for r in verdict["requirements"]] == [(id, "pass") for id in sorted(decided)]
    assert verdict["harness_errors"] == []
    assert run(["check", "out/history.jsonl", "--out", "again"]) == 0
    again = json.loads((here / "again" / "verdict.json").read_text())
    assert again["requirements"] == verdict["requirements"]


def test_a_fault_that_only_the_witness_sees_needs_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["verify", "--reference", "--fault", "canned-answer", "--only", "EVT-16", "--quiet", "--out"]
    assert run([*words, "seen", "--witness"]) == 1
    assert "an answer that no model gave" in capsys.readouterr().out
    assert run([*words, "unseen"]) == 69
    assert "no such defect without --model openai --tools http (verify: --witness)" in capsys.readouterr().err


def test_a_run_leaves_all_its_files(quick: Path) -> None:
    assert {path.name for path in quick.iterdir()} == FILES


def test_the_verdict_fits_its_published_schema(quick: Path) -> None:
    published = json.loads((Path(conformance.__file__).parent / "verdict.schema.json").read_text())
    assert published == json_schema()
    jsonschema.validate(json.loads((quick / "verdict.json").read_text()), published)


def test_the_same_history_gives_the_same_verdict_byte_for_byte(quick: Path, here: Path) -> None:
    assert run(["check", str(quick / "history.jsonl"), "--out", "again"]) == 0
    recorded, again = (json.loads((folder / "verdict.json").read_text()) for folder in (quick, here / "again"))
    assert again["requirements"] == recorded["requirements"]
    assert {key for key in recorded if recorded[key] != again[key]} <= {"command", "warnings"}


def test_no_secret_is_in_the_history(quick: Path) -> None:
    text = (quick / "history.jsonl").read_text()
    assert re.search(r"eyJ[\w-]*\.eyJ", text) is None  # a token
    assert "REFERENCE_JWT_SECRET" not in text


def test_json_goes_to_stdout_and_progress_to_stderr(here: Path) -> None:
    words = [*COMMAND, "verify", "--reference", "--only", "ACC-01", "--json", "--seed", "3"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    verdict = json.loads(done.stdout)
    assert [r["id"] for r in verdict["requirements"]] == ["ACC-01"]
    assert verdict["verdict"] == "pass"
    assert verdict["seed"] == 3
    assert "no-credentials" in done.stderr
    assert verdict["repeat"].endswith("verify --reference --only ACC-01 --seed 3")


def test_an_engine_written_from_the_protocol_alone_gets_a_verdict(foreign_target: Path, here: Path) -> None:
    """It keeps most promises, and breaks four that its author overlooked: the kit needed no change to see that."""
    code = run(["verify", "--target", str(foreign_target), "--seed", "7", "--quiet", "--out", "out"])
    verdict = json.loads((here / "out" / "verdict.json").read_text())
    violated = {r["id"] for r in verdict["requirements"] if r["verdict"] == "fail"}
    assert violated == {"DLV-07", "LIF-06", "ACC-07", "SCH-07"}
    assert code == 1
    assert verdict["summary"]["pass"] >= 64


def test_an_asgi_app_is_served_by_the_kit(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "another-secret-for-tests-of-more-than-32-bytes")
    (here / "mine.py").write_text(
        "import os\n"
        "from reference_impl.app import create_app\n"
        "from reference_impl.settings import Settings\n"
        "app = create_app(Settings(secret=os.environ['JWT_SECRET']))\n"
    )
    words = ["verify", "--app", "mine:app", "--secret-env", "JWT_SECRET", "--only", "EVT", "--quiet", "--out", "out"]
    assert run(words) == 0


def test_ctrl_c_leaves_no_process_and_a_readable_history(here: Path) -> None:
    words = [*COMMAND, "verify", "--reference", "--out", "out"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as kit:
        assert kit.stderr is not None
        for line in kit.stderr:
            if "reconnect" in line:
                break
        engines = psutil.Process(kit.pid).children(recursive=True)
        assert engines, "the engine is running"
        os.kill(kit.pid, signal.SIGINT)
        said = kit.stderr.read()
        assert kit.wait() == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    assert not any(process.is_running() for process in engines)
    assert run(["check", "out/history.jsonl", "--out", "again"]) == 0
    assert json.loads((here / "again" / "verdict.json").read_text())["events"] > 0


def test_a_violation_ends_with_1_and_a_repeat_command(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["verify", "--reference", "--fault", "null-run-id", "--only", "IDN-01", "--quiet", "--out", "out"]
    assert run(words) == 1
    shown = capsys.readouterr().out
    assert "FAIL IDN-01" in shown
    assert "run_id: null" in shown
