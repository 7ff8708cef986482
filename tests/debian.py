"""Programs of the system that some tests need: found, or installed where that may be; else the test says so."""

import os
import shutil
import subprocess
from functools import cache

import pytest


@cache
def program(name: str, package: str) -> str:
    """Return the path of a program; install its Debian package where it is missing, skip where that cannot be done."""
    found = shutil.which(name)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update"], ["install", "-y", "--no-install-recommends", package]):
            subprocess.run(["apt-get", *words], env=environment, stdout=subprocess.DEVNULL, check=False)
        found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is missing and could not be installed: apt-get install {package}")
    return found
