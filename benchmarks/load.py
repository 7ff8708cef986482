"""How fast the load generator judges what it receives, beside clients that only receive, in one run.

The server is kept on one core, each client in turn on another; figures are medians of several turns. The shape with the
goals is that of `benchmarks.judge`: runs of several lengths, each asked for as often as the others.

python -m benchmarks.load [--seconds S]
"""

import argparse
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from benchmarks.history import LENGTHS

_CONNECTIONS = 200
_IDLE = 5_000
_PACED = 1_000
_CHAT = (20,)
_TIMES = 3
_GOAL_PER_S = 90_000
_GOAL_OF_RECEIVING = 0.5
_GOAL_OF_LOCUST = 7.0
_GOAL_LATENCY = 3.0
_GOAL_KB = 20.0
Rates = dict[str, float]


class Served:
    """A bare fast server, in a process of its own."""

    def __enter__(self) -> int:
        self._process = subprocess.Popen(_child("server"), stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def _child(name: str, *words: object) -> list[str]:
    quiet = ["-W", "ignore:Monkey-patching"]  # what Locust's own import makes gevent say
    return [sys.executable, *quiet, "-m", "benchmarks.load_clients", name, *map(str, words)]


def _figures(name: str, *words: object) -> dict[str, Any]:
    """Run a client against a fresh server; return what it prints."""
    with Served() as port:
        told = subprocess.run(_child(name, port, *words), check=True, stdout=subprocess.PIPE).stdout
    figures: dict[str, Any] = msgspec.json.decode(told.splitlines()[-1])
    return figures


def main() -> int:
    """Measure; print the ratios side by side. Returns 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description="Measure the load generator.")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each client, each time (default 4)")
    seconds = parser.parse_args().seconds
    turns = _turns(seconds, LENGTHS)
    met = [
        _goal("judged", _median(turns, "judge"), _GOAL_PER_S, "events/s per core"),
        _goal("of receiving only", _ratio(turns, "receive"), _GOAL_OF_RECEIVING, "times"),
        _goal("of Locust with websocket-client", _ratio(turns, "locust"), _GOAL_OF_LOCUST, "times"),
    ]
    turns = _turns(seconds / 2, _CHAT)
    for name in ("receive", "locust"):
        sys.stdout.write(f"  judging is {_ratio(turns, name):.2f} times {_NAMES[name]}\n")
    met += [*_latencies(seconds), _memory()]
    return 0 if all(met) else 1


def _turns(seconds: float, lengths: Sequence[int]) -> list[Rates]:
    """Measure the clients by turns, with runs of these lengths, and print the medians."""
    sys.stdout.write(f"runs of {', '.join(map(str, lengths))} events\n")
    turns = [{name: _rate(name, seconds, lengths) for name in _NAMES} for _ in range(_TIMES)]
    for name, title in _NAMES.items():
        each = ", ".join(f"{rates[name]:,.0f}" for rates in turns)
        sys.stdout.write(f"  {title:36} {_median(turns, name):10,.0f} events/s per core   (of {each})\n")
    sys.stdout.flush()
    return turns


def _rate(name: str, seconds: float, lengths: Sequence[int]) -> float:
    """Return how many events of such runs a client takes in a second of CPU."""
    figures = _figures(name, _CONNECTIONS, seconds, ",".join(map(str, lengths)))
    if figures.get("findings"):
        sys.stdout.write(f"  findings: {figures['findings']}\n")
    rate: float = figures["events"] / figures["cpu_s"]
    return rate


def _median(turns: list[Rates], name: str) -> float:
    return statistics.median(rates[name] for rates in turns)


def _ratio(turns: list[Rates], other: str) -> float:
    """Return how fast the generator is, beside another client in the same turn."""
    return statistics.median(rates["judge"] / rates[other] for rates in turns)


_NAMES = {
    "receive": "receive only (picows, uvloop)",
    "judge": "the generator, judging every event",
    "locust": "Locust with websocket-client",
}


def _latencies(seconds: float) -> list[bool]:
    receive, judge = (_figures(name, _CONNECTIONS, seconds, *_CHAT, _PACED) for name in ("receive", "judge"))
    met = []
    for percent in ("p50", "p99"):
        ratio = judge[percent] / receive[percent]
        sys.stdout.write(
            f"delivery at {_PACED:,} events/s, {percent}: receive only {receive[percent]:.2f} ms, "
            f"judging {judge[percent]:.2f} ms, ratio {ratio:.2f}\n"
        )
        met.append(_goal(f"latency {percent} of receiving only", ratio, _GOAL_LATENCY, "times", most=True))
    return met


def _memory() -> bool:
    figures = _figures("idle", _IDLE)
    each = figures["kb"] / _IDLE
    return _goal(f"memory a connection, of {_IDLE:,}", each, _GOAL_KB, "kB", most=True)


def _goal(name: str, value: float, goal: float, unit: str, *, most: bool = False) -> bool:
    met = value <= goal if most else value >= goal
    least = "at most" if most else "at least"
    sys.stdout.write(f"  {name}: {value:,.2f} {unit}, goal {least} {goal:,g}: {'met' if met else 'MISSED'}\n")
    sys.stdout.flush()
    return met


if __name__ == "__main__":
    sys.exit(main())
