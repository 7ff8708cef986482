"""The third-party agents of the suite: a folder each, and a virtual environment made from its pins."""

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from conformance.errors import ConformanceError, UsageError

_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>\S+)")
_SHARED = re.compile(r"^-r (?P<pins>\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Agent:
    """An agent: `folder` holds its server, target file, pins and baseline."""

    folder: Path

    @property
    def name(self) -> str:
        """What it is called, here and in the report."""
        return self.folder.name

    @property
    def target(self) -> Path:
        """Its target file."""
        return self.folder / "target.toml"

    @property
    def baseline(self) -> Path:
        """The violations of it that are known."""
        return self.folder / "baseline.toml"

    @property
    def pins(self) -> Path | None:
        """What its environment is made from: its own pins, or those of the agent that it shares one with (`-r`).

        None where it has no pins: then the kit's own environment serves.
        """
        own = self.folder / "requirements.txt"
        if not own.exists():
            return None
        shared = _SHARED.search(own.read_text())
        return (self.folder / shared["pins"]).resolve() if shared else own.resolve()

    @property
    def tested(self) -> dict[str, str]:
        """The distributions that are tested, and their versions: the first paragraph of its pins."""
        own = self.folder / "requirements.txt"
        first = own.read_text().partition("\n\n")[0] if own.exists() else ""
        return {found["name"]: found["version"] for found in _PIN.finditer(first)}


def agents(home: Path, names: tuple[str, ...]) -> list[Agent]:
    """Return the agents with these names, or all that have a folder in `home`. Raises `UsageError` for another name."""
    found = {path.parent.name: Agent(path.parent) for path in sorted(home.glob("*/target.toml"))}
    for name in names:
        if name not in found:
            raise UsageError(f"there is no agent {name!r}; expected one of {', '.join(found)}")
    return [found[name] for name in names or found]


def install(chosen: Iterable[Agent], *, jobs: int) -> None:
    """Make the virtual environments that are missing or not of exactly the pins: the one thing that needs a network."""
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(_make, sorted({pins for agent in chosen if (pins := agent.pins) is not None})))


def _make(pins: Path) -> None:
    place = pins.parent.parent / ".venvs" / pins.parent.name
    mark = place / "made-from"
    wanted = hashlib.sha256(pins.read_bytes()).hexdigest()
    if mark.exists() and mark.read_text() == wanted:
        return
    print(f"{pins.parent.name}: making {place} …", flush=True)
    python = str(place / "bin" / "python")
    # Every distribution is pinned, so nothing is left to resolve.
    pip = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-deps"]
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
        subprocess.run([*pip, "-r", str(pins)], check=True)
    except subprocess.CalledProcessError as error:
        raise ConformanceError(f"{pins}: cannot be installed: see above ({error})") from error
    mark.write_text(wanted)
