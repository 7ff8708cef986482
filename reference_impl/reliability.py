"""How the engine bears with what it depends on: tries again what was not begun, and leaves alone what is down."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx
import stamina
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState

from reference_impl.errors import Unavailable

T = TypeVar("T")

NOT_BEGUN = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Failures after which nothing was done. Anything else may have been done, and is not to be done twice (EVT-12)."""


class RetryHandler:
    """Tries again, up to `attempts` times in all, after growing pauses of `wait_s` and more seconds."""

    def __init__(self, *, attempts: int, wait_s: float) -> None:
        self._caller = stamina.AsyncRetryingCaller(
            attempts=attempts, timeout=None, wait_initial=wait_s, wait_max=10 * wait_s, wait_jitter=wait_s
        )

    async def call(self, action: Callable[[], Awaitable[T]], *, on: tuple[type[Exception], ...]) -> T:
        """What `action` gives in the end. Raises what the last attempt raised."""
        return await self._caller(on, action)


class ReliabilityManager:
    """Calls what runs elsewhere: with retries, and with a circuit breaker for each dependency.

    Only what cannot be reached opens a circuit: that a model or tool refuses what one user asks is that user's concern
    alone (ISO-08).
    """

    def __init__(self, retry: RetryHandler, *, threshold: int, reset_s: float) -> None:
        self.retry = retry
        # A run that is stopped cancels its calls: that says nothing of what was called, either.
        self._reached = [(BaseException, lambda error: not isinstance(error, NOT_BEGUN))]
        self._circuits = AsyncCircuitBreakerFactory(default_threshold=threshold, default_ttl=reset_s)

    async def call(self, dependency: str, action: Callable[[], Awaitable[T]]) -> T:
        """What `action` gives. Raises Unavailable if `dependency` cannot be reached, and what else `action` raises."""
        circuit = await self._circuits.get_breaker(dependency, exclude=[*self._reached])
        try:
            async with circuit:
                return await self.retry.call(action, on=NOT_BEGUN)
        except OpenedState:
            raise Unavailable(f"The {dependency} could not be reached lately: try again soon.") from None
        except NOT_BEGUN:
            raise Unavailable(f"The {dependency} cannot be reached.") from None
