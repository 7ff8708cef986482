import math

import msgspec
import pytest

from conformance.catalogue import Level
from conformance.verdict import Measurement, Outcome, RequirementVerdict, Witness
from reports.phrases import caption, duration, environment, measured, narrowed, occurrences, why
from tests.reports.report_verdicts import passing, sample, whole


def test_reasons_for_a_failure_name_what_is_violated() -> None:
    assert why(sample()) == [
        "3 MUST violated: EVT-05, ISO-01, SRC-01.",
        "1 SHOULD violated: SCH-04.",
        "3 MUST that apply could not be decided.",
        "1 error in the kit itself.",
    ]


def test_reasons_for_a_pass_and_for_an_undecided_verdict() -> None:
    held = sum(requirement.level is Level.MUST for requirement in passing().requirements)
    assert why(passing()) == [f"{held} MUST held, none violated."]
    undecided = RequirementVerdict("EVT-01", Level.MUST, "s", Outcome.UNKNOWN, 0, "no check yet")
    verdict = msgspec.structs.replace(whole(undecided), harness_errors=())
    assert why(verdict) == ["No MUST could be decided.", "1 MUST that apply could not be decided."]


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (3.1, "ms", "3.1 ms"),
        (1234.5678, "ms", "1,234.568 ms"),
        (100.0, "%", "100 %"),
        (99.98, "%", "99.98 %"),
        (99.99999, "%", "99.9999 %"),
        (0.0, "%", "0 %"),
        (1200.0, "s", "1,200 s"),
        (math.nan, "ms", "nan ms"),
        (math.inf, "ms", "inf ms"),
    ],
)
def test_measurements_are_written_out_and_ratios_never_rounded_up(value: float, unit: str, shown: str) -> None:
    assert measured(Measurement("m", value, unit, 1)) == shown


@pytest.mark.parametrize(
    ("ms", "shown"),
    [(0, "0 ms"), (850.4, "850 ms"), (12_345, "12.3 s"), (125_000, "2 min 5 s"), (3_600_000, "60 min 0 s")],
)
def test_durations(ms: float, shown: str) -> None:
    assert duration(ms) == shown


@pytest.mark.parametrize(
    ("repeat", "shown"),
    [
        ("agent-conformance verify --seed 1", "agent-conformance verify --seed 1 --only EVT-05"),
        ("agent-conformance verify --only ISO --seed 1", "agent-conformance verify --seed 1 --only EVT-05"),
        ("agent-conformance verify --only=ISO,EVT", "agent-conformance verify --only EVT-05"),
        ("agent-conformance verify --only 'ISO, EVT' --users 2", "agent-conformance verify --users 2 --only EVT-05"),
        ("agent-conformance load --users 9 --seed 1", "agent-conformance load --users 9 --seed 1"),
        ("agent-conformance verify --only-this x", "agent-conformance verify --only-this x --only EVT-05"),
    ],
)
def test_a_command_is_narrowed_to_one_requirement(repeat: str, shown: str) -> None:
    assert narrowed(repeat, "EVT-05") == shown


@pytest.mark.parametrize(
    ("witness", "shown"),
    [
        (Witness(123, 1204.5, "received", 3, "alice", ""), "line 123  1,204.5 ms  conn 3 (alice)  received"),
        (Witness(1, 0.0, "closed", 0, None, ""), "line 1  0.0 ms  conn 0  closed"),
        (Witness(2, 7.0, "user_joined", None, "bob", ""), "line 2  7.0 ms  bob  user_joined"),
        (Witness(2, 7.0, "tool_ended", None, None, ""), "line 2  7.0 ms  tool_ended"),
    ],
)
def test_captions(witness: Witness, shown: str) -> None:
    assert caption(witness) == shown


def test_occurrences_tell_what_was_not_kept() -> None:
    by_id = {requirement.id: requirement for requirement in sample().requirements}
    assert occurrences(by_id["EVT-05"]) == "violated 12 times, 10 findings kept"
    assert occurrences(by_id["SCH-04"]) == "violated 2 times"
    assert occurrences(by_id["ISO-01"]) == "violated 1 time"


def test_the_environment_leaves_out_what_is_not_known() -> None:
    known = dict(environment(sample()))
    assert (known["seed"], known["duration"], known["capabilities"]) == ("42", "12.3 s", "resume, stop")
    assert not {"seed", "duration", "dialect", "began", "profile"} & set(dict(environment(passing())))
    assert dict(environment(msgspec.structs.replace(sample(), seed=0)))["seed"] == "0"
