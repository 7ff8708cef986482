"""Whether a run that was waited for in vain has fallen silent, or was only slow, queued, or told elsewhere."""

import math
from collections.abc import Iterable
from typing import Any

from conformance.story import Request, Story


def ended_somewhere(story: Story | None) -> bool:
    """Tell whether a run's end was seen, be it on a connection of somebody else: that is for ISO to judge."""
    return story is not None and (story.terminal is not None or any(s.ended for s in story.streams.values()))


def queued(request: Request, open_runs: Iterable[Story]) -> bool:
    """Tell whether a run that told nothing may only be waiting for another one of its user's to end."""
    story = request.story
    return (story is None or not story.events) and any(run is not story and run.events for run in open_runs)


def silent(story: Story | None, wait: Any, limit_s: float | None) -> bool:
    """Tell whether a run told nothing for half of a wait in vain, and nothing after it: else it was only slow.

    One that was asked to stop, and does not, may go on up to the target's time limit, in s: LIF-02 judges that.
    """
    if story is not None and story.stop_asked is not None and wait.at < story.born_at + (limit_s or math.inf) * 1e6:
        return False
    last = story.last if story is not None else None
    return last is None or last.op.at <= wait.at - wait.waited_ms * 1000 / 2
