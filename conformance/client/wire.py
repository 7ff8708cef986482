"""What all clients of one run of the kit share."""

from collections.abc import Callable
from dataclasses import dataclass, field
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
    connections and questions.
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

    def __post_init__(self) -> None:
        self.patience = Patience(self.patience_ms)

    @property
    def patience_ms(self) -> float:
        """How long the kit waits for anything that should come at once."""
        return self.bounds.scaled_ms(self.bounds.patience_ms)
