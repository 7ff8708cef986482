"""What the kill matrix concludes from what was found."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from conformance import catalogue
from conformance.catalogue import Level
from conformance.verdict import Finding, Outcome, RequirementVerdict, Verdict, Witness, summarise
from reference_impl.faulty import all_faults, named
from tests.kill_matrix.__main__ import conclude, line, with_last
from tests.kill_matrix.matrix import Kill, Matrix, on_the_wire, problems
from tests.kill_matrix.play import NotPlayed, kill_of
from tests.kill_matrix.report import render

EVT = catalogue.load().select(["EVT-01", "EVT-02", "SCH-04"])
CAUGHT = Kill("missing-start", frozenset({"EVT-01"}), frozenset({"EVT-01"}), 0.25, 9.0)
TWICE = Kill("missing-completion", frozenset({"EVT-02"}), frozenset({"EVT-02"}), 5.5, 30.0)


def found(*ids: str) -> Kill:
    return msgspec.structs.replace(CAUGHT, found=frozenset(ids))


def test_all_is_well_where_each_is_caught_by_what_it_declares_and_each_must_has_a_killer() -> None:
    matrix = Matrix([CAUGHT, TWICE], EVT)
    assert [*problems(matrix, whole=True)] == []
    assert matrix.killers() == {"EVT-01": ["missing-start"], "EVT-02": ["missing-completion"], "SCH-04": []}
    assert matrix.median_s() == 2.875


@pytest.mark.parametrize(
    ("kill", "problem"),
    [
        (found(), "missing-start: not found: EVT-01"),
        (found("EVT-01", "IDN-01"), "missing-start: found, and not declared: IDN-01"),
        (msgspec.structs.replace(CAUGHT, errors=("a check crashed",)), "missing-start: a check crashed"),
    ],
)
def test_a_defect_that_is_not_caught_by_exactly_what_it_declares(kill: Kill, problem: str) -> None:
    matrix = Matrix([kill, TWICE], EVT)
    assert not kill.caught
    assert problem in problems(matrix, whole=False)
    assert not conclude(matrix, whole=False)


def test_what_depends_on_timing_may_be_found_or_not() -> None:
    kill = msgspec.structs.replace(found("EVT-01", "SCH-04"), perhaps=frozenset({"SCH-04", "EVT-02"}))
    assert kill.caught
    assert "SCH-04!" not in line(kill)
    matrix = Matrix([kill, TWICE], EVT)
    assert [*problems(matrix, whole=True)] == []
    assert matrix.killers()["SCH-04"] == []
    assert "| `missing-start` | ◐ |" in render(matrix, at_once=2)
    assert not msgspec.structs.replace(kill, found=frozenset({"SCH-04"})).caught


def test_a_must_that_no_defect_breaks_counts_where_no_defect_was_left_out() -> None:
    matrix = Matrix([CAUGHT], EVT)
    assert [*problems(matrix, whole=False)] == []
    (problem,) = problems(matrix, whole=True)
    assert problem.startswith("EVT-02: no faulty engine breaks it: ")


def test_what_is_declared_and_was_not_found_kills_nothing() -> None:
    assert Matrix([found("IDN-01")], EVT).killers()["EVT-01"] == []


def test_a_line_shows_what_is_too_much_and_what_is_missing() -> None:
    assert line(found("IDN-01")).split()[-2:] == ["IDN-01!", "(EVT-01?)"]


def test_the_report_has_a_mark_for_each() -> None:
    fault = named("missing-start")
    text = render(Matrix([found("EVT-02")], EVT), at_once=2)
    assert "| `missing-start` | ○ | ✗ |" in text
    assert "| **killers** | 0 | 0 |" in text
    assert fault.sentence in text


def test_requirements_of_source_trees_and_of_one_dialect_need_no_faulty_engine() -> None:
    families = {requirement.family for requirement in on_the_wire(catalogue.load())}
    assert families == {"EVT", "SCH", "IDN", "ORD", "ISO", "ACC", "LIF", "DLV"}


def test_a_defect_is_detected_by_the_operation_that_completes_the_first_proof() -> None:
    fault = replace(named("missing-start"), breaks=frozenset({"EVT-01"}))
    verdict = verdict_of(broken("EVT-01", (1_100.0, 1_900.0), (1_300.0, 1_700.0)), broken("EVT-02", (1_050.0,)))
    kill = kill_of(fault, verdict, driven_ms=1_000.0, took_s=9.0)
    assert sorted(kill.found) == ["EVT-01", "EVT-02"]
    assert kill.detected_s == 0.7
    assert kill_of(fault, verdict_of(), driven_ms=1_000.0, took_s=9.0).detected_s is None


def broken(id: str, *times_ms: tuple[float, ...]) -> RequirementVerdict:
    findings = tuple(
        Finding(id, "m", "e", "a", witnesses=tuple(Witness(1, at, "received", 1, "ann", "{}") for at in times))
        for times in times_ms
    )
    return RequirementVerdict(id, Level.MUST, "s", Outcome.FAIL, 1, "r", len(findings), findings)


def verdict_of(*requirements: RequirementVerdict) -> Verdict:
    return Verdict(
        1, "0", 1, "verify", "t", "five-events", 1, Outcome.FAIL, summarise(requirements), requirements=requirements
    )


def test_what_was_played_before_is_held_against_what_is_declared_now(tmp_path: Path) -> None:
    for fault in all_faults():
        (tmp_path / fault.name).mkdir()
        kill = msgspec.structs.replace(CAUGHT, fault=fault.name, declared=frozenset({"SCH-01"}))
        (tmp_path / fault.name / "kill.json").write_bytes(msgspec.json.encode(kill))
    kills = {kill.fault: kill for kill in with_last([TWICE], tmp_path)}
    assert kills.keys() == {fault.name for fault in all_faults() if not fault.rare}
    assert kills["missing-completion"] is TWICE
    assert kills["naive-timestamps"].declared == {"SCH-03"}
    (tmp_path / "naive-timestamps" / "kill.json").unlink()
    with pytest.raises(NotPlayed, match="naive-timestamps was not played yet"):
        with_last([TWICE], tmp_path)
