"""What generators have seen, as data, and how several of them make one."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from conformance.statistics import Decision, needed, share
from conformance.verdict import (
    Block,
    Distribution,
    Finding,
    Outcome,
    RequirementVerdict,
    Verdict,
    cause,
    judged_by,
)
from load.measure import Key
from load.samples import Sample
from load.sketch import Sketch

_SHOWN = 10
_LATE_ITSELF = "late itself"
_CRASHED = "its check crashed"
Seconds = dict[int, tuple[int, int, int, dict[int, int]]]


class Report(msgspec.Struct, frozen=True):
    """What one generator has seen. Its `verdict` holds requirements only.

    `shares` are the counts behind requirements that are decided by a share: hits, samples, the share allowed. Of each
    sketch there is its key and its counts; of each second (since `began_us`) the questions, ended runs, events, and
    counts of delivery latencies. `outcomes` are behaviours, why they did not go well, if so, and how often.
    `clock_offset_us` is the target's clock less this one's, `clock_error_us` how far off that may be: None where it is
    not known.
    """

    worker: int
    began_us: int
    verdict: Verdict
    shares: dict[str, tuple[int, int, float]]
    sketches: list[tuple[str, str, str, dict[int, int]]]
    seconds: Seconds
    outcomes: list[tuple[str, str | None, int]]
    lateness: dict[int, int]
    arrivals: dict[int, int]
    cpu_percent: list[float]
    peak_mb: float
    clock_error_us: float | None
    clock_offset_us: int = 0


class Whole(msgspec.Struct, frozen=True):
    """What all generators of a load have seen together. `clock_offset_us` is the largest of theirs."""

    verdict: Verdict
    shares: dict[str, tuple[int, int, float]]
    sketches: dict[Key, Sketch]
    seconds: Seconds
    outcomes: dict[tuple[str, str | None], int]
    lateness: Sketch
    arrivals: Sketch
    cpu_percent: float
    peak_mb: float
    clock_error_us: float | None
    clock_offset_us: int
    workers: int

    def sketch(self, what: str, behaviour: str | None = None) -> Sketch:
        """Return everything of that name, of one behaviour or of all."""
        found = Sketch()
        for (name, which, _), sketch in self.sketches.items():
            if name == what and behaviour in (None, which):
                found.merge(sketch)
        return found

    @property
    def behaviours(self) -> list[str]:
        """Return the names of what was done."""
        return sorted({name for name, _ in self.outcomes})


def located(verdict: Verdict, where: Mapping[Finding, Sample]) -> Verdict:
    """Return a verdict whose findings point to their samples; one of which there is none points nowhere."""

    def point(finding: Finding) -> Finding:
        sample = where.get(finding)
        if sample is None:
            return replace(finding, location=None)
        witnesses = tuple(replace(witness, line=sample.lines[witness.line]) for witness in finding.witnesses)
        return replace(finding, location=sample.location, witnesses=witnesses)

    return _pointed(verdict, point)


def within(verdict: Verdict, folder: str) -> Verdict:
    """Return a verdict whose findings point into a folder: their samples were written there."""

    def point(finding: Finding) -> Finding:
        return replace(finding, location=finding.location and f"{folder}/{finding.location}")

    return _pointed(verdict, point)


def _pointed(verdict: Verdict, point: Callable[[Finding], Finding]) -> Verdict:
    requirements = tuple(replace(r, findings=tuple(map(point, r.findings))) for r in verdict.requirements)
    return replace(verdict, requirements=requirements)


def merge(reports: Sequence[Report]) -> Whole:
    """Put the reports of all generators together; the same numbers come out however the load was divided."""
    ordered = sorted(reports, key=lambda report: report.worker)
    began = min(report.began_us for report in ordered)
    sketches: dict[Key, Sketch] = {}
    seconds: Seconds = {}
    outcomes: dict[tuple[str, str | None], int] = {}
    lateness, arrivals = Sketch(), Sketch()
    for report in ordered:
        for what, behaviour, kind, counts in report.sketches:
            sketches.setdefault((what, behaviour, kind), Sketch()).merge(Sketch(counts))
        for at, told in report.seconds.items():
            second = at + (report.began_us - began) // 1_000_000
            seconds[second] = _together(seconds.get(second), told)
        for name, problem, count in report.outcomes:
            outcomes[name, problem] = outcomes.get((name, problem), 0) + count
        lateness.merge(Sketch(report.lateness))
        arrivals.merge(Sketch(report.arrivals))
    shares = _shares(ordered)
    cpu = [value for report in ordered for value in report.cpu_percent]
    errors = [report.clock_error_us for report in ordered]
    return Whole(
        verdict=replace(
            _verdict([report.verdict for report in ordered], shares), distributions=_distributions(ordered, began)
        ),
        shares=shares,
        sketches=dict(sorted(sketches.items())),
        seconds=dict(sorted(seconds.items())),
        outcomes=outcomes,
        lateness=lateness,
        arrivals=arrivals,
        cpu_percent=sum(cpu) / len(cpu) if cpu else 0.0,
        peak_mb=max(report.peak_mb for report in ordered),
        clock_error_us=None if None in errors else max(error for error in errors if error is not None),
        clock_offset_us=max((report.clock_offset_us for report in ordered), key=abs),
        workers=len(ordered),
    )


def _together(
    one: tuple[int, int, int, dict[int, int]] | None, other: tuple[int, int, int, dict[int, int]]
) -> tuple[int, int, int, dict[int, int]]:
    if one is None:
        return other
    late = Sketch(one[3])
    late.merge(Sketch(other[3]))
    return one[0] + other[0], one[1] + other[1], one[2] + other[2], dict(late.counts)


def _shares(reports: Iterable[Report]) -> dict[str, tuple[int, int, float]]:
    shares: dict[str, tuple[int, int, float]] = {}
    for report in reports:
        for name, (hits, samples, allowed) in report.shares.items():
            before = shares.get(name, (0, 0, allowed))
            shares[name] = (before[0] + hits, before[1] + samples, allowed)
    return shares


def _distributions(reports: Sequence[Report], began_us: int) -> tuple[Distribution, ...]:
    """Add up the distributions of each name, in blocks as long as the longest; a block counts where it begins."""
    named: dict[str, list[tuple[int, Distribution]]] = {}
    for report in reports:
        since_s = (report.began_us - began_us) // 1_000_000
        for waits in report.verdict.distributions:
            named.setdefault(waits.name, []).append((since_s, waits))
    return tuple(_added(name, alike) for name, alike in named.items())


def _added(name: str, alike: Sequence[tuple[int, Distribution]]) -> Distribution:
    block_s = max(waits.block_s for _, waits in alike)
    blocks: dict[int, Counter[int]] = {}
    for since_s, waits in alike:
        for block in waits.blocks:
            at_s = (since_s + block.at_s) // block_s * block_s
            blocks.setdefault(at_s, Counter()).update(block.counts)
    told = tuple(Block(at_s, dict(sorted(counts.items()))) for at_s, counts in sorted(blocks.items()))
    return Distribution(name, block_s, told)


def _verdict(verdicts: Sequence[Verdict], shares: Mapping[str, tuple[int, int, float]]) -> Verdict:
    """Return the verdict of all generators, on what was exercised and what every load must show."""
    first = verdicts[0]
    alike = [_requirement(list(same), shares) for same in zip(*(v.requirements for v in verdicts), strict=True)]
    requirements = tuple(r for r in alike if r.exercised or r.findings or r.id in shares)
    return replace(
        judged_by(first, requirements),
        capabilities=tuple(sorted({name for verdict in verdicts for name in verdict.capabilities})),
        began=min(verdict.began or "" for verdict in verdicts),
        duration_ms=max(verdict.duration_ms or 0.0 for verdict in verdicts),
        operations=sum(verdict.operations for verdict in verdicts),
        events=sum(verdict.events for verdict in verdicts),
        measurements=first.measurements if len(verdicts) == 1 else (),
        warnings=tuple(dict.fromkeys(warning for verdict in verdicts for warning in verdict.warnings)),
        harness_errors=tuple(dict.fromkeys(error for verdict in verdicts for error in verdict.harness_errors)),
    )


def _requirement(same: list[RequirementVerdict], shares: Mapping[str, tuple[int, int, float]]) -> RequirementVerdict:
    """Return the verdict on one requirement, given that of each generator."""
    first = same[0]
    if len(same) == 1:
        return first
    together = replace(
        first,
        exercised=sum(each.exercised for each in same),
        violations=sum(each.violations for each in same),
        findings=tuple(_kept(finding for each in same for finding in each.findings)),
    )
    if first.id in shares:
        return _by_share(together, same, *shares[first.id])
    ranked = (Outcome.FAIL, Outcome.PASS, Outcome.UNKNOWN, Outcome.NOT_APPLICABLE)
    crashed = next((each for each in same if each.reason.startswith(_CRASHED)), None)
    leading = crashed or min(same, key=lambda each: ranked.index(each.verdict))
    reason = leading.reason
    if leading.verdict is Outcome.FAIL:
        reason = f"violated {together.violations} time{'s' if together.violations > 1 else ''}"
    elif leading.verdict is Outcome.PASS:
        reason = f"held {together.exercised} times"
    return replace(together, verdict=leading.verdict, reason=reason)


def _kept(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the first few, and the first of each further cause."""
    causes: set[str] = set()
    for place, finding in enumerate(findings):
        if place < _SHOWN or cause(finding.message) not in causes:
            yield finding
        causes.add(cause(finding.message))


def _by_share(
    together: RequirementVerdict, same: list[RequirementVerdict], hits: int, samples: int, allowed: float
) -> RequirementVerdict:
    told = f"{hits:,} of {samples:,}, {allowed:.2%} allowed"
    match share(hits, samples, allowed):
        case Decision.ABOVE:
            return replace(together, verdict=Outcome.FAIL, violations=1, reason=f"violated 1 time: {told}")
        case Decision.BELOW:
            late = next((each for each in same if each.reason.endswith(_LATE_ITSELF)), None)
            if late is not None:
                return replace(together, verdict=Outcome.UNKNOWN, reason=late.reason, violations=0, findings=())
            reason = f"held {samples} times"
            return replace(together, verdict=Outcome.PASS, reason=reason, violations=0, findings=())
        case _:
            reason = f"{told}: too few samples ({needed(allowed):,} without one would decide it)"
            return replace(together, verdict=Outcome.UNKNOWN, reason=reason, violations=0, findings=())
