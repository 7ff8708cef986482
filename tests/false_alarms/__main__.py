"""Counts false alarms: `python -m tests.false_alarms` verifies the reference engine again and again.

Each run has a seed of its own, and must find nothing. Prints a line for each that is not clean and the figures of all;
ends with 1 if there was a finding. The folders of runs that are not clean are kept.
"""

import argparse
import contextlib
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from conformance.verdict import Outcome, Verdict
from reference_impl.odd import all_odd

BURN = "while True: pass"
MAIN = "from conformance.cli import main; main()"


@contextlib.contextmanager
def busy(cores: int) -> Iterator[None]:
    """Keep that many cores busy meanwhile."""
    burners = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(cores)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def verified(words: list[str], seed: int, out: Path) -> tuple[int, Verdict | None]:
    """Run `verify --reference` in a process of its own; give its exit code, and its verdict if there is one."""
    command = [sys.executable, "-c", MAIN, "verify", "--reference", "--quiet", *words]
    out.mkdir(parents=True, exist_ok=True)
    with (out / "output.txt").open("wb") as output:
        done = subprocess.run(
            [*command, "--seed", str(seed), "--out", str(out)], stdout=output, stderr=output, check=False
        )
    path = out / "verdict.json"
    return done.returncode, msgspec.json.decode(path.read_bytes(), type=Verdict) if path.exists() else None


def trouble(code: int, verdict: Verdict | None) -> list[str]:
    """Say what is not as it should be about a run."""
    if verdict is None:
        return [f"no verdict, exit code {code}"]
    found = [f"{r.id}: {r.violations} x {r.findings[0].message}" for r in verdict.requirements if r.findings]
    return [*found, *verdict.harness_errors, *([f"exit code {code}"] if code and not found else [])]


def undecided(verdict: Verdict) -> set[str]:
    """Return what could not be decided."""
    return {r.id for r in verdict.requirements if r.verdict is Outcome.UNKNOWN}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.false_alarms", description=__doc__)
    parser.add_argument("--runs", type=int, default=1, help="how many runs (of each oddity)")
    parser.add_argument("--seed", type=int, default=1, help="the first run's seed; each further one has the next")
    parser.add_argument("--busy", type=int, default=0, metavar="CORES", help="keep so many cores busy meanwhile")
    parser.add_argument("--odd", nargs="*", metavar="NAME", help="these oddities; all, if none is named")
    parser.add_argument("--out", type=Path, default=Path("reports/out/false-alarms"))
    parser.add_argument("words", nargs="*", help="further options of verify, after --")
    return parser.parse_args()


def main() -> int:
    """Run all, print the figures."""
    options = arguments()
    names = [""] if options.odd is None else options.odd or [odd.name for odd in all_odd()]
    open_ones: Counter[str] = Counter()
    clean = events = 0
    began = time.monotonic()
    with busy(options.busy):
        for name in names:
            for seed in range(options.seed, options.seed + options.runs):
                out = options.out / (f"{name}-{seed}" if name else str(seed))
                code, verdict = verified([*(["--odd", name] if name else []), *options.words], seed, out)
                problems = trouble(code, verdict)
                for problem in problems:
                    print(f"{out}: {problem}", flush=True)
                if verdict is not None:
                    events += verdict.events
                    open_ones.update(undecided(verdict))
                if not problems:
                    clean += 1
                    shutil.rmtree(out)
    runs = len(names) * options.runs
    print(f"{clean} of {runs} runs are clean: {events:,} events in {time.monotonic() - began:,.0f} s")
    print("undecided, in how many runs:", ", ".join(f"{id} {times}" for id, times in sorted(open_ones.items())) or "-")
    return 0 if clean == runs else 1


if __name__ == "__main__":
    sys.exit(main())
