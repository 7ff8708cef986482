"""Makes the sample reports anew: `make samples`. Takes a few minutes; the pictures need Chromium."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.reports.browser import browser

SAMPLES = Path(__file__).parents[2] / "reports/samples"
KIT = (sys.executable, "-c", "from conformance.cli import main; main()")
SEED = "7"
FAULTS = {
    "EVT": "missing-tool-completion",
    "SCH": "enum-not-serialised",
    "IDN": "clocked-run-ids",
    "ORD": "swapped-chunks",
    "ISO": "cross-user-leak",
    "ACC": "others-runs-readable",
    "LIF": "stop-ignored",
    "DLV": "buffered-events",
}
"""A faulty engine of each family."""
RUNS = 5
SLOW = "batched-answers"
PICTURES = (
    # file, page, element, width, dark, height
    ("violation.png", "ISO-cross-user-leak/report.html", "#violation-ISO-01", 1100, False, 1200),
    ("missing-event.png", "EVT-missing-tool-completion/report.html", "#violation-EVT-05 details", 1100, True, 700),
    ("report.png", "reference-engine/report.html", "body", 1100, False, 1200),
    ("phone.png", "ISO-cross-user-leak/report.html", "body", 390, True, 1200),
    ("stability.png", "regression/candidate/stability.html", "body", 1100, False, 1400),
)


def kit(*arguments: str) -> None:
    """Run a command of the kit; that a faulty engine fails is as it should be."""
    done = subprocess.run([*KIT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stdout}")


def verified(folder: Path, *arguments: str, kept: tuple[str, ...] = ("report.html", "report.md")) -> None:
    """Verify an engine, and keep these of its reports in a folder."""
    with TemporaryDirectory() as out:
        kit("verify", "--reference", *arguments, "--out", out, "--quiet")
        folder.mkdir(parents=True)
        for name in kept:
            shutil.copy(Path(out) / name, folder / name)
    print(folder.relative_to(SAMPLES))


def regression(folder: Path) -> None:
    """Compare an engine that is late with the reference engine, in several runs each, by turns."""
    for number in range(1, RUNS + 1):
        for side, fault in (("baseline", ()), ("candidate", ("--fault", SLOW))):
            run = (*fault, "--only", "DLV-02,EVT-01,ISO-03", "--seed", str(number))
            verified(folder / side / str(number), *run, kept=("verdict.json", "report.html"))
    kit("report", str(folder / "candidate"), "--against", str(folder / "baseline"))


def pictures() -> Iterator[Path]:
    """Take pictures of the pages."""
    with browser() as tab:
        for name, page, element, width, dark, height in PICTURES:
            tab.open(SAMPLES / page, width=width, dark=dark)
            tab.screenshot(SAMPLES / name, element, height=height)
            yield SAMPLES / name


def main() -> None:
    """Make all samples."""
    names = ["reference-engine", "regression", *(f"{family}-{fault}" for family, fault in FAULTS.items())]
    for name in names:
        shutil.rmtree(SAMPLES / name, ignore_errors=True)
    verified(SAMPLES / "reference-engine", "--seed", SEED, kept=("verdict.json", "report.html", "report.md"))
    for family, fault in FAULTS.items():
        verified(SAMPLES / f"{family}-{fault}", "--fault", fault, "--seed", SEED)
    regression(SAMPLES / "regression")
    for picture in pictures():
        print(picture.relative_to(SAMPLES))


if __name__ == "__main__":
    main()
