"""How a load goes up and down: how much of it there is at a time, as a share of the whole."""

from collections.abc import Callable

from conformance.errors import UsageError

Shape = Callable[[float], float]
_STEPS = 5
_RAMP = 0.5
_BASE = 0.2
_SPIKE = (0.4, 0.6)


def step(at: float) -> float:
    """Five equal steps up."""
    return min(1.0, (int(at * _STEPS) + 1) / _STEPS)


def ramp(at: float) -> float:
    """Evenly up for the first half, then all of it."""
    return min(1.0, at / _RAMP)


def spike(at: float) -> float:
    """A fifth, but all of it in the middle fifth of the time."""
    return 1.0 if _SPIKE[0] <= at < _SPIKE[1] else _BASE


def soak(at: float) -> float:
    """All of it, all the time."""
    return 1.0


SHAPES: dict[str, Shape] = {shape.__name__: shape for shape in (step, ramp, spike, soak)}


def named(name: str) -> Shape:
    """Return the shape of that name: a function of the time passed (0 to 1). Raises `UsageError`."""
    if name not in SHAPES:
        raise UsageError(f"--shape {name}: no such shape; expected one of {', '.join(SHAPES)}")
    return SHAPES[name]
