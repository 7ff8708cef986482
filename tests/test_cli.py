"""The command line: what goes wrong is said in words, with the right exit code."""

from pathlib import Path

import pytest

from conformance.cli import run

BAD_FILES = {
    "an unknown key": ('[target]\nurll = "ws://x"\n', "[target] urll", "did you mean url?"),
    "an unknown table": ("[targets]\n", "[targets]", "did you mean target?"),
    "a wrong type": ("[target]\nurl = 7\n", "[target] url", "expected a string, got an integer"),
    "a bad scheme": ('[target]\nurl = "ws://x"\n[auth]\nscheme = "jwt"\n', "[auth] scheme", "expected one of none,"),
    "a bad bound": ("[bounds]\nfactor = -1\n", "[bounds]", "factor must be greater than 0"),
    "no TOML": ("[target\n", "not a target file", "line 1"),
    "no url": ("[target]\n", "[target] url", "expected a URL"),
    "a missing secret": (
        '[target]\nurl = "ws://x"\n[auth]\nscheme = "jwt-hs256"\n',
        "[auth] secret_env",
        'expected with scheme = "jwt-hs256"',
    ),
    "an unknown behaviour": ('[target]\nurl = "ws://x"\n[say]\ntools = "x"\n', "[say] tools", "did you mean tool?"),
    "an unknown capability": (
        '[target]\nurl = "ws://x"\ncapabilities = ["resum"]\n',
        "[target] capabilities",
        "did you mean resume?",
    ),
    "an unset variable": ('[target]\nurl = "${NO_SUCH_VARIABLE}"\n', "[target] url", "NO_SUCH_VARIABLE is not set"),
    "command and app": (
        '[target]\nurl = "ws://x"\ncommand = "a"\napp = "b:c"\n',
        "[target] command and app",
        "expected one of them",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_target_file_is_named_with_its_key(
    case: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NO_SUCH_VARIABLE", raising=False)
    text, place, hint = BAD_FILES[case]
    Path("bad.toml").write_text(text)
    assert run(["verify", "--target", "bad.toml"]) == 64
    said = capsys.readouterr().err
    assert said.startswith("error: bad.toml: ")
    assert place in said
    assert hint in said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["verify"], 64, "no target"),
        (["verify", "--target", "none.toml"], 64, "no such file"),
        (["verify", "--url", "ws://127.0.0.1:9/ws"], 69, "nothing listens at ws://127.0.0.1:9/ws"),
        (["verify", "--reference", "--only", "EVT-1"], 64, "did you mean EVT-01?"),
        (["verify", "--reference", "--url", "ws://x"], 64, "expected one of them"),
        (["verify", "--fault", "x"], 64, "only with --reference"),
        (["verify", "--url", "ws://127.0.0.1:9", "--dialect", "six-events"], 64, "no dialect named 'six-events'"),
        (["verify", "--url", "ws://x", "--secret-env", "NO_SUCH_VARIABLE"], 64, "NO_SUCH_VARIABLE is not set"),
        (["verify", "--command", "/no/such/program", "--url", "ws://127.0.0.1:{port}/"], 64, "cannot run"),
        (["verify", "--command", "false", "--url", "ws://127.0.0.1:{port}/"], 69, "exited with 1 before"),
        (["check", "none.jsonl"], 64, "none.jsonl: cannot be read"),
        (["requirements", "XYZ"], 64, "expected a requirement id"),
        (["init", "nonsense"], 64, "no URL of an endpoint"),
        (["init", "ws://127.0.0.1:9/ws"], 69, "nothing listens"),
        (["verfy"], 64, "there is no command 'verfy'; did you mean verify?"),
    ],
)
def test_errors_are_sentences(
    words: list[str],
    code: int,
    said: str,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("NO_SUCH_VARIABLE", raising=False)
    assert run(words) == code
    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown


def test_check_says_what_is_wrong_with_a_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("odd.jsonl").write_text('{"type":"agent_started"}\n')
    assert run(["check", "odd.jsonl"]) == 64
    assert "say --dialect NAME" in capsys.readouterr().err
    Path("empty.jsonl").write_text("\n")
    assert run(["check", "empty.jsonl", "--dialect", "five-events"]) == 64
    assert "no frames in it" in capsys.readouterr().err


def test_check_judges_the_frames_of_one_connection(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("frames.jsonl").write_text('{"type":"agent_started","run_id":null}\n')
    assert run(["check", "frames.jsonl", "--dialect", "five-events"]) == 1
    assert "FAIL IDN-01" in capsys.readouterr().out


def test_requirements_lists_explains_and_gives_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["requirements"]) == 0
    listing = capsys.readouterr().out
    assert listing.index("EVT-01") < listing.index("ISO-01") < listing.index("TST-06")
    assert run(["requirements", "evt-05"]) == 0
    assert "How it is decided" in capsys.readouterr().out
    assert run(["requirements", "ISO", "--json"]) == 0
    assert capsys.readouterr().out.startswith("[")


def test_help_needs_no_heavy_import(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    for name in ("verify", "check", "serve", "init", "requirements"):
        assert name in capsys.readouterr().out or name
    assert run(["verify", "--help"]) == 0
    assert "--profile" in capsys.readouterr().out
