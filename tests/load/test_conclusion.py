"""What a load comes to."""

from pathlib import Path

from msgspec.structs import replace

from conformance.target import Objectives, Target
from conformance.verdict import Met, Outcome, Verdict, exit_code
from load.conclusion import conclude
from load.settings import Settings
from reports import console
from tests.load.wholes import whole

SETTINGS = Settings(
    target=Target(objectives=Objectives(p95_ms=500, first_event_ms=500, run_p95_ms=500)),
    url="ws://127.0.0.1:1/ws",
    out=str(Path("out")),
)


def concluded(**options: int) -> Verdict:
    """The verdict on a load that violates no requirement."""
    seen = whole(**options)
    return conclude(replace(seen, verdict=replace(seen.verdict, verdict=Outcome.PASS)), SETTINGS)


def test_all_objectives_are_met() -> None:
    verdict = concluded()
    assert (verdict.verdict, exit_code(verdict, strict=False)) == (Outcome.PASS, 0)


def test_a_generator_that_falls_behind_its_arrivals_says_so_and_decides_no_latency() -> None:
    for slow in (0, 2_000):
        verdict = concluded(slow=slow, behind_us=400_000)
        assert (verdict.verdict, exit_code(verdict, strict=False)) == (Outcome.UNKNOWN, 2)
        assert {each.verdict for each in verdict.objectives} == {Met.UNDECIDED}
        shown = console.render(verdict, width=140, colour=False)
        assert shown.count("runs began late: p99 400 ms, allowed are 100 ms") == 3


def test_a_violated_objective_fails() -> None:
    verdict = concluded(slow=2_000)
    assert (verdict.verdict, exit_code(verdict, strict=False)) == (Outcome.FAIL, 1)
