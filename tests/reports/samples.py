"""Makes the sample reports anew: `make samples` (ONLY="ISO regression …", ONLY=pictures). Takes minutes, and Chromium.

An agent of others is installed from PyPI, as `make interop` does.
"""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.interop.agent import agents, install
from tests.interop.suite import SECRET
from tests.load import rare
from tests.reports.browser import browser

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "reports/samples"
INTEROP = ROOT / "tests/interop"
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
REPORTS = ("report.html", "report.md")
RUNS = 5
SLOW = "batched-answers"
LOADS: dict[str, tuple[str, float] | None] = {"load": None, "load-delays": ("delays", 0.06)}
MIX = "mix = { chat = 5, tools = 3, parallel_tools = 2, long_stream = 1, reconnect = 0.5 }"
THIRD_PARTY = "pydantic-ai"
"""An agent of `tests/interop`."""
LARGEST = 150_000
PICTURES = (
    # file, page, element, width, dark, height
    ("violation.webp", "ISO-cross-user-leak/report.html", "#violation-ISO-01", 1000, False, 1500),
    ("missing-event.webp", "EVT-missing-tool-completion/report.html", "#violation-EVT-05", 1000, True, 1200),
    ("report.webp", "reference-engine/report.html", "body", 1000, False, 1200),
    ("phone.webp", "ISO-cross-user-leak/report.html", "body", 390, True, 1200),
    ("stability.webp", "regression/candidate/stability.html", "body", 1000, False, 1400),
)


def kit(*arguments: str) -> None:
    """Run a command of the kit; that a faulty engine fails is as it should be."""
    done = subprocess.run([*KIT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stdout}")


def verified(folder: Path, *, arguments: tuple[str, ...], kept: tuple[str, ...] = REPORTS) -> None:
    """Verify an engine, and keep these of its reports in a folder."""
    with TemporaryDirectory() as out:
        kit("verify", "--reference", *arguments, "--out", out, "--quiet")
        keep(Path(out), folder, kept)


def keep(out: Path, folder: Path, names: tuple[str, ...]) -> None:
    """Copy these reports into a new folder."""
    folder.mkdir(parents=True)
    for name in names:
        shutil.copy(out / name, folder / name)
    print(folder.relative_to(SAMPLES), flush=True)


def loaded(folder: Path, *, defect: tuple[str, float] | None) -> None:
    """Load the reference engine, or one with a rare defect, and keep the report."""
    os.environ.setdefault(rare.SECRET_ENV, rare.SECRET)
    target: tuple[str, ...] = ("--reference",)
    if defect is not None:
        file = ROOT / "reports/out" / f"{folder.name}.toml"
        file.parent.mkdir(exist_ok=True)
        target = ("--target", os.path.relpath(rare.target_file(file, *defect, load=MIX)))
    with TemporaryDirectory() as out:
        kit("load", *target, "--users", "200", "--duration", "40s", "--seed", SEED, "--out", out, "--quiet")
        keep(Path(out), folder, REPORTS)


def regression(folder: Path) -> None:
    """Compare an engine that is late with the reference engine, in several runs each, by turns."""
    for number in range(1, RUNS + 1):
        for side, fault in (("baseline", ()), ("candidate", ("--fault", SLOW))):
            run = (*fault, "--only", "DLV-02,EVT-01,ISO-03", "--seed", str(number))
            verified(folder / side / str(number), arguments=run, kept=("verdict.json", "report.html"))
    kit("report", str(folder / "candidate"), "--against", str(folder / "baseline"))


def third_party(folder: Path) -> None:
    """Verify an agent of others, in an environment of its own."""
    (agent,) = agents(INTEROP, (THIRD_PARTY,))
    install([agent], jobs=1)
    os.environ.setdefault(SECRET, secrets.token_urlsafe(48))
    with TemporaryDirectory() as out:
        kit("verify", "--target", os.path.relpath(agent.target), "--seed", SEED, "--out", out, "--quiet")
        keep(Path(out), folder, ("report.html", "report.md"))


def pictures() -> Iterator[Path]:
    """Take pictures of the pages."""
    with browser() as tab:
        for name, page, element, width, dark, height in PICTURES:
            tab.open(SAMPLES / page, width=width, dark=dark)
            tab.screenshot(SAMPLES / name, element, height=height)
            if (size := (SAMPLES / name).stat().st_size) > LARGEST:
                raise SystemExit(f"{name}: {size:,} bytes, expected {LARGEST:,} at most")
            yield SAMPLES / name


def main(parts: list[str]) -> None:
    """Make all samples, or those whose names begin with one of `parts`; and all pictures."""
    made: dict[str, Callable[[Path], None]] = {
        "reference-engine": partial(verified, arguments=("--seed", SEED), kept=(*REPORTS, "verdict.json")),
        **{
            f"{family}-{fault}": partial(verified, arguments=("--fault", fault, "--seed", SEED))
            for family, fault in FAULTS.items()
        },
        f"third-party-{THIRD_PARTY}": third_party,
        **{name: partial(loaded, defect=defect) for name, defect in LOADS.items()},
        "regression": regression,
    }
    for name, make in made.items():
        if not parts or name.startswith(tuple(parts)):
            shutil.rmtree(SAMPLES / name, ignore_errors=True)
            make(SAMPLES / name)
    for picture in pictures():
        print(picture.relative_to(SAMPLES), flush=True)


if __name__ == "__main__":
    main([part for part in sys.argv[1:] if part != "pictures"] or (["-"] if "pictures" in sys.argv else []))
