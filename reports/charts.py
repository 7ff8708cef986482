"""Charts: how waits are distributed, delivery and figures over time. `templates/charts.jinja` draws them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from conformance.verdict import Distribution, Series, Verdict
from reports.scale import magnitudes, ticks

WIDTH = 640
HEIGHT = 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 12, 26, 28
_COLUMNS = 48
_PERCENTILES = (50, 95, 99)
_MOST_POINTS = 280

Rect = tuple[float, float, float, float, str]
"""x, y, width, height in px, and a title."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A line over a chart, in pieces (points, as in SVG): broken where there is no value. `name` is its legend."""

    name: str
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars, lines across at a value (px, label), curves, and axes (px, label)."""

    title: str
    note: str
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    bars: tuple[Rect, ...] = ()
    lines: tuple[tuple[float, str], ...] = ()
    curves: tuple[Curve, ...] = ()
    right_ticks: tuple[tuple[float, str], ...] = ()


def charts(verdict: Verdict) -> list[Chart]:
    """Return the charts of a verdict's waits: each distribution, and the delivery over time, if no series tells it."""
    drawn = [histogram(waits) for waits in verdict.distributions]
    untold = () if verdict.series else verdict.distributions[:1]
    return drawn + [over_time(waits) for waits in untold if len(waits.blocks) > 1]


def courses(verdict: Verdict) -> list[Chart]:
    """Return the charts of a verdict's series: one for those of a unit that follow each other."""
    return [course(list(alike)) for _, alike in groupby(verdict.series, lambda series: series.unit)]


def total(waits: Distribution) -> dict[int, int]:
    """Return all counts of a distribution: the upper ends of its bins, in µs and in order, and how many fell there."""
    counts: dict[int, int] = {}
    for block in waits.blocks:
        for us, count in block.counts.items():
            counts[us] = counts.get(us, 0) + count
    return dict(sorted(counts.items()))


def percentile(counts: Mapping[int, int], percent: float) -> float:
    """Return the wait in ms that this share does not exceed; `counts` are in order."""
    rest = sum(counts.values()) * percent / 100
    for us, count in counts.items():
        rest -= count
        if rest <= 0:
            return us / 1000
    return 0.0


def histogram(waits: Distribution) -> Chart:
    """Draw the waits on a logarithmic axis, with their percentiles."""
    counts = total(waits)
    low, high = min(counts) / 1000 * 0.9, max(counts) / 1000 * 1.1
    spread = math.log(high / low)
    columns = [0] * _COLUMNS
    for us, count in counts.items():
        columns[min(_COLUMNS - 1, int(math.log(us / 1000 / low) / spread * _COLUMNS))] += count

    def x(ms: float) -> float:
        return _across(math.log(ms / low) / spread)

    top = max(columns)
    bars: list[Rect] = []
    for number, count in enumerate(columns):
        if count:
            ends = [low * math.exp(spread * at / _COLUMNS) for at in (number, number + 1)]
            title = f"{count:,} of {ends[0]:.3g} to {ends[1]:.3g} ms"
            bars.append((*_bar(number, _COLUMNS, count / top), title))
    return Chart(
        title=waits.name,
        note=f"{sum(counts.values()):,} samples, in ms, logarithmic",
        bars=tuple(bars),
        x_ticks=[(x(ms), f"{ms:g}") for ms in magnitudes(low, high)],
        y_ticks=_counts(top),
        lines=tuple((x(ms), f"p{p} {ms:.3g} ms") for p in _PERCENTILES if (ms := percentile(counts, p))),
    )


def over_time(waits: Distribution) -> Chart:
    """Draw how many events arrived when, and the p95 of their waits."""
    last = waits.blocks[-1].at_s // waits.block_s + 1
    sums = {block.at_s // waits.block_s: sum(block.counts.values()) for block in waits.blocks}
    p95s = {block.at_s // waits.block_s: percentile(dict(sorted(block.counts.items())), 95) for block in waits.blocks}
    top, slowest = max(sums.values()), max(p95s.values())
    bars: tuple[Rect, ...] = tuple(
        (*_bar(at, last, count / top), f"{count:,} events at {at * waits.block_s} s, p95 {p95s[at]:.3g} ms")
        for at, count in sums.items()
    )
    points = [f"{_across((at + 0.5) / last)},{_up(ms / slowest)}" for at, ms in p95s.items()]
    return Chart(
        title="delivery over time",
        note=f"events in each {waits.block_s} s of the run (bars), p95 of their latency in ms (line, right axis)",
        bars=bars,
        x_ticks=_seconds(last * waits.block_s),
        y_ticks=_counts(top),
        curves=(Curve("", (" ".join(points),)),),
        right_ticks=tuple((_up(ms / slowest), f"{ms:g}") for ms in ticks(0, slowest, 4)),
    )


def course(alike: Sequence[Series]) -> Chart:
    """Draw series of one unit over time, from zero up to the highest value of them all."""
    seconds = max(1, *(len(series.values) for series in alike))
    stretch = max(1, -(-seconds // _MOST_POINTS))
    highest = [max((value for value in series.values if value is not None), default=0.0) for series in alike]
    top = max(highest) or 1.0
    return Chart(
        title=alike[0].unit,
        note=f"in each {f'{stretch} s' if stretch > 1 else 'second'}; highest:",
        x_ticks=_seconds(seconds),
        y_ticks=[(_up(value / top), f"{value:,g}") for value in ticks(0, top, 4)],
        curves=tuple(
            Curve(f"{series.name} {value:,.4g}", _pieces(series, stretch, seconds, top))
            for series, value in zip(alike, highest, strict=True)
        ),
    )


def _pieces(series: Series, stretch: int, seconds: int, top: float) -> tuple[str, ...]:
    """Return the line through the highest value of each stretch (s), broken where there is none; one alone is a dot."""
    pieces: list[list[str]] = [[]]
    for since in range(0, len(series.values), stretch):
        known = [value for value in series.values[since : since + stretch] if value is not None]
        if known:
            pieces[-1].append(f"{_across((since + stretch / 2) / seconds)},{_up(max(known) / top)}")
        else:
            pieces.append([])
    return tuple(" ".join(piece if len(piece) > 1 else piece * 2) for piece in pieces if piece)


def _seconds(last: int) -> list[tuple[float, str]]:
    return [(_across(at / last), f"{at:g} s") for at in ticks(0, last, 8)]


def _counts(top: int) -> list[tuple[float, str]]:
    return [(_up(count / top), f"{count:,.0f}") for count in ticks(0, top, 4) if count == int(count)]


def _bar(number: int, columns: int, share: float) -> tuple[float, float, float, float]:
    x, y = _across(number / columns), _up(share)
    return x, y, round(max(1.0, _across((number + 1) / columns) - x - 1), 1), round(HEIGHT - _BOTTOM - y, 1)


def _across(share: float) -> float:
    return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT - 24), 1)


def _up(share: float) -> float:
    return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)
