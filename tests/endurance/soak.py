"""`make soak`: what memory an engine takes while users come and go for long, judged as `load` judges them."""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

SAMPLES = 20
FLAT = 1.05
"""The most that the last quarter of a soak may take over the quarter before it."""


def soak(out: Path, *, users: int, duration_s: float, note: Callable[[float, int], None]) -> int:
    """Load a reference engine of its own; `note` gets the seconds since the start and its resident bytes.

    That is 20 times in `duration_s`, and as often while `load` waits for what is open.

    Returns the exit code of `load`, whose output and reports are in `out`.
    """
    command = Path(sys.executable).with_name("agent-conformance")
    words = ["load", "--reference", "--users", str(users), "--duration", f"{duration_s:g}s", "--out", str(out)]
    with (out / "load.log").open("wb") as log:
        kit = subprocess.Popen([command, *words], stdout=log, stderr=log)
    began = time.monotonic()
    try:
        while True:
            try:
                return kit.wait(duration_s / SAMPLES)
            except subprocess.TimeoutExpired:
                for child in psutil.Process(kit.pid).children():
                    with suppress(psutil.NoSuchProcess):  # it ends before the kit does
                        if "reference_impl" in child.cmdline():
                            note(time.monotonic() - began, child.memory_info().rss)
    finally:
        kit.terminate()
        kit.wait()


def is_flat(sizes: Sequence[int]) -> bool:
    """Whether the last quarter took no more than the quarter before it, but for 5 %."""
    quarter = len(sizes) // 4
    before, last = sizes[-2 * quarter : -quarter], sizes[-quarter:]
    return quarter > 0 and max(last) <= max(before) * FLAT


def main(words: list[str]) -> int:
    """Print the memory as it is taken. Returns 1 where it is not flat, else what `load` does."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=10)
    given = parser.parse_args(words)
    sizes: list[int] = []

    def note(at_s: float, size: int) -> None:
        sizes.append(size)
        print(f"{at_s:6.0f} s   {size / 2**20:6.1f} MiB", flush=True)

    with TemporaryDirectory(prefix="soak-") as folder:
        code = soak(Path(folder), users=given.users, duration_s=given.minutes * 60, note=note)
        print((Path(folder) / "load.log").read_text().split("\n\n", 1)[-1])
    print(f"the engine's memory is {'flat' if is_flat(sizes) else 'NOT flat'}")
    return code or (0 if is_flat(sizes) else 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
