"""Each requirement is broken by a faulty engine that is found out by what it declares: the kill matrix, in short.

As few faults as break everything that any breaks, each met by the scenarios that its declared requirements need, with
less patience than is usual. `make kill-matrix` plays all faults, whole.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from conformance.bounds import Bounds
from conformance.catalogue import Level
from conformance.runner import Options, reference, verify
from conformance.verdict import Outcome, Verdict
from reference_impl.faulty import all_faults
from reference_impl.faulty.fault import Fault

UNSURE = {
    "shared-model-cache": {"ISO-06"},  # shows where two ask alike, one after the other
    "run-id-as-recipient": {"EVT-10", "LIF-04", "DLV-08"},  # show where the kit waits in full for what never comes
    "exchanged-run-id": {"DLV-08"},  # likewise
    "tool-events-misrouted": {"DLV-08"},  # shows where whose tool returns did not begin last
}
"""What a fault breaks, too, but may not show in the short form."""


def shown(fault: Fault) -> frozenset[str]:
    """What a fault breaks, and surely shows in the short form."""
    return fault.breaks - UNSURE.get(fault.name, set())


def cover(faults: Sequence[Fault]) -> list[Fault]:
    """As few faults as show all that `faults` show, those with the fewest other ids where that is the same."""
    left = {id for fault in faults for id in shown(fault)}
    chosen = []
    while left:
        chosen.append(max(faults, key=lambda fault: (len(shown(fault) & left), -len(fault.breaks), fault.name)))
        left -= shown(chosen[-1])
    return chosen


# Those that break the same meet the same scenarios, and take about as long.
FAULTS = sorted(
    cover([fault for fault in all_faults() if not fault.rare]), key=lambda fault: sorted(fault.breaks, reverse=True)
)
PAIRS = [FAULTS[start : start + 2] for start in range(0, len(FAULTS), 2)]
IMPATIENT = Bounds(patience_ms=1000, stop_ms=1000)
WHOLE = {"last-error-shown"}  # shows where something went wrong for somebody before


async def verdict_on(fault: Fault, out: Path) -> Verdict:
    target = msgspec.structs.replace(reference(fault=fault.name, witness=fault.outside), bounds=IMPATIENT)
    needed = () if fault.name in WHOLE else tuple(sorted(fault.breaks | fault.perhaps))
    return await verify(target, Options(out, seed=1, only=needed))


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: "+".join(fault.name for fault in pair))
async def test_a_faulty_engine_fails_by_what_it_declares(pair: list[Fault], tmp_path: Path) -> None:
    folders = [tmp_path / fault.name for fault in pair]
    for folder in folders:
        folder.mkdir()
    verdicts = await asyncio.gather(*map(verdict_on, pair, folders))
    for fault, verdict in zip(pair, verdicts, strict=True):
        assert verdict.harness_errors == ()
        violated = [requirement for requirement in verdict.requirements if requirement.verdict is Outcome.FAIL]
        broken = {requirement.id for requirement in violated} - fault.perhaps | UNSURE.get(fault.name, set())
        assert (fault.name, sorted(broken)) == (fault.name, sorted(fault.breaks))
        assert (verdict.verdict is Outcome.FAIL) == any(requirement.level is Level.MUST for requirement in violated)
        for finding in verdict.findings:
            assert finding.message
            assert finding.expected != finding.actual
            assert finding.witnesses
            assert finding.location
