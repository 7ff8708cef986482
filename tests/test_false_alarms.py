"""The reference engine in all its odd, but legal ways yields no finding, nor does a kit that is late itself.

This is the short form: `make false-alarms` plays every scenario, and `make clean-runs` does so with many seeds.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from conformance.runner import Options, reference, verify
from conformance.verdict import Outcome, Verdict
from reference_impl.odd import all_odd
from tests.checks.examples import described

NAMES = [odd.name for odd in all_odd()]
TRIOS = [NAMES[start : start + 3] for start in range(0, len(NAMES), 3)]
WHAT = ("EVT-02", "EVT-05", "ISO-04", "DLV-05", "ORD")
OVER_AG_UI = ["every-script", "huge-payloads", "lone-surrogates", "strange-event-stream", "timestamps-of-all-kinds"]


async def verdicts_on(names: list[str], folder: Path, dialect: str = "five-events") -> list[Verdict]:
    folders = [folder / name for name in names]
    for each in folders:
        each.mkdir()
    targets = [reference(odd=name, dialect=dialect) for name in names]
    options = [Options(each, seed=1, only=WHAT) for each in folders]
    return await asyncio.gather(*map(verify, targets, options))


def nothing_wrong(verdict: Verdict) -> None:
    assert verdict.harness_errors == ()
    assert described(verdict) == {}
    assert verdict.verdict is Outcome.PASS


@pytest.mark.parametrize("names", TRIOS, ids="+".join)
async def test_an_odd_engine_is_not_accused(names: list[str], tmp_path: Path) -> None:
    for verdict in await verdicts_on(names, tmp_path):
        nothing_wrong(verdict)


async def test_nor_over_ag_ui(tmp_path: Path) -> None:
    for verdict in await verdicts_on(OVER_AG_UI, tmp_path, "ag-ui"):
        nothing_wrong(verdict)


@asynccontextmanager
async def late(by_s: float, every_s: float) -> AsyncIterator[None]:
    """Have the event loop of this process do nothing for `by_s`, again and again."""

    async def block() -> None:
        while True:
            time.sleep(by_s)  # noqa: ASYNC251
            await asyncio.sleep(every_s)

    blocking = asyncio.create_task(block())
    try:
        yield
    finally:
        blocking.cancel()


@pytest.mark.parametrize("dialect", ["five-events", "ag-ui"])
async def test_a_late_kit_accuses_nobody(dialect: str, tmp_path: Path) -> None:
    async with late(0.4, 0.2):
        verdict = await verify(reference(dialect=dialect), Options(tmp_path, seed=1, only=(*WHAT, "DLV", "LIF-02")))
    assert described(verdict) == {}
    assert verdict.harness_errors == ()
