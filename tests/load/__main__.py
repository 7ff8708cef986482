"""python -m tests.load [--runs N] [--users N] [--seconds S]: rare defects are flagged under load, nothing else is."""

import argparse
import asyncio
import os
import shlex
import sys
import tempfile
from pathlib import Path

from conformance.runner import reference
from conformance.target import AuthTable, Target, TargetTable
from conformance.verdict import Verdict
from load.command import Asked, for_load, run

_SECRET = "RARE_SECRET"
_DEFECTS = (
    ("drops", 500, frozenset({"ORD-01", "DLV-01"})),
    ("delays", 250, frozenset({"DLV-02"})),
    ("leaks", 20_000, frozenset({"ISO-01", "ISO-02", "ISO-03"})),
    ("doubles", 5_000, frozenset({"DLV-04"})),
)


def rare(defect: str, every: int) -> Target:
    """The reference engine with a rare defect, as a target."""
    words = [sys.executable, "-m", "tests.load.rare_engine", defect, str(every), "--port", "{port}"]
    return Target(
        target=TargetTable(
            name=f"reference engine that {defect} 1 event in {every:,}",
            url="ws://127.0.0.1:{port}/ws",
            command=shlex.join([*words, "--secret-env", _SECRET]),
            health="http://127.0.0.1:{port}/ready",
        ),
        auth=AuthTable(scheme="jwt-hs256", secret_env=_SECRET),
    )


def violated(verdict: Verdict) -> set[str]:
    """Return the requirements that a verdict finds violated, each with a witness."""
    return {finding.requirement for finding in verdict.findings if finding.witnesses}


def loaded(target: Target, users: int, seconds: float) -> Verdict:
    """Load a target."""
    with tempfile.TemporaryDirectory(prefix="conformance-load-") as out:
        return asyncio.run(run(target, Asked(out=Path(out), users=users, duration_s=seconds)))


def main() -> int:
    """Load all of them; return 1 where a defect was not flagged, or anything was flagged without one."""
    parser = argparse.ArgumentParser(description="Find rare defects under load, and nothing where there is none.")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    os.environ[_SECRET] = "a-secret-of-enough-bytes-for-the-tests"
    wrong = 0
    for defect, every, expected in _DEFECTS:
        found = violated(loaded(rare(defect, every), options.users, options.seconds))
        wrong += not found & expected
        sys.stdout.write(f"{defect} 1 in {every:,}: {', '.join(sorted(found)) or 'NOT FLAGGED'}\n")
        sys.stdout.flush()
    for number in range(options.runs):
        found = violated(loaded(for_load(reference()), options.users, options.seconds))
        wrong += bool(found)
        sys.stdout.write(f"clean run {number + 1}: {', '.join(sorted(found)) or 'nothing'}\n")
        sys.stdout.flush()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
