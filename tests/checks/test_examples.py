"""The examples as a whole: there are enough of them, and each says the same however it is told and judged."""

import importlib
from pathlib import Path

import msgspec
import pytest

from conformance.catalogue import load
from conformance.checks import decided
from conformance.checks.check import Check, on
from conformance.dialects import named
from conformance.events import Kind
from conformance.history.operations import Connecting, Operation, Received
from conformance.judge import SOURCE_FAMILIES, Judge
from conformance.story import Sighting
from conformance.verdict import Outcome, exit_code
from conformance.world import World
from tests.checks.examples import EXAMPLES, STATISTICAL, Example, described, of
from tests.checks.exchanges import Exchange
from tests.checks.histories import History, judge, violated

_HERE = Path(__file__).parent
for _file in sorted(set(_HERE.glob("test_*.py")) - {Path(__file__)}):
    importlib.import_module(f"tests.checks.{_file.stem}")

UNDECIDED: list[str] = []
FAMILIES = {example.name[5:8].upper() for example in EXAMPLES}
ELSEWHERE = {"AGU"}
"""Families of one dialect, whose checks are tested with that dialect."""
every_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.kind}-{example.name}")


@pytest.mark.parametrize("id", sorted(id for id in decided() if id[:3] in FAMILIES))
def test_every_decided_requirement_has_a_good_and_a_bad_example(id: str) -> None:
    kinds = {example.kind for example in EXAMPLES if id in example.ids}
    assert kinds >= {"good", "bad"}


@pytest.mark.parametrize("id", sorted(id for id in decided() if id[:3] in FAMILIES))
def test_every_decided_requirement_has_a_bad_example_of_its_own(id: str) -> None:
    """One whose words are asserted for this requirement."""
    assert any(example.ids[0] == id for example in EXAMPLES if example.kind == "bad")


def test_what_no_check_decides_yet() -> None:
    open_ones = [r.id for r in load() if r.id not in decided() and r.family not in SOURCE_FAMILIES]
    print("no check yet:", *open_ones)
    assert sorted(open_ones) == UNDECIDED


def test_what_needs_a_source_tree_is_decided_by_no_check() -> None:
    assert not [id for id in decided() if id[:3] in SOURCE_FAMILIES]


def test_every_family_has_its_examples() -> None:
    assert {id[:3] for id in decided()} <= FAMILIES | ELSEWHERE


def test_every_check_decides_what_the_catalogue_holds() -> None:
    assert decided() <= {requirement.id for requirement in load()}


def test_examples_have_names_of_their_own() -> None:
    assert len({example.name for example in EXAMPLES}) == len(EXAMPLES)


# -- the same history, told or judged otherwise ---------------------------------------------------------------------


