"""How soon the command answers: `--version` and `--help`, as processes, beside an interpreter that does nothing."""

import statistics
import subprocess
import sys
import time

_RUNS = 15
_GOALS_MS = {"--version": 100.0, "--help": 150.0}
_COMMAND = "import sys; from conformance.cli import main; main(sys.argv[1:])"


def main() -> int:
    """Print the median of each in ms beside its goal, measured by turns. Returns 1 where one is missed."""
    times: dict[str, list[float]] = {name: [] for name in ("pass", *_GOALS_MS)}
    for _ in range(_RUNS):
        times["pass"].append(_once("-c", "pass"))
        for option in _GOALS_MS:
            times[option].append(_once("-c", _COMMAND, option))
    bare = statistics.median(times["pass"])
    sys.stdout.write(f"python -c pass                median {bare:5.0f} ms of {_RUNS}\n")
    missed = 0
    for option, goal in _GOALS_MS.items():
        median = statistics.median(times[option])
        missed += median > goal
        verdict = "met" if median <= goal else "MISSED"
        sys.stdout.write(
            f"agent-conformance {option:<11} median {median:5.0f} ms, {median / bare:.1f} times that   "
            f"goal {goal:.0f} ms: {verdict}\n"
        )
    return 1 if missed else 0


def _once(*words: str) -> float:
    """Return how long an interpreter takes, in ms."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    sys.exit(main())
