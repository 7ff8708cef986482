"""Samples of what was violated, kept whole: small histories that `check` judges again."""

import re
from pathlib import Path

import msgspec

from conformance.history.operations import Header
from conformance.verdict import Finding
from load.stream import Memory

_AT = re.compile(rb'"at":(\d+)')
_ENCODE = msgspec.json.Encoder().encode


class Samples:
    """Writes a sample of each finding into `folder`. `where` maps what a finding's location was to what it is there.

    `prefix` keeps the files of several generators apart.
    """

    def __init__(self, header: Header, memory: Memory, folder: Path, prefix: str) -> None:
        self._header = header
        self._memory = memory
        self._folder = folder
        self._prefix = f"{prefix}-" if prefix else ""
        self._taken: dict[str, int] = {}
        self.where: dict[tuple[str, str], str] = {}

    def look(self, findings: dict[str, list[Finding]]) -> None:
        """Take samples of the findings that are new."""
        for requirement, found in findings.items():
            for finding in found[self._taken.get(requirement, 0) :]:
                self._taken[requirement] = number = self._taken.get(requirement, 0) + 1
                self._take(finding, f"{requirement}-{self._prefix}{number}.jsonl")

    def _take(self, finding: Finding, name: str) -> None:
        conns = {witness.conn for witness in finding.witnesses if witness.conn is not None}
        if not conns or finding.location is None:
            return
        lines = self._memory.of(conns)
        if not lines:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        header = msgspec.structs.replace(self._header, only=(finding.requirement,))
        (self._folder / name).write_bytes(_ENCODE(header) + b"\n" + b"".join(lines))
        last = round(finding.witnesses[-1].at_ms * 1000)
        times = [int(found[1]) if (found := _AT.search(line)) else 0 for line in lines]
        at = next((number for number, time in enumerate(times, start=2) if time == last), 2)
        self.where[finding.requirement, finding.location] = f"samples/{name}:{at}"
