"""Odd limits: an engine with little room."""

from reference_impl.engine import ExecutionEngine
from reference_impl.odd.odd import odd


@odd(
    "tight-limits",
    "A user has two runs at work at a time and eight open, and messages have at most 8 kB.",
    legal="ISO-12 asks that limits be each user's own; rate_limited and too_large are answers.",
    limits={"max_running_per_user": 2, "max_open_per_user": 8, "max_message_bytes": 8_192},
)
class TightLimits(ExecutionEngine):
    """Works for everybody, a little."""
