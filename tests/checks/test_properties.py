"""What holds for every legal history, and for every one with a single thing wrong (`legal.py`, `mutations.py`).

`pytest --hypothesis-profile long` looks at many more of them.
"""

import io
from random import Random

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from conformance.catalogue import load
from conformance.dialects import named
from conformance.judge import Judge
from conformance.rejudge import judge_recording
from conformance.verdict import Verdict
from tests.checks.examples import STATISTICAL, described
from tests.checks.histories import History
from tests.checks.legal import legal_history, legal_history_of
from tests.checks.mutations import MUTATIONS, Inapplicable, Mutation, Subject

CATALOGUE = load()
MIDNIGHTS_US = (1_483_228_799_990_000, 1_709_164_799_990_000, 1_767_225_599_990_000)
"""10 ms before midnight: of a day with a leap second, of the 29th of February, of a year."""
seeds = st.integers(min_value=0, max_value=2**32 - 1)


def judged(history: History) -> Verdict:
    """Judge a history one by one and in bulk: no check crashes, and the verdicts are the same to the byte."""
    judge = Judge(history.header, named(history.header.dialect), CATALOGUE)
    for operation in history.operations:
        judge.feed(operation)
    verdict = judge.verdict()
    lines = b"".join(msgspec.json.encode(item) + b"\n" for item in (history.header, *history.operations))
    in_bulk = judge_recording(io.BytesIO(lines), name="at random", catalogue=CATALOGUE)
    assert in_bulk.to_json() == verdict.to_json()
    assert verdict.harness_errors == ()
    return verdict


@given(seeds)
def test_a_legal_history_violates_nothing(seed: int) -> None:
    assert described(judged(legal_history(Random(seed)))) == {}


@given(seeds, st.sampled_from(MIDNIGHTS_US))
def test_nor_does_it_at_midnight(seed: int, began_us: int) -> None:
    assert described(judged(legal_history(Random(seed), began_us=began_us))) == {}


@given(seeds, st.floats(min_value=-290, max_value=290))
def test_nor_by_a_clock_that_is_a_little_wrong(seed: int, ahead_s: float) -> None:
    """SCH-03 allows five minutes; how long events took cannot be told then."""
    assert described(judged(legal_history(Random(seed), ahead_s=ahead_s, same_clock=False))) == {}


@given(seeds, st.data())
def test_a_recording_of_it_may_stop_anywhere(seed: int, data: st.DataObject) -> None:
    history = legal_history(Random(seed))
    stop = data.draw(st.integers(min_value=0, max_value=len(history.operations)))
    history.operations = history.operations[:stop]
    assert described(judged(history)) == {}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name.replace(" ", "-"))
@given(seed=seeds)
def test_one_thing_wrong_breaks_exactly_that(mutation: Mutation, seed: int) -> None:
    random = Random(seed)
    history, (run, other) = legal_history_of(random, "user-david", "user-erina")
    try:
        mutation.apply(Subject(history, run, other, random))
    except Inapplicable:
        assume(False)
    assert described(judged(history)).keys() - STATISTICAL == mutation.breaks
