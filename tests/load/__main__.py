"""python -m tests.load [--runs N] [--users N] [--seconds S] [--out DIR]: rare defects are flagged under load.

Nothing is flagged on the reference engine, in N runs. What was flagged is left in DIR, to be followed.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conformance.catalogue import load as load_catalogue
from conformance.rejudge import judge_recording
from conformance.runner import reference
from conformance.target import Target
from conformance.verdict import Finding, Met, Verdict
from load.command import Asked, for_load, run
from reports import writer
from tests.load.rare import SECRET, SECRET_ENV, rare

_WIDTHS = (26, 8, 10, 52, 22)
_SHOWN = 110


@dataclass(frozen=True)
class Defect:
    """What is wrong in a share of events, the requirements that say so, and the objectives that it violates."""

    name: str
    share: float
    told: str
    requirements: frozenset[str]
    objectives: frozenset[str] = frozenset()


DEFECTS = (
    Defect("drops", 0.002, "drops 0.2 %", frozenset({"DLV-01", "ORD-01"}), frozenset({"delivered"})),
    Defect("delays", 0.06, "delays 6 % by 600 ms", frozenset({"DLV-02"}), frozenset({"p95_ms"})),
    Defect("leaks", 1 / 20_000, "leaks 1 in 20,000", frozenset({"ISO-01", "ISO-02", "ISO-03"})),
    Defect("doubles", 1 / 5_000, "doubles 1 in 5,000", frozenset({"DLV-04"})),
)


def loaded(target: Target, out: Path, users: int, seconds: float) -> Verdict:
    """Load a target, and leave its reports in a folder."""
    out.mkdir(parents=True, exist_ok=True)
    verdict = asyncio.run(run(target, Asked(out=out, users=users, duration_s=seconds)))
    writer.write_all(verdict, out, history=out)
    return verdict


def violated(verdict: Verdict) -> dict[str, list[Finding]]:
    """Return the findings that have witnesses, by requirement."""
    found: dict[str, list[Finding]] = {}
    for finding in verdict.findings:
        if finding.witnesses:
            found.setdefault(finding.requirement, []).append(finding)
    return found


def missed(verdict: Verdict) -> set[str]:
    """Return the objectives that are violated."""
    return {each.name for each in verdict.objectives if each.verdict is Met.VIOLATED}


def said_again(finding: Finding, out: Path) -> bool:
    """Tell whether `check` finds the same in the sample of a finding."""
    sample, _, _ = (finding.location or "").partition(":")
    if not sample:
        return False
    with (out / sample).open("rb") as lines:
        again = judge_recording(lines, name=sample, catalogue=load_catalogue())
    return finding.requirement in {each.requirement for each in again.findings}


def told(finding: Finding, out: Path) -> Iterator[str]:
    """Say what a finding is, and what proves it."""
    yield f"    {finding.requirement} {finding.message}"
    yield f"      expected {finding.expected}; got {finding.actual}; {out / (finding.location or '')}"
    for witness in finding.witnesses:
        yield f"      {witness.at_ms:10.1f} ms  {witness.user or '-'}  {witness.what}  {witness.text[:_SHOWN]}"


def row(*cells: str) -> None:
    """Print a line of the table."""
    line = "".join(f"{cell:<{width}}" for cell, width in zip(cells, _WIDTHS, strict=False))
    sys.stdout.write(f"{line}{''.join(cells[len(_WIDTHS) :])}".rstrip() + "\n")
    sys.stdout.flush()


def defective(defect: Defect, out: Path, users: int, seconds: float) -> bool:
    """Load an engine with a defect; tell whether it was flagged as it should be."""
    verdict = loaded(rare(defect.name, defect.share), out, users, seconds)
    found, objectives = violated(verdict), missed(verdict)
    proven = [each for name in sorted(found.keys() & defect.requirements) for each in found[name]]
    proven.sort(key=lambda each: -len(each.witnesses))
    shown = next((each for each in proven if said_again(each, out)), None)
    right = shown is not None and objectives >= defect.objectives
    counts = {each.id: each.violations for each in verdict.requirements}
    flagged = ", ".join(f"{name} ({counts[name]:,})" for name in sorted(found))
    row(defect.told, f"{users:,}", f"{verdict.events:,}", flagged or "-", _listed(objectives), _word(right))
    sys.stdout.write("".join(f"{line}\n" for line in told(shown, out)) if shown is not None else "")
    return right


def clean(number: int, out: Path, users: int, seconds: float) -> bool:
    """Load the reference engine; tell whether nothing was flagged."""
    verdict = loaded(for_load(reference()), out, users, seconds)
    found, objectives = {each.requirement for each in verdict.findings}, missed(verdict)
    right = not found and not objectives and not verdict.harness_errors and verdict.events > 0
    row(f"clean, run {number}", f"{users:,}", f"{verdict.events:,}", _listed(found), _listed(objectives), _word(right))
    return right


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "-"


def _word(right: bool) -> str:
    return "as it should be" if right else "WRONG"


def main() -> int:
    """Load all of them; return 1 where a defect was not flagged, or anything was flagged without one."""
    parser = argparse.ArgumentParser(description="Find rare defects under load, and nothing where there is none.")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=45.0)
    parser.add_argument("--only", default="", help="names of defects, by commas; 'clean' is the engine without")
    parser.add_argument("--out", type=Path, default=Path("reports/out/load-defects"))
    options = parser.parse_args()
    os.environ[SECRET_ENV] = SECRET
    began = time.monotonic()
    only = set(filter(None, options.only.split(",")))
    row("the engine", "users", "events", "requirements violated", "objectives violated", "")
    wrong = 0
    for defect in DEFECTS:
        if not only or defect.name in only:
            wrong += not defective(defect, options.out / defect.name, options.users, options.seconds)
    for number in range(1, options.runs + 1 if not only or "clean" in only else 1):
        wrong += not clean(number, options.out / "clean", options.users, options.seconds)
    sys.stdout.write(f"{wrong or 'nothing'} wrong, {time.monotonic() - began:,.0f} s; the reports: {options.out}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
