"""`agent-conformance verify`: drive a target and judge it."""

import asyncio
import re
import secrets
import shlex
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from conformance.cli import known
from conformance.cli.advice import advice
from conformance.cli.choose import chosen_target, target_options
from conformance.cli.outcome import conclude, folder, selected

if TYPE_CHECKING:
    from conformance.explore.explorer import Exploration

_UNITS_S = {"s": 1, "m": 60, "h": 3600}
_FULL_EXPLORES_S = 15.0
T = TypeVar("T")


def seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Return the seconds of a time such as 45s, 5m or 1h."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", value)
    if found is None:
        raise click.BadParameter(f"{value!r}: expected a time such as 45s, 5m or 1h", ctx, param)
    return float(found[1]) * _UNITS_S[found[2] or "s"]


@click.command("verify")
@target_options
@click.option("--only", metavar="ID,FAMILY", help="Only these requirements, and the scenarios that they need.")
@click.option("--profile", type=click.Choice(["quick", "full"]), default="quick", show_default=True)
@click.option(
    "--explore",
    "explore_s",
    callback=seconds,
    metavar="DURATION",
    help="Then take random steps as users, as long as that, e.g. 5m; what fails is made small and written to a file. "
    f"(default: {_FULL_EXPLORES_S:.0f}s in the full profile)",
)
@click.option(
    "--scenario",
    "files",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="Take the steps of a scenario file, and nothing else; may be repeated.",
)
@click.option("--users", type=click.IntRange(2, 10_000), help="How many users make a crowd.")
@click.option("--seed", type=click.IntRange(0), help="Repeat the random choices of a run (default: a new one).")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Where to write the reports.")
@known.baseline_options
@click.option("--strict", is_flag=True, help="A violated SHOULD and an undecided MUST fail, too.")
@click.option("--json", "as_json", is_flag=True, help="Print verdict.json on stdout.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def command(
    only: str | None,
    profile: str,
    explore_s: float | None,
    files: tuple[Path, ...],
    users: int | None,
    seed: int | None,
    out: Path | None,
    known_file: Path | None,
    write_baseline: bool,
    strict: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Drive a target as many users at once, judge what it does, and prove each violation.

    A URL alone is enough to begin with: at the end it says what could not be judged, and what to put into a target file
    so that it can be.

    \b
      agent-conformance verify --reference
      agent-conformance verify --target target.toml --profile full --strict
      agent-conformance verify --url ws://127.0.0.1:8000/ws --secret-env JWT_SECRET
      agent-conformance verify --app mypkg.main:app --only ISO,EVT-05
      agent-conformance verify --target target.toml --write-baseline
      agent-conformance verify --target target.toml --baseline baseline.toml
      agent-conformance verify --target target.toml --explore 5m
      agent-conformance verify --target target.toml --scenario reports/out/verify-…/ISO-01.toml
    """
    from conformance.catalogue import load
    from conformance.cli.progress import LiveProgress
    from conformance.runner import Options, chosen, verify
    from conformance.scenarios.replay import replay
    from conformance.scenarios.scenario import Profile

    file, own = options["file"], not options["reference"]
    target = chosen_target(options)
    names = selected(only)
    baseline = known.asked(known_file, write=write_baseline)
    chosen_seed = secrets.randbelow(2**32) if seed is None else seed
    directory = folder(out, "verify")
    with LiveProgress(quiet=quiet) as progress:
        verdict = interruptible(
            verify(
                target,
                Options(
                    out=directory,
                    profile=Profile(profile),
                    users=users,
                    seed=chosen_seed,
                    only=names,
                    repeat=shlex.join(repeated(chosen_seed)),
                    files=files,
                    explore_s=_exploration_s(explore_s, profile, files=files, only=names),
                ),
                progress,
            ),
            hint=f"interrupted; what was recorded so far: agent-conformance check {directory / 'history.jsonl'}",
        )
    history = directory / "history.jsonl"
    code = conclude(verdict, out=directory, as_json=as_json, strict=strict, history=history)
    if baseline is not None:
        played = [scenario.name for scenario in (map(replay, files) if files else chosen(names, load()))]
        code = known.gate(verdict, baseline, strict=strict, write=write_baseline, err=as_json, played=played)
    if own and (missing := advice(target, verdict)):
        place = f"add to {file}" if file else "write target.toml (`agent-conformance init URL` does), with"
        click.echo(f"\nTo have more decided, {place}:\n\n{missing}", err=as_json)
    if progress.exploration is not None:
        _tell(progress.exploration, err=as_json)
    return code


def _exploration_s(given: float | None, profile: str, *, files: tuple[Path, ...], only: tuple[str, ...]) -> float:
    """Return how long to explore, in s: as long as was asked for; a while where everything is asked for."""
    if given is not None:
        return given
    return _FULL_EXPLORES_S if profile == "full" and not files and not only else 0.0


def _tell(exploration: "Exploration", *, err: bool) -> None:
    """Print what the exploration found, each with its scenario file."""
    click.echo(f"explored {exploration.examples:,} examples of {exploration.steps:,} steps in all", err=err)
    for found in exploration.found:
        click.echo(
            f"\n{found.requirement} after {found.after_s:.1f} s, {found.examples:,} examples: {found.message}\n"
            f"{len(found.steps)} steps, again in {found.reproduced} of {found.tried} repeats: "
            f"agent-conformance verify … --scenario {found.path}\n\n{found.path.read_text().rstrip()}",
            err=err,
        )


def repeated(seed: int) -> list[str]:
    """Return the command that repeats this one: the same arguments, with the seed, without output options."""
    words: list[str] = []
    given: list[str] = click.get_current_context().obj
    arguments = iter(given)
    for word in arguments:
        if word in ("--seed", "--out"):
            next(arguments, None)
        elif word not in ("--json", "--quiet", "--write-baseline") and not word.startswith(("--seed=", "--out=")):
            words.append(word)
    return ["agent-conformance", *words, "--seed", str(seed)]


def interruptible(work: Coroutine[Any, Any, T], *, hint: str) -> T:
    """Run `work`; Ctrl-C, SIGTERM and SIGHUP cancel it so that it cleans up, and then end the command with 130."""

    async def run() -> T:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel)
        return await task

    try:
        return asyncio.run(run())
    except (asyncio.CancelledError, KeyboardInterrupt):
        click.echo(hint, err=True)
        raise click.Abort from None
