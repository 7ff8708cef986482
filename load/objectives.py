"""Objectives: what a load must show, judged at 95 % confidence. Met, violated, or undecided."""

from collections.abc import Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from conformance.bounds import Bounds
from conformance.errors import UsageError
from conformance.statistics import Decision, share
from conformance.target import Goals, Objectives, Target
from conformance.verdict import Met, ObjectiveVerdict
from load.intervals import more_needed, percentile_between, share_between
from load.measure import DELIVERY, FIRST_EVENT, RUN, WHILE_LATE
from load.result import Whole
from load.sketch import Sketch

_PERCENTILES = (
    ("p50_ms", DELIVERY, 50.0),
    ("p95_ms", DELIVERY, 95.0),
    ("p99_ms", DELIVERY, 99.0),
    ("first_event_ms", FIRST_EVENT, 95.0),
    ("run_p95_ms", RUN, 95.0),
)
_ERRORS = 0.01
_TOO_WIDE = 0.1
_EARLY_US = 5_000.0
_FEW = 0.01
_MET: dict[Decision, Met] = {Decision.BELOW: Met.MET, Decision.ABOVE: Met.VIOLATED, Decision.UNDECIDED: Met.UNDECIDED}


@dataclass(frozen=True)
class Doubts:
    """Why latencies may not be the target's: `late`, when they were seen late; `behind`, when runs began late.

    What was seen late was not later than that: an objective can still be met, but not be violated.
    """

    late: str | None
    behind: str | None


def wanted(target: Target) -> Objectives:
    """Return the objectives of a target: those of its file, or else what its bounds say, and few failing runs."""
    given = target.objectives
    for name, goals in given.behaviours.items():
        if goals.delivered is not None:
            raise UsageError(
                f"[objectives.behaviours.{name}] delivered: what is lost is counted for all behaviours together; "
                "say it in [objectives]"
            )
    return given if given != Objectives() else _default(target.bounds)


def _default(bounds: Bounds) -> Objectives:
    return Objectives(
        p95_ms=bounds.scaled_ms(bounds.delivery_p95_ms),
        first_event_ms=bounds.scaled_ms(bounds.first_event_p95_ms),
        delivered=bounds.delivered,
        errors=_ERRORS,
    )


def decidable(target: Target, whole: Whole) -> tuple[Objectives, tuple[str, ...]]:
    """Return the objectives to judge a load by, and why some that nobody asked for are left out.

    What the target file asks for is judged always; of the rest what the target's protocol shows: latency of delivery
    needs timestamps, losses need numbered events.
    """
    objectives = wanted(target)
    if target.objectives != Objectives() or not whole.verdict.events:
        return objectives, ()
    left_out: list[str] = []
    if not any(what.startswith(DELIVERY) for what, _, _ in whole.sketches):
        objectives = replace(objectives, p95_ms=None)
        left_out.append("events tell no times: what is measured are the waits for first events and for ends of runs")
    if "seq" not in whole.verdict.capabilities:
        objectives = replace(objectives, delivered=None)
        left_out.append("events are not numbered: what is lost shows only where a run's story has a gap")
    return objectives, tuple(left_out)


def judge(objectives: Objectives, whole: Whole, *, late_ms: float) -> tuple[ObjectiveVerdict, ...]:
    """Judge all objectives; `late_ms` is how late the generator may have been before latencies say nothing."""
    late, behind = (_late(sketch, late_ms) for sketch in (whole.lateness, whole.arrivals))
    doubts = Doubts(late and f"the generator was late itself: {late}", behind and f"runs began late: {behind}")
    found = list(_all(objectives, None, whole, doubts))
    for behaviour, goals in objectives.behaviours.items():
        found += _all(goals, behaviour, whole, doubts)
    return tuple(found)


def _late(sketch: Sketch, late_ms: float) -> str | None:
    p99 = sketch.percentile_ms(99)
    if p99 <= late_ms:
        return None
    return f"p99 {p99:,.0f} ms, allowed are {late_ms:,.0f} ms; use more workers, or a lower rate"