@every_example
def test_every_event_may_be_looked_at_by_every_check(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most events take a short way through the judge. The long one leads to the same outcomes."""
    history = example.build()
    short = outcomes(history)
    monkeypatch.setattr(World, "continues", lambda *_: None)
    assert outcomes(history) == short


@every_example
def test_an_unknown_but_namespaced_field_changes_nothing(example: Example) -> None:
    """Frames with a field that the dialect does not know are decoded another way."""
    history = example.build()
    before = {id: outcome for id, (outcome, _) in outcomes(history).items()}
    for number, op in enumerate(history.operations):
        history.operations[number] = _with_a_field(op)
    assert {id: outcome for id, (outcome, _) in outcomes(history).items()} == before


@every_example
def test_what_a_stranger_does_before_and_after_changes_nothing(example: Example) -> None:
    """Somebody else's good run before everything and after everything adds no violation, and hides none."""
    history = example.build()
    dialect, began_us = history.header.dialect, history.header.began_us
    before, after = (History(number=number, dialect=dialect, began_us=began_us) for number in (9001, 9501))
    _stranger(before, "user-early")
    after.now = max((op.at for op in history.operations), default=0) / 1000
    _stranger(after, "user-late-comer")
    alone = violated(history) - STATISTICAL
    history.operations = [*(_at_zero(op) for op in before.operations), *history.operations, *after.operations]
    assert violated(history) - STATISTICAL == alone


def _stranger(history: History, user: str) -> None:
    if history.header.dialect == "ag-ui":
        Exchange(history, user).whole()
        return
    socket = history.connecting(user)
    socket.connected()  # not greeted: what a greeting announces holds for all
    if history.header.dialect == "five-events":
        socket.start().whole()


def _at_zero(op: Operation) -> Operation:
    return msgspec.structs.replace(op, at=0)


def _with_a_field(op: Operation) -> Operation:
    if not isinstance(op, Received) or not bytes(op.frame).startswith(b"{"):
        return op
    return msgspec.structs.replace(op, frame=msgspec.Raw(b'{"acme.note": "x", ' + bytes(op.frame)[1:]))


def outcomes(history: History) -> dict[str, tuple[Outcome, int]]:
    verdict = judge(history)
    assert verdict.harness_errors == ()
    return {requirement.id: (requirement.verdict, requirement.violations) for requirement in verdict.requirements}


# -- a check that crashes -------------------------------------------------------------------------------------------


class Crashing(Check):
    """Decides two requirements, and cannot."""

    decides = ("EVT-01", "DLV-03")

    @on(Kind.THINKING)
    def thinks(self, seen: Sighting) -> None:
        """Crash, and once more."""
        self.exercised["EVT-01"] += 1
        raise ZeroDivisionError(f"at {seen.event.seq}")


class CrashingAtTheEnd(Check):
    """Decides one requirement, until it is asked."""

    decides = ("EVT-02",)

    def finish(self) -> None:
        """Crash."""
        self.exercised["EVT-02"] += 1
        raise KeyError("nothing")


class Sound(Check):
    """Decides one requirement."""

    decides = ("EVT-03",)

    @on(Kind.THINKING)
    def thinks(self, seen: Sighting) -> None:
        """Count."""
        self.exercised["EVT-03"] += 1


class Finding(Crashing):
    """Finds a violation and then crashes."""

    @on(Kind.STARTED)
    def starts(self, seen: Sighting) -> None:
        """Report."""
        self.fail("EVT-01", "a start", expected="none", actual="one", witnesses=[seen])


def two_thoughts() -> History:
    history = History()
    run = history.connect().start()
    run.started()
    run.thinking()
    run.thinking()
    run.completed()
    return history


def test_a_check_that_crashes_is_unknown_and_a_harness_error() -> None:
    verdict = judge(two_thoughts(), checks=[Crashing, Sound])
    assert of(verdict, "EVT-01").verdict is Outcome.UNKNOWN
    assert of(verdict, "DLV-03").verdict is Outcome.UNKNOWN
    assert of(verdict, "EVT-01").reason == "its check crashed: Crashing"
    assert of(verdict, "EVT-03").verdict is Outcome.PASS
    assert of(verdict, "EVT-03").exercised == 2
    (error,) = verdict.harness_errors
    assert error.startswith("check Crashing crashed at line 9: ")
    assert "ZeroDivisionError: at 2" in error
    assert exit_code(verdict, strict=False) == 70


def test_a_check_that_crashes_at_the_end() -> None:
    verdict = judge(two_thoughts(), checks=[CrashingAtTheEnd, Sound])
    assert of(verdict, "EVT-02").verdict is Outcome.UNKNOWN
    assert len(verdict.harness_errors) == 1
    assert "KeyError: 'nothing'" in verdict.harness_errors[0]


def test_what_was_found_before_the_crash_counts() -> None:
    verdict = judge(two_thoughts(), checks=[Finding])
    assert described(verdict) == {"EVT-01": ["a start: expected none, got one"]}
    assert of(verdict, "EVT-01").verdict is Outcome.FAIL
    assert len(verdict.harness_errors) == 1
    assert exit_code(verdict, strict=False) == 1


# -- recordings with something left out -----------------------------------------------------------------------------


@every_example
def test_a_recording_may_lack_the_beginning(example: Example) -> None:
    """Operations on connections whose opening was left out are passed over, and no check crashes."""
    history = example.build()
    history.operations = [op for op in history.operations if not isinstance(op, Connecting)]
    verdict = judge(history)
    assert verdict.harness_errors == ()
    assert described(verdict) == {}


@every_example
def test_a_recording_may_stop_anywhere(example: Example) -> None:
    """The kit was killed: whatever has come is judged, and no check crashes."""
    history = example.build()
    whole = history.operations
    for stop in range(min(len(whole), 60)):
        history.operations = whole[:stop]
        assert judge(history).harness_errors == ()


# -- findings -------------------------------------------------------------------------------------------------------


def test_violations_are_counted_and_the_first_ten_shown() -> None:
    history = History()
    socket = history.connect()
    for _ in range(15):
        run = socket.start()
        run.started()
        run.tool_started()
        run.tool_completed()
        run.completed()
    requirement = of(judge(history), "EVT-04")
    assert requirement.violations == 15
    assert requirement.exercised == 15
    assert len(requirement.findings) == 10
    assert len({finding.run_id for finding in requirement.findings}) == 10
    assert requirement.reason == "violated 15 times"


def test_only_what_was_selected_is_in_the_verdict() -> None:
    judging = Judge(two_thoughts().header, named("five-events"), load())
    verdict = judging.verdict(only=["EVT-01", "ord"])
    assert [requirement.id for requirement in verdict.requirements] == [
        "EVT-01",
        *(f"ORD-0{number}" for number in range(1, 6)),
    ]


def test_a_long_frame_is_shortened_in_its_witness() -> None:
    history = History()
    history.connect().receives({"type": "welcome", "text": "x" * 10_000})
    (finding,) = of(judge(history), "SCH-04").findings
    assert len(finding.witnesses[0].text) < 600
    assert finding.witnesses[0].text.endswith("characters)")
