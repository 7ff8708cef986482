"""The third-party agents of the suite: a folder each, and a virtual environment made from its pins."""

import hashlib
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from conformance.errors import UsageError

_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)")


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
    def tested(self) -> dict[str, str]:
        """The distributions that are tested, and their versions: the first paragraph of its pins."""
        first = (self.folder / "requirements.txt").read_text().partition("\n\n")[0]
        return {found["name"]: found["version"] for found in _PIN.finditer(first)}

    def install(self) -> None:
        """Make its virtual environment, unless there is one of exactly these pins. Who shares pins shares it."""
        pins = (self.folder / "requirements.txt").resolve()
        place = self.folder.parent / ".venvs" / pins.parent.name
        mark = place / "made-from"
        wanted = hashlib.sha256(pins.read_bytes()).hexdigest()
        if mark.exists() and mark.read_text() == wanted:
            return
        print(f"{self.name}: making {place} …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
        # Every distribution is pinned, so nothing is left to resolve.
        python = str(place / "bin" / "python")
        pip = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "-r", str(pins)], check=True)
        mark.write_text(wanted)


def agents(home: Path, names: tuple[str, ...]) -> list[Agent]:
    """Return the agents with these names, or all that have a folder in `home`. Raises `UsageError` for another name."""
    found = {path.parent.name: Agent(path.parent) for path in sorted(home.glob("*/target.toml"))}
    for name in names:
        if name not in found:
            raise UsageError(f"there is no agent {name!r}; expected one of {', '.join(found)}")
    return [found[name] for name in names or found]
