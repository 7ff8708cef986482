"""The suite: agents are driven, their verdicts held against their baselines, and what was seen is told."""

import asyncio
import os
import secrets
import shutil
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import msgspec

from conformance.baseline import Baseline, Comparison, compare
from conformance.baseline_file import load
from conformance.catalogue import load as load_catalogue
from conformance.errors import UsageError
from conformance.runner import Options, verify
from conformance.scenarios import all_scenarios
from conformance.target import load as load_target
from conformance.verdict import Verdict
from tests.interop.agent import Agent, agents, install
from tests.interop.report import Judged, in_one_line, render

USERS = 40
# Percentiles of time tell of the machine, where 40 users ask an agent at once and the kit runs beside it.
NOT_JUDGED = ("DLV-02", "DLV-09")
SECRET = "INTEROP_SECRET"


@dataclass(frozen=True)
class Plan:
    """What to do: which agents (all where none is named), how often, how many at once; only these requirements."""

    names: tuple[str, ...] = ()
    rounds: int = 1
    jobs: int = 2
    only: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing is left out, so that the report can be written."""
        return not self.names and not self.only


@dataclass(frozen=True)
class Suite:
    """Where it is: `home` has a folder for each agent, `out` what runs leave, `report` is the file that is written."""

    home: Path
    out: Path
    report: Path

    def run(self, plan: Plan) -> bool:
        """Drive the agents, each in so many rounds with a seed of its own; tell whether every baseline holds."""
        chosen = agents(self.home, plan.names)
        for agent in chosen:
            read_baseline(agent)  # what is wrong in one is told before anything is driven
        install(chosen, jobs=plan.jobs)
        os.environ.setdefault(SECRET, secrets.token_urlsafe(48))
        with ProcessPoolExecutor(plan.jobs, mp_context=get_context("spawn")) as pool:
            driven = pool.map(_drive, chosen, repeat(self.out), repeat(plan))
            held = [_hold(agent, verdicts) for agent, verdicts in zip(chosen, driven, strict=True)]
        return all(held)

    def judge_again(self, plan: Plan) -> bool:
        """Hold the verdicts of the last run against the baselines as they are now."""
        held = [_hold(agent, self._left(agent)) for agent in agents(self.home, plan.names)]
        return all(held)

    def write_report(self) -> None:
        """Write the report of all agents from what their last runs left."""
        judged = [
            Judged(agent.name, agent.tested, verdict, compared(agent, verdict), read_baseline(agent))
            for agent in agents(self.home, ())
            for verdict in self._left(agent)[:1]
        ]
        self.report.parent.mkdir(parents=True, exist_ok=True)
        self.report.write_text(render(judged, users=USERS))

    def _left(self, agent: Agent) -> list[Verdict]:
        """Return the verdicts that the last run of an agent left, one for each round."""
        files = sorted((self.out / agent.name).glob("round-*/verdict.json"))
        if not files:
            raise UsageError(f"{self.out / agent.name}: no verdict is there; `make interop` writes it")
        return [msgspec.json.decode(file.read_bytes(), type=Verdict) for file in files]


def _drive(agent: Agent, out: Path, plan: Plan) -> list[Verdict]:
    """Drive an agent, in a process of its own."""
    shutil.rmtree(out / agent.name, ignore_errors=True)
    judged = tuple(requirement.id for requirement in load_catalogue() if requirement.id not in NOT_JUDGED)
    verdicts = []
    for seed in range(1, plan.rounds + 1):
        folder = out / agent.name / f"round-{seed}"
        folder.mkdir(parents=True)
        options = Options(out=folder, users=USERS, seed=seed, only=plan.only or judged)
        verdict = asyncio.run(verify(load_target(agent.target), options))
        (folder / "verdict.json").write_bytes(verdict.to_json())
        verdicts.append(verdict)
    return verdicts


def _hold(agent: Agent, verdicts: Iterable[Verdict]) -> bool:
    """Hold the verdicts of an agent against its baseline, and tell what came of it."""
    held = True
    for verdict in verdicts:
        comparison = compared(agent, verdict)
        tell(agent, verdict, comparison)
        held &= comparison.holds and not comparison.undecided and not verdict.harness_errors
    return held


def read_baseline(agent: Agent) -> Baseline:
    """Read the violations of an agent that are known. Raises `UsageError` where the file is wrong."""
    return load(agent.baseline, load_catalogue(), [scenario.name for scenario in all_scenarios()])


def compared(agent: Agent, verdict: Verdict) -> Comparison:
    """Hold a verdict against an agent's baseline, as of today; what is flaky need not be decided."""
    comparison = compare(verdict, read_baseline(agent), today=datetime.now(UTC).date())
    return replace(comparison, undecided=tuple(entry for entry in comparison.undecided if not entry.flaky))


def tell(agent: Agent, verdict: Verdict, comparison: Comparison) -> None:
    """Print what an agent breaks, and where its baseline is wrong."""
    versions = ", ".join(f"{name} {version}" for name, version in agent.tested.items()) or "the kit's environment"
    print(f"{agent.name}: {versions} (round {verdict.seed}, {(verdict.duration_ms or 0) / 1000:.0f} s)")
    broken = sorted({entry.requirement for entry in comparison.seen})
    print(f"  {verdict.summary.passed} hold; known violations: {', '.join(broken) or 'none'}")
    for new in comparison.new:
        cause = f": scenario {new.finding.scenario}: {new.finding.message}: {new.finding.actual}" if new.finding else ""
        print(f"  NEW {new.requirement} {new.level}, not in {agent.baseline}{cause}")
    lists = (
        ("STALE", "does not happen any more: remove it", comparison.stale),
        ("EXPIRED", "its day has passed", comparison.expired),
        ("UNDECIDED", "nothing was seen that could show it", comparison.undecided),
    )
    for word, meaning, entries in lists:
        for entry in entries:
            print(f"  {word} {agent.baseline}:{entry.line}: {entry.requirement} {meaning}: {in_one_line(entry.reason)}")
    for error in verdict.harness_errors:
        print(f"  the kit failed: {error}")
    print(end="", flush=True)
