"""What ruff decides: one run over the tree with our own settings, whatever the project's own are."""

import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from conformance.errors import HarnessError
from contracts.project import Diagnostic
from contracts.scan import make
from contracts.tree import Tree

_SETTINGS = (
    'lint.flake8-tidy-imports.ban-relative-imports = "all"',
    "lint.flake8-annotations.suppress-dummy-args = true",
    "lint.flake8-annotations.suppress-none-returning = false",
    "lint.flake8-annotations.mypy-init-return = true",
)


class _Place(msgspec.Struct):
    row: int


class _Found(msgspec.Struct):
    code: str | None
    filename: str
    location: _Place
    message: str


class Said(NamedTuple):
    """What ruff said, by its codes; or what went wrong with it."""

    found: dict[str, list[Diagnostic]]
    problem: str | None = None


class Run:
    """Ruff at work beside the kit's own scan. `result` waits for it."""

    def __init__(self, tree: Tree, codes: Iterable[str], cache: Path | None) -> None:
        self._tree = tree
        self._command = [_program(), "check", "--isolated", "--no-respect-gitignore", "--output-format", "json"]
        self._command += ["--exit-zero", "--quiet", "--target-version", "py311", "--select", ",".join(sorted(codes))]
        self._command += [word for setting in _SETTINGS for word in ("--config", setting)]
        if cache is None:
            self._command.append("--no-cache")
        else:
            make(cache)
            self._command += ["--cache-dir", str(cache / "ruff")]
        self._process = self._begin(())

    def result(self, unread: Iterable[str]) -> Said:
        """Return what it said. Where it failed, it runs again without what the kit could not read either."""
        said, complaint = self._process.communicate()
        if self._process.returncode:
            self._process = self._begin(unread)
            said, complaint = self._process.communicate()
        if self._process.returncode:
            words = complaint.decode(errors="replace").strip()
            return Said({}, f"ruff failed with {self._process.returncode}: {words}")
        return Said(self._sorted(said))

    def _begin(self, excluded: Iterable[str]) -> "subprocess.Popen[bytes]":
        words = [word for path in excluded for word in ("--extend-exclude", str(Path(path).absolute()))]
        paths = [str(path) for path in self._tree.paths]
        command = [*self._command, *words, "--", *paths]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def _sorted(self, said: bytes) -> dict[str, list[Diagnostic]]:
        here = {str(Path(path).absolute()): path for path in self._tree.files}
        found: dict[str, list[Diagnostic]] = defaultdict(list)
        for one in msgspec.json.decode(said, type=list[_Found]):
            path = here.get(one.filename)
            if one.code and path is not None:
                found[one.code].append(Diagnostic(path, one.location.row, one.code, one.message))
        return found


def _program() -> str:
    beside = Path(sys.executable).with_name("ruff")
    found = str(beside) if beside.is_file() else shutil.which("ruff")
    if found is None:
        raise HarnessError("ruff is not installed; it comes with agent-conformance: install that anew")
    return found
