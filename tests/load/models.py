"""python -m tests.load.models [--seconds S]: a target that stalls 2 s every 20 s, as the two models of load see it.

Who waits for an answer before asking again asks little while the target stalls: a closed loop hides it (coordinated
omission). Arrivals that wait for nobody show it.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from conformance.target import LoadTable
from conformance.verdict import Spectrum, Verdict
from load.command import Asked, run
from load.measure import FIRST_EVENT, RUN
from tests.load.rare import SECRET, SECRET_ENV, rare

_STALLED = 0.1
_THINK_S = 0.1
_USERS = 5
_RATE = 50.0
_SHOWN = (50.0, 95.0, 99.0, 99.9, 100.0)


def seen(asked: Asked) -> Verdict:
    """Load the target that stalls, with short chats only."""
    return asyncio.run(run(rare("stalls", _STALLED, load=LoadTable(think_s=_THINK_S, mix={"chat": 1.0})), asked))


def spectrum(verdict: Verdict, what: str) -> Spectrum:
    """Return how a latency is distributed, of all behaviours together."""
    return next(each for each in verdict.spectra if each.name == what and each.behaviour is None)


def main() -> int:
    """Print what both models see; return 1 where the open one does not show the stall, or the closed one does."""
    parser = argparse.ArgumentParser(description="Show what a closed loop hides.")
    parser.add_argument("--seconds", type=float, default=66.0)
    options = parser.parse_args()
    os.environ[SECRET_ENV] = SECRET
    p99: list[float] = []
    heading = "".join(f"{f'p{percent:g}':>9}" for percent in _SHOWN)
    sys.stdout.write(f"{'ms':<58}{'samples':>9}{heading}\n")
    for name, users, rate in (
        (f"closed model, {_USERS} users who think {_THINK_S:g} s", _USERS, None),
        (f"open model, {_RATE:g} arrivals/s", 1, _RATE),
    ):
        with tempfile.TemporaryDirectory(prefix="conformance-load-") as out:
            verdict = seen(Asked(out=Path(out), users=users, rate=rate, duration_s=options.seconds))
        for what in (FIRST_EVENT, RUN):
            told = spectrum(verdict, what)
            values = dict(told.percentiles)
            figures = "".join(f"{values[percent]:>9,.0f}" for percent in _SHOWN)
            sys.stdout.write(f"{f'{name}: {what}':<58}{told.samples:>9,}{figures}\n")
            if what == FIRST_EVENT:
                p99.append(values[99.0])
        sys.stdout.flush()
    closed, opened = p99
    return 0 if opened >= 1_000 > 500 > closed else 1


if __name__ == "__main__":
    sys.exit(main())
