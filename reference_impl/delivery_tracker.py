"""How far the events of each live run have come on the way to their readers."""

import asyncio
from collections.abc import Callable

from reference_impl.context import RunId
from reference_impl.events import Event

Callback = Callable[[Event], None]


class _Progress:
    """Of one run: the last event that was handed over, and who waits for more."""

    __slots__ = ("acknowledged_seq", "waiters")

    def __init__(self) -> None:
        self.acknowledged_seq = 0
        self.waiters: list[asyncio.Future[None]] = []


class EventDeliveryTracker:
    """Knows which events are acknowledged: on record, and handed to every reader there is.

    An entry a run, not an event: the events themselves are in the journal, from which a retry reads them again. So
    memory is bounded by how many runs are live (LIF-07). The callbacks hear of each event that is `delivered`,
    `retried` or `lost` (given up, though it is still in the journal for whoever resumes).
    """

    def __init__(self) -> None:
        self._runs: dict[RunId, _Progress] = {}
        self.retrying: set[RunId] = set()
        """Runs of which a retry is under way, which will bring what comes meanwhile, too."""
        self.on_delivered: list[Callback] = []
        self.on_ended: list[Callback] = []
        self.on_retried: list[Callback] = []
        self.on_lost: list[Callback] = []
        self.delivered = 0
        self.retried = 0
        self.lost = 0

    def __len__(self) -> int:
        return len(self._runs)

    def track(self, run_id: RunId) -> None:
        """Begin to follow a run."""
        self._runs[run_id] = _Progress()

    def forget(self, run_id: RunId) -> None:
        """The run is over: nobody waits for more of it."""
        if (progress := self._runs.pop(run_id, None)) is not None:
            _wake(progress)

    def acknowledge(self, event: Event) -> None:
        """`event` was handed to its readers."""
        self.delivered += 1
        progress = self._runs.get(event.run_id)
        if progress is not None:
            progress.acknowledged_seq = event.seq
            if progress.waiters:
                _wake(progress)
        for callback in self.on_delivered:
            callback(event)
        if event.type.terminal:
            for callback in self.on_ended:
                callback(event)

    def acknowledged_seq(self, run_id: RunId) -> int:
        """The seq of the last event of a live run that was handed over; 0 if there is none."""
        progress = self._runs.get(run_id)
        return 0 if progress is None else progress.acknowledged_seq

    async def wait_beyond(self, run_id: RunId, seq: int) -> None:
        """Return once an event after `seq` is acknowledged, or the run is over."""
        while (progress := self._runs.get(run_id)) is not None and progress.acknowledged_seq <= seq:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            progress.waiters.append(waiter)
            await waiter

    def note_retry(self, event: Event) -> None:
        """`event` could not be handed over and is tried again."""
        self.retrying.add(event.run_id)
        self.retried += 1
        for callback in self.on_retried:
            callback(event)

    def note_lost(self, event: Event) -> None:
        """`event` could not be handed over in time: its readers have to resume."""
        self.lost += 1
        for callback in self.on_lost:
            callback(event)


def _wake(progress: _Progress) -> None:
    waiters, progress.waiters = progress.waiters, []
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
