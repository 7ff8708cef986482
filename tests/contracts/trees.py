"""Small source trees, as examples hold them: written, audited, and compared with what is marked in them."""

import re
from collections.abc import Mapping
from pathlib import Path

from contracts.audit import Audit, Options, audit
from contracts.config import Config, parse
from contracts.rule import WRONG

_MARK = re.compile(rf"{WRONG}(?: (?P<ids>[A-Z]{{3}}-[0-9]{{2}}(?:, [A-Z]{{3}}-[0-9]{{2}})*))?")


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def configured(folder: Path) -> Config:
    import tomllib

    path = folder / "contracts.toml"
    return parse(tomllib.loads(path.read_text()) if path.exists() else {}, path=path)


def audited(folder: Path, *only: str) -> Audit:
    """Audit the current folder in this process, without a cache."""
    return audit([Path()], configured(folder), Options(only=only, processes=1))


def found(result: Audit) -> set[tuple[str, str]]:
    """Return requirement and place of each violation."""
    return {(finding.requirement, finding.location or "") for finding in result.verdict.findings}


def marked(files: Mapping[str, str], id: str = "") -> set[tuple[str, str]]:
    """Return requirement and place of each line that is marked as wrong: for the ids in the mark, or for this one."""
    places = set()
    for name, text in files.items():
        for number, line in enumerate(text.splitlines(), start=1):
            mark = _MARK.search(line)
            if mark:
                places |= {(one, f"{name}:{number}") for one in (mark["ids"] or id).split(", ")}
    return places
