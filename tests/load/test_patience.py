"""How long users wait for news of their runs."""

import asyncio

from conformance.history.operations import Action, Asked
from load.patience import Patience
from load.turn import Turn

_LONG_S = 600.0


def turn() -> Turn:
    return Turn(Asked(0, 1, 1, "alice", Action.START))


def test_news_that_matter_end_the_wait() -> None:
    async def wait() -> list[bool]:
        patience, mine, other = Patience(), turn(), turn()
        waits = [
            asyncio.create_task(patience.came(mine, _LONG_S, lambda: mine.over)),
            asyncio.create_task(patience.came(other, _LONG_S, lambda: other.over)),
        ]
        await asyncio.sleep(0)
        mine.tell()
        await asyncio.sleep(0)
        over = [each.done() for each in waits]
        mine.end()
        other.end("refused")
        return [*over, *await asyncio.gather(*waits)]

    assert asyncio.run(wait()) == [False, False, True, True]


def test_patience_ends_also_where_an_earlier_wait_was_to_last_longer() -> None:
    async def wait() -> tuple[bool, bool, bool]:
        patience, mine, other = Patience(), turn(), turn()
        longer = asyncio.create_task(patience.came(other, _LONG_S, lambda: other.over))
        await asyncio.sleep(0)
        came = await patience.came(mine, 0.01, lambda: mine.over)
        waiting = not longer.done()
        other.end()
        return came, waiting, await longer

    assert asyncio.run(wait()) == (False, True, True)


def test_a_later_wait_is_not_cut_short_by_the_timer_of_an_earlier_one() -> None:
    async def wait() -> tuple[float, bool]:
        patience, mine = Patience(), turn()
        first = turn()
        first.end()
        await patience.came(first, 0.01, lambda: first.over)
        began = asyncio.get_running_loop().time()
        came = await patience.came(mine, 0.05, lambda: mine.over)
        return asyncio.get_running_loop().time() - began, came

    took, came = asyncio.run(wait())
    assert took >= 0.049
    assert not came
