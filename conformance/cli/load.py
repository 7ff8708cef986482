"""`agent-conformance load`: many users at once, judged as ever, and by objectives."""

import secrets
import shlex
from pathlib import Path
from typing import Any

import click

from conformance.cli.choose import chosen_target, target_options
from conformance.cli.known import asked as baseline_asked
from conformance.cli.known import baseline_options, gate
from conformance.cli.outcome import conclude, folder
from conformance.cli.verify import interruptible, repeated, seconds

_SHAPES = ("step", "ramp", "spike", "soak")


@click.command("load")
@target_options
@click.option("--users", type=click.IntRange(1), default=100, show_default=True, help="How many users there are.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Begin so many runs a second, come what may.")
@click.option("--duration", "duration_s", callback=seconds, default="60s", show_default=True, help="How long.")
@click.option(
    "--spawn-rate", type=click.FloatRange(0, min_open=True), help="Users to come a second (default: 5 s in all)."
)
@click.option("--shape", type=click.Choice(_SHAPES), help="How the load goes up and down (default: soak).")
@click.option(
    "--capacity", is_flag=True, help="Search the highest rate at which all objectives are met, from --rate on."
)
@click.option("--plan", "goal", type=click.IntRange(1), metavar="CONNECTIONS", help="What so many connections need.")
@click.option("--processes", type=click.IntRange(1), help="So many workers on this machine, and a master.")
@click.option("--web", is_flag=True, help="Wait on Locust's web page for the load to be started.")
@click.option("--metrics", metavar="[HOST:]PORT", help="Serve /metrics for Prometheus there.")
@click.option("--fail-fast", is_flag=True, help="End with the first violation of a requirement.")
@click.option("--seed", type=click.IntRange(0), help="Repeat the random choices of a load (default: a new one).")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Where to write the reports.")
@baseline_options
@click.option("--strict", is_flag=True, help="A violated SHOULD and an undecided MUST fail, too.")
@click.option("--json", "as_json", is_flag=True, help="Print verdict.json on stdout.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def command(
    users: int,
    rate: float | None,
    duration_s: float,
    spawn_rate: float | None,
    shape: str | None,
    capacity: bool,
    goal: int | None,
    processes: int | None,
    web: bool,
    metrics: str | None,
    fail_fast: bool,
    seed: int | None,
    out: Path | None,
    known_file: Path | None,
    write_baseline: bool,
    strict: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Load a target with many users, judge every event, and hold it to its objectives ([objectives]).

    \b
      agent-conformance load --reference --users 500 --duration 60s
      agent-conformance load --target target.toml --rate 50 --duration 5m
      agent-conformance load --target target.toml --rate 10 --capacity --duration 30s
      agent-conformance load --reference --plan 100000
    """
    from load import command as load
    from load.plan import plan

    target = load.for_load(chosen_target(options))
    known = baseline_asked(known_file, write=write_baseline)
    chosen_seed = secrets.randbelow(2**32) if seed is None else seed
    directory = folder(out, "load")
    asked = load.Asked(
        out=directory,
        users=users,
        rate=rate,
        duration_s=duration_s,
        spawn_rate=spawn_rate,
        shape=shape,
        processes=processes,
        web=web,
        fail_fast=fail_fast,
        metrics=metrics,
        seed=chosen_seed,
        repeat=shlex.join(repeated(chosen_seed)),
        quiet=quiet,
    )
    if goal is not None:
        click.echo(interruptible(plan(target, asked, goal), hint="interrupted"))
        return 0
    work = (
        load.search(target, asked, tell=lambda line: click.echo(line, err=True))
        if capacity
        else load.run(target, asked)
    )
    verdict = interruptible(work, hint="interrupted")
    code = conclude(verdict, out=directory, as_json=as_json, strict=strict, history=directory)
    return code if known is None else gate(verdict, known, strict=strict, write=write_baseline, err=as_json)
