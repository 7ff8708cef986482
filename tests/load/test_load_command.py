"""`agent-conformance load` and `locust -f load/locustfile.py`, through the front door."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from conformance.catalogue import load as load_catalogue
from conformance.cli import cli
from conformance.history.store import HistoryReader
from conformance.launch import Launched, free_port
from conformance.rejudge import judge_recording
from tests.load.rare import SECRET, SECRET_ENV, target_file
from tests.load.scrape import scraped

ROOT = Path(__file__).parents[2]
MIX = "think_s = 0.2\nmix = { chat = 3, tools = 1 }"


def loaded(folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Run the command; return its exit code and the verdict."""
    words = ("load", *words, "--out", str(folder / "out"), "--quiet", "--seed", "1", "--json")
    result = CliRunner().invoke(cli, words, obj=list(words), standalone_mode=False, catch_exceptions=False)
    return result.return_value, json.loads((folder / "out" / "verdict.json").read_bytes())


def outcomes(verdict: dict[str, Any]) -> dict[str, str]:
    return {each["id"]: each["verdict"] for each in verdict["requirements"]}


@pytest.mark.parametrize(("defect", "requirement"), [("leaks", "ISO-03")])
def test_a_rare_defect_is_flagged_with_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defect: str, requirement: str
) -> None:
    monkeypatch.setenv(SECRET_ENV, SECRET)
    code, verdict = loaded(
        tmp_path,
        "--target",
        str(target_file(tmp_path / "target.toml", defect, 1 / 60, load=MIX)),
        "--users",
        "20",
        "--spawn-rate",
        "20",
        "--duration",
        "5m",
        "--fail-fast",
    )
    assert code == 1
    assert outcomes(verdict)[requirement] == "fail"
    found = next(each for each in verdict["requirements"] if each["id"] == requirement)["findings"]
    sample, _, line = found[0]["location"].partition(":")
    path = tmp_path / "out" / sample
    assert int(line) >= 2
    recorded = [json.loads(text) for text in path.read_text().splitlines()]
    for witness in found[0]["witnesses"]:
        told = recorded[witness["line"] - 1]
        assert (told["op"], told["at"]) == (witness["what"], round(witness["at_ms"] * 1000))
    with path.open("rb") as lines:
        again = judge_recording(lines, name=sample, catalogue=load_catalogue())
    assert [each.id for each in again.requirements if each.findings] == [requirement]
    with path.open("rb") as lines:
        assert HistoryReader(lines, name=sample).header.command == "load"
    shown = (tmp_path / "out" / "report.html").read_text()
    drawn = shown.partition('aria-label="timeline"')[2].partition("</svg>")[0]
    marks = drawn.count('<g class="mark ')  # a witness is drawn at most twice: on its connection and in its run
    assert marks > 2 * len(found[0]["witnesses"]), "the timeline is drawn from the witnesses alone"


def test_the_reference_engine_is_found_without_fault(tmp_path: Path) -> None:
    _, verdict = loaded(tmp_path, "--reference", "--users", "20", "--rate", "30", "--duration", "4s")
    assert [each["id"] for each in verdict["requirements"] if each.get("findings")] == []
    assert verdict["harness_errors"] == []
    told = {each["name"]: each for each in verdict["objectives"]}
    assert told.keys() == {"p95_ms", "first_event_ms", "delivered", "errors"}
    assert {each["verdict"] for each in told.values()} <= {"met", "undecided"}
    assert {each["name"] for each in verdict["series"]} >= {"offered", "events", "delivery p95"}
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {"verdict.json", "report.html", "histograms.json", "locust_stats.csv"}
    shown = (tmp_path / "out" / "report.html").read_text()
    for heading in ("Objectives", "Course", "Latencies", "Measurements"):
        assert f"<h2>{heading}</h2>" in shown
    assert "<polyline" in shown


async def test_locust_alone_works_and_fails_its_exit_code_on_a_violated_objective(tmp_path: Path) -> None:
    port = free_port()
    url = f"ws://127.0.0.1:{port}/ws"
    words = [sys.executable, "-m", "reference_impl", "--port", str(port), "--secret-env", "LOCUST_SECRET"]
    environment = {"LOCUST_SECRET": SECRET}
    (tmp_path / "target.toml").write_text(
        '[auth]\nscheme = "jwt-hs256"\nsecret_env = "LOCUST_SECRET"\n'
        "[objectives]\nfirst_event_ms = 0.001\n[load]\nthink_s = 0.1\nmix = { chat = 1 }\n"
    )
    async with Launched(
        words,
        url=url,
        health=f"http://127.0.0.1:{port}/ready",
        output=tmp_path / "target.log",
        directory=ROOT,
        environment=environment,
    ):
        locust = [sys.executable, "-m", "locust", "-f", str(ROOT / "load" / "locustfile.py"), "--headless"]
        locust += ["-u", "10", "-r", "10", "-t", "4s", "--host", url, "--processes", "2"]
        locust += ["--master-bind-port", str(master := free_port()), "--master-port", str(master)]
        locust += ["--target-file", str(tmp_path / "target.toml")]
        locust += ["--metrics", str(metrics := free_port()), "--out", str(tmp_path / "out")]
        process = await asyncio.create_subprocess_exec(
            *locust, env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        told = await scraped(metrics, process, "agent_conformance_events_total", 1)
        said, _ = await process.communicate()
    verdict = json.loads((tmp_path / "out" / "verdict.json").read_bytes())
    assert process.returncode == 1, said.decode()
    (objective,) = verdict["objectives"]
    assert (objective["name"], objective["verdict"]) == ("first_event_ms", "violated")
    assert [each["id"] for each in verdict["requirements"] if each.get("findings")] == []
    assert not [warning for warning in verdict["warnings"] if "lost" in warning], said.decode()
    assert told["agent_conformance_connections"] > 0
    assert "FAIL" in said.decode()
    assert "violated  first_event_ms" in said.decode()
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"report.html", "histograms.json"}
