"""What the kit does to the process of a target that it launched; and what it sees of it from outside."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import psutil

from conformance.errors import TargetUnreachable, UsageError
from conformance.history.operations import FaultKind, Footprint
from conformance.launch import Launched
from conformance.nemesis.faults import Faults

_EVERY_S = 0.02


class Process:
    """The process of a target. `gone` says why it is there no more, None while it can be used."""

    def __init__(self, launched: Launched, faults: Faults, *, grace_s: float) -> None:
        self._launched = launched
        self._faults = faults
        self._grace_s = grace_s
        self._fault: str | None = None
        self.gone: str | None = None

    def breaking(self) -> str | None:
        """Return how the kit is breaking every connection; None where it is not."""
        return self._fault

    @asynccontextmanager
    async def terminated(self) -> AsyncIterator[None]:
        """Ask the process to end (SIGTERM) and wait until it has; after the block it is started again.

        One that has not ended after the grace is killed, which the end of the fault says.
        """
        fault = self._faults.begin(FaultKind.TERMINATE)
        self._fault = "the kit asked the target to end"
        willing = await self._launched.end(grace_s=self._grace_s)
        problem = None if willing else f"it had not ended {self._grace_s:g} s after SIGTERM, and was killed"
        try:
            yield
        finally:
            await self._back(fault, problem)

    @asynccontextmanager
    async def killed(self) -> AsyncIterator[None]:
        """Kill the process (SIGKILL); after the block it is started again."""
        fault = self._faults.begin(FaultKind.KILL)
        self._fault = "the kit killed the target"
        await self._launched.kill()
        try:
            yield
        finally:
            await self._back(fault, None)

    async def _back(self, fault: int, problem: str | None) -> None:
        try:
            await self._launched.start()
        except (TargetUnreachable, UsageError) as error:
            self.gone = problem = f"it did not come back: {error}"
        finally:
            self._fault = None
            self._faults.end(fault, problem=problem)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the process where it is (SIGSTOP) for as long as the block lasts."""
        with self._faults.during(FaultKind.FREEZE):
            self._launched.freeze()
            try:
                yield
            finally:
                self._launched.thaw()

    # -- from outside -----------------------------------------------------------------------------------------------

    def footprint(self, *, memory: bool) -> Footprint:
        """Record what the process and its children hold, its `memory`, too, or not; return what was recorded."""
        recorder = self._faults.recorder
        resident = 0
        for process in self._processes():
            with contextlib.suppress(psutil.Error):
                resident += process.memory_info().rss
        seen = Footprint(recorder.clock.now(), self.descriptors(), resident // 1024 if memory else None)
        recorder.record(seen)
        return seen

    def descriptors(self) -> int:
        """Return how many file descriptors the process and its children have open."""
        found = 0
        for process in self._processes():
            with contextlib.suppress(psutil.Error):
                found += process.num_fds()
        return found

    async def settles(self, descriptors: int, *, within_s: float) -> None:
        """Wait until the process has no more than so many file descriptors open, at most `within_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.descriptors() > descriptors:  # noqa: ASYNC110 (nothing tells of it)
                    await asyncio.sleep(_EVERY_S)

    def _processes(self) -> list[psutil.Process]:
        try:
            leader = psutil.Process(self._launched.pid)
            return [leader, *leader.children(recursive=True)]
        except psutil.Error:
            return []
