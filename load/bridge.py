"""Between Locust's greenlets and the generator's event loop, which runs in a thread of its own."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import gevent
import gevent.event
import uvloop
from gevent.monkey import get_original

T = TypeVar("T")


class Bridge:
    """Runs coroutines in an event loop of its own, in a real thread, for greenlets that wait for them."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self._calls: deque[Callable[[], None]] = deque()
        self._wake = gevent.get_hub().loop.async_()
        self._wake.start(self._answer)
        start_thread: Callable[..., object] = get_original("_thread", "start_new_thread")
        start_thread(self._run, ())

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def call(self, begin_work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Have the loop begin some work, and wait for it; other greenlets go on. Its exceptions are raised here.

        If the greenlet is killed meanwhile, the work is done all the same.
        """
        answer = gevent.event.AsyncResult()

        def begin() -> None:
            task = self.loop.create_task(begin_work())
            task.add_done_callback(lambda done: self.tell(lambda: _settle(answer, done)))

        self.loop.call_soon_threadsafe(begin)
        result: T = answer.get()
        return result

    def do(self, function: Callable[[], object]) -> None:
        """Have the loop call a function; do not wait."""
        self.loop.call_soon_threadsafe(function)

    def tell(self, call: Callable[[], None]) -> None:
        """In the loop: have Locust's thread make a call."""
        self._calls.append(call)
        self._wake.send()

    def _answer(self) -> None:
        while self._calls:
            self._calls.popleft()()

    def close(self) -> None:
        """End the loop."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._wake.stop()


def _settle(answer: gevent.event.AsyncResult, done: "asyncio.Task[Any]") -> None:
    if done.cancelled():
        answer.set_exception(asyncio.CancelledError())
    elif (error := done.exception()) is not None:
        answer.set_exception(error)
    else:
        answer.set(done.result())
