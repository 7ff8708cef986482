"""What `verify` says to those whose target could not be judged in full."""

from pathlib import Path

import msgspec
import pytest

from conformance.bounds import Bounds
from conformance.catalogue import load
from conformance.cli import run
from conformance.cli.advice import advice
from conformance.target import AuthTable, Target, TargetTable, WitnessTable, read
from conformance.verdict import Outcome, RequirementVerdict, Verdict, overall, summarise

BARE = Target(target=TargetTable(url="ws://127.0.0.1:8000/ws"))
LIMIT = "the run limit is not known: set [bounds] run_limit_s in the target file"
WHOLE = Target(
    target=TargetTable(url="ws://127.0.0.1:{port}/ws", command="serve"),
    auth=AuthTable(scheme="tokens", tokens="tokens.toml"),
    witness=WitnessTable(model=True, tools=True),
    bounds=Bounds(run_limit_s=5),
)


def verdict(**unknown: str) -> Verdict:
    """A verdict in which these are unknown, for these reasons, and all else passes."""
    reasons = {name.replace("_", "-"): reason for name, reason in unknown.items()}
    requirements = tuple(
        RequirementVerdict(
            id=each.id,
            level=each.level,
            statement=each.statement,
            verdict=Outcome.UNKNOWN if each.id in reasons else Outcome.PASS,
            exercised=0,
            reason=reasons.get(each.id, ""),
        )
        for each in load()
    )
    return Verdict(
        schema=1,
        kit="0",
        catalogue=1,
        command="verify",
        target="by hand",
        dialect="five-events",
        seed=1,
        verdict=overall(requirements),
        summary=summarise(requirements),
        requirements=requirements,
    )


def test_where_all_is_decided_nothing_is_said() -> None:
    assert advice(BARE, verdict()) == ""


def test_where_all_is_there_nothing_is_said() -> None:
    assert advice(WHOLE, verdict(EVT_03="nothing was seen", LIF_06="x", ACC_01="y")) == ""


def test_each_part_is_named_with_what_waits_for_it(tmp_path: Path) -> None:
    said = advice(BARE, verdict(EVT_03="nothing was seen", LIF_06="x", ACC_01="y", LIF_03=LIMIT))
    assert "so that it can be ended and killed: LIF-06" in said
    assert "run_limit_s = 30         # as it is with your engine: LIF-03" in said
    file = tmp_path / "target.toml"
    file.write_text(said.replace('scheme = "jwt-hs256"', 'scheme = "jwt-hs256"\nsecret_env = "S"'))
    written = read(file)
    assert written.target.command
    assert written.auth.scheme == "jwt-hs256"
    assert written.witness.model
    assert written.bounds.run_limit_s == 30


def test_only_what_is_missing_is_named() -> None:
    target = msgspec.structs.replace(WHOLE, witness=WitnessTable())
    said = advice(target, verdict(EVT_03="nothing was seen", LIF_06="x"))
    assert said.startswith("[witness]")
    assert "[target]" not in said
    assert "[auth]" not in said


def test_it_follows_the_verdict(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JWT_SECRET", "a-secret-for-tests-of-more-than-thirty-two-bytes")
    (here / "mine.py").write_text(
        "import os\n"
        "from reference_impl.app import create_app\n"
        "from reference_impl.settings import Settings\n"
        "app = create_app(Settings(secret=os.environ['JWT_SECRET']))\n"
    )
    words = ["verify", "--app", "mine:app", "--secret-env", "JWT_SECRET", "--only", "LIF-03", "--quiet", "--out", "out"]
    assert run(words) == 2
    said = capsys.readouterr().out
    assert "To have more decided, write target.toml (`agent-conformance init URL` does), with:" in said
    assert "[witness]" in said
    assert "model = true" in said
