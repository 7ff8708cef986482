"""What a change introduced: the audit of a tree, without what the tree of an earlier revision had already."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import msgspec

from conformance.errors import UsageError
from contracts.audit import Audit, Options, audit
from contracts.config import Config
from contracts.debt import without_old


def introduced(now: Audit, revision: str, paths: Sequence[Path], config: Config, options: Options) -> Audit:
    """Return the audit without what was there at a revision of git. Raises `UsageError` where git does not know it."""
    top = Path(_git("rev-parse", "--show-toplevel").decode().strip())
    here = Path.cwd().resolve()
    with tempfile.TemporaryDirectory(prefix="conformance-audit-") as folder:
        before = Path(folder).resolve()
        _check_out(revision, top, before)
        then = before / here.relative_to(top)
        inner = [Path(os.path.relpath(path, here)) for path in paths]
        cache = options.cache.absolute() if options.cache is not None else None
        if not then.is_dir():
            return now
        with chdir(then):
            there = [path for path in inner if path.exists()]
            if not there:
                return now
            file = os.path.relpath(config.file, here) if Path(config.file).is_absolute() else config.file
            old = audit(there, msgspec.structs.replace(config, file=file), replace(options, cache=cache))
    return without_old(now, old.verdict, revision)


def _check_out(revision: str, top: Path, folder: Path) -> None:
    """Write a revision's whole tree to a folder, past the index of the repository."""
    commit = f"{revision}^{{commit}}"
    _git("rev-parse", "--verify", "--quiet", commit, hint=f"--since {revision}: git knows no such revision")
    with tempfile.TemporaryDirectory(prefix="conformance-audit-") as own:
        index = Path(own) / "index"
        _git("-C", str(top), "read-tree", commit, index=index)
        _git("-C", str(top), "checkout-index", "--all", f"--prefix={folder}/", index=index)


def _git(*words: str, hint: str = "--since: this is no repository of git", index: Path | None = None) -> bytes:
    own = {"GIT_INDEX_FILE": str(index)} if index is not None else {}
    try:
        return subprocess.run(["git", *words], check=True, capture_output=True, env={**os.environ, **own}).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise UsageError(hint) from error
