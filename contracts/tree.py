"""Which files belong to a source tree: every `.py` file below a path, whether or not it is in a package."""

import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePath

from conformance.errors import UsageError
from contracts.config import Config, shown

_NEVER = frozenset({
    "__pycache__", "node_modules", "site-packages", "venv", "env", "build", "dist", "__pypackages__",
})  # fmt: skip
_PROJECT = frozenset({"pyproject.toml", "setup.py", "setup.cfg"})
_COMPILED = (".so", ".pyd", ".pyi", ".pyx")


class Tree:
    """The files of a source tree. Paths are as they are shown: relative to where the command runs, where possible.

    `files` are the Python files; `compiled` are paths of modules without Python source (extensions, stubs);
    `projects` are folders with a project file, from which modules are imported.
    """

    def __init__(self, paths: Iterable[Path], config: Config) -> None:
        self.paths = [shown(path) for path in paths]
        self.files: list[str] = []
        self.compiled: list[str] = []
        self.projects: list[str] = []
        self._config = config
        self._seen: set[str] = set()
        for path in self.paths:
            if path.is_file():
                self.files.append(str(path))
            elif path.is_dir():
                self._below(str(path))
            else:
                raise UsageError(f"{path}: no such file or folder; expected the source tree to audit")
        self.files = sorted(dict.fromkeys(self.files))

    def is_test(self, path: str) -> bool:
        """Tell whether a file is test code: by its name, or by a folder that it lies in."""
        parts = PurePath(self._inner(path)).parts
        if any(part in self._config.test_directories for part in parts[:-1]):
            return True
        return any(fnmatch(parts[-1], pattern) for pattern in self._config.tests)

    def _inner(self, path: str) -> str:
        """Return the path of a file below the one that was asked for, so that what lies above does not count."""
        for root in self.paths:
            if root.is_dir() and PurePath(path).is_relative_to(root):
                inner = PurePath(path).relative_to(root)
                return str(PurePath(root.name) / inner) if root.name in self._config.test_directories else str(inner)
        return path

    def _below(self, folder: str) -> None:
        stack = [folder]
        while stack:
            here = stack.pop()
            real = os.path.realpath(here)
            if real in self._seen:
                continue
            self._seen.add(real)
            for entry in _entries(here):
                if os.path.isdir(entry.path):  # unlike entry.is_dir, false where links go in circles
                    if not self._left_out(entry):
                        stack.append(entry.path)
                elif entry.name.endswith(".py"):
                    if not self._excluded(entry.path):
                        self.files.append(_plain(entry.path))
                elif entry.name.endswith(_COMPILED):
                    self.compiled.append(_plain(entry.path))
                if entry.name in _PROJECT:
                    self.projects.append(_plain(here))

    def _left_out(self, entry: "os.DirEntry[str]") -> bool:
        hidden = entry.name.startswith(".") or entry.name in _NEVER or entry.name.endswith((".egg-info", ".dist-info"))
        return hidden or self._excluded(entry.path) or os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))

    def _excluded(self, path: str) -> bool:
        inner = _plain(path)
        return any(fnmatch(inner, pattern) or fnmatch(inner, f"*/{pattern}") for pattern in self._config.exclude)


def _entries(folder: str) -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            yield from sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return


def _plain(path: str) -> str:
    return path.removeprefix("./")
