"""`agent-conformance audit`: judge a source tree."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance.cli.known import asked, baseline_options
from conformance.cli.outcome import folder, selected
from conformance.verdict import exit_code

if TYPE_CHECKING:
    from conformance.baseline import Baseline
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
@baseline_options
@click.option("--strict", is_flag=True, help="A violated SHOULD and an undecided MUST fail, too.")
@click.option("--suggest", is_flag=True, help="Propose a contracts.toml for the tree, and judge nothing.")
@click.option("--no-cache", is_flag=True, help="Read and parse every file anew, and keep nothing.")
def command(
    paths: tuple[Path, ...],
    file: Path | None,
    form: str,
    only: str | None,
    out: Path | None,
    since: str | None,
    known_file: Path | None,
    write_baseline: bool,
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
      agent-conformance audit . --write-baseline
    """
    from conformance.judge import collecting_seldom
    from contracts.audit import Options, audit
    from contracts.config import find, load, parse
    from contracts.scan import CACHE

    place = file or find(paths[0])
    config = load(place) if place is not None else parse({}, path=Path("contracts.toml"))
    if suggest:
        return _suggest(paths, config)
    known = asked(known_file, write=write_baseline)
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
    untrue: list[str] = []
    if known is not None:
        result, untrue = _without_known(result, known, write=write_baseline, whole=since is None, err=form != "text")
    code = _conclude(result, form=form, out=folder(out, "audit"), strict=strict)
    if untrue:
        click.echo("\n".join(untrue), err=form != "text")
    return 1 if untrue and code in (0, 2) else code


def _suggest(paths: tuple[Path, ...], config: "Config") -> int:
    """Print a proposal for a configuration."""
    from contracts.audit import read
    from contracts.suggest import suggest

    click.echo(suggest(read(paths, config)), nl=False)
    return 0


def _without_known(
    result: "Audit", known: "Baseline", *, write: bool, whole: bool, err: bool
) -> "tuple[Audit, list[str]]":
    """Take the known violations out of a verdict; say what in the baseline is not true.

    Where the verdict is on what a change brought and not on the `whole`, nothing is stale.
    """
    from conformance.cli.known import add, compared, untrue
    from contracts.debt import without_known

    comparison = compared(result.verdict, known)
    if write:
        add([new.finding for new in comparison.new if new.finding is not None], Path(known.path), err=err)
    if not whole:
        comparison = replace(comparison, stale=())
    return without_known(result, comparison), list(untrue(comparison, known.path, result.verdict))


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
