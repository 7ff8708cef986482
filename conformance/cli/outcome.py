"""What a command leaves behind: files in its folder, a report on the terminal, an exit code."""

import shutil
import sys
import time
from pathlib import Path

import click

from conformance.catalogue import load
from conformance.errors import UsageError
from conformance.verdict import Met, Verdict, exit_code

OUT = Path("reports/out")


def folder(out: Path | None, command: str) -> Path:
    """Return the folder for a command's output, made: `out`, or a new one named after command and time."""
    chosen = out
    if chosen is None:
        chosen = OUT / f"{command}-{time.strftime('%Y%m%d-%H%M%S')}"
        number = 1
        while chosen.exists():
            number += 1
            chosen = OUT / f"{command}-{time.strftime('%Y%m%d-%H%M%S')}-{number}"
    try:
        chosen.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {chosen}: cannot make this folder: {error.strerror}") from error
    return chosen


def selected(only: str | None) -> tuple[str, ...]:
    """Return the ids and families that `--only` names; raises `UsageError` where one is unknown."""
    names = tuple(name.strip() for name in (only or "").split(",") if name.strip())
    load().select(names)
    return names


def conclude(verdict: Verdict, *, out: Path, as_json: bool, strict: bool, history: Path | None = None) -> int:
    """Write the reports, print the verdict, and return the exit code; `history` is as `write_all` of reports has it."""
    from reports import console, writer

    written = writer.write_all(verdict, out, history=history)
    if as_json:
        click.echo(verdict.to_json(), nl=False)
    else:
        width = max(80, min(140, shutil.get_terminal_size((100, 24)).columns))
        click.echo(console.render(verdict, width=width, colour=sys.stdout.isatty()))
        names = ", ".join(path.name for path in written)
        click.echo(f"written to {out}: {names}")
    code = exit_code(verdict, strict=strict)
    if code == 2 and not as_json:
        open_ones = [each.name for each in verdict.objectives if each.verdict is Met.UNDECIDED]
        lacking = "see the unknown MUSTs" if strict else "not one MUST could be decided"
        click.echo(f"undecided: {', '.join(open_ones) or lacking}")
    return code
