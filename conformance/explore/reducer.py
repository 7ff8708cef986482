"""The reducer: makes the steps that show a violation fewer and simpler, as long as they still show it.

Hypothesis' own shrinker needs hundreds of tries that are answered at once and always the same; here each takes real
time, and what depends on timing shows only most of the time. So the steps themselves are reduced: by delta debugging
first (Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input), then one by one to something simpler.
"""

from collections.abc import Callable, Iterator

import msgspec

from conformance.explore import steps as do
from conformance.explore.steps import AnyStep, Steps
from conformance.script import Script, tool

_PLAIN: Script = [{"think": "{canary}"}, {"say": "done {canary}"}]
_ONE_TOOL: Script = [
    {"think": "{canary}"},
    tool("sleep", ms=300, text="{canary}"),
    {"say": "done {canary}"},
]
_SIMPLER_FRAMES = ("{", "[]", "{}")


def reduced(steps: Steps, shows: Callable[[Steps], bool]) -> Iterator[Steps]:
    """Yield ever fewer and simpler steps for which `shows` is true; the last is as simple as it gets."""
    tried = {msgspec.json.encode(steps)}

    def smaller(candidate: Steps) -> bool:
        key = msgspec.json.encode(candidate)
        if not candidate or key in tried:
            return False
        tried.add(key)
        return shows(candidate)

    before: Steps = ()
    while before != steps:
        before = steps
        for candidates in (_fewer, _simpler):
            progress = True
            while progress:
                progress = False
                for candidate in candidates(steps):
                    if smaller(candidate):
                        steps, progress = candidate, True
                        yield steps
                        break


def _fewer(steps: Steps) -> Iterator[Steps]:
    """Yield the steps without some in a row: many at first, the last ones first."""
    size = max(1, len(steps) // 2)
    while True:
        for end in range(len(steps), 0, -size):
            yield steps[: max(0, end - size)] + steps[end:]
        if size == 1:
            return
        size //= 2


def _simpler(steps: Steps) -> Iterator[Steps]:
    for number, step in enumerate(steps):
        for simpler in _simplifications(step):
            if simpler != step:
                yield (*steps[:number], simpler, *steps[number + 1 :])


def _simplifications(step: AnyStep) -> Iterator[AnyStep]:
    """Yield simpler forms of one step, the simplest first."""
    replace = msgspec.structs.replace
    match step:
        case do.Start(script=script):
            if script not in (_PLAIN, _ONE_TOOL):
                yield replace(step, script=_PLAIN)
                yield replace(step, script=_ONE_TOOL)
                for number in range(1, len(script) - 1):
                    yield replace(step, script=script[:number] + script[number + 1 :])
            elif script == _ONE_TOOL:
                yield replace(step, script=_PLAIN)
            yield replace(step, same_thread=False)
        case do.Disconnect():
            yield replace(step, cut=False)
        case do.Resume():
            yield replace(step, after=None)
            yield replace(step, back=0)
        case do.Send(unknown_type=False, frame=frame):
            yield from (replace(step, frame=simpler) for simpler in _SIMPLER_FRAMES if len(simpler) < len(frame))
        case do.Await() | do.Read() | do.Stop() | do.Repeat() | do.Trespass():
            yield replace(step, back=0)
        case _:
            pass
