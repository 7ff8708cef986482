"""Scales of charts: round numbers for axes."""

import math


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most about `most` round numbers (1, 2 or 5 times a power of ten apart) from `low` to `high`."""
    if high <= low:
        return [low]
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    first = math.ceil(low / step)
    return [round(step * n, 9) for n in range(first, math.floor(high / step) + 1)]


def magnitudes(low: float, high: float) -> list[float]:
    """Return the 1, 2 and 5 times powers of ten from `low` to `high` (both above 0), for a logarithmic axis."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [n for power in powers for factor in (1, 2, 5) if low <= (n := round(factor * 10.0**power, 6)) <= high]
