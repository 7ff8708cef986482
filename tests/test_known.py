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
        (f"{KNOWN}expires = 2020-01-31\n", "violated", 1, f"EXPIRED    {ENTRY} (its last day was 2020-01-31)"),
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
    assert said in known.told(comparison, baseline.path, judged)


def test_the_command_gates_by_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "known.toml").write_text(KNOWN)
    assert run(WORDS) == 1
    assert f"STALE      {ENTRY}" in capsys.readouterr().out


def test_what_is_new_is_written_and_once_filled_in_it_is_known(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*WORDS[:2], "--fault", "no-credentials-needed", *WORDS[2:-2]]
    (here / "baseline.toml").write_text("# What we know.\n")
    assert run([*words, "--write-baseline"]) == 1
    assert "added 1 entry to baseline.toml: fill in reason, owner and expires of each" in capsys.readouterr().out
    text = (here / "baseline.toml").read_text()
    assert text.startswith('# What we know.\n\n[[known]]\nrequirement = "ACC-01"\n')
    assert run([*words, "--baseline", "baseline.toml"]) == 64
    assert "baseline.toml:3: [[known]] reason, owner, expires: to be filled in" in capsys.readouterr().err
    filled = text.replace('reason = ""', 'reason = "Guests."').replace('owner = ""', 'owner = "us"')
    (here / "baseline.toml").write_text(filled.replace('expires = ""', "expires = 2999-01-31"))
    assert run([*words, "--write-baseline", "--seed", "2"]) == 0
    assert "nothing to add to baseline.toml" in capsys.readouterr().out


def test_a_mistake_in_it_is_told_before_anything_is_driven(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "known.toml").write_text('[[known]]\nrequirement = "ACC-011"\nreason = "x"\n')
    assert run(WORDS) == 64
    assert "known.toml:1: [[known]] requirement: there is no 'ACC-011'; did you mean ACC-01?" in capsys.readouterr().err
    assert not (here / "out").exists()
