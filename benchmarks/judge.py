"""How fast a long history is judged, and in how much memory, beside the plain decoding of its lines.

python -m benchmarks.judge [--events N]
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from benchmarks.history import LENGTHS, Generator
from conformance.catalogue import Catalogue, load
from conformance.rejudge import judge_recording
from conformance.verdict import Verdict

_GOAL_PER_S = 300_000
_GOAL_MB = 150
_TIMES = 3
_SHAPES = (LENGTHS, *((length,) for length in LENGTHS))


class Figures(NamedTuple):
    """Seconds taken, events or lines seen, and the peak of the process's memory in MB."""

    seconds: float
    seen: int
    peak_mb: float


def main() -> int:
    """Measure histories of several shapes. Returns 1 where the first, the one with the goals, misses one."""
    parser = argparse.ArgumentParser(description="Measure how fast a long history is judged.")
    parser.add_argument("--events", type=int, default=1_000_000, help="run events in the history (default 1,000,000)")
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return child(_CHILDREN, *options.child)
    met = [_measure(options.events, lengths) for lengths in _SHAPES]
    return 0 if met[0] else 1


def _measure(events: int, lengths: Sequence[int]) -> bool:
    """Print the figures for runs of these lengths, in equal numbers; tell whether the goals are met."""
    with tempfile.TemporaryDirectory(prefix="conformance-bench-") as folder:
        path = Path(folder) / "history.jsonl"
        told = ", ".join(map(str, lengths))
        sys.stderr.write(f"writing a history of {events:,} events, {told} a run …\n")
        with path.open("wb") as file:
            file.writelines(Generator(events=events, lengths=lengths).lines())
        judged = [run_child("benchmarks.judge", "judge", path) for _ in range(_TIMES)]
        decoded = [run_child("benchmarks.judge", "decode", path) for _ in range(_TIMES)]
    sys.stdout.write(f"runs of {told} events: {judged[0].seen:,} events judged\n")
    return print_figures("judge_recording", judged, decoded)


def print_figures(what: str, judged: list[Figures], decoded: list[Figures]) -> bool:
    """Print the medians of judging beside those of plain decoding; tell whether the goals are met."""
    rate = statistics.median(figures.seen / figures.seconds for figures in judged)
    plain = statistics.median(figures.seen / figures.seconds for figures in decoded)
    peak = max(figures.peak_mb for figures in judged)
    sys.stdout.write(
        f"  {what:17} {rate:11,.0f} events/s   peak {peak:5.0f} MB   (median of {len(judged)}, one core)\n"
        f"  msgspec decode    {plain:11,.0f} lines/s    ratio {rate / plain:.2f}\n"
        f"  goal {_GOAL_PER_S:,} events/s: {_told(rate >= _GOAL_PER_S)}\n"
        f"  goal {_GOAL_MB} MB: {_told(peak <= _GOAL_MB)}\n"
    )
    sys.stdout.flush()
    return rate >= _GOAL_PER_S and peak <= _GOAL_MB


def _told(met: bool) -> str:
    return "met" if met else "MISSED"


def run_child(module: str, what: str, path: Path) -> Figures:
    """Measure in a process of its own."""
    command = [sys.executable, "-m", module, "--child", what, str(path)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return Figures(float(answer[0]), int(answer[1]), float(answer[2]))


def child(measures: Mapping[str, Callable[[Path], tuple[float, int]]], what: str, file: str) -> int:
    """Be that process: measure, and print the figures."""
    seconds, count = measures[what](Path(file))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"{seconds} {count} {peak}\n")
    return 0


def on_one_core() -> None:
    """Keep this process on one core, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def time_judging(path: Path, judge: Callable[[IO[bytes], Catalogue], Verdict]) -> tuple[float, int]:
    """Judge a faultless file; return the seconds that it took, and its run events."""
    on_one_core()
    catalogue = load()
    began = time.perf_counter()
    with path.open("rb") as lines:
        verdict = judge(lines, catalogue)
    seconds = time.perf_counter() - began
    if verdict.findings or verdict.harness_errors:
        raise SystemExit(f"{path.name} is faultless, and yet: {verdict.findings or verdict.harness_errors}")
    return seconds, verdict.events


def _judge(path: Path) -> tuple[float, int]:
    """Judge a history as the command does."""
    return time_judging(path, lambda lines, catalogue: judge_recording(lines, name=path.name, catalogue=catalogue))


def _decode(path: Path) -> tuple[float, int]:
    """Decode every line, and nothing else."""
    on_one_core()
    decode = msgspec.json.Decoder().decode
    count = 0
    began = time.perf_counter()
    with path.open("rb") as lines:
        for line in lines:
            decode(line)
            count += 1
    return time.perf_counter() - began, count


_CHILDREN = {"judge": _judge, "decode": _decode}


if __name__ == "__main__":
    sys.exit(main())
