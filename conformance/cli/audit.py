"""`agent-conformance audit`: judge a source tree."""

import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance.cli.outcome import folder, selected
from conformance.verdict import exit_code

if TYPE_CHECKING:
    from contracts.audit import Audit
    from contracts.config import Config

_SHOWN = 200
_KEPT = 200


@click.command("audit")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--config", "file", type=click.Path(path_type=Path), help="contracts.toml or pyproject.toml.")
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True)
@click.option("--only", metavar="ID,FAMILY", help="Only these requirements.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Where to write the reports.")
@click.option("--since", metavar="REV", help="Only what has come since this revision of git.")
@click.option("--baseline", type=click.Path(path_type=Path), help="Known violations, each with its reason.")
@click.option("--strict", is_flag=True, help="A violated SHOULD, an undecided MUST and a stale baseline fail, too.")
@click.option("--suggest", is_flag=True, help="Propose a contracts.toml for the tree, and judge nothing.")
@click.option("--no-cache", is_flag=True, help="Read and parse every file anew, and keep nothing.")
def command(
    paths: tuple[Path, ...],
    file: Path | None,
    form: str,
    only: str | None,
    out: Path | None,
    since: str | None,
    baseline: Path | None,
    strict: bool,
    suggest: bool,
    no_cache: bool,
) -> int:
    """Judge a source tree: nothing of it is imported or run.

    \b
      agent-conformance audit src tests
      agent-conformance audit . --since main
      agent-conformance audit . --format sarif > audit.sarif
      agent-conformance audit . --suggest > contracts.toml
    """
    from conformance.judge import collecting_seldom
    from contracts.audit import Options, audit
    from contracts.config import find, load, parse
    from contracts.scan import CACHE

    place = file or find(paths[0])
    config = load(place) if place is not None else parse({}, path=Path("contracts.toml"))
    if suggest:
        return _suggest(paths, config)
    options = Options(
        cache=None if no_cache else Path(CACHE),
        only=selected(only),
        repeat=shlex.join(["agent-conformance", "audit", *map(str, paths)]),
    )
    with collecting_seldom():
        result = audit(paths, config, options)
    if since is not None:
        from contracts.since import introduced

        result = introduced(result, since, paths, config, options)
    stale: tuple[str, ...] = ()
    if baseline is not None:
        result, stale = _known(result, baseline)
    code = _conclude(result, form=form, out=folder(out, "audit"), strict=strict)
    return 1 if strict and stale and code in (0, 2) else code


def _suggest(paths: tuple[Path, ...], config: "Config") -> int:
    """Print a proposal for a configuration."""
    from contracts.audit import read
    from contracts.suggest import suggest

    click.echo(suggest(read(paths, config)), nl=False)
    return 0


def _known(result: "Audit", path: Path) -> "tuple[Audit, tuple[str, ...]]":
    """Take the known violations out of a verdict; say which entries of the baseline are stale."""
    from conformance import baseline
    from conformance.catalogue import load
    from contracts.debt import without_known

    known = baseline.load(path, load(), ())
    return without_known(result, known, today=datetime.now(UTC).date())


def _conclude(result: "Audit", *, form: str, out: Path, strict: bool) -> int:
    """Write the reports, print the verdict, and return the exit code."""
    from contracts import lead, status
    from contracts.excerpt import with_lines
    from reports import findings, sarif, writer

    verdict = with_lines(result.verdict, most=_KEPT)
    written = [path.name for path in writer.write_all(verdict, out)]
    for name, text in (
        ("audit.md", lead.render(verdict, result.project)),
        ("modules.md", status.render(result.project)),
    ):
        (out / name).write_text(text)
        written.append(name)
    if form == "json":
        click.echo(verdict.to_json(), nl=False)
    elif form == "sarif":
        click.echo(sarif.render(verdict), nl=False)
    else:
        click.echo(findings.render(verdict, colour=sys.stdout.isatty(), most=_SHOWN))
        click.echo(f"written to {out}: {', '.join(written)}")
    return exit_code(verdict, strict=strict)
