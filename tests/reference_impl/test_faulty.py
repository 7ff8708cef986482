"""The faulty engines: that they are found, say what they are, and run."""

import re

import pytest

from conformance import catalogue
from reference_impl.app import Parts
from reference_impl.emitter import UserEventEmitter
from reference_impl.faulty import all_faults, named
from reference_impl.faulty.fault import Fault, UnknownFault, fault
from reference_impl.journal import Journal
from reference_impl.variants import part_of
from tests.reference_impl.engine_harness import process, spawn

FAULTS = all_faults()


def test_the_first_ten_are_there_each_once() -> None:
    names = [fault.name for fault in FAULTS]
    assert sorted(set(names)) == names
    assert set(names) >= {
        "null-run-id",
        "missing-tool-completion-on-error",
        "missing-completion",
        "cross-user-leak",
        "broadcast",
        "two-terminals",
        "buffered-events",
        "completed-instead-of-error",
        "fake-tool-success",
        "tool-completed-after-end",
    }


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_says_what_it_is_and_what_it_breaks(fault: Fault) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", fault.name)
    assert re.fullmatch(r"[A-Z][^\n]+\.", fault.sentence)
    assert re.fullmatch(r"[^\n]+\.", fault.stands_for)
    assert fault.breaks
    known = {requirement.id for requirement in catalogue.load()}
    assert fault.breaks | fault.perhaps <= known
    assert not fault.breaks & fault.perhaps
    assert fault.parts != Parts()


def test_a_fault_is_its_variants_and_the_engines_own_parts_otherwise() -> None:
    class MyEmitter(UserEventEmitter):
        pass

    class MyJournal(Journal):
        pass

    made = fault("mine", "It is mine.", stands_for="Tests.", breaks=["EVT-01"], with_parts=[MyJournal])(MyEmitter)
    assert made.parts == Parts(emitter=MyEmitter, journal=MyJournal)
    assert made.breaks == {"EVT-01"}


def test_a_variant_of_no_part_is_refused() -> None:
    with pytest.raises(TypeError, match="UnknownFault is no variant of a part: expected a subclass"):
        part_of(UnknownFault)


def test_an_unknown_name_is_answered_with_a_guess_where_there_is_one() -> None:
    assert named("null-run-id").name == "null-run-id"
    with pytest.raises(UnknownFault, match=r"no fault 'Null_Run'; did you mean null-run-id\? --list-faults"):
        named("Null_Run")
    with pytest.raises(UnknownFault, match="there is no fault 'xyz'; --list-faults prints all"):
        named("xyz")


async def test_on_the_command_line_an_unknown_name_is_one_line_and_64() -> None:
    child = await spawn("--fault", "broadcasts")
    output, errors = await child.communicate()
    assert (child.returncode, output) == (64, b"")
    assert errors.decode().splitlines() == [
        "reference engine: there is no fault 'broadcasts'; did you mean broadcast? --list-faults prints all"
    ]


async def test_the_list_has_a_name_and_a_sentence_a_line() -> None:
    child = await spawn("--list-faults")
    output, errors = await child.communicate()
    assert (child.returncode, errors) == (0, b"")
    lines = output.decode().splitlines()
    assert [line.split("  ", 1) for line in lines] == [[fault.name, fault.sentence] for fault in FAULTS]


async def test_a_faulty_engine_says_so_and_has_its_fault() -> None:
    async with process("--fault", "null-run-id") as target, target.client("alice") as alice:
        assert target.lines[0] == "reference engine with fault null-run-id: The events of every run carry run_id null."
        await alice.start("hello")
        completed = await alice.next("agent_completed")
    assert completed["run_id"] is None
