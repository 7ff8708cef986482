"""`make regression`: an engine is compared with itself and with one that is 30 % slower at p95, in real runs.

No comparison of the engine with itself may claim that it is slower; of those with the slower one 19 of 20 must.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from reports.performance import ALPHA, Waits
from tests.regression.sides import BEAT_MS, RUNS, SLOWER, compare

_SHARE = 0.95


def main() -> int:
    """Print a line for each comparison. Returns 1 where more is claimed than holds, or less than must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.regression")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--runs", type=int, default=RUNS, help="runs a side")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save", type=Path, help="write the p95s of all runs, in ms, to this file")
    options = parser.parse_args()
    sys.stdout.write(
        f"a beat of {BEAT_MS:g} ms against the same, and against {BEAT_MS * SLOWER:g} ms; {options.runs} runs a side, "
        f"by turns, none used twice; claimed where p is at most {ALPHA}\n"
        f"{'':>5}  {'p95s in ms':<12}{'the same':<14}{'p':<9}{'slower':<14}p\n"
    )
    false = missed = 0
    saved: list[dict[str, tuple[float, ...]]] = []
    for number in range(options.rounds):
        found = asyncio.run(compare(options.seed + number, runs=options.runs))
        false += found.same.regressed
        missed += not found.slower.regressed
        sys.stdout.write(
            f"{number + 1:>5}  {_range(found.same.baseline):<12}{_told(found.same):<23}{_told(found.slower)}\n"
        )
        sys.stdout.flush()
        saved.append({"baseline": found.same.baseline, "same": found.same.candidate, "slower": found.slower.candidate})
        if options.save:
            options.save.write_text(json.dumps(saved, indent=1) + "\n")
    flagged = options.rounds - missed
    sys.stdout.write(f"claimed of the same engine: {false}; of the slower one: {flagged} of {options.rounds}\n")
    return int(false > 0 or flagged < _SHARE * options.rounds)


def _range(p95s: tuple[float, ...]) -> str:
    return f"{min(p95s):.0f} to {max(p95s):.0f}"


def _told(waits: Waits) -> str:
    p = "none" if waits.p is None else f"{waits.p:.4f}"
    return f"{_range(waits.candidate):<14}{p}{' claimed' if waits.regressed else ''}"


if __name__ == "__main__":
    sys.exit(main())
