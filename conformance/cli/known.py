"""`--baseline`: what of a verdict is known, what is new, and where the baseline is wrong; and the exit code of that."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from conformance import baseline
from conformance.baseline import Baseline, Comparison, Known
from conformance.catalogue import Level, load
from conformance.verdict import Outcome, Verdict, exit_code, judged_by


def read(path: Path) -> Baseline:
    """Read a baseline. Raises `UsageError` that names file, line and key."""
    from conformance.scenarios import all_scenarios

    return baseline.load(path, load(), [scenario.name for scenario in all_scenarios()])


def compared(verdict: Verdict, known: Baseline) -> Comparison:
    """Hold a verdict against a baseline, as of today."""
    return baseline.compare(verdict, known, today=datetime.now(UTC).date())


def gated(verdict: Verdict, comparison: Comparison, *, strict: bool) -> int:
    """Return the exit code where what is known does not count: 1 for what is new, or where the baseline is not true."""
    grave = [new for new in comparison.new if strict or new.level is Level.MUST]
    if grave or comparison.stale or comparison.expired:
        return 1
    accepted = {entry.requirement for entry in comparison.seen}
    return exit_code(_without(verdict, accepted), strict=strict)


def _without(verdict: Verdict, ids: Collection[str]) -> Verdict:
    """Return the verdict as if the violations of these requirements were not there."""
    requirements = tuple(
        replace(each, verdict=Outcome.PASS, findings=(), violations=0) if each.id in ids else each
        for each in verdict.requirements
    )
    return judged_by(verdict, requirements)


def told(comparison: Comparison, path: str) -> str:
    """Say what a comparison comes to, a line each."""
    return "\n".join(_lines(comparison, path))


def _lines(comparison: Comparison, path: str) -> Iterator[str]:
    for entry in comparison.seen:
        yield f"KNOWN      {_entry(entry, path)}"
    for new in comparison.new:
        finding = new.finding
        where = f", scenario {finding.scenario}" if finding is not None and finding.scenario else ""
        message = finding.message if finding is not None else "violated"
        yield f"NEW        {new.requirement} {new.level}{where}: {message}"
    for word, meaning, entries in (
        ("STALE", "it does not happen any more: remove it", comparison.stale),
        ("EXPIRED", "its day has passed", comparison.expired),
        ("UNDECIDED", "nothing was seen that could show it", comparison.undecided),
    ):
        for entry in entries:
            yield f"{word:<10} {_entry(entry, path)} ({meaning})"


def _entry(entry: Known, path: str) -> str:
    at = f"{path}:{entry.line}" if entry.line else path
    return f"{at}: {entry.requirement}: {' '.join(entry.reason.split())}"
