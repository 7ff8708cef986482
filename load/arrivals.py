"""The open model: runs begin when they are due, whatever becomes of those before (no coordinated omission)."""

import asyncio
from random import Random

from load.generator import Generator
from load.person import Person
from load.turn import Ended

_NOT_WORTH_WAITING_S = 0.0005


class Crowd:
    """Users who come when they are due. One who is done may come again; where all are busy, a new one comes."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._idle: list[Person] = []
        self._acting: set[asyncio.Task[Ended]] = set()

    async def arrivals(self, rate: float, random: Random) -> None:
        """Have users come at random, `rate` a second (Poisson), until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += random.expovariate(rate)
            wait = due - loop.time()
            if wait > _NOT_WORTH_WAITING_S:
                await asyncio.sleep(wait)
            late_us = round((loop.time() - due) * 1e6)
            self._generator.health.arrivals.add(late_us)
            task = asyncio.create_task(self._come(self._generator.recorder.clock.now() - late_us))
            self._acting.add(task)
            task.add_done_callback(self._acting.discard)

    async def _come(self, due: int) -> Ended:
        person = self._idle.pop() if self._idle else self._generator.person()
        person.due = due
        ended = await self._generator.act(person)
        self._idle.append(person)
        return ended
