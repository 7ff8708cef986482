"""How soon the explorer finds a defect that hides behind a rare interleaving, and to how few steps it reduces it."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from conformance.explore.explorer import Exploration
from conformance.runner import Options, Silent, reference, verify

_FAULT = "resubscribed-to-the-wrong-tool"
_WITHIN_S = 60.0
_FEWEST_STEPS = 6
_SEEDS = 10
_GOAL = 0.9


class _Result(Silent):
    """Keeps what came of the exploration."""

    exploration: Exploration | None = None

    def explored(self, exploration: Exploration) -> None:
        """Keep it."""
        self.exploration = exploration


def main() -> int:
    """Explore with each seed; print what was found. Returns 1 where too few found it in time and small enough."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=_SEEDS)
    seeds = range(1, parser.parse_args().seeds + 1)
    met = sum([_met(seed) for seed in seeds])
    goal = f"goal {_GOAL:.0%} within {_WITHIN_S:.0f} s and {_FEWEST_STEPS} steps"
    enough = met >= _GOAL * len(seeds)
    sys.stdout.write(f"{met} of {len(seeds)} seeds   {goal}: {'met' if enough else 'MISSED'}\n")
    return 0 if enough else 1


def _met(seed: int) -> bool:
    result = _Result()
    with tempfile.TemporaryDirectory(prefix="conformance-bench-") as out:
        options = Options(Path(out), seed=seed, only=("ISO-01",), explore_s=_WITHIN_S)
        asyncio.run(verify(reference(fault=_FAULT), options, result))
    exploration = result.exploration
    assert exploration is not None
    for found in exploration.found:
        sys.stdout.write(
            f"seed {seed:>3}  found after {found.after_s:4.1f} s, {found.examples:>3} examples; "
            f"{len(found.steps)} steps, which show it again in {found.reproduced} of {found.tried} repeats\n"
        )
        sys.stdout.flush()
        return found.after_s <= _WITHIN_S and len(found.steps) <= _FEWEST_STEPS
    sys.stdout.write(f"seed {seed:>3}  not found in {exploration.examples} examples\n")
    return False


if __name__ == "__main__":
    sys.exit(main())
