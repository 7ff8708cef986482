"""How the target's clock differs from the generator's, learnt from the times that its greetings tell."""


class Offset:
    """The target's clock less the generator's: `us`, known to within `error_us`.

    Like NTP (RFC 5905, clock filter), the exchange that took the shortest is believed. `exact` where both read the same
    clock; then there is nothing to learn.
    """

    def __init__(self, *, exact: bool = False) -> None:
        self.exact = exact
        self.us = 0
        self.error_us: float | None = 0.0 if exact else None

    def learn(self, *, sent: int, told: int, came: int) -> None:
        """Take in what the target's clock showed between two times (µs) of the generator's."""
        error = (came - sent) / 2
        if not self.exact and (self.error_us is None or error < self.error_us):
            self.us = round(told - (sent + came) / 2)
            self.error_us = error
