"""`agent-conformance report`: render a stored run again, or hold runs against others."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from conformance.cli.outcome import conclude
from conformance.errors import UsageError
from conformance.verdict import Verdict, exit_code

if TYPE_CHECKING:
    from reports.compare import Run

_FORMATS = ("markdown", "junit", "sarif", "ctrf", "github", "github-summary", "github-comment", "badge")
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command("report")
@click.argument("directory", metavar="DIR", type=_FOLDER)
@click.option("--against", type=_FOLDER, help="The baseline: compare with this run, or these runs.")
@click.option("--fail-on", type=click.Choice(["regression"]), help="Exit with 1 where the candidate is worse.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Where to write (default: DIR).")
@click.option("--format", "form", type=click.Choice(_FORMATS), help="Print the run in that form, and write nothing.")
@click.option("--strict", is_flag=True, help="A violated SHOULD and an undecided MUST fail, too.")
@click.option("--json", "as_json", is_flag=True, help="Print verdict.json on stdout.")
def command(
    directory: Path,
    against: Path | None,
    fail_on: str | None,
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
    """
    if against is None:
        if fail_on:
            raise click.UsageError("--fail-on needs --against DIR: a regression is from one run to another")
        verdict = _read(directory / "verdict.json")
        history = directory if verdict.command == "load" else directory / "history.jsonl"
        if form is not None:
            return _print(verdict, form, strict=strict)
        return conclude(verdict, out=out or directory, as_json=as_json, strict=strict, history=history)
    if form is not None:
        raise click.UsageError("--format prints one run: it does not go with --against")
    return _compare(directory, against, out or directory, fail_on_regression=fail_on is not None, strict=strict)


def _print(verdict: Verdict, form: str, *, strict: bool) -> int:
    """Print a run in one form. Its exit code is that of the run, so that printing can be the gate."""
    from reports.writer import PRINTED

    click.echo(PRINTED[form](verdict), nl=False)
    return exit_code(verdict, strict=strict)


def _compare(directory: Path, against: Path, out: Path, *, fail_on_regression: bool, strict: bool) -> int:
    from reports.compare import compare
    from reports.stability import advice
    from reports.writer import write_comparison

    candidate = _runs(directory, out)
    comparison = compare(_runs(against, out), candidate)
    written = write_comparison(comparison, out)
    recommended, reasons = advice(comparison)
    click.echo(f"{recommended}: {' '.join(reasons)}")
    for sentence in comparison.regressions:
        click.echo(f"regression: {sentence}")
    click.echo(f"written to {out}: {', '.join(path.name for path in written)}")
    if fail_on_regression:
        return int(bool(comparison.regressions))
    return max(exit_code(run.verdict, strict=strict) for run in candidate)


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
