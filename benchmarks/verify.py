"""How long it takes to verify the reference engine, quick and full, as whole processes."""

import statistics
import subprocess
import sys
import tempfile
import time

_RUNS = 3
_GOALS_S = {"quick": 15.0, "full": 90.0}


def main() -> int:
    """Run both profiles a few times; print the median in seconds beside its goal. Returns 1 where one is missed."""
    missed = 0
    for profile, goal in _GOALS_S.items():
        times = [_once(profile) for _ in range(_RUNS)]
        median = statistics.median(times)
        missed += median > goal
        verdict = "met" if median <= goal else "MISSED"
        sys.stdout.write(
            f"verify --reference --profile {profile:<5}  median {median:5.1f} s of {_RUNS} "
            f"({min(times):.1f} to {max(times):.1f})   goal {goal:.0f} s: {verdict}\n"
        )
    return 1 if missed else 0


def _once(profile: str) -> float:
    command = "from conformance.cli import main; main()"
    with tempfile.TemporaryDirectory(prefix="conformance-bench-") as out:
        words = ["verify", "--reference", "--profile", profile, "--quiet", "--out", out]
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", command, *words], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
