"""The odd engines: that they are found, say what they are, and run."""

import re
from dataclasses import replace

import pytest

from reference_impl.app import Parts
from reference_impl.odd import all_odd, named
from reference_impl.odd.odd import Odd, UnknownOdd, odd
from reference_impl.settings import Settings
from reference_impl.uvicorn_protocol import PartingWebSocketProtocol
from tests.reference_impl.engine_harness import process, spawn

ODD = all_odd()


@pytest.mark.parametrize("each", ODD, ids=lambda each: each.name)
def test_an_oddity_says_what_it_is_and_why_it_may(each: Odd) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", each.name)
    assert re.fullmatch(r"[A-Z][^\n]+\.", each.sentence)
    assert re.fullmatch(r"[^\n]+\.", each.legal)
    assert each.parts != Parts() or each.protocol is not PartingWebSocketProtocol


def test_each_is_there_once() -> None:
    assert [each.name for each in ODD] == sorted({each.name for each in ODD})


def test_an_oddity_is_its_variants_its_protocol_and_its_limits() -> None:
    class Mine(PartingWebSocketProtocol):
        pass

    made = odd("mine", "It is mine.", legal="Tests.", limits={"max_open_per_user": 3})(Mine)
    assert (made.parts, made.protocol) == (Parts(), Mine)
    assert replace(Settings(secret="x" * 32), **made.limits).max_open_per_user == 3


def test_an_unknown_name_is_answered_with_a_guess_where_there_is_one() -> None:
    with pytest.raises(UnknownOdd, match=r"no oddity 'Very_Slow'; did you mean very-slow\? --list-odd prints all"):
        named("Very_Slow")
    with pytest.raises(UnknownOdd, match="there is no oddity 'xyz'; --list-odd prints all"):
        named("xyz")


async def test_the_list_has_a_name_and_a_sentence_a_line() -> None:
    child = await spawn("--list-odd")
    output, errors = await child.communicate()
    assert (child.returncode, errors) == (0, b"")
    assert [line.split("  ", 1) for line in output.decode().splitlines()] == [[o.name, o.sentence] for o in ODD]


async def test_on_the_command_line_a_fault_and_an_oddity_exclude_each_other() -> None:
    child = await spawn("--odd", "very-slow", "--fault", "null-run-id")
    output, errors = await child.communicate()
    assert (child.returncode, output) == (64, b"")
    assert errors.decode() == "reference engine: --fault and --odd: expected one of them, found both\n"


async def test_an_odd_engine_says_so_and_is_odd() -> None:
    async with process("--odd", "unknown-fields") as target, target.client("alice") as alice:
        assert target.lines[0].startswith("reference engine with oddity unknown-fields: ")
        await alice.start("hello")
        completed = await alice.next("agent_completed")
    assert completed["acme.region"] == "eu-1"
