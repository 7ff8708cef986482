"""`make interop`: run the kit against the agents of others, and hold the verdicts against their baselines."""

import argparse
import os
import secrets
import sys
from pathlib import Path

from conformance.errors import ConformanceError
from tests.interop.suite import Suite

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
    parser.add_argument(
        "--rounds", type=int, default=1, help="how often each is driven, with another seed (default: 1)"
    )
    parser.add_argument("--again", action="store_true", help="judge the verdicts of the last run, driving nothing")
    given = parser.parse_args(words)
    os.environ.setdefault("INTEROP_SECRET", secrets.token_urlsafe(48))
    names = tuple(given.names)
    try:
        holds = suite.judge_again(names) if given.again else suite.run(names, seeds=tuple(range(1, given.rounds + 1)))
        if holds and not names:
            suite.write_report()
            print(f"written: {suite.report}")
    except ConformanceError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print("every baseline holds" if holds else "a baseline does not hold: see NEW, STALE and EXPIRED above")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
