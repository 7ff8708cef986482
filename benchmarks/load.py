"""How fast the load generator judges what it receives, beside clients that only receive, in one run.

python -m benchmarks.load [--seconds S]
"""

import argparse
import subprocess
import sys
from typing import Any

import msgspec

_CONNECTIONS = 200
_IDLE = 5_000
_PACED = 1_000
_GOAL_PER_S = 90_000
_GOAL_OF_RECEIVING = 0.5
_GOAL_OF_LOCUST = 7.0
_GOAL_LATENCY = 3.0
_GOAL_KB = 20.0


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
    return [sys.executable, "-m", "benchmarks.load_clients", name, *map(str, words)]


def _figures(name: str, *words: object) -> dict[str, Any]:
    """Run a client against a fresh server; return what it prints."""
    with Served() as port:
        told = subprocess.run(_child(name, port, *words), check=True, stdout=subprocess.PIPE).stdout
    figures: dict[str, Any] = msgspec.json.decode(told.splitlines()[-1])
    return figures


def main() -> int:
    """Measure; print the ratios side by side. Returns 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description="Measure the load generator.")
    parser.add_argument("--seconds", type=float, default=8.0, help="for each client (default 8)")
    seconds = parser.parse_args().seconds
    rates = {}
    for name in ("receive", "judge", "locust"):
        figures = _figures(name, _CONNECTIONS, seconds)
        rates[name] = figures["events"] / figures["cpu_s"]
        sys.stdout.write(
            f"{_NAMES[name]:44} {rates[name]:10,.0f} events/s per core"
            f"   ({figures['events']:,} events, {figures['cpu_s']:.1f} s of CPU in {figures['wall_s']:.1f} s)\n"
        )
        if figures.get("findings"):
            sys.stdout.write(f"  findings: {figures['findings']}\n")
        sys.stdout.flush()
    met = [
        _goal("judged", rates["judge"], _GOAL_PER_S, "events/s per core"),
        _goal("of receiving only", rates["judge"] / rates["receive"], _GOAL_OF_RECEIVING, "times"),
        _goal("of Locust with websocket-client", rates["judge"] / rates["locust"], _GOAL_OF_LOCUST, "times"),
        *_latencies(seconds),
        _memory(),
    ]
    return 0 if all(met) else 1


_NAMES = {
    "receive": "receive only (picows, uvloop)",
    "judge": "the generator, judging every event",
    "locust": "Locust with websocket-client",
}


def _latencies(seconds: float) -> list[bool]:
    receive, judge = (_figures(f"{name}-paced", _CONNECTIONS, seconds, _PACED) for name in ("receive", "judge"))
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
