"""What a change introduced: the audit of a tree, without what the tree of an earlier revision had already."""

import os
import subprocess
import tarfile
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
        _unpack(revision, top, before)
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


def _unpack(revision: str, top: Path, folder: Path) -> None:
    _git(
        "rev-parse",
        "--verify",
        "--quiet",
        f"{revision}^{{commit}}",
        hint=f"--since {revision}: git knows no such revision",
    )
    with subprocess.Popen(
        ["git", "-C", str(top), "archive", "--format=tar", revision], stdout=subprocess.PIPE
    ) as packing:
        assert packing.stdout is not None
        with tarfile.open(fileobj=packing.stdout, mode="r|") as archive:
            archive.extractall(folder, filter="data")


def _git(*words: str, hint: str = "--since: this is no repository of git") -> bytes:
    try:
        return subprocess.run(["git", *words], check=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise UsageError(hint) from error
