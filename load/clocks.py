"""How the target's clock differs from the generator's, learnt from the times that its greetings tell."""

from math import inf

_DRIFT = 15e-6


class Offset:
    """The target's clock less the generator's: `us`, which is `trusted` where it is known to within `enough_us`.

    Like NTP (RFC 5905, clock filter), the exchange that took the shortest is believed: half of what it took is how far
    off it may be. What is known ages by 15 µs a second (PHI there). `exact` where both read the same clock; then there
    is nothing to learn.
    """

    def __init__(self, *, exact: bool = False, enough_us: float = inf) -> None:
        self.trusted = exact
        self.us = 0
        self._exact = exact
        self._enough_us = enough_us
        self._error_us: float | None = 0.0 if exact else None
        self._learnt = 0
        self._worst_us = 0.0

    def learn(self, *, sent: int, told: int, came: int) -> None:
        """Take in what the target's clock showed between two times (µs) of the generator's."""
        if self._exact:
            return
        error, before = (came - sent) / 2, self._aged_us(came)
        if before is None or error < before:
            if self.trusted and before is not None:
                self._worst_us = max(self._worst_us, before)
            self.us = round(told - (sent + came) / 2)
            self._error_us, self._learnt = error, came
            self.trusted = error <= self._enough_us

    def error_us(self, now: int) -> float | None:
        """Return how far off everything may be that was measured while it was trusted, None where nothing is known.

        Where it never was trusted, that is how far off it may be now.
        """
        error = self._aged_us(now)
        return error if error is None or not self.trusted else max(error, self._worst_us)

    def _aged_us(self, now: int) -> float | None:
        if self._exact or self._error_us is None:
            return self._error_us
        return self._error_us + max(0, now - self._learnt) * _DRIFT
