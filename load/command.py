"""What `agent-conformance load` does: start the target, have Locust load it, and read the verdict."""

import asyncio
import math
import os
import resource
import secrets
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path
from typing import IO

import msgspec
from msgspec.structs import replace

from conformance.errors import HarnessError, UsageError
from conformance.launch import free_port
from conformance.runner import running, spoken
from conformance.target import Target
from conformance.verdict import Met, Verdict
from load.objectives import wanted
from load.result import within
from load.settings import FILE, Settings

_LOCUSTFILE = Path(__file__).with_name("locustfile.py")
_SPAWNED_IN_S = 5.0
_REFERENCE_SECRET = "REFERENCE_JWT_SECRET"
_SECRET = "LOAD_REFERENCE_SECRET"
_LAST_WORDS = 2000
_CLOSE_ENOUGH = 1.15


@dataclass(frozen=True)
class Asked:
    """How to load: `users` who think between runs, or runs that begin at a `rate` a second (open model)."""

    out: Path
    users: int = 100
    rate: float | None = None
    duration_s: float = 60.0
    spawn_rate: float | None = None
    shape: str | None = None
    processes: int | None = None
    web: bool = False
    fail_fast: bool = False
    metrics: str | None = None
    seed: int = 0
    repeat: str | None = None
    quiet: bool = True


def for_load(target: Target) -> Target:
    """Return a target as it is loaded: the reference engine as in production, with a secret that can be handed on."""
    wanted(target)
    table = target.target
    if target.auth.secret_env != _REFERENCE_SECRET or table.command is None:
        return target
    os.environ[_SECRET] = secrets.token_urlsafe(48)
    command = table.command.replace(_REFERENCE_SECRET, _SECRET)
    command = command.replace("--heartbeat-s 1 ", "--heartbeat-s 25 ").replace("--run-limit-s 7 ", "--run-limit-s 60 ")
    return replace(
        target,
        target=replace(table, command=command),
        auth=replace(target.auth, secret_env=_SECRET),
        bounds=replace(target.bounds, run_limit_s=60),
    )


async def run(target: Target, asked: Asked) -> Verdict:
    """Load a target; return the verdict. Raises `ConformanceError`."""
    spoken(target)
    _allow_files()
    async with running(target, asked.out, {}) as (url, _, _launched):
        return await load_at(url, target, asked)


async def load_at(url: str, target: Target, asked: Asked) -> Verdict:
    """Load a target that listens at `url`."""
    out = asked.out
    users = asked.users if asked.rate is None else max(1, math.ceil(asked.rate))
    settings = Settings(
        target=target,
        url=url,
        out=str(out),
        seed=asked.seed,
        rate=None if asked.rate is None else asked.rate / users,
        shape=asked.shape,
        users=users,
        duration_s=asked.duration_s,
        repeat=asked.repeat,
        fail_fast=asked.fail_fast,
        metrics=asked.metrics,
    )
    settings.write(out / "load.json")
    verdict = out / "verdict.json"
    verdict.unlink(missing_ok=True)
    words = [sys.executable, "-m", "locust", "-f", str(_LOCUSTFILE), "--host", url, "-u", str(users)]
    words += ["-r", f"{asked.spawn_rate or max(1.0, users / _SPAWNED_IN_S):g}"]
    words += ["-t", f"{math.ceil(asked.duration_s)}s", "--csv", str(out / "locust"), "--skip-log-setup"]
    words += [] if asked.web else ["--headless", "--only-summary"]
    if asked.processes:
        port = str(free_port())
        words += ["--processes", str(asked.processes), "--master-bind-port", port, "--master-port", port]
    with (out / "locust.out").open("wb") as output:
        code = await _locust(words, {FILE: str(out / "load.json")}, output, quiet=asked.quiet)
    if not verdict.exists():
        raise HarnessError(f"Locust exited with {code} and left no verdict{_last_words(out)}")
    return msgspec.json.decode(verdict.read_bytes(), type=Verdict)


async def _locust(words: list[str], variables: Mapping[str, str], output: IO[bytes], *, quiet: bool) -> int:
    process = await asyncio.create_subprocess_exec(
        *words,
        env={**os.environ, **variables},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output if quiet else None,
        start_new_session=True,
    )
    try:
        return await process.wait()
    except asyncio.CancelledError:
        os.killpg(process.pid, signal.SIGTERM)
        await process.wait()
        raise


def _last_words(out: Path) -> str:
    texts = [path.read_text(errors="replace") for path in (out / "locust.out",) if path.exists()]
    text = "\n".join(texts).strip()[-_LAST_WORDS:]
    return f"\nits last output ({out}):\n{text}" if text else ""


def _allow_files() -> None:
    """Let this process and its children open as many files as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def search(target: Target, asked: Asked, *, tell: Callable[[str], None]) -> Verdict:
    """Search the highest rate at which all objectives are met; return the verdict on it, or on the lowest tried.

    Each rate is tried for `duration_s`: doubled as long as all are met, then halved between what was met and what was
    not, until these are close. Each step is decided at 95 % confidence; what stays undecided counts as not met.
    """
    if asked.rate is None:
        raise UsageError("--capacity: say --rate R, where to begin")
    spoken(target)
    _allow_files()
    best: Verdict | None = None
    low, high, rate = 0.0, math.inf, asked.rate
    async with running(target, asked.out, {}) as (url, _, _launched):
        while high > low * _CLOSE_ENOUGH:
            folder = asked.out / f"rate-{rate:g}"
            folder.mkdir(exist_ok=True)
            verdict = await load_at(url, target, changed(asked, out=folder, rate=rate))
            met = all(each.verdict is Met.MET for each in verdict.objectives) and not verdict.findings
            tell(f"{rate:g} runs/s: {'all objectives met' if met else _not_met(verdict)}")
            if met or best is None:
                best = within(verdict, folder.name)
            low, high = (rate, high) if met else (low, rate)
            rate = round(rate * 2 if high == math.inf else (low + high) / 2, 2)
            if not low and high <= asked.rate / 8:
                break
    assert best is not None
    between = f"at least {low:g} runs/s, less than {high:g} runs/s" if low else f"less than {high:g} runs/s"
    return replace(best, warnings=(f"capacity: {between} (95 % confidence for each step)", *best.warnings))


def _not_met(verdict: Verdict) -> str:
    told = [
        f"{each.name} {each.verdict.value}: {each.reason}" for each in verdict.objectives if each.verdict is not Met.MET
    ]
    told += [f"{each.requirement} {each.message}" for each in verdict.findings[:3]]
    return "; ".join(told)
