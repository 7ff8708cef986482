"""Runs of an engine and of a slower one, by turns, and what is claimed of them."""

import os
import shlex
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from conformance.runner import Options, verify
from conformance.target import AuthTable, Target, TargetTable
from conformance.verdict import Verdict
from reports.performance import Waits, compared

BEAT_MS = 100.0
SLOWER = 1.3
RUNS = 10
_WAIT = "delivery latency"
_SECRET = "BEATS_SECRET"
_ONLY = ("DLV-02",)


def target(beat_ms: float) -> Target:
    """The reference engine with such a beat, as a target."""
    words = [sys.executable, "-m", "tests.regression.engine", str(beat_ms), "--port", "{port}"]
    return Target(
        target=TargetTable(
            name=f"reference engine with a beat of {beat_ms:g} ms",
            url="ws://127.0.0.1:{port}/ws",
            command=shlex.join([*words, "--secret-env", _SECRET]),
            health="http://127.0.0.1:{port}/ready",
        ),
        auth=AuthTable(scheme="jwt-hs256", secret_env=_SECRET),
    )


async def run(beat_ms: float, seed: int) -> Verdict:
    """Verify such an engine, started anew; keep of its verdict what tells how fast it was."""
    os.environ.setdefault(_SECRET, "a-secret-of-this-test-alone-and-of-enough-bytes")
    with tempfile.TemporaryDirectory(prefix="conformance-regression-") as out:
        verdict = await verify(target(beat_ms), Options(out=Path(out), seed=seed, only=_ONLY))
    return msgspec.structs.replace(verdict, requirements=())


@dataclass(frozen=True)
class Round:
    """What came of one comparison of the engine with itself, and of one with the slower one, by the same baseline."""

    same: Waits
    slower: Waits


async def compare(seed: int, *, runs: int = RUNS) -> Round:
    """Run the engine, itself again, and the slower one by turns, so many times each; compare them."""
    sides: tuple[list[Verdict], ...] = ([], [], [])
    for number in range(runs):
        for side, beat_ms in zip(sides, (BEAT_MS, BEAT_MS, BEAT_MS * SLOWER), strict=True):
            side.append(await run(beat_ms, seed * 1_000 + number))
    baseline, again, slow = sides
    return Round(_delivery(baseline, again), _delivery(baseline, slow))


def _delivery(baseline: list[Verdict], candidate: list[Verdict]) -> Waits:
    return next(waits for waits in compared(baseline, candidate) if waits.name == _WAIT)
