"""`verify --baseline`: only what is new fails, and what is not true in the baseline."""

from pathlib import Path

import pytest

from conformance.cli import run

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
FAULT = ["--fault", "no-credentials-needed"]
KNOWN = '[[known]]\nrequirement = "ACC-01"\nreason = "Guests are wanted."\n'
ELSEWHERE = f'{KNOWN}finding = "another cause"\n'
EXPIRED = f"{KNOWN}expires = 2020-01-31\n"


@pytest.mark.parametrize(
    ("known", "fault", "code", "said"),
    [
        (KNOWN, FAULT, 0, "KNOWN      known.toml:1: ACC-01: Guests are wanted."),
        (ELSEWHERE, FAULT, 1, "NEW        ACC-01 MUST, scenario "),
        (f"{KNOWN}flaky = true\n", [], 0, ""),
        (EXPIRED, FAULT, 1, "EXPIRED    known.toml:1: ACC-01: Guests are wanted. (its day has passed)"),
        (KNOWN, [], 1, "STALE      known.toml:1: ACC-01: Guests are wanted. (it does not happen any more: remove it)"),
    ],
    ids=["known", "another cause", "not seen, but flaky", "expired", "stale"],
)
def test_it_gates(
    here: Path, capsys: pytest.CaptureFixture[str], known: str, fault: list[str], code: int, said: str
) -> None:
    (here / "known.toml").write_text(known)
    assert run([*WORDS, *fault]) == code
    assert said in capsys.readouterr().out


def test_a_mistake_in_it_is_told_before_anything_is_driven(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "known.toml").write_text('[[known]]\nrequirement = "ACC-011"\nreason = "x"\n')
    assert run(WORDS) == 64
    assert "known.toml:1: [[known]] requirement: there is no 'ACC-011'; did you mean ACC-01?" in capsys.readouterr().err
    assert not (here / "out").exists()
