"""What `load/deploy/` says works: its words are run here, as processes; and a worker that is killed is told of."""

import asyncio
import json
import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from conformance.launch import Launched, free_port
from conformance.target import AuthTable, Target, TargetTable
from load.generator import Generator
from load.settings import Settings
from tests.load.rare import SECRET
from tests.load.scrape import scraped

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "load" / "deploy"
_VARIABLE = re.compile(r"\$\{(\w+)(?::[-?]([^}]*))?\}")
_LOCUST = [sys.executable, "-m", "locust", "-f", str(ROOT / "load" / "locustfile.py")]
_RUNS_S = 5


def services(variables: Mapping[str, str]) -> dict[str, list[str]]:
    """The commands of the compose file, by service, with variables in their places."""
    text = _VARIABLE.sub(lambda found: variables.get(found[1], found[2] or ""), (DEPLOY / "compose.yaml").read_text())
    return {name: shlex.split(service["command"]) for name, service in yaml.safe_load(text)["services"].items()}


def kubernetes() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))


def pods() -> dict[str, dict[str, Any]]:
    """What pods are made from, by name."""
    specs = {each["metadata"]["name"]: each.get("spec", {}) for each in kubernetes()}
    return {name: spec["template"] for name, spec in specs.items() if "template" in spec}


def test_kubernetes_runs_the_same_words() -> None:
    composed = services({"TARGET_URL": "$(TARGET_URL)"})
    for name in ("target", "master", "worker"):
        (container,) = pods()[f"load-{name}"]["spec"]["containers"]
        given = {word.partition("=")[0] for word in container["args"] if word.startswith("--")}
        assert given == {word for word in composed[name] if word.startswith("--")}
        assert {"secretRef": {"name": "load"}} in container["envFrom"]


def test_services_of_kubernetes_find_their_pods() -> None:
    labels = [
        each["spec"]["template"]["metadata"]["labels"] for each in kubernetes() if "template" in each.get("spec", {})
    ]
    found = [each for each in kubernetes() if each["kind"] == "Service"]
    assert [each["metadata"]["name"] for each in found] == ["load-target", "load-master"]
    for service in found:
        assert service["spec"]["selector"] in labels
        assert service["spec"]["selector"] == {"app": service["metadata"]["name"]}


async def test_a_worker_that_is_killed_is_told_of_in_the_report(tmp_path: Path) -> None:
    port, master_port = free_port(), free_port()
    url = f"ws://127.0.0.1:{port}/ws"
    words = services({"TARGET_URL": url, "WORKERS": "2", "USERS": "20", "SPAWN_RATE": "20", "RUN_TIME": f"{_RUNS_S}s"})
    out = tmp_path / "out"
    metrics = free_port()
    master = [*_LOCUST, *words["master"], "--master-bind-port", str(master_port), "--metrics", str(metrics)]
    master[master.index("/out")] = str(out)
    target = tmp_path / "target.toml"
    target.write_text("[load]\nthink_s = 0.1\nmix = { chat = 1 }\n")
    worker = [*_LOCUST, *words["worker"], "--master-port", str(master_port), "--target-file", str(target)]
    worker[worker.index("master", len(_LOCUST))] = "127.0.0.1"
    engine = [sys.executable, "-m", "reference_impl", *words["target"]]
    engine[engine.index("8000")] = str(port)

    environment = {**os.environ, "JWT_SECRET": SECRET}
    engine_runs = Launched(
        engine,
        url=url,
        health=f"http://127.0.0.1:{port}/ready",
        output=tmp_path / "engine.log",
        directory=ROOT,
        environment=environment,
    )
    async with engine_runs:
        leading, one, other = [
            await asyncio.create_subprocess_exec(*command, env=environment) for command in (master, worker, worker)
        ]
        await scraped(metrics, leading, "agent_conformance_events_total", 1)
        other.kill()
        await asyncio.gather(*(each.wait() for each in (leading, one, other)))
    verdict = json.loads((out / "verdict.json").read_text())
    (lost,) = [warning for warning in verdict["warnings"] if "lost" in warning]
    assert re.fullmatch(r"the worker \S+ was lost: what it saw is missing", lost)
    assert lost in (out / "report.html").read_text()
    assert verdict["events"] > 0
    assert [each["id"] for each in verdict["requirements"] if each.get("findings")] == []


def test_users_and_tokens_of_two_workers_differ(tmp_path: Path) -> None:
    target = Target(target=TargetTable(url="ws://127.0.0.1:1/ws"), auth=AuthTable(scheme="none"))
    settings = Settings(target=target, url="ws://127.0.0.1:1/ws", out=str(tmp_path), seed=7)
    people = [Generator(settings, worker=worker).person() for worker in (0, 1) for _ in range(3)]
    assert len({person.user for person in people}) == 6
    assert len({person.token() for person in people}) == 6
