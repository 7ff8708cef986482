"""Drives one faulty engine as a user does, with the command, and reads from what it wrote what was found and when."""

import asyncio
import sys
import time
from pathlib import Path

import msgspec

from conformance.history.operations import ScenarioBegan
from conformance.history.store import HistoryReader
from conformance.verdict import Finding, Outcome, Verdict
from reference_impl.faulty.fault import Fault
from tests.kill_matrix.matrix import Kill

_VERIFY = "from conformance.cli import main; main()"
_BROKEN = (0, 1)


class NotPlayed(Exception):
    """The command itself failed; the message holds what it said."""


async def play(fault: Fault, out: Path, *, seed: int) -> Kill:
    """Verify the engine with this fault, into the new folder `out`. Raises `NotPlayed`."""
    words = ["verify", "--reference", "--fault", fault.name, *(["--witness"] if fault.outside else [])]
    words += ["--seed", str(seed), "--quiet", "--out", str(out)]
    began = time.monotonic()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _VERIFY, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await child.communicate()
    finally:
        if child.returncode is None:
            child.terminate()
            await child.wait()
    took_s = time.monotonic() - began
    if child.returncode not in _BROKEN:
        raise NotPlayed(f"{fault.name}: exit code {child.returncode}: {said.decode(errors='replace').strip()}")
    verdict = msgspec.json.decode((out / "verdict.json").read_bytes(), type=Verdict)
    return kill_of(fault, verdict, driven_ms=_driven_ms(out / "history.jsonl"), took_s=took_s)


def kill_of(fault: Fault, verdict: Verdict, *, driven_ms: float, took_s: float) -> Kill:
    """Return what a verdict says of a faulty engine that was driven from `driven_ms` on, by the history's clock."""
    failed = [requirement for requirement in verdict.requirements if requirement.verdict is Outcome.FAIL]
    times = [
        _proved_ms(finding) - driven_ms
        for requirement in failed
        if requirement.id in fault.breaks
        for finding in requirement.findings
    ]
    return Kill(
        fault=fault.name,
        declared=fault.breaks,
        found=frozenset(requirement.id for requirement in failed),
        detected_s=min(times) / 1000 if times else None,
        took_s=took_s,
        witnessed=fault.outside,
        errors=verdict.harness_errors,
        perhaps=fault.perhaps,
    )


def _proved_ms(finding: Finding) -> float:
    """Return when the operation came that completes the proof."""
    return max(witness.at_ms for witness in finding.witnesses)


def _driven_ms(history: Path) -> float:
    """Return when the first scenario began."""
    with history.open("rb") as lines:
        return next(op.at for op in HistoryReader(lines, name=history.name) if isinstance(op, ScenarioBegan)) / 1000
