"""The suite: agents are driven, their verdicts held against their baselines, and what was seen is told."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from conformance.baseline import Comparison, compare, load
from conformance.catalogue import load as load_catalogue
from conformance.errors import UsageError
from conformance.runner import Options, verify
from conformance.scenarios import all_scenarios
from conformance.target import load as load_target
from conformance.verdict import Verdict
from tests.interop.agent import Agent, agents
from tests.interop.report import Judged, render

USERS = 40


@dataclass(frozen=True)
class Suite:
    """Where it is: `home` has a folder for each agent, `out` what runs leave, `report` is the file that is written."""

    home: Path
    out: Path
    report: Path

    def run(self, names: tuple[str, ...], *, seeds: tuple[int, ...]) -> bool:
        """Drive the agents with these names, or all, once for each seed; tell whether every baseline holds."""
        truthful = True
        for agent in agents(self.home, names):
            agent.install()
            for seed in seeds:
                verdict = self._drive(agent, seed)
                truthful &= self._hold(agent, verdict)
        return truthful

    def judge_again(self, names: tuple[str, ...]) -> bool:
        """Hold the verdicts of the last run against the baselines as they are now."""
        held = [self._hold(agent, self._verdict(agent)) for agent in agents(self.home, names)]
        return all(held)

    def write_report(self) -> None:
        """Write the report of all agents from the verdicts of their last runs."""
        judged = [
            Judged(agent.name, agent.tested, verdict, compared(agent, verdict))
            for agent in agents(self.home, ())
            for verdict in (self._verdict(agent),)
        ]
        self.report.parent.mkdir(parents=True, exist_ok=True)
        self.report.write_text(render(judged))

    def _drive(self, agent: Agent, seed: int) -> Verdict:
        out = self.out / agent.name
        out.mkdir(parents=True, exist_ok=True)
        verdict = asyncio.run(verify(load_target(agent.target), Options(out=out, users=USERS, seed=seed)))
        (out / "verdict.json").write_bytes(verdict.to_json())
        return verdict

    def _verdict(self, agent: Agent) -> Verdict:
        file = self.out / agent.name / "verdict.json"
        if not file.exists():
            raise UsageError(f"{file}: no such file; `make interop` writes it")
        return msgspec.json.decode(file.read_bytes(), type=Verdict)

    def _hold(self, agent: Agent, verdict: Verdict) -> bool:
        comparison = compared(agent, verdict)
        tell(agent, verdict, comparison)
        return comparison.holds and not verdict.harness_errors


def compared(agent: Agent, verdict: Verdict) -> Comparison:
    """Hold a verdict against an agent's baseline, as of today."""
    scenarios = [scenario.name for scenario in all_scenarios()]
    return compare(verdict, load(agent.baseline, load_catalogue(), scenarios), today=datetime.now(UTC).date())


def tell(agent: Agent, verdict: Verdict, comparison: Comparison) -> None:
    """Print what an agent breaks, and where its baseline is wrong."""
    print(f"{agent.name}: {', '.join(f'{name} {version}' for name, version in agent.tested.items())}")
    broken = sorted({entry.requirement for entry in comparison.seen})
    print(f"  {verdict.summary.passed} hold; known violations: {', '.join(broken) or 'none'}")
    for new in comparison.new:
        cause = f": scenario {new.finding.scenario}: {new.finding.message}: {new.finding.actual}" if new.finding else ""
        print(f"  NEW {new.requirement} {new.level}{cause}")
    lists = (("STALE", comparison.stale), ("EXPIRED", comparison.expired), ("undecided", comparison.undecided))
    for word, entries in lists:
        for entry in entries:
            print(f"  {word} {agent.baseline.name}:{entry.line}: {entry.requirement}: {entry.reason}")
    for error in verdict.harness_errors:
        print(f"  the kit failed: {error}")
