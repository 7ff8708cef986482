"""Judging in bulk changes nothing where a witness recorded beside the run."""

import asyncio
from random import Random

import pytest

from conformance.runner import Options, reference, verify
from tests.test_rejudge import Quiet, generated, mutated, same

GROUND = ("EVT-12", "EVT-16", "ISO-06", "LIF-02")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A history of the reference engine's, with the witness'."""
    out = tmp_path_factory.mktemp("recorded")
    asyncio.run(verify(reference(witness=True), Options(out, only=GROUND, seed=1), Quiet()))
    return (out / "history.jsonl").read_bytes()


def test_as_it_was_recorded(recorded: bytes) -> None:
    verdict = same(recorded)
    assert {r.id: r.verdict.value for r in verdict.requirements} == dict.fromkeys(GROUND, "pass")


@pytest.mark.parametrize("seed", range(6))
def test_with_things_wrong(seed: int, recorded: bytes) -> None:
    same(mutated(recorded.splitlines(keepends=True), Random(seed), 12))


def test_a_history_whose_witness_saw_nothing() -> None:
    lines = generated(2_000, together=5)
    lines[0] = lines[0].replace(b'"granted":[', b'"granted":["witness",')
    assert b"witness" in lines[0]
    outcomes = {r.id: r.reason for r in same(b"".join(lines)).requirements}
    assert outcomes["EVT-12"] == "no tool call reached the witness: is the target wired to its tools?"
    assert outcomes["EVT-16"] == "no model call reached the witness: is the target wired to its model?"
