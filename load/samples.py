"""Samples of what was violated, kept whole: small histories that `check` judges again."""

import re
from dataclasses import dataclass
from pathlib import Path

import msgspec

from conformance.history.operations import Header
from conformance.verdict import Finding
from load.memory import Memory

_HEAD = re.compile(rb'\{"op":"(\w+)","at":(\d+),(?:"ask":\d+,)?"conn":(\d+)')
_ENCODE = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Sample:
    """The location of a finding in its sample, and of each of its witnesses the line there."""

    location: str
    lines: dict[int, int]


class Samples:
    """Writes a sample of each finding into `folder`. `where` has the sample of each.

    `prefix` keeps the files of several generators apart.
    """

    def __init__(self, header: Header, memory: Memory, folder: Path, prefix: str) -> None:
        self._header = header
        self._memory = memory
        self._folder = folder
        self._prefix = f"{prefix}-" if prefix else ""
        self._taken: dict[str, int] = {}
        self.where: dict[Finding, Sample] = {}

    def look(self, findings: dict[str, list[Finding]]) -> None:
        """Take samples of the findings that are new."""
        for requirement, found in findings.items():
            for finding in found[self._taken.get(requirement, 0) :]:
                self._taken[requirement] = number = self._taken.get(requirement, 0) + 1
                self._take(finding, f"{requirement}-{self._prefix}{number}.jsonl")

    def _take(self, finding: Finding, name: str) -> None:
        conns = {witness.conn for witness in finding.witnesses if witness.conn is not None}
        if not conns:
            return
        lines = self._memory.of(conns)
        if not lines:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        header = msgspec.structs.replace(self._header, only=(finding.requirement,))
        (self._folder / name).write_bytes(_ENCODE(header) + b"\n" + b"".join(lines))
        located = _located(finding, lines)
        last = located[finding.witnesses[-1].line]
        at = last if last <= len(lines) + 1 else 2
        self.where[finding] = Sample(f"samples/{name}:{at}", located)


def _located(finding: Finding, lines: list[bytes]) -> dict[int, int]:
    """Find each witness in a sample (whose header is line 1): what is not in there has a line after its end."""
    heads = {head.groups(): number for number, line in enumerate(lines, start=2) if (head := _HEAD.match(line))}
    found = {}
    for witness in finding.witnesses:
        key = (witness.what.encode(), b"%d" % round(witness.at_ms * 1000), b"%d" % (witness.conn or 0))
        found[witness.line] = heads.get(key, witness.line + len(lines) + 1)
    return found
