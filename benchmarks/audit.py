"""How long `agent-conformance audit` takes for a large tree, beside `ruff check` and `ast.parse` of the same files.

The tree is made of files of the standard library and of installed packages: nothing is fetched.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import psutil

_FILES = 1_700
_LINES = 400_000
_RUNS = 3
_COLD_S, _WARM_S, _MOST_MB = 10.0, 2.0, 400.0
_SEED = 6
_PARSE = """
import ast, gc, sys, warnings
from pathlib import Path
gc.disable(); warnings.simplefilter("ignore")
for file in Path(sys.argv[1]).rglob("*.py"):
    ast.parse(file.read_bytes())
"""
_AUDIT = "from conformance.cli import main; main()"


class Took(NamedTuple):
    """A run of a command: wall time, CPU time of all its processes, and their memory at its highest, together."""

    wall_s: float
    cpu_s: float
    mb: float


def main() -> int:
    """Measure; print medians beside goals. Returns 1 where one is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=_FILES)
    parser.add_argument("--lines", type=int, default=_LINES)
    parser.add_argument("--tree", type=Path, help="Measure this tree instead of one that is made.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="conformance-bench-") as folder:
        here = Path(folder)
        tree = options.tree.absolute() if options.tree else make(here / "tree", options.files, options.lines)
        files = list(tree.rglob("*.py"))
        lines = sum(file.read_bytes().count(b"\n") for file in files)
        sys.stdout.write(f"{len(files):,} files, {lines:,} lines, {os.cpu_count()} cores\n")
        return _measure(here, tree)


def make(folder: Path, files: int, lines: int) -> Path:
    """Fill a folder with so many files that parse, of as many lines in all as there are."""
    paths = sysconfig.get_paths()
    roots = [Path(paths["stdlib"]), Path(paths["purelib"])]
    found = sorted({path for root in roots for path in root.rglob("*.py") if _good(path)})
    random.Random(_SEED).shuffle(found)
    counted = sorted(((path.read_bytes().count(b"\n"), path) for path in found[: 3 * files]), key=lambda one: one[0])
    middle = _window([count for count, _ in counted], files, lines)
    for number, (_, path) in enumerate(counted[middle : middle + files]):
        target = folder / f"part_{number % 40}" / f"{path.stem}_{number}.py"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return folder


def _window(counts: list[int], files: int, lines: int) -> int:
    """Return where in sorted counts so many files begin that have about so many lines."""
    best = 0
    for start in range(max(1, len(counts) - files + 1)):
        best = start
        if sum(counts[start : start + files]) >= lines:
            break
    return best


def _good(path: Path) -> bool:
    parts = set(path.parts)
    return (
        not parts & {"lib2to3", "bad_coding", "test", "tests", "idlelib", "__pycache__"}
        and path.stat().st_size < 200_000
    )


def _measure(here: Path, tree: Path) -> int:
    ruff = str(Path(sys.executable).with_name("ruff"))
    audit = [sys.executable, "-c", _AUDIT, "audit", str(tree), "--out", str(here / "out")]
    cache = here / ".agent_conformance_cache"
    commands = {
        "ast.parse, one process": ([sys.executable, "-c", _PARSE, str(tree)], False),
        "ruff check, cold": ([ruff, "check", "--isolated", "--no-cache", "--quiet", "--exit-zero", str(tree)], False),
        "audit, cold": (audit, True),
        "audit, warm": (audit, False),
    }
    goals = {"audit, cold": _COLD_S, "audit, warm": _WARM_S}
    missed = 0
    for name, (command, cold) in commands.items():
        runs = []
        for _ in range(_RUNS):
            if cold:
                shutil.rmtree(cache, ignore_errors=True)
            runs.append(_once(command, here))
        wall, mb = statistics.median(run.wall_s for run in runs), max(run.mb for run in runs)
        goal = goals.get(name)
        met = goal is None or (wall <= goal and mb <= _MOST_MB)
        missed += not met
        sys.stdout.write(
            f"{name:<24} median {wall:6.2f} s of {_RUNS} ({min(r.wall_s for r in runs):.2f} to "
            f"{max(r.wall_s for r in runs):.2f})  cpu {statistics.median(r.cpu_s for r in runs):6.2f} s  {mb:5.0f} MB"
            + (f"   goal {goal:.0f} s, {_MOST_MB:.0f} MB: {'met' if met else 'MISSED'}\n" if goal else "\n")
        )
        sys.stdout.flush()
    return 1 if missed else 0


def _once(command: list[str], folder: Path) -> Took:
    before = os.times()
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    highest = 0
    while process.poll() is None:
        highest = max(highest, _memory(process.pid))
        time.sleep(0.02)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Took(time.perf_counter() - began, cpu, highest / 1e6)


def _memory(pid: int) -> int:
    """Return the bytes that a process and its children hold alone; what they share counts once."""
    try:
        whole = psutil.Process(pid)
        family = [whole, *whole.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    total = 0
    for process in family:
        try:
            total += process.memory_full_info().uss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


if __name__ == "__main__":
    sys.exit(main())
