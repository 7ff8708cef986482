"""`verify --baseline`: only what is new fails, and what is not true in the baseline."""

from pathlib import Path

import msgspec
import pytest

from conformance.cli import known, run
from conformance.verdict import Outcome, Verdict

WORDS = [
    "verify",
    "--reference",
    "--only",
    "ACC-01",
    "--seed",
    "1",
    "--quiet",
    "--out",
    "out",
    "--baseline",
    "known.toml",
]
KNOWN = '[[known]]\nrequirement = "ACC-01"\nreason = "Guests are wanted."\n'
ENTRY = "known.toml:1: ACC-01: Guests are wanted."


@pytest.fixture(scope="module")
def violated(tmp_path_factory: pytest.TempPathFactory) -> Verdict:
    """The verdict on an engine that lets in guests."""
    out = tmp_path_factory.mktemp("violated")
    words = [
        "verify",
        "--reference",
        "--fault",
        "no-credentials-needed",
        "--only",
        "ACC-01",
        "--quiet",
        "--out",
        str(out),
    ]
    assert run(words) == 1
    return msgspec.json.decode((out / "verdict.json").read_bytes(), type=Verdict)


@pytest.fixture(scope="module")
def kept(violated: Verdict) -> Verdict:
    """The same, as if no guest had been let in."""
    requirements = tuple(
        msgspec.structs.replace(each, verdict=Outcome.PASS, findings=()) for each in violated.requirements
    )
    return msgspec.structs.replace(violated, verdict=Outcome.PASS, requirements=requirements)


@pytest.mark.parametrize(
    ("text", "verdict", "code", "said"),
    [
        (KNOWN, "violated", 0, f"KNOWN      {ENTRY}"),
        (f'{KNOWN}finding = "another cause"\n', "violated", 1, "NEW        ACC-01 MUST, scenario "),
        (f"{KNOWN}expires = 2020-01-31\n", "violated", 1, f"EXPIRED    {ENTRY} (its day has passed)"),
        (KNOWN, "kept", 1, f"STALE      {ENTRY} (it does not happen any more: remove it)"),
        (f"{KNOWN}flaky = true\n", "kept", 0, ""),
    ],
    ids=["known", "another cause", "expired", "stale", "not seen, but flaky"],
)
def test_what_it_comes_to(
    here: Path, request: pytest.FixtureRequest, text: str, verdict: str, code: int, said: str
) -> None:
    (here / "known.toml").write_text(text)
    baseline = known.read(Path("known.toml"))
    judged: Verdict = request.getfixturevalue(verdict)
    comparison = known.compared(judged, baseline)
    assert known.gated(judged, comparison, strict=False) == code
    assert said in known.told(comparison, baseline.path)


def test_the_command_gates_by_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "known.toml").write_text(KNOWN)
    assert run(WORDS) == 1
    assert f"STALE      {ENTRY}" in capsys.readouterr().out


def test_a_mistake_in_it_is_told_before_anything_is_driven(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "known.toml").write_text('[[known]]\nrequirement = "ACC-011"\nreason = "x"\n')
    assert run(WORDS) == 64
    assert "known.toml:1: [[known]] requirement: there is no 'ACC-011'; did you mean ACC-01?" in capsys.readouterr().err
    assert not (here / "out").exists()
