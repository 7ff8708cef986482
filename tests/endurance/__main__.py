"""`make endurance`: what the reference engine bears, and what it takes."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.endurance.crash import crash
from tests.endurance.memory import measure


def main(words: list[str]) -> int:
    """Print the figures. Returns 1 where something was lost, doubled, or kept."""
    parser = argparse.ArgumentParser(prog="make endurance", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="kill -9 at so many random moments (default: 50)")
    parser.add_argument("--users", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--connections", type=int, default=500, help="idle ones (default: 500)")
    parser.add_argument("--thousands", type=int, default=10, help="of runs (default: 10)")
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="endurance-") as folder:
        journal = Path(folder) / "crash.sqlite"
        crashed = asyncio.run(crash(journal, kills=given.kills, users=given.users, seed=given.seed))
        print(
            f"{crashed.kills} times kill -9, {crashed.kills_at_start} of them while it started: {crashed.accepted:,}"
            f" runs accepted, {crashed.interrupted} of them interrupted, {crashed.events:,} events told;"
            f" vanished, lost or doubled: {len(crashed.problems)}"
        )
        print("".join(f"  {problem}\n" for problem in crashed.problems[:20]), end="")
        usage = asyncio.run(
            measure(Path(folder) / "memory.sqlite", connections=given.connections, steps=given.thousands)
        )
        sizes = ", ".join(f"{size / 2**20:.1f}" for size in usage.after)
        print(f"{usage.connections} idle connections: {usage.per_connection / 1024:.1f} KiB each")
        print(f"after each 1,000 runs: {sizes} MiB; {usage.per_step / 1024:+.1f} KiB for 1,000 finished runs")
    return 1 if crashed.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
