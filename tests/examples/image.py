"""What the Dockerfile's first stage does, in a folder instead of an image: do the files that it copies suffice?"""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def build(folder: Path) -> tuple[int, str]:
    """Copy what the stage copies, run what it runs, and then the kit; return the exit code and what was printed."""
    source, kit = folder / "src", folder / "kit"
    source.mkdir()
    commands = []
    for line in (ROOT / "Dockerfile").read_text().partition("\n\nFROM ")[0].splitlines():
        word, _, rest = line.partition(" ")
        if word == "COPY":
            *names, place = rest.split()
            for name in names:
                _copy(ROOT / name, source / (name if place == "./" else place))
        elif word == "RUN":
            commands.append(rest.replace("/kit", str(kit)))
    script = " && ".join([*commands, f"cd / && {kit}/bin/agent-conformance requirements ISO"])
    done = subprocess.run(["sh", "-c", script], cwd=source, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def _copy(source: Path, place: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__", "out", "samples"))
    else:
        shutil.copy(source, place)
