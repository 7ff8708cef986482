"""`--baseline`: what of a verdict is known, what is new, and where the baseline is wrong; and the exit code of that."""

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from msgspec.structs import replace

from conformance import baseline
from conformance.baseline import Baseline, Comparison, Known
from conformance.errors import UsageError
from conformance.verdict import Finding, Outcome, Verdict, exit_code, judged_by

F = TypeVar("F", bound=Callable[..., Any])
_DEFAULT = Path("baseline.toml")


def baseline_options(function: F) -> F:
    """Add the options of a baseline to a command: `known_file`, `write_baseline`."""
    for option in (
        click.option(
            "--write-baseline",
            is_flag=True,
            help="Add what is new to the baseline (default: baseline.toml); its reasons are to be filled in.",
        ),
        click.option(
            "--baseline",
            "known_file",
            metavar="FILE",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Known violations, each with its reason: only what is new fails, and what is stale or expired.",
        ),
    ):
        function = option(function)
    return function


def asked(file: Path | None, *, write: bool) -> Baseline | None:
    """Read the baseline that the options ask for; one that is to be written may be missing.

    Raises `UsageError` that names file, line and key.
    """
    if write and not (file or _DEFAULT).exists():
        return Baseline(str(file or _DEFAULT), ())
    if write or file is not None:
        return read(file or _DEFAULT)
    return None


def read(path: Path) -> Baseline:
    """Read a baseline. Raises `UsageError` that names file, line and key."""
    from conformance.baseline_file import load
    from conformance.catalogue import load as load_catalogue

    return load(path, load_catalogue(), _scenarios())


def compared(verdict: Verdict, known: Baseline, *, played: Collection[str] | None = None) -> Comparison:
    """Hold a verdict against a baseline, as of today; `played` are the scenarios, None where that was all."""
    return baseline.compare(verdict, known, today=today(), played=played)


def today() -> date:
    """Return the day that expiry is held against (UTC)."""
    return datetime.now(UTC).date()


def gate(
    verdict: Verdict,
    known: Baseline,
    *,
    strict: bool,
    write: bool,
    err: bool,
    played: Collection[str] | None = None,
) -> int:
    """Tell what a verdict comes to with a baseline, add what is new to its file if asked to; return the exit code."""
    comparison = compared(verdict, known, played=played)
    if lines := told(comparison, known.path, verdict):
        click.echo(f"\n{lines}", err=err)
    if write:
        add([new.finding for new in comparison.new if new.finding is not None], Path(known.path), err=err)
    return gated(verdict, comparison, strict=strict)


def gated(verdict: Verdict, comparison: Comparison, *, strict: bool) -> int:
    """Return the exit code where what is known does not count: 1 for what is new, or where the baseline is not true."""
    from conformance.catalogue import Level

    grave = [new for new in comparison.new if strict or new.level is Level.MUST]
    if grave or comparison.stale or comparison.expired:
        return 1
    accepted = {entry.requirement for entry in comparison.seen}
    return exit_code(without(verdict, accepted), strict=strict)


def without(verdict: Verdict, ids: Collection[str]) -> Verdict:
    """Return the verdict as if the violations of these requirements were not there."""
    requirements = tuple(
        replace(each, verdict=Outcome.PASS, findings=(), violations=0) if each.id in ids else each
        for each in verdict.requirements
    )
    return judged_by(verdict, requirements)


def add(findings: Collection[Finding], path: Path, *, err: bool) -> None:
    """Add entries for these findings to a baseline's file, after what is there; say so."""
    from conformance.baseline_file import draft

    if not findings:
        click.echo(f"nothing to add to {path}", err=err)
        return
    entries = draft(findings, today=today(), scenarios=_scenarios())
    try:
        before = path.read_text().rstrip("\n") + "\n\n" if path.exists() else ""
        path.write_text(before + entries)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
    count = entries.count("[[known]]\n")
    click.echo(
        f"added {count} {'entry' if count == 1 else 'entries'} to {path}: fill in reason, owner and expires of each; "
        f"until then the file is refused",
        err=err,
    )


def _scenarios() -> list[str]:
    from conformance.scenarios import all_scenarios

    return [scenario.name for scenario in all_scenarios()]


def told(comparison: Comparison, path: str, verdict: Verdict) -> str:
    """Say what a comparison comes to, a line each."""
    return "\n".join(_lines(comparison, path, verdict))


def untrue(comparison: Comparison, path: str, verdict: Verdict) -> Iterator[str]:
    """Say what is not true in a baseline, a line each: what is stale and what is expired."""
    for entry in comparison.stale:
        yield f"STALE      {_entry(entry, path)} ({baseline.mistaken(entry, verdict)})"
    for entry in comparison.expired:
        yield f"EXPIRED    {_entry(entry, path)} (its last day was {entry.expires})"


def _lines(comparison: Comparison, path: str, verdict: Verdict) -> Iterator[str]:
    for entry in comparison.seen:
        yield f"KNOWN      {_entry(entry, path)}"
    for new in comparison.new:
        finding = new.finding
        where = f", scenario {finding.scenario}" if finding is not None and finding.scenario else ""
        message = finding.message if finding is not None else "violated"
        yield f"NEW        {new.requirement} {new.level}{where}: {message}"
    yield from untrue(comparison, path, verdict)
    for entry in comparison.undecided:
        yield f"UNDECIDED  {_entry(entry, path)} (nothing was seen that could show it)"


def _entry(entry: Known, path: str) -> str:
    at = f"{path}:{entry.line}" if entry.line else path
    return f"{at}: {entry.requirement}: {' '.join(entry.reason.split())}"
