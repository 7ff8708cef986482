"""Programs of the system that some tests need: found, or installed where that may be; else the test says so."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

_QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@cache
def program(name: str, package: str, *, folders: str = "") -> str:
    """Return the path of a program; install its Debian package where it is missing, skip where that cannot be done.

    It is looked for on the path, and in the `folders` that a pattern names, relative to the root.
    """
    found = _find(name, folders)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        with Path(tempfile.gettempdir(), "apt-get.lock").open("w") as lock:
            # Tests in another process may be at it, too.
            fcntl.flock(lock, fcntl.LOCK_EX)
            _install(package)
        found = _find(name, folders)
    if found is None:
        pytest.skip(f"{name} is missing and could not be installed: apt-get install {package}")
    return found


def chromium(profile: str, *arguments: str) -> list[str]:
    """Return the command of a headless browser that asks nobody for anything but what it is given."""
    return [program("chromium", "chromium"), *_QUIET, f"--user-data-dir={profile}", *arguments]


def _install(package: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", package]):
        subprocess.run(["apt-get", *words], env=environment, stdout=subprocess.DEVNULL, check=False)


def _find(name: str, folders: str) -> str | None:
    more = sorted(map(str, Path("/").glob(folders)), reverse=True) if folders else []
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *more]))
