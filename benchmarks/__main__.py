"""All benchmarks that hold the kit to its goals, one after the other. Exits with 1 where one of them misses a goal.

python -m benchmarks [NAME …]
"""

import argparse
import platform
import subprocess
import sys

_ALL = ("startup", "judge", "ag_ui", "audit", "verify", "load", "engine")


def main() -> int:
    """Run them, each in a process of its own, and say which missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", help=f"{', '.join(_ALL)} (default: all)")
    names = parser.parse_args().name or _ALL
    if unknown := sorted({*names} - {*_ALL}):
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(_ALL)}")
    interpreter = f"{platform.python_implementation()} {' '.join(sys.version.split())}"
    sys.stdout.write(f"measured with {interpreter}, {platform.machine()}\n")
    missed = []
    for name in names:
        sys.stdout.write(f"\n{name}\n")
        sys.stdout.flush()
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            missed.append(name)
    sys.stdout.write(f"\nmissed: {', '.join(missed)}\n" if missed else "\nall goals are met\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
