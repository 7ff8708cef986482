"""`reports/samples/kill-matrix.md`: defect × requirement, times, and what no defect breaks."""

import statistics
from collections.abc import Iterable, Sequence
from itertools import groupby

from conformance.catalogue import Requirement
from reference_impl.faulty import named
from tests.kill_matrix.matrix import Kill, Matrix, problems

_HEAD = """# Kill matrix: faulty engines

Written by `make kill-matrix`: the reference engine with one defect each (`reference_impl/faulty/`), judged as anybody's
engine is, with `agent-conformance verify --reference --fault NAME`. A defect is caught when the kit reports exactly the
requirements that the defect declares to break. The time to detection runs from the beginning of driving to the
operation that completes the proof of the first declared violation, while {at_once} engines are driven at a time.
"""


def render(matrix: Matrix, *, at_once: int) -> str:
    """Return the report on all faults, of which so many were driven at a time."""
    lines = [_HEAD.format(at_once=at_once), *_summary(matrix), *_defects(matrix.kills), *_families(matrix)]
    return "\n".join(lines) + "\n"


def _summary(matrix: Matrix) -> Iterable[str]:
    kills = matrix.kills
    musts = [each for each in matrix.requirements if each.level == "MUST"]
    killed = len(musts) - len(matrix.immortal())
    took = [kill.took_s for kill in kills]
    yield "| | |"
    yield "|---|---|"
    yield f"| defects | {len(kills)} |"
    yield f"| caught by exactly what they declare | {sum(kill.caught for kill in kills)} |"
    yield f"| requirements (MUST) decided on the wire that a defect breaks | {killed} of {len(musts)} |"
    detected = [kill.detected_s for kill in kills if kill.detected_s is not None]
    yield f"| time to detection, median | {matrix.median_s():.2f} s |"
    yield f"| time to detection, longest | {max(detected, default=0.0):.1f} s |"
    yield f"| under 3 s | {sum(each < 3 for each in detected)} of {len(kills)} |"
    yield f"| whole run, median and longest | {statistics.median(took):.1f} s, {max(took):.1f} s |"
    yield ""
    found = [*problems(matrix, whole=True)]
    if found:
        yield from ("## Not as it must be", "", *(f"- {line}" for line in found), "")


def _defects(kills: Sequence[Kill]) -> Iterable[str]:
    yield "## Defects"
    yield ""
    yield "| defect | what the engine does wrong | stands for | broken | detected | whole run |"
    yield "|---|---|---|---|---|---|"
    for kill in kills:
        fault = named(kill.fault)
        name = f"`{kill.fault}`{' (witness)' if kill.witnessed else ''}"
        detected = "–" if kill.detected_s is None else f"{kill.detected_s:.2f} s"
        broken = ", ".join(sorted(kill.found))
        yield f"| {name} | {fault.sentence} | {fault.stands_for} | {broken} | {detected} | {kill.took_s:.0f} s |"
    yield ""
    yield "(witness): a defect only where model and tools run elsewhere, found with `--witness`."
    yield ""


def _families(matrix: Matrix) -> Iterable[str]:
    yield "## Defect × requirement"
    yield ""
    yield "● broken and declared · ◐ broken, as timing had it · ○ declared and not found · ✗ found and not declared"
    yield ""
    for family, of in groupby(matrix.requirements, key=lambda requirement: requirement.family):
        requirements = list(of)
        ids = {requirement.id for requirement in requirements}
        yield f"### {family}"
        yield ""
        yield f"| defect | {' | '.join(requirement.id[4:] for requirement in requirements)} |"
        yield f"|---|{':-:|' * len(requirements)}"
        for kill in matrix.kills:
            if ids & (kill.declared | kill.found):
                marks = " | ".join(_mark(kill, requirement.id) for requirement in requirements)
                yield f"| `{kill.fault}` | {marks} |"
        yield f"| **killers** | {' | '.join(_killers(matrix, requirement) for requirement in requirements)} |"
        yield ""


def _mark(kill: Kill, requirement: str) -> str:
    if requirement in kill.declared:
        return "●" if requirement in kill.found else "○"
    if requirement not in kill.found:
        return ""
    return "✗" if requirement in kill.undeclared else "◐"


def _killers(matrix: Matrix, requirement: Requirement) -> str:
    number = len(matrix.killers()[requirement.id])
    return str(number) if number or requirement.level == "MUST" else f"0 ({requirement.level})"
