"""What all clients of one run of the kit share."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random

from conformance.auth import Auth
from conformance.bounds import Bounds
from conformance.client.patience import Patience
from conformance.dialects.dialect import Dialect
from conformance.history.recorder import Recorder


@dataclass
class Wire:
    """The target, how to speak to it, and where everything is recorded.

    `late_us` returns for how many µs since a time the kit's own event loop was late. `conns` and `asks` number
    connections and questions. `breaking` returns how a fault of the kit's is breaking connections, None where none is.
    `proxied` tells that the way to the target leads through the kit's proxy.
    """

    url: str
    dialect: Dialect
    auth: Auth
    recorder: Recorder
    bounds: Bounds
    random: Random
    late_us: Callable[[int], float]
    say: dict[str, str] = field(default_factory=dict)
    conns: "count[int]" = field(default_factory=lambda: count(1))
    asks: "count[int]" = field(default_factory=lambda: count(1))
    breaking: Callable[[], str | None] = lambda: None
    proxied: bool = False

    def __post_init__(self) -> None:
        self.patience = Patience(self.patience_ms)

    def through(self, url: str, breaking: Callable[[], str | None]) -> "Wire":
        """Return the way to the same target through a proxy at `url`, whose faults are told by `breaking`."""
        wire = replace(self, url=url, breaking=breaking, proxied=True)
        wire.patience = self.patience
        return wire

    @property
    def patience_ms(self) -> float:
        """How long the kit waits for anything that should come at once."""
        return self.bounds.scaled_ms(self.bounds.patience_ms)
