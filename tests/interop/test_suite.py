"""The suite's own door: it is green only while every baseline tells the truth, and writes its report only then."""

from pathlib import Path

import pytest

from conformance.verdict import Finding
from tests.interop.__main__ import main
from tests.interop.suite import Suite
from tests.test_baseline import finding, verdict

ENTRY = """[[known]]
requirement = "EVT-05"
reason = "A failing tool ends the run, and nothing tells what came of the call."
upstream = "some_agent/runner.py:12"
"""
PINS = "# What is tested.\nsome-agent==1.2.3\n\n# What it needs.\nunnamed-dependency==4\n"


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """A suite of one agent, which has been driven before and broke EVT-05."""
    suite = Suite(home=tmp_path / "agents", out=tmp_path / "out", report=tmp_path / "samples" / "interop.md")
    folder = suite.home / "some-agent"
    folder.mkdir(parents=True)
    (folder / "target.toml").write_text("")
    (folder / "requirements.txt").write_text(PINS)
    (folder / "baseline.toml").write_text(ENTRY)
    left_by_a_run(suite, finding("EVT-05"))
    return suite


def left_by_a_run(suite: Suite, *findings: Finding) -> None:
    left = suite.out / "some-agent" / "round-1" / "verdict.json"
    left.parent.mkdir(parents=True, exist_ok=True)
    broken = {found.requirement for found in findings}
    passed = tuple(id for id in ("EVT-01", "EVT-05", "EVT-07") if id not in broken)
    left.write_bytes(verdict(*findings, passed=passed).to_json())


def test_a_true_baseline_is_green_and_the_report_is_written(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--again"], suite) == 0
    said = capsys.readouterr().out
    assert "some-agent: some-agent 1.2.3 (" in said
    assert "known violations: EVT-05" in said
    written = suite.report.read_text()
    assert "| EVT-05 MUST |" in written
    assert "**violated**" in written
    assert "some_agent/runner.py:12" in written
    assert "unnamed-dependency" not in written


def test_a_stale_entry_fails_it(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    left_by_a_run(suite)
    assert main(["--again"], suite) == 1
    assert "baseline.toml:1: EVT-05 does not happen any more: remove it" in capsys.readouterr().out
    assert not suite.report.exists()


def test_removing_an_entry_fails_it(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    (suite.home / "some-agent" / "baseline.toml").write_text("")
    assert main(["--again"], suite) == 1
    said = capsys.readouterr().out
    assert "NEW EVT-05 MUST, not in " in said
    assert "baseline.toml: scenario tool-failure: a tool without a result: none" in said


def test_another_violation_fails_it(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    left_by_a_run(suite, finding("EVT-05"), finding("EVT-07"))
    assert main(["--again"], suite) == 1
    assert "NEW EVT-07" in capsys.readouterr().out


def test_what_could_not_be_seen_fails_it(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    left = suite.out / "some-agent" / "round-1" / "verdict.json"
    left.write_bytes(verdict(passed=("EVT-01",), unknown=("EVT-05",)).to_json())
    assert main(["--again"], suite) == 1
    assert "UNDECIDED" in capsys.readouterr().out


def test_a_race_need_not_be_seen_and_is_reported_as_one(suite: Suite) -> None:
    (suite.home / "some-agent" / "baseline.toml").write_text(ENTRY + "flaky = true\n")
    left_by_a_run(suite)
    assert main(["--again"], suite) == 0
    assert "**race**" in suite.report.read_text()


def test_a_part_of_the_suite_writes_no_report(suite: Suite) -> None:
    assert main(["--again", "some-agent"], suite) == 0
    assert not suite.report.exists()


def test_a_name_or_a_baseline_that_is_wrong_is_told(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--again", "none"], suite) == 64
    assert "there is no agent 'none'; expected one of some-agent" in capsys.readouterr().err
    (suite.home / "some-agent" / "baseline.toml").write_text(ENTRY.replace("EVT-05", "EVT-5"))
    assert main(["--again"], suite) == 64
    assert (
        "baseline.toml:1: [[known]] requirement: there is no 'EVT-5'; did you mean EVT-05?" in capsys.readouterr().err
    )


def test_an_agent_that_was_not_driven_is_told(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    (suite.out / "some-agent" / "round-1" / "verdict.json").unlink()
    assert main(["--again"], suite) == 64
    assert "no verdict is there" in capsys.readouterr().err


@pytest.mark.parametrize(
    "folder", sorted(Path(__file__).parent.glob("*/target.toml")), ids=lambda path: path.parent.name
)
def test_each_agent_of_the_suite_is_whole(folder: Path) -> None:
    """Its target file and baseline are as they must be, and every known violation says where it comes from."""
    from conformance.baseline_file import load
    from conformance.catalogue import load as load_catalogue
    from conformance.scenarios import all_scenarios
    from conformance.target import load as load_target
    from tests.interop.agent import Agent

    agent = Agent(folder.parent)
    target = load_target(agent.target)
    assert target.witness.model
    assert agent.tested
    baseline = load(agent.baseline, load_catalogue(), [scenario.name for scenario in all_scenarios()])
    assert all(entry.upstream for entry in baseline.known)
