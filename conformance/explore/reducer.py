"""The reducer: makes the steps that show a violation fewer and simpler, as long as they still show it.

Hypothesis' own shrinker needs hundreds of tries that are answered at once and always the same; here each takes real
time, and what depends on timing shows only most of the time. So the steps themselves are reduced: by delta debugging
first (Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input), then one by one to something simpler.
"""

from collections.abc import Callable, Iterator

import msgspec

from conformance.explore import steps as do
from conformance.explore.steps import AnyStep, Moment, Steps, users_in
from conformance.script import Script, calls, tool

_PLAIN: Script = [{"think": "{canary}"}, {"say": "done {canary}"}]
_ONE_TOOL: Script = [
    {"think": "{canary}"},
    tool("sleep", ms=300, text="{canary}"),
    {"say": "done {canary}"},
]
_SIMPLER_FRAMES = ("{", "[]", "{}")


Shows = Callable[[Steps], bool]


def steadied(steps: Steps) -> Steps:
    """Return the steps with a wait after each start that calls tools, until one is at work: less is left to chance."""
    steady: list[AnyStep] = []
    for number, step in enumerate(steps):
        steady.append(step)
        if isinstance(step, do.Start) and any(calls(step.script)):
            wait = do.Await(user=step.user, until=Moment.TOOL)
            if steps[number + 1 : number + 2] != (wait,):
                steady.append(wait)
    return tuple(steady)


def reduced(steps: Steps, shows: Shows) -> Iterator[Steps]:
    """Yield ever fewer and simpler steps for which `shows` is true; the last are as simple as it gets."""
    tried: set[bytes] = set()

    def holds(candidate: Steps) -> bool:
        key = msgspec.json.encode(candidate)
        if not candidate or candidate == steps or key in tried:
            return False
        tried.add(key)
        return shows(candidate)

    before: Steps = ()
    while before != steps:
        before = steps
        for reduce in (_without_groups, _without_stretches, _simplified):
            for smaller in reduce(steps, holds):
                steps = smaller
                yield steps


def _without_groups(steps: Steps, holds: Shows) -> Iterator[Steps]:
    """Leave out all steps of a kind, and all of a user."""
    kinds = dict.fromkeys(type(step) for step in steps)
    for kind in kinds:
        fewer = tuple(step for step in steps if type(step) is not kind)
        if holds(fewer):
            steps = fewer
            yield steps
    for user in users_in(steps):
        fewer = tuple(step for step in steps if user not in users_in([step]))
        if holds(fewer):
            steps = fewer
            yield steps


def _without_stretches(steps: Steps, holds: Shows) -> Iterator[Steps]:
    """Leave out steps in a row: many at first, then one by one, the last ones first."""
    size = max(1, len(steps) // 2)
    while size:
        end = len(steps)
        while end > 0:
            fewer = steps[: max(0, end - size)] + steps[end:]
            if holds(fewer):
                steps = fewer
                yield steps
            end = min(end - size, len(steps))
        size //= 2


def _simplified(steps: Steps, holds: Shows) -> Iterator[Steps]:
    """Put something simpler in the place of a step."""
    for number in range(len(steps)):
        for simpler in _simplifications(steps[number]):
            candidate = (*steps[:number], simpler, *steps[number + 1 :])
            if holds(candidate):
                steps = candidate
                yield steps
                break


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
