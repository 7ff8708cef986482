"""What the columns of a stretch tell: whose canaries its frames hold, its tool calls, and what its runs streamed."""

from bisect import bisect_left
from itertools import chain, compress, count, repeat
from operator import contains

from conformance import canary
from conformance.events import Kind
from conformance.express.stretch import Call, Chapter, Stretch
from conformance.identity import is_placeholder
from conformance.story import LONGEST_PASSAGE

_SECRET = b"secret~of~"


def only_own_canaries(told: Stretch) -> bool:
    """Tell whether there is no canary but the runs' own; settle how far each chapter is due to be judged.

    A frame that holds a canary's rare character otherwise than in its own whole canary is judged at once, and with it
    what came before it in its run.
    """
    raws, ids = told.raws, told.ids
    odd: list[bytes] = []
    last = [0] * len(told.chapters)
    chapters = enumerate(told.chapters)
    number, stop, own, before, length = -1, 0, b"", 0, 0
    for at in compress(count(), map(contains, raws, repeat(126))):
        while at >= stop:
            number, chapter = next(chapters)
            stop, own = chapter.stop, chapter.own_canary
            before, length = own.find(b"~"), len(own)
            if chapter.begins and at == chapter.first:
                return False
        raw = raws[at]
        start = raw.find(b"~") - before
        if raw[start : start + length] == own and raw.find(b"~", start + length) < 0:
            continue  # its own canary, once: the usual case
        rest = raw.replace(own, b" ")
        if 126 in rest:
            odd.append(rest)
            last[number] = at + 1
            if is_placeholder(ids[at]):
                return False
    if odd:
        whole = b"\n".join(odd)
        if _SECRET in whole or canary.may_be_encoded(whole) or any(canary.find(whole)):
            return False
    for chapter, after in zip(told.chapters, last, strict=True):
        passed = chapter.stop if chapter.ends else _passed(chapter, after)
        chapter.passed = passed - chapter.first
        if chapter.passed and chapter.story is not None:
            told.before += chapter.story.passage
    if len(told.ended) < len(told.chapters):
        spans = [range(chapter.first, chapter.first + chapter.passed) for chapter in told.chapters]
        told.passed = list(chain.from_iterable(spans))
    return True


def _passed(chapter: Chapter, after: int) -> int:
    """Return up to where a run that goes on is judged: `after` what was judged at once, passages as long as may be."""
    begun = after or chapter.first + chapter.begins
    pending = len(chapter.story.passage) if chapter.story is not None and not after else 0
    passages = (pending + chapter.stop - begun) // LONGEST_PASSAGE
    return begun + passages * LONGEST_PASSAGE - pending if passages else begun


def paired(told: Stretch) -> bool:
    """Find the tool calls; tell whether none starts or completes twice, completes unstarted, or outlives its run."""
    kinds, events = told.kinds, told.events
    begin, end = Kind.TOOL_STARTED, Kind.TOOL_COMPLETED
    tools = [at for at in told.others if kinds[at] is begin or kinds[at] is end]
    ids = [events[at].payload.tool_call_id for at in tools]
    high = 0
    for chapter in told.chapters:
        low, high = high, bisect_left(tools, chapter.stop, high)
        if low == high and (chapter.story is None or not chapter.story.open_tools):
            continue
        mine = tools[low:high]
        in_turn = chapter.story is None or not chapter.story.tools
        if in_turn and ids[low:high:2] == ids[low + 1 : high : 2] and [kinds[at] for at in mine[::2]].count(end) == 0:
            pairs = zip(ids[low:high:2], mine[::2], mine[1::2], strict=True)
            chapter.calls = [Call(chapter, one, events[start].payload, start, stop) for one, start, stop in pairs]
            if [kinds[at] for at in mine[1::2]].count(begin):
                return False
        elif not _paired_anyhow(told, chapter, mine):
            return False
        told.calls += chapter.calls
    return len({call.call_id for call in told.calls}) == len(told.calls)


def _paired_anyhow(told: Stretch, chapter: Chapter, tools: list[int]) -> bool:
    """Find the calls of a chapter with several at once, or with some under way before or after it."""
    known = chapter.story.tools if chapter.story is not None else {}
    running = chapter.story.open_tools if chapter.story is not None else 0
    opened: dict[str, Call] = {}
    for at in tools:
        payload = told.events[at].payload
        call_id = payload.tool_call_id
        if told.kinds[at] is Kind.TOOL_STARTED:
            if call_id in opened or call_id in known:
                return False
            opened[call_id] = Call(chapter, call_id, payload, at)
            running += 1
            continue
        call = opened.get(call_id)
        if call is None:
            tool = known.get(call_id)
            if tool is None or tool.completed is not None:
                return False
            call = opened[call_id] = Call(chapter, call_id, tool.started.event.payload)
        if call.stop >= 0:
            return False
        call.stop = at
        call.others = running > 1
        running -= 1
    chapter.calls = list(opened.values())
    return not (chapter.ends and running)


def join_texts(told: Stretch) -> None:
    """Put together what the runs that end have streamed."""
    events, others = told.events, told.others
    for chapter in told.ended:
        parts: list[str] = []
        if chapter.story is not None:
            parts = [seen.event.payload.text or "" for seen in chapter.story.text]
        after = chapter.first
        for at in others[bisect_left(others, chapter.first) : bisect_left(others, chapter.stop)]:
            if after < at:
                parts += [event.payload.text for event in events[after:at]]
            after = at + 1
        chapter.text = "".join(parts) if parts else None
