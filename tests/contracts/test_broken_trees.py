"""However broken a tree is: a verdict, never a traceback."""

from pathlib import Path

import pytest

from conformance.cli import run
from conformance.verdict import Outcome
from tests.contracts.trees import audited, found

DEEP = "x = " + "(" * 300 + "1" + ")" * 300
BROKEN = {
    "a syntax error": b"def f(:\n",
    "Python 2": b"print 'hello'\n",
    "a wrong encoding": "name = 'é'\n".encode("latin-1"),
    "an unknown encoding": b"# -*- coding: no-such-thing -*-\n",
    "a NUL": b"x = 1\0\n",
    "a lone surrogate in a name": b"\xed\xa0\x80 = 1\n",
    "UTF-16": "x = 1\n".encode("utf-16"),
}
WHOLE = {
    "an encoding of its own": "# -*- coding: latin-1 -*-\nname = 'é'\n".encode("latin-1"),
    "a byte order mark": b"\xef\xbb\xbfx = 1\n",
    "lines of old Macs": b"x = 1\ry = 2\r",
    "nothing": b"",
    "an invalid escape": b"x = '\\d'\n",
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_does_not_parse_is_a_finding(case: str, here: Path) -> None:
    (here / "broken.py").write_bytes(BROKEN[case])
    assert {id for id, _ in found(audited(here))} == {"SRC-15"}


@pytest.mark.parametrize("case", WHOLE)
def test_what_parses_is_none(case: str, here: Path) -> None:
    (here / "whole.py").write_bytes(WHOLE[case])
    assert found(audited(here)) == set()


@pytest.mark.parametrize("text", [DEEP, "x = " + "-" * 100_000 + "1", "x = 1" + " + 1" * 50_000])
def test_what_is_too_deep_to_parse_is_noted(text: str, here: Path) -> None:
    (here / "deep.py").write_text(text)
    result = audited(here)
    assert found(result) == set()


def test_a_large_generated_file_is_noted_and_not_read(here: Path) -> None:
    (here / "large.py").write_text("x = 1\n" * 900_000)
    (verdict,) = audited(here, "SRC-15").verdict.requirements
    assert verdict.verdict is Outcome.PASS
    assert "5,400,000 bytes" in verdict.notes[0].message


def test_loops_and_dead_ends_of_links_end(here: Path) -> None:
    (here / "pkg" / "inner").mkdir(parents=True)
    (here / "pkg" / "one.py").write_text("import pkg.gone\n")
    (here / "pkg" / "__init__.py").touch()
    (here / "pkg" / "inner" / "up").symlink_to(here / "pkg", target_is_directory=True)
    (here / "pkg" / "loop.py").symlink_to(here / "pkg" / "loop.py")
    (here / "pkg" / "dead.py").symlink_to(here / "nowhere.py")
    assert found(audited(here)) == {
        ("SRC-01", "pkg/one.py:1"),
        ("SRC-15", "pkg/dead.py:1"),
        ("SRC-15", "pkg/loop.py:1"),
    }


def test_files_without_packages_are_found(here: Path) -> None:
    (here / "app" / "parts").mkdir(parents=True)
    (here / "app" / "parts" / "one.py").write_text("from app.parts import two\nfrom app.parts.two import gone\n")
    (here / "app" / "parts" / "two.py").write_text("")
    assert found(audited(here)) == {("SRC-02", "app/parts/one.py:2")}


def test_environments_and_caches_are_no_source(here: Path) -> None:
    for folder in (".venv", "env3", "node_modules", "__pycache__"):
        (here / folder).mkdir()
        (here / folder / "broken.py").write_text("def f(:")
    (here / "env3" / "pyvenv.cfg").touch()
    result = audited(here)
    assert result.project.files == []
    assert result.verdict.verdict is Outcome.UNKNOWN


def test_a_module_that_is_put_in_place_at_run_time_is_no_finding(here: Path) -> None:
    (here / "pkg").mkdir()
    (here / "pkg" / "__init__.py").write_text("import sys\nsys.modules['pkg.made'] = object()\n")
    (here / "pkg" / "lazy.py").write_text("def __getattr__(name): ...\n")
    (here / "pkg" / "filled.py").write_text("globals().update(a=1)\n")
    (here / "pkg" / "user.py").write_text(
        "import pkg.made\nfrom pkg.lazy import anything\nfrom pkg.filled import a\nfrom pkg import _version\n"
    )
    assert {place for id, place in found(audited(here)) if id in ("SRC-01", "SRC-02")} == {"pkg/user.py:4"}


def test_a_path_that_is_not_there_is_wrong_usage(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "nowhere"]) == 64
    assert "nowhere: no such file or folder" in capsys.readouterr().err
