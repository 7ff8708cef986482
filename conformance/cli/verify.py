"""`agent-conformance verify`: drive a target and judge it."""

import asyncio
import secrets
import shlex
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click

from conformance.cli.choose import chosen_target, target_options
from conformance.cli.outcome import conclude, folder, selected

T = TypeVar("T")


@click.command("verify")
@target_options
@click.option("--only", metavar="ID,FAMILY", help="Only these requirements, and the scenarios that they need.")
@click.option("--profile", type=click.Choice(["quick", "full"]), default="quick", show_default=True)
@click.option("--users", type=click.IntRange(2, 10_000), help="How many users make a crowd.")
@click.option("--seed", type=click.IntRange(0), help="Repeat the random choices of a run (default: a new one).")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Where to write the reports.")
@click.option("--strict", is_flag=True, help="A violated SHOULD and an undecided MUST fail, too.")
@click.option("--json", "as_json", is_flag=True, help="Print verdict.json on stdout.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def command(
    only: str | None,
    profile: str,
    users: int | None,
    seed: int | None,
    out: Path | None,
    strict: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Drive a target as many users at once, judge what it does, and prove each violation.

    \b
      agent-conformance verify --reference
      agent-conformance verify --target target.toml --profile full --strict
      agent-conformance verify --url ws://127.0.0.1:8000/ws --secret-env JWT_SECRET
      agent-conformance verify --app mypkg.main:app --only ISO,EVT-05
    """
    from conformance.cli.progress import LiveProgress
    from conformance.runner import Options, verify
    from conformance.scenarios.scenario import Profile

    target = chosen_target(options)
    names = selected(only)
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
                    repeat=_repeat(chosen_seed),
                ),
                progress,
            ),
            hint=f"interrupted; what was recorded so far: agent-conformance check {directory / 'history.jsonl'}",
        )
    return conclude(verdict, out=directory, as_json=as_json, strict=strict)


def _repeat(seed: int) -> str:
    """Return the command that repeats this one: the same arguments, with the seed, without output options."""
    words: list[str] = []
    given: list[str] = click.get_current_context().obj
    arguments = iter(given)
    for word in arguments:
        if word in ("--seed", "--out"):
            next(arguments, None)
        elif word not in ("--json", "--quiet") and not word.startswith(("--seed=", "--out=")):
            words.append(word)
    return shlex.join(["agent-conformance", *words, "--seed", str(seed)])


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
