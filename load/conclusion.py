"""What a load comes to: the verdict that is written, of what all generators have seen."""

from msgspec.structs import replace

from conformance.verdict import Measurement, Met, Outcome, Series, Spectrum, Verdict
from load import objectives
from load.measure import DELIVERY, FIRST_EVENT, RUN
from load.result import Whole
from load.settings import Settings
from load.sketch import PERCENTILES, Sketch

_SHOWN_PROBLEMS = 10


def conclude(whole: Whole, settings: Settings, warnings: tuple[str, ...] = ()) -> Verdict:
    """Return the verdict on requirements and objectives, with everything that was measured."""
    decidable, left_out = objectives.decidable(settings.target, whole)
    judged = objectives.judge(decidable, whole, late_ms=settings.late_ms)
    verdict = whole.verdict
    outcome = verdict.verdict
    if any(each.verdict is Met.VIOLATED for each in judged):
        outcome = Outcome.FAIL
    elif outcome is Outcome.PASS and any(each.verdict is Met.UNDECIDED for each in judged):
        outcome = Outcome.UNKNOWN
    return replace(
        verdict,
        command="load",
        verdict=outcome,
        objectives=judged,
        measurements=(*verdict.measurements, *_measurements(whole)),
        series=_series(whole),
        spectra=_spectra(whole),
        warnings=(*verdict.warnings, *warnings, *left_out, *_problems(whole)),
        repeat=settings.repeat,
        seed=settings.seed,
    )


def _problems(whole: Whole) -> list[str]:
    bad = [(count, name, problem) for (name, problem), count in whole.outcomes.items() if problem is not None]
    return [
        f"{name}: {count:,} times {problem}" for count, name, problem in sorted(bad, reverse=True)[:_SHOWN_PROBLEMS]
    ]


def _measurements(whole: Whole) -> list[Measurement]:
    found = [
        Measurement(f"{name} p{percent:g}", value, "ms", sketch.samples)
        for name, sketch in (("generator lateness", whole.lateness), ("arrival lateness", whole.arrivals))
        if sketch.samples
        for percent, value in zip((50, 99, 100), sketch.percentiles_ms((50, 99, 100)), strict=True)
    ]
    seconds = max(1, len(whole.seconds))
    done = sum(whole.outcomes.values())
    asked = sum(told[0] for told in whole.seconds.values())
    error_us = whole.clock_error_us
    if error_us:
        found.append(Measurement("target's clock ahead by", whole.clock_offset_us / 1000, "ms", whole.workers))
        found.append(Measurement("target's clock known to within", error_us / 1000, "ms", whole.workers))
    return [
        *found,
        Measurement("generator CPU", whole.cpu_percent, "%", seconds),
        Measurement("generator memory", whole.peak_mb, "MB", whole.workers),
        Measurement("behaviours", done, "", done),
        Measurement("offered", asked / seconds, "runs/s", asked),
        Measurement("throughput", whole.verdict.events / seconds, "events/s", whole.verdict.events),
    ]


def _series(whole: Whole) -> tuple[Series, ...]:
    if not whole.seconds:
        return ()
    course = range(max(whole.seconds) + 1)
    none: tuple[int, int, int, dict[int, int]] = (0, 0, 0, {})
    told = [whole.seconds.get(at, none) for at in course]
    late = [Sketch(each[3]) for each in told]
    percentiles = [sketch.percentiles_ms((50, 95, 99)) if sketch.counts else (None, None, None) for sketch in late]
    counts = [
        Series("offered", "runs/s", tuple(float(asked) for asked, _, _, _ in told)),
        Series("ended", "runs/s", tuple(float(ended) for _, ended, _, _ in told)),
        Series("events", "events/s", tuple(float(events) for _, _, events, _ in told)),
    ]
    return (
        *counts,
        *(
            Series(f"{DELIVERY} p{p}", "ms", tuple(each[at] for each in percentiles))
            for at, p in enumerate((50, 95, 99))
        ),
    )


def _spectra(whole: Whole) -> tuple[Spectrum, ...]:
    found: list[Spectrum] = []
    for what in (DELIVERY, FIRST_EVENT, RUN):
        found += [_spectrum(what, each, whole.sketch(what, each)) for each in (None, *whole.behaviours)]
    for kind in sorted({kind for name, _, kind in whole.sketches if name == DELIVERY}):
        together = Sketch()
        for (name, _, which), sketch in whole.sketches.items():
            if name == DELIVERY and which == kind:
                together.merge(sketch)
        found.append(_spectrum(f"{DELIVERY} of {kind.lower()}", None, together))
    return tuple(each for each in found if each.samples)


def _spectrum(what: str, behaviour: str | None, sketch: Sketch) -> Spectrum:
    values = sketch.percentiles_ms(PERCENTILES)
    return Spectrum(what, behaviour, sketch.samples, tuple(zip(PERCENTILES, values, strict=True)))
