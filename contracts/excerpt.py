"""Findings with the source lines that they are at."""

from functools import lru_cache
from pathlib import Path

import msgspec

from conformance.verdict import Finding, Verdict


def with_lines(verdict: Verdict, *, most: int) -> Verdict:
    """Return the verdict with the source line in each finding, and at most so many findings of each requirement."""
    requirements = tuple(
        msgspec.structs.replace(
            requirement,
            findings=tuple(map(_with_line, requirement.findings[:most])),
            notes=tuple(map(_with_line, requirement.notes[:most])),
        )
        for requirement in verdict.requirements
    )
    return msgspec.structs.replace(verdict, requirements=requirements)


def _with_line(finding: Finding) -> Finding:
    path, _, line = (finding.location or "").rpartition(":")
    lines = _lines(path)
    number = int(line) if line.isdecimal() else 0
    text = lines[number - 1].strip() if 0 < number <= len(lines) else "the file as a whole"
    return msgspec.structs.replace(finding, actual=text)


@lru_cache(maxsize=64)
def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return []
