"""Every rule's examples: the bad one is found at the marked lines and nowhere else, in the good one nothing is."""

from pathlib import Path

import pytest

from conformance.catalogue import load
from contracts.rule import Rule, files_of, rules
from tests.contracts.trees import audited, found, marked, write

every_rule = pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.id)


@every_rule
def test_the_bad_example_is_found_at_its_lines(rule: Rule, here: Path) -> None:
    files = files_of(rule.bad)
    expected = marked(files, rule.id)
    assert expected
    assert found(audited(write(here, files), rule.id)) == expected


@every_rule
def test_nothing_is_found_in_the_good_example(rule: Rule, here: Path) -> None:
    result = audited(write(here, files_of(rule.good)), rule.id)
    assert found(result) == set()
    (verdict,) = result.verdict.requirements
    assert verdict.exercised, "a good example must hold something that could have been wrong"


def test_every_requirement_on_source_has_a_rule() -> None:
    assert [rule.id for rule in rules()] == [r.id for r in load() if r.family in ("SRC", "TST")]


@every_rule
def test_options_are_settings(rule: Rule) -> None:
    from contracts.config import Config

    assert set(rule.options) <= set(Config.__struct_fields__)
