"""`agent-conformance report`: render a stored run again, or hold runs against others."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from conformance.cli.outcome import conclude
from conformance.errors import UsageError
from conformance.verdict import Outcome, Verdict, exit_code

if TYPE_CHECKING:
    from reports.compare import Comparison, Run

_FORMATS = ("markdown", "junit", "sarif", "ctrf", "github", "github-summary", "github-comment", "badge")
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command("report")
@click.argument("directory", metavar="DIR", type=_FOLDER)
@click.option("--against", type=_FOLDER, help="The baseline: compare with this run, or these runs.")
@click.option("--fail-on", type=click.Choice(["regression"]), help="Exit with 1 where the candidate is worse.")
@click.option(
    "--baseline",
    "known_file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --against: known violations of the candidate; they are waived, and told with reason and age.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Where to write (default: DIR).")
@click.option("--format", "form", type=click.Choice(_FORMATS), help="Print the run in that form, and write nothing.")
@click.option("--strict", is_flag=True, help="A violated SHOULD and an undecided MUST fail, too.")
@click.option("--json", "as_json", is_flag=True, help="Print verdict.json on stdout.")
def command(
    directory: Path,
    against: Path | None,
    fail_on: str | None,
    known_file: Path | None,
    out: Path | None,
    form: str | None,
    strict: bool,
    as_json: bool,
) -> int:
    """Render a stored run again; or, with --against, write the stability report of a candidate and a baseline.

    A DIR holds one run (verdict.json), or several in folders of their own. Only several runs a side tell whether the
    candidate is slower: five or more.

    \b
      agent-conformance report reports/out/verify-20260131-093000
      agent-conformance report reports/out/verify-20260131-093000 --format github-summary >> "$GITHUB_STEP_SUMMARY"
      agent-conformance report runs/new --against runs/old --fail-on regression
      agent-conformance report runs/new --against runs/old --baseline baseline.toml
    """
    if against is None:
        if fail_on:
            raise click.UsageError("--fail-on needs --against DIR: a regression is from one run to another")
        if known_file:
            raise click.UsageError("--baseline needs --against DIR: it says what of the candidate is waived")
        verdict = _read(directory / "verdict.json")
        history = directory if verdict.command == "load" else directory / "history.jsonl"
        if form is not None:
            return _print(verdict, form, strict=strict)
        return conclude(verdict, out=out or directory, as_json=as_json, strict=strict, history=history)
    if form is not None:
        raise click.UsageError("--format prints one run: it does not go with --against")
    comparison = _compared(_runs(directory, out or directory), _runs(against, out or directory), known_file)
    return _conclude(comparison, out or directory, fail_on_regression=fail_on is not None, strict=strict)


def _print(verdict: Verdict, form: str, *, strict: bool) -> int:
    """Print a run in one form. Its exit code is that of the run, so that printing can be the gate."""
    from reports.writer import PRINTED

    click.echo(PRINTED[form](verdict), nl=False)
    return exit_code(verdict, strict=strict)


def _compared(candidate: "list[Run]", baseline: "list[Run]", known_file: Path | None) -> "Comparison":
    from conformance.cli import known
    from reports.compare import compare
    from reports.waivers import waivers

    entries = known.read(known_file) if known_file else None
    verdicts = [run.verdict for run in candidate]
    return compare(baseline, candidate, waivers(verdicts, entries, today=known.today()) if entries else None)


def _conclude(comparison: "Comparison", out: Path, *, fail_on_regression: bool, strict: bool) -> int:
    """Write the stability report, say what it recommends, and return the exit code."""
    from conformance.cli.known import without
    from reports.recommendation import advice
    from reports.writer import write_comparison

    written = write_comparison(comparison, out)
    recommended, reasons = advice(comparison)
    click.echo(f"{recommended}: {' '.join(reasons)}")
    for sentence in comparison.regressions:
        click.echo(f"regression: {sentence}")
    click.echo(f"written to {out}: {', '.join(path.name for path in written)}")
    if fail_on_regression:
        return int(bool(comparison.regressions))
    if any(waiver.untrue for waiver in comparison.waivers):
        return 1
    waived = [
        row.id for row in comparison.rows if row.after and row.after.outcome is Outcome.FAIL and comparison.waived(row)
    ]
    return max(exit_code(without(run.verdict, waived), strict=strict) for run in comparison.candidate)


def _runs(directory: Path, out: Path) -> "list[Run]":
    """Return the runs in a folder: its own, or those in the folders in it."""
    from reports.compare import Run

    own = directory / "verdict.json"
    paths = [own] if own.is_file() else sorted(directory.glob("*/verdict.json"))
    if not paths:
        raise UsageError(f"{directory}: expected verdict.json, or folders that hold one; found neither")
    return [Run(_read(path), Path(os.path.relpath(path.with_name("report.html"), out)).as_posix()) for path in paths]


def _read(path: Path) -> Verdict:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Verdict)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path}: not a verdict of the kit: {error}") from error
