"""Charts of waits: how they are distributed, and what was delivered when. `templates/charts.jinja` draws them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from conformance.verdict import Distribution, Verdict
from reports.scale import magnitudes, ticks

WIDTH = 640
HEIGHT = 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 12, 26, 28
_COLUMNS = 48
_PERCENTILES = (50, 95, 99)

Rect = tuple[float, float, float, float, str]
"""x, y, width, height in px, and a title."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars, lines across at a value (px, label), and axes (px, label); `curve` are the points of a line over it."""

    title: str
    note: str
    bars: list[Rect]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    lines: list[tuple[float, str]]
    curve: str = ""
    right_ticks: tuple[tuple[float, str], ...] = ()


def charts(verdict: Verdict) -> list[Chart]:
    """Return the charts of a verdict's waits: each distribution, and the delivery over time."""
    drawn = [histogram(waits) for waits in verdict.distributions]
    return drawn + [over_time(waits) for waits in verdict.distributions[:1] if len(waits.blocks) > 1]


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
        bars=bars,
        x_ticks=[(x(ms), f"{ms:g}") for ms in magnitudes(low, high)],
        y_ticks=_counts(top),
        lines=[(x(ms), f"p{p} {ms:.3g} ms") for p in _PERCENTILES if (ms := percentile(counts, p))],
    )


def over_time(waits: Distribution) -> Chart:
    """Draw how many events arrived when, and the p95 of their waits."""
    last = waits.blocks[-1].at_s // waits.block_s + 1
    sums = {block.at_s // waits.block_s: sum(block.counts.values()) for block in waits.blocks}
    p95s = {block.at_s // waits.block_s: percentile(dict(sorted(block.counts.items())), 95) for block in waits.blocks}
    top, slowest = max(sums.values()), max(p95s.values())
    bars: list[Rect] = [
        (*_bar(at, last, count / top), f"{count:,} events at {at * waits.block_s} s, p95 {p95s[at]:.3g} ms")
        for at, count in sums.items()
    ]
    points = [f"{_across((at + 0.5) / last)},{_up(ms / slowest)}" for at, ms in p95s.items()]
    return Chart(
        title="delivery over time",
        note=f"events in each {waits.block_s} s of the run (bars), p95 of their latency in ms (line, right axis)",
        bars=bars,
        x_ticks=[(_across(at / (last * waits.block_s)), f"{at:g} s") for at in ticks(0, last * waits.block_s, 8)],
        y_ticks=_counts(top),
        lines=[],
        curve=" ".join(points),
        right_ticks=tuple((_up(ms / slowest), f"{ms:g}") for ms in ticks(0, slowest, 4)),
    )


def _counts(top: int) -> list[tuple[float, str]]:
    return [(_up(count / top), f"{count:,.0f}") for count in ticks(0, top, 4) if count == int(count)]


def _bar(number: int, columns: int, share: float) -> tuple[float, float, float, float]:
    x, y = _across(number / columns), _up(share)
    return x, y, round(max(1.0, _across((number + 1) / columns) - x - 1), 1), round(HEIGHT - _BOTTOM - y, 1)


def _across(share: float) -> float:
    return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT - 24), 1)


def _up(share: float) -> float:
    return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)
