"""The numbers that requirements are judged by. A target file may set its own (`[bounds]`)."""

import msgspec


class Bounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds and limits of one target; the defaults are the catalogue's.

    `factor` scales every time bound at once, for slow machines. `run_limit_s`, `message_bytes` and
    `heartbeat_s` are facts about the target that it may also announce; None means not known.
    """

    delivery_p95_ms: float = 500.0
    first_event_p95_ms: float = 500.0
    delivered: float = 0.999
    stop_ms: float = 2000.0
    clock_skew_s: float = 300.0
    credentials_grace_s: float = 60.0
    patience_ms: float = 5000.0
    factor: float = 1.0
    run_limit_s: float | None = None
    message_bytes: int | None = None
    heartbeat_s: float | None = None
    same_clock: bool | None = None

    def __post_init__(self) -> None:
        for name in ("delivery_p95_ms", "first_event_p95_ms", "stop_ms", "patience_ms", "factor"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be greater than 0")
        if not 0 < self.delivered < 1:
            raise ValueError("delivered must lie between 0 and 1, e.g. 0.999")

    def scaled_ms(self, milliseconds: float) -> float:
        """Return a time bound in ms, scaled by the factor."""
        return milliseconds * self.factor