def _all(goals: Goals, behaviour: str | None, whole: Whole, doubts: Doubts) -> Iterator[ObjectiveVerdict]:
    for name, what, percent in _PERCENTILES:
        bound = getattr(goals, name)
        if bound is not None:
            excuse = doubts.behind or (_clock(bound, whole) if what == DELIVERY else None)
            judged = _percentile(name, what, percent, bound, behaviour, whole)
            if excuse or (judged.samples and doubts.late and judged.verdict is not Met.MET):
                judged = replace(judged, verdict=Met.UNDECIDED, reason=excuse or doubts.late or "", needed=None)
            yield judged
    if goals.delivered is not None:
        lost, expected, _ = whole.shares.get("DLV-01", (0, 0, 0.0))
        yield _share("delivered", None, goals.delivered, lost, expected, least=True)
    if goals.errors is not None:
        chosen = {key: count for key, count in whole.outcomes.items() if behaviour in (None, key[0])}
        failed = sum(count for (_, problem), count in chosen.items() if problem is not None)
        yield _share("errors", behaviour, goals.errors, failed, sum(chosen.values()), least=False)


def _clock(bound_ms: float, whole: Whole) -> str | None:
    error = whole.clock_error_us
    if error is None:
        return "the target's clock is not known: it tells no time in its greeting"
    if error / 1000 > bound_ms * _TOO_WIDE:
        return f"the target's clock is known to within {error / 1000:,.0f} ms only"
    delivery = whole.sketch(DELIVERY)
    early = delivery.samples - delivery.over(-max(error, _EARLY_US))
    if share(early, delivery.samples, _FEW) is Decision.ABOVE:
        return f"{early:,} of {delivery.samples:,} events came before their timestamps: set [bounds] same_clock = false"
    return None


def _percentile(
    name: str, what: str, percent: float, bound: float, behaviour: str | None, whole: Whole
) -> ObjectiveVerdict:
    """Judge a percentile: what came while the generator was late cannot violate it, and meets it at its longest."""
    sketch, doubtful = whole.sketch(what, behaviour), whole.sketch(what + WHILE_LATE, behaviour)
    surely = sketch.over(bound * 1000)
    perhaps = doubtful.over(bound * 1000)
    sketch.merge(doubtful)
    samples = sketch.samples
    if not samples:
        return ObjectiveVerdict(name, behaviour, bound, "ms", Met.UNDECIDED, 0, reason="nothing was measured")
    allowed = 1 - percent / 100
    met = Met.UNDECIDED
    if share(surely + perhaps, samples, allowed) is Decision.BELOW:
        met = Met.MET
    elif share(surely, samples, allowed) is Decision.ABOVE:
        met = Met.VIOLATED
    low, high = percentile_between(sketch, percent)
    more = more_needed(surely + perhaps, samples, allowed) if met is Met.UNDECIDED else None
    reason = f"{surely + perhaps:,} of {samples:,} above it"
    if perhaps:
        reason += f", {perhaps:,} of them while the generator was late itself"
    value = sketch.percentile_ms(percent)
    return ObjectiveVerdict(name, behaviour, bound, "ms", met, samples, value, low, high, more, reason)


def _share(name: str, behaviour: str | None, bound: float, hits: int, samples: int, *, least: bool) -> ObjectiveVerdict:
    """Judge a share of failures: that of errors, or (`least`) what is wanting to a share of successes."""
    if not samples:
        return ObjectiveVerdict(name, behaviour, bound, "share", Met.UNDECIDED, 0, reason="nothing was counted")
    allowed = 1 - bound if least else bound
    met = _MET[share(hits, samples, allowed)]
    low, high = share_between(hits, samples)
    value = hits / samples
    if least:
        low, high, value = 1 - high, 1 - low, 1 - value
    more = more_needed(hits, samples, allowed) if met is Met.UNDECIDED else None
    reason = f"{hits:,} of {samples:,} {'lost' if least else 'did not end well'}"
    return ObjectiveVerdict(name, behaviour, bound, "share", met, samples, value, low, high, more, reason)
