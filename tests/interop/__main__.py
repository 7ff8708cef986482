"""`make interop`: run the kit against the agents of others, and hold the verdicts against their baselines."""

import argparse
import sys
import time
from pathlib import Path

from conformance.errors import ConformanceError
from tests.interop.suite import Plan, Suite

_ROOT = Path(__file__).parents[2]
SUITE = Suite(
    home=Path(__file__).parent,
    out=_ROOT / "reports" / "out" / "interop",
    report=_ROOT / "reports" / "samples" / "interop.md",
)


def main(words: list[str], suite: Suite = SUITE) -> int:
    """Run the suite. Return 0 where every baseline holds in every round, 1 where one does not, else an exit code."""
    parser = argparse.ArgumentParser(prog="make interop", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these agents; the report is of all, so it is not written then")
    parser.add_argument("--rounds", type=int, default=1, help="how often each is driven, with another seed (1)")
    parser.add_argument("--jobs", type=int, default=2, help="how many agents are driven at once (2)")
    parser.add_argument("--only", default="", help="only these requirements or families, e.g. ISO,EVT-05")
    parser.add_argument("--again", action="store_true", help="judge what the last run left, driving nothing")
    given = parser.parse_args(words)
    only = tuple(part for part in given.only.split(",") if part)
    plan = Plan(tuple(given.names), given.rounds, given.jobs, only)
    began = time.monotonic()
    try:
        holds = suite.judge_again(plan) if given.again else suite.run(plan)
        if holds and plan.whole:
            suite.write_report()
            print(f"written: {suite.report}")
    except ConformanceError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    took = "" if given.again else f" ({time.monotonic() - began:.0f} s)"
    wrong = "a baseline does not hold: see NEW, STALE, EXPIRED and UNDECIDED above"
    print(("every baseline holds" if holds else wrong) + took)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
