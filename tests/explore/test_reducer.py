"""The reducer: what has nothing to do with a violation goes, what has stays, whatever surrounds it."""

from hypothesis import given
from hypothesis import strategies as st

from conformance.explore import steps as do
from conformance.explore.reducer import reduced, steadied
from conformance.explore.steps import Moment, Steps
from tests.explore.test_scenario_file import STEPS

CAUSE: Steps = (
    do.Start(user="ann", script=[{"think": "x"}, {"tool": "sleep", "args": {"ms": 100, "text": "x"}}, {"say": "x"}]),
    do.Disconnect(user="ann", cut=True),
    do.Connect(user="ann"),
)


def shows(steps: Steps) -> bool:
    """A target that fails where a user leaves within a tool call and comes back later."""
    rest = iter(steps)
    tool = any(isinstance(step, do.Start) and "sleep" in str(step.script) for step in rest)
    return tool and any(isinstance(s, do.Disconnect) for s in rest) and any(isinstance(s, do.Connect) for s in rest)


@given(st.lists(STEPS, max_size=8), st.lists(STEPS, max_size=8), st.lists(STEPS, max_size=8))
def test_what_is_left_is_the_cause(one: list[do.AnyStep], two: list[do.AnyStep], three: list[do.AnyStep]) -> None:
    steps = (*one, CAUSE[0], *two, CAUSE[1], *three, CAUSE[2])
    *_, last = (steps, *reduced(steps, shows))
    assert [type(step) for step in last] == [do.Start, do.Disconnect, do.Connect]
    assert isinstance(last[0], do.Start)
    assert [next(iter(part)) for part in last[0].script] == ["think", "tool", "say"]


@given(st.lists(STEPS, min_size=1, max_size=8))
def test_each_reduction_shows_it_and_is_no_longer_than_the_one_before(steps: list[do.AnyStep]) -> None:
    def waits(candidate: Steps) -> bool:
        return any(isinstance(step, do.Await) for step in candidate)

    before: Steps = (*steps, do.Await(user="ann", until=Moment.END, back=2))
    for after in reduced(before, waits):
        assert waits(after)
        assert len(after) <= len(before)
        before = after
    assert len(before) == 1


def test_what_cannot_be_made_smaller_is_left_as_it_is() -> None:
    assert list(reduced(CAUSE, lambda steps: steps == CAUSE)) == []


def test_steadied_steps_wait_for_each_tool_to_be_at_work() -> None:
    once = steadied(CAUSE)
    assert once == (CAUSE[0], do.Await(user="ann", until=Moment.TOOL), *CAUSE[1:])
    assert steadied(once) == once
    silent = (do.Start(user="ann", script=[{"say": "x"}]),)
    assert steadied(silent) == silent
